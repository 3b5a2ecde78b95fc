// SPDX-License-Identifier: Apache-2.0

use proptest::prelude::*;
use secrecy::ExposeSecret as _;

use super::*;
use crate::api::ImageMirror;

pub(super) const MIRROR: &str = r#"apiVersion: transship.dev/v1alpha1
kind: ImageMirror
metadata: {name: base-images, namespace: platform}
spec:
  source:
    registry: docker.io
  images:
    - repository: library/alpine
      tags: ["3.20", "3.21*"]
  destinations:
    - name: eu
      registry: registry.eu.example.com
"#;

pub(super) const POLICY: &str = r#"apiVersion: transship.dev/v1alpha1
kind: ImagePolicy
metadata:
  name: stable
spec:
  select:
    include: ['^v?\d+\.\d+\.\d+$']
    semver: {range: ">=1.20 <2"}
    newest: {count: 3, per: Minor}
"#;

pub(super) const SECRET: &str = r"apiVersion: v1
kind: Secret
metadata:
  name: hub
type: Opaque
data:
  ca.crt: aGVsbG8=
stringData:
  username: me
";

fn resources(text: &str) -> Vec<Resource> {
    parse(text, "f.yaml")
        .map(|contents| contents.documents)
        .unwrap()
        .into_iter()
        .map(|document| document.resource)
        .collect()
}

fn mirror(text: &str) -> ImageMirror {
    match resources(text).pop() {
        Some(Resource::ImageMirror(mirror)) => *mirror,
        other => panic!("expected a mirror, found {other:?}"),
    }
}

pub(super) fn refusal(text: &str) -> String {
    match parse(text, "f.yaml") {
        Ok(contents) => format!("{} documents", contents.documents.len()),
        Err(error) => error.to_string(),
    }
}

/// The text with one part replaced.
pub(super) fn with(text: &str, part: &str, replacement: &str) -> String {
    assert!(text.contains(part), "{part} is not in the text");
    text.replacen(part, replacement, 1)
}

#[test]
fn objects_of_other_programs_are_passed_over() {
    let others = "\
apiVersion: apps/v1
kind: Deployment
---
apiVersion: image.toolkit.fluxcd.io/v1
kind: ImagePolicy
---
apiVersion: v1
kind: List
items: [{apiVersion: v1, kind: ConfigMap}]
---
";
    let contents = parse(&format!("{others}{MIRROR}"), "f.yaml").unwrap();
    assert_eq!(contents.documents.len(), 1);
    let others: Vec<(u64, &str)> = contents
        .others
        .iter()
        .map(|other| (other.origin.position.line, other.kind.as_str()))
        .collect();
    assert_eq!(
        others,
        [(1, "Deployment"), (4, "ImagePolicy"), (9, "ConfigMap")]
    );
}

#[test]
fn what_is_not_written_has_its_default() {
    let spec = serde_json::to_value(mirror(MIRROR).spec).unwrap();
    let expected = serde_json::json!({
        "source": {"registry": "docker.io", "insecure": false, "provider": "Generic"},
        "images": [{"repository": "library/alpine", "tags": ["3.20", "3.21*"], "absent": "Fail"}],
        "destinations": [{
            "name": "eu",
            "registry": "registry.eu.example.com",
            "repository": "{repository}",
            "tags": ["{tag}"],
            "insecure": false,
            "provider": "Generic",
        }],
        "platforms": {"mode": "All", "absent": "Fail", "index": "Rewrite", "attestations": "Copy"},
        "referrers": {"mode": "Copy", "recheck": "24h"},
        "tagMutability": "Follow",
        "prune": {
            "mode": "Retain",
            "grace": "24h",
            "maxDeletes": 50,
            "maxPercent": 20,
            "inUse": "Protect",
            "adopted": "Keep",
        },
        "timeout": "6h",
        "execution": {"mode": "InProcess"},
        "suspend": false,
    });
    assert_eq!(spec, expected);
}

#[test]
fn every_field_of_the_reference_is_read() {
    let full = r#"
apiVersion: transship.dev/v1alpha1
kind: ImageMirror
metadata: {name: base-images, namespace: platform}
spec:
  source:
    registry: docker.io
    secretRef: {name: hub}
    certSecretRef: {name: ca}
    proxySecretRef: {name: proxy}
    insecure: false
  images:
    - repository: library/alpine
      tags: ["3.20", "3.21*"]
    - repository: library/nginx
      policyRefs: [{name: stable}]
  policyRefs: [{name: signed}]
  destinations:
    - name: eu
      registry: registry.eu.example.com
      repository: "mirror/{repository}"
      tags: ["{tag}"]
      previousTag: "{tag}-previous"
      secretRef: {name: eu-push}
  platforms: {mode: List, list: [linux/amd64, linux/arm64/v8], absent: Skip, index: Preserve}
  referrers: {mode: Skip, artifactTypes: [], recheck: 12h}
  tagMutability: Freeze
  prune: {mode: Plan, grace: 24h, maxDeletes: 50, maxPercent: 20, inUse: Ignore, adopted: Include}
  schedule: {cron: "0 3 * * *", timeZone: Europe/Berlin}
  timeout: 6h
  suspend: true
---
apiVersion: transship.dev/v1alpha1
kind: ImagePolicy
metadata: {name: everything}
spec:
  select:
    include: ['^v?\d+\.\d+\.\d+$']
    exclude: ['.*-rc.*']
    semver: {range: ">=1.20 <2", prereleases: Exclude}
    newest: {count: 3, by: Version, per: Minor}
    limit: 100
  minAge: 72h
  verify:
    - {name: vendor, type: Key, key: {secretRef: {name: cosign-pub, key: cosign.pub}}}
    - {name: ci, type: Keyless, keyless: {issuer: "https://issuer", subject: "https://github.com/acme/*", trustedRootRef: {name: root}}}
  require:
    user: NonRoot
    maxSize: 500Mi
    maxAge: 8760h
    platforms: [linux/amd64, linux/arm64]
    labels: {org.opencontainers.image.source: "https://github.com/acme/*"}
    denyTags: [latest]
    vulnerabilities: {maxSeverity: High, unfixed: Ignore}
  retain:
    keepNewest: 10
    keepYoungerThan: 720h
    keepTags: ["stable-*"]
  mode: Enforce
  suspend: false
"#;
    let kinds: Vec<_> = resources(full).iter().map(Resource::kind).collect();
    assert_eq!(kinds, ["ImageMirror", "ImagePolicy"]);
}

#[test]
fn what_kubectl_prints_can_be_read_back() {
    let text = r#"
apiVersion: v1
kind: List
metadata:
  resourceVersion: ""
items:
- apiVersion: transship.dev/v1alpha1
  kind: ImageMirror
  metadata:
    annotations:
      kubectl.kubernetes.io/last-applied-configuration: |
        {}
    creationTimestamp: "2026-01-01T00:00:00Z"
    generation: 3
    managedFields:
    - {manager: kubectl, operation: Apply, time: "2026-01-01T00:00:00Z"}
    name: base-images
    namespace: platform
    resourceVersion: "12345"
    uid: 8b4f1c3e-0000-0000-0000-000000000000
  spec:
    source: {registry: docker.io}
    images: [{repository: library/alpine, tags: ["3.20"]}]
    destinations: [{name: eu, registry: registry.eu.example.com}]
  status:
    observedGeneration: 3
    conditions: [{type: Ready, status: "True"}]
"#;
    let mirror = mirror(text);
    assert_eq!(mirror.metadata.generation, Some(3));
    assert_eq!(mirror.metadata.namespace.as_deref(), Some("platform"));
}

#[test]
fn files_with_no_document_or_several() {
    let cases = [
        ("empty file", String::new(), 0),
        ("comments and separators", "# nothing\n---\n---\n# here\n".to_owned(), 0),
        ("two documents", format!("{MIRROR}---\n{POLICY}"), 2),
        ("empty documents between", format!("---\n{MIRROR}---\n---\n{POLICY}---\n"), 2),
        ("an empty list", "{apiVersion: v1, kind: List, items: []}".to_owned(), 0),
        ("Windows line ends", MIRROR.replace('\n', "\r\n"), 1),
        ("a byte order mark", format!("\u{feff}{MIRROR}"), 1),
        (
            "JSON, indented by tabs",
            "{\n\t\"apiVersion\": \"v1\",\n\t\"kind\": \"Secret\",\n\t\"metadata\": {\"name\": \"a\"}\n}\n".to_owned(),
            1,
        ),
        (
            "anchors and merge keys",
            with(MIRROR, "spec:", "spec:\n  interval: &hour 1h\n  timeout: *hour"),
            1,
        ),
        ("a field without a value", with(MIRROR, "spec:", "spec:\n  prune:"), 1),
    ];
    for (name, text, expected) in cases {
        assert_eq!(refusal(&text), format!("{expected} documents"), "{name}");
    }
}

#[test]
fn secrets_are_decoded_and_never_printed() {
    let resources = resources(SECRET);
    let [Resource::Secret(secret)] = resources.as_slice() else {
        panic!("expected a secret");
    };
    assert_eq!(
        secret.required_text("ca.crt").unwrap().expose_secret(),
        "hello"
    );
    assert_eq!(
        secret.required_text("username").unwrap().expose_secret(),
        "me"
    );
    assert!(secret.text("password").unwrap().is_none());
    assert_eq!(
        secret.required_text("password").unwrap_err().to_string(),
        "secret \"hub\" has no key \"password\""
    );
    assert_eq!(
        secret.docker_config().unwrap_err().to_string(),
        "secret \"hub\" is of type \"Opaque\", expected \"kubernetes.io/dockerconfigjson\": make it with kubectl create secret docker-registry"
    );
    assert!(!format!("{secret:?}").contains("hello"));
}

#[test]
fn fields_are_found_again_for_later_checks() {
    let documents = parse(&format!("---\n{MIRROR}"), "f.yaml")
        .unwrap()
        .documents;
    let [document] = documents.as_slice() else {
        panic!("expected one document");
    };
    let cases = [
        ("spec.images[0].tags[1]", "10:22"),
        ("spec.images[0].policyRefs[3].name", "9:7"),
        ("spec.destinations[0].registry", "13:17"),
        ("spec.interval", "6:3"),
    ];
    for (path, expected) in cases {
        assert_eq!(document.locate(path).to_string(), expected, "{path}");
    }
    assert_eq!(
        document
            .error_at("spec.images[0].tags[1]", "is odd".to_owned())
            .to_string(),
        "f.yaml:10:22: spec.images[0].tags[1]: is odd"
    );
}

#[test]
fn an_object_is_defined_once() {
    let mut documents = parse(MIRROR, "a.yaml").unwrap().documents;
    documents.extend(
        parse(&with(MIRROR, "base-images", "other"), "b.yaml")
            .unwrap()
            .documents,
    );
    assert!(refuse_duplicate_objects(&documents).is_ok());
    documents.extend(
        parse(&format!("---\n{MIRROR}"), "c.yaml")
            .unwrap()
            .documents,
    );
    assert_eq!(
        refuse_duplicate_objects(&documents)
            .unwrap_err()
            .to_string(),
        "c.yaml:2:1: metadata.name: ImageMirror \"platform/base-images\" is already defined at a.yaml:1:1"
    );
}

#[test]
fn a_password_that_is_no_plain_text_of_yaml_is_not_told() {
    let written = [
        "!hunter2",
        "!!hunter2",
        "!a!hunter2",
        "!<hunter2>",
        "*hunter2",
        "&hunter2",
        "@hunter2",
        "`hunter2",
        "%hunter2",
        "[hunter2",
        "{hunter2",
        "\"hunter2",
        "'hunter2",
        "|hunter2",
        ">hunter2",
        "? hunter2: hunter2",
        "- hunter2",
        "!!int hunter2",
        "!!binary hunter2",
        "hunter2: hunter2: hunter2",
        "<<: hunter2",
    ];
    for password in written {
        let text = SECRET.replace("username: me", &format!("password: {password}"));
        assert_ne!(text, SECRET);
        if let Err(error) = parse(&text, "f.yaml") {
            let message = error.to_string();
            assert!(!message.contains("hunter2"), "{password}: {message}");
        }
    }
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused_without_a_panic(text in "\\PC{0,200}") {
        let _ = parse(&text, "f.yaml");
    }

    #[test]
    fn a_document_with_any_change_is_read_or_refused_without_a_panic(
        place in 0..MIRROR.len(),
        length in 0_usize..20,
        text in "[a-z0-9:{}\\[\\]\"'*&!|> \n-]{0,10}",
    ) {
        let mut changed = MIRROR.to_owned();
        changed.replace_range(place..(place + length).min(MIRROR.len()), &text);
        let _ = parse(&changed, "f.yaml");
    }

    #[test]
    fn no_error_about_a_secret_names_a_value(
        place in 0..SECRET.len(),
        text in "[a-z:{}\\[\\]\"'*&!|> \n-]{0,6}",
    ) {
        let mut changed = SECRET.replace("username: me", "username: 31415926\n  password: hunter2");
        if place < changed.len() {
            changed.insert_str(place, &text);
        }
        if let Err(error) = parse(&changed, "f.yaml") {
            let message = error.to_string();
            prop_assert!(!message.contains("31415926") && !message.contains("hunter2"), "{}", message);
        }
    }
}
