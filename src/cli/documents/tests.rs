// SPDX-License-Identifier: Apache-2.0

//! Files in a directory of their own.

use std::fs;

use clap::Parser;
use tempfile::TempDir;

use super::super::args::{Arguments, Command};
use super::*;
use crate::identity::Environment;

const MIRROR: &str = r#"
apiVersion: transship.dev/v1alpha1
kind: ImageMirror
metadata: {name: base, namespace: platform}
spec:
  source:
    registry: docker.io
    secretRef: {name: hub}
  images:
    - {repository: library/alpine, tags: ["3.20"]}
  destinations:
    - {name: eu, registry: eu.example.com}
"#;

const SECRET: &str = r#"
apiVersion: v1
kind: Secret
metadata: {name: hub, namespace: platform}
type: kubernetes.io/dockerconfigjson
stringData:
  .dockerconfigjson: '{"auths": {"docker.io": {"username": "me", "password": "canary"}}}'
"#;

/// A directory with documents.
struct Files(TempDir);

impl Files {
    fn new(files: &[(&str, &str)]) -> Self {
        let directory = TempDir::new().unwrap();
        for (name, content) in files {
            let path = directory.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        Self(directory)
    }

    /// Reads what the arguments say, in which `.` stands for the directory.
    fn read(&self, arguments: &[&str]) -> Result<Vec<Runnable>, String> {
        let root = self.0.path().to_str().unwrap();
        let words = arguments.iter().map(|word| match word.strip_prefix('.') {
            Some(rest) => format!("{root}{rest}"),
            None => (*word).to_owned(),
        });
        let words = ["transship", "plan"]
            .map(str::to_owned)
            .into_iter()
            .chain(words);
        let Command::Plan(args) = Arguments::try_parse_from(words).unwrap().command else {
            panic!("{arguments:?}")
        };
        let identities = Identities::new("test", None, Environment::default()).unwrap();
        let read = read(&args.documents, &identities).map(|documents| documents.runnables);
        read.map_err(|error| error.to_string().replace(root, "."))
    }

    fn error(&self, arguments: &[&str]) -> String {
        self.read(arguments).unwrap_err()
    }
}

fn names(runnables: &[Runnable]) -> Vec<&str> {
    runnables
        .iter()
        .map(|runnable| runnable.mirror.name.as_str())
        .collect()
}

#[test]
fn the_documents_of_all_files_belong_together() {
    let other = MIRROR.replace("name: base", "name: other");
    let files = Files::new(&[
        ("b.yaml", MIRROR),
        ("a.yml", &other),
        (
            "secret.json",
            r#"{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "hub", "namespace": "platform"},
            "type": "kubernetes.io/dockerconfigjson", "data": {".dockerconfigjson": "e30="}}"#,
        ),
        ("notes.txt", "not a document"),
        ("below/c.yaml", "not read"),
    ]);
    let all = files.read(&["-f", "."]).unwrap();
    assert_eq!(names(&all), ["platform/other", "platform/base"]);
    assert!(all.iter().all(|one| one.reach.source.credentials.is_some()));
    let chosen = files.read(&["-f", ".", "--mirror", "base"]).unwrap();
    assert_eq!(names(&chosen), ["platform/base"]);
    let listed = files.read(&["-f", "./b.yaml", "./secret.json"]).unwrap();
    assert_eq!(names(&listed), ["platform/base"]);
}

#[test]
fn a_directory_in_place_of_a_registry_needs_no_secret() {
    let files = Files::new(&[("mirror.yaml", MIRROR)]);
    let read = files.read(&["-f", ".", "--from-layout", "."]).unwrap();
    assert!(read[0].reach.source.credentials.is_none());
    assert!(files.read(&["-f", ".", "--to-layout", "."]).is_err());
}

#[test]
fn files_that_cannot_be_used() {
    let files = Files::new(&[
        ("mirror.yaml", MIRROR),
        ("secret.yaml", SECRET),
        ("empty/notes.txt", ""),
        ("again.yaml", SECRET),
        ("binary.yaml", "\u{0}"),
        ("nothing.yaml", "# nothing\n"),
        ("deploy.yaml", "apiVersion: apps/v1\nkind: Deployment\n"),
        ("values.yaml", "replicaCount: 1\n"),
        (
            "regsync.yml",
            "version: 1\nsync: [{source: a, target: b.test/a, type: image}]\n",
        ),
        (
            "flux.yaml",
            "apiVersion: image.toolkit.fluxcd.io/v1beta2\nkind: ImageRepository\n",
        ),
    ]);
    std::fs::create_dir(files.0.path().join("empty/below")).unwrap();
    let errors = [
        files.error(&["-f", "./none.yaml"]),
        files.error(&["-f", "./empty"]),
        files.error(&["-f", "./secret.yaml"]),
        files.error(&["-f", "./mirror.yaml", "./secret.yaml", "./again.yaml"]),
        files.error(&["-f", "./mirror.yaml", "./secret.yaml", "--mirror", "bsae"]),
        files.error(&["-f", "./binary.yaml"]),
        files.error(&["-f", "./nothing.yaml"]),
        files.error(&["-f", "./deploy.yaml"]),
        files.error(&["-f", "./values.yaml"]),
        files.error(&["-f", "./regsync.yml"]),
        files.error(&["-f", "./flux.yaml"]),
    ];
    insta::assert_snapshot!(errors.join("\n"), @r#"
    cannot read ./none.yaml: No such file or directory (os error 2)
    ./empty has no file that ends in .yaml, .yml or .json: name the directories below it one by one, they are not looked into
    there is no ImageMirror in ./secret.yaml: it has Secret, name the file of the mirror with -f, too
    ./again.yaml:2:1: metadata.name: Secret "platform/hub" is already defined at ./secret.yaml:2:1
    there is no ImageMirror "bsae": there are platform/base
    ./binary.yaml:1:1: unexpected character: `\u{0}'
    there is no ImageMirror in ./nothing.yaml: nothing is there, `transship init` writes a first one
    there is no ImageMirror in ./deploy.yaml: it has Deployment; `transship images -f ./deploy.yaml -o mirror` writes one for the images that manifests name
    ./values.yaml:1:1: missing field "kind": write ImageMirror, ImagePolicy or Secret, and its apiVersion
    ./regsync.yml is a file of regsync: `transship convert regsync ./regsync.yml` writes it as mirrors, see transship convert --help
    ./flux.yaml is a file of flux: `transship convert flux ./flux.yaml` writes it as mirrors, see transship convert --help
    "#);
}

#[test]
fn everything_that_is_wrong_is_said_at_once() {
    let mirror = MIRROR
        .replace("eu.example.com", "https://eu.example.com")
        .replace("library/alpine", "library/Alpine");
    let policy = "
apiVersion: transship.dev/v1alpha1
kind: ImagePolicy
metadata: {name: unused}
spec:
  select: {include: ['(']}
";
    let files = Files::new(&[
        ("mirror.yaml", &mirror),
        ("secret.yaml", SECRET),
        ("policy.yaml", policy),
    ]);
    let errors = [
        files.error(&["-f", "./mirror.yaml", "./secret.yaml"]),
        files.error(&["-f", "."]),
    ];
    insta::assert_snapshot!(errors.join("\n"), @r#"
    ./mirror.yaml:10:20: spec.images[0].repository: repository "library/Alpine" contains 'A': repository names are lower case, write "library/alpine"
    ./mirror.yaml:12:28: spec.destinations[0].registry: registry "https://eu.example.com" starts with "https://": write the host without it
    ./policy.yaml:6:22: spec.select.include[0]: pattern "(" is not a regular expression: unclosed group
    ./mirror.yaml:10:20: spec.images[0].repository: repository "library/Alpine" contains 'A': repository names are lower case, write "library/alpine"
    ./mirror.yaml:12:28: spec.destinations[0].registry: registry "https://eu.example.com" starts with "https://": write the host without it
    "#);
}

#[test]
fn secrets_that_cannot_be_used() {
    let mirror = r#"
apiVersion: transship.dev/v1alpha1
kind: ImageMirror
metadata: {name: base, namespace: platform}
spec:
  source: {registry: docker.io, secretRef: {name: hub}}
  images: [{repository: library/alpine, tags: ["3.20"]}]
  destinations:
    - name: eu
      registry: eu.example.com
      certSecretRef: {name: ca}
      proxySecretRef: {name: proxy}
"#;
    let secret = |name: &str, kind: &str, data: &str| {
        format!(
            "---\napiVersion: v1\nkind: Secret\nmetadata: {{name: {name}, namespace: platform}}\ntype: {kind}\nstringData: {data}\n"
        )
    };
    let cases = [
        ("nothing is there", String::new()),
        (
            "in another namespace",
            SECRET.replace("namespace: platform", "namespace: other"),
        ),
        (
            "of another type, half an identity, no address",
            secret("hub", "Opaque", "{username: me}")
                + &secret("ca", "Opaque", "{tls.crt: canary}")
                + &secret("proxy", "Opaque", "{username: me}"),
        ),
        (
            "no Docker config, nothing of TLS",
            secret(
                "hub",
                "kubernetes.io/dockerconfigjson",
                "{.dockerconfigjson: 'canary'}",
            ) + &secret("ca", "Opaque", "{ca.pem: canary}")
                + &secret("proxy", "Opaque", "{address: 'http://proxy.example.com'}"),
        ),
    ];
    let errors = cases.map(|(name, secrets)| {
        let files = Files::new(&[("mirror.yaml", mirror), ("secrets.yaml", &secrets)]);
        let error = files.error(&["-f", "."]);
        assert!(!error.contains("canary"), "{error}");
        format!("{name}:\n{error}")
    });
    insta::assert_snapshot!(errors.join("\n"), @r#"
    nothing is there:
    ./mirror.yaml:6:51: spec.source.secretRef.name: secret "hub" of namespace "platform" is not among the documents: add its file with -f, or fetch it with `kubectl get secret hub -n platform -o yaml`
    ./mirror.yaml:11:29: spec.destinations[0].certSecretRef.name: secret "ca" of namespace "platform" is not among the documents: add its file with -f, or fetch it with `kubectl get secret ca -n platform -o yaml`
    ./mirror.yaml:12:30: spec.destinations[0].proxySecretRef.name: secret "proxy" of namespace "platform" is not among the documents: add its file with -f, or fetch it with `kubectl get secret proxy -n platform -o yaml`
    in another namespace:
    ./mirror.yaml:6:51: spec.source.secretRef.name: secret "hub" of namespace "platform" is not among the documents, and that of namespace "other" is not meant: a mirror names Secrets of its own namespace
    ./mirror.yaml:11:29: spec.destinations[0].certSecretRef.name: secret "ca" of namespace "platform" is not among the documents: add its file with -f, or fetch it with `kubectl get secret ca -n platform -o yaml`
    ./mirror.yaml:12:30: spec.destinations[0].proxySecretRef.name: secret "proxy" of namespace "platform" is not among the documents: add its file with -f, or fetch it with `kubectl get secret proxy -n platform -o yaml`
    of another type, half an identity, no address:
    ./mirror.yaml:6:51: spec.source.secretRef.name: secret "hub" is of type "Opaque", expected "kubernetes.io/dockerconfigjson": make it with kubectl create secret docker-registry
    ./mirror.yaml:11:29: spec.destinations[0].certSecretRef.name: secret "ca" has "tls.crt" but not "tls.key": mutual TLS needs both
    ./mirror.yaml:12:30: spec.destinations[0].proxySecretRef.name: secret "proxy" has no key "address"
    no Docker config, nothing of TLS:
    ./mirror.yaml:6:51: spec.source.secretRef.name: secret "hub" is not the JSON of a Docker config: see line 1, column 1
    ./mirror.yaml:11:29: spec.destinations[0].certSecretRef.name: secret "ca" has no key "ca.crt"
    "#);
}
