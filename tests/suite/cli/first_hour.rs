// SPDX-License-Identifier: Apache-2.0

//! What goes wrong in the first hour, on real registries, and the words that lead on.

use std::fmt::Write as _;
use std::os::unix::fs::symlink;
use std::sync::Arc;

use super::Files;
use crate::support::content::ImageBuilder;
use crate::support::http::server::{Handler, Server};
use crate::support::http::{Reply, Request};
use crate::support::program::Program;
use crate::support::registries::{Kind, Registry, Security};

const REFUSED_POLICY: &str = "
---
apiVersion: transship.dev/v1alpha1
kind: ImagePolicy
metadata: {name: stable}
spec: {select: {semver: {range: '>=1'}}}";

/// A registry with `team/app:1`.
async fn registry(security: Security) -> Registry {
    let registry = Registry::start(Kind::Distribution3, security).await;
    let image = ImageBuilder::new(1).layers(&[1_000]).build();
    registry.client().push("team/app", "1", &image).await;
    registry
}

/// A mirror of `team/app` to a directory, with further lines of its spec.
fn mirror(source: &str, image: &str, more: &str) -> String {
    format!(
        "apiVersion: transship.dev/v1alpha1
kind: ImageMirror
metadata: {{name: m}}
spec:
  source: {{registry: '{source}'}}
  images: [{image}]
  destinations: [{{name: d, registry: registry.example.com}}]{more}
"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn each_mistake_of_the_first_hour_leads_to_its_mend() {
    let (open, guarded) = (
        registry(Security::Plain).await,
        registry(Security::Basic).await,
    );
    let private = registry(Security::Tls).await;
    let one = "{repository: team/app, tags: ['1']}";
    let of = |source: &Registry, image: &str, more: &str| mirror(&source.host(), image, more);
    let whole = of(&open, one, "");
    let stranger = format!(
        r#"{{"auths": {{"{}": {{"username": "me", "password": "wrong"}}}}}}"#,
        guarded.host()
    );
    let cases = [
        ("no login", of(&guarded, one, ""), "{}"),
        ("another password", of(&guarded, one, ""), &*stranger),
        ("a private authority", of(&private, one, ""), "{}"),
        (
            "a tag that is not there",
            of(&open, "{repository: team/app, tags: ['9']}", ""),
            "{}",
        ),
        (
            "a repository that is not there",
            of(&open, "{repository: team/ap, tags: ['*']}", ""),
            "{}",
        ),
        (
            "a policy that is misspelt",
            of(
                &open,
                one,
                &format!("\n  policyRefs: [{{name: stabel}}]{REFUSED_POLICY}"),
            ),
            "{}",
        ),
        (
            "a Secret that is not in the file",
            whole.replacen("'}", "', secretRef: {name: pull}}", 1),
            "{}",
        ),
        (
            "a URL for a registry",
            mirror("https://quay.io", one, ""),
            "{}",
        ),
        (
            "a tag without quotes",
            of(&open, "{repository: team/app, tags: [3.20]}", ""),
            "{}",
        ),
        (
            "a line too far to the left",
            whole.replace("  images", " images"),
            "{}",
        ),
        (
            "a field that is not indented",
            whole
                .replace("source: {registry: ", "source:\n  registry: ")
                .replace("'}\n", "'\n"),
            "{}",
        ),
        ("a tab", whole.replace("  images", "\timages"), "{}"),
        (
            "another kind",
            whole.replace("ImageMirror", "ImageMirrors"),
            "{}",
        ),
    ];
    let mut told = String::new();
    for (name, mirror, logins) in cases {
        let files = Files::new(&[("mirror.yaml", &mirror), ("config.json", logins)]);
        let finished = files
            .transship(&["sync", "-q", "-f", "mirror.yaml", "--to-layout", "out"])
            .environment("DOCKER_CONFIG", files.0.path())
            .run()
            .await;
        let said = [
            (&open, "OPEN"),
            (&guarded, "GUARDED"),
            (&private, "PRIVATE"),
        ]
        .iter()
        .fold(finished.stderr, |said, (registry, name)| {
            said.replace(&registry.host(), name)
        });
        // Times are those of the run.
        let said = said
            .split(" (next attempt")
            .next()
            .unwrap()
            .trim_end()
            .to_owned();
        let _ = writeln!(told, "{name} [{}]\n  {said}", finished.code.unwrap());
    }
    insta::assert_snapshot!(told);
}

/// An API server that knows no kind of ours.
struct NothingInstalled;

impl Handler for NothingInstalled {
    fn answer(&self, _: &Request) -> Reply {
        Reply::new(404).body("404 page not found\n")
    }

    fn rehearse(&self, request: &Request) -> Reply {
        self.answer(request)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_without_the_definitions_is_told() {
    let server = Server::start(Arc::new(NothingInstalled), None);
    let kubeconfig = format!(
        "apiVersion: v1
kind: Config
current-context: new
clusters: [{{name: new, cluster: {{server: '{}'}}}}]
users: [{{name: new, user: {{token: x}}}}]
contexts: [{{name: new, context: {{cluster: new, user: new}}}}]
",
        server.url()
    );
    let files = Files::new(&[("kubeconfig", &kubeconfig)]);
    let plugin = files.path("kubectl-transship");
    symlink(env!("CARGO_BIN_EXE_transship"), &plugin).unwrap();
    let status = Program::at(&plugin, &["status"]);
    let finished = status
        .environment("KUBECONFIG", files.path("kubeconfig"))
        .run()
        .await;
    assert_eq!(finished.code, Some(1));
    insta::assert_snapshot!(finished.stderr, @"error: this cluster has no CustomResourceDefinition imagemirrors.transship.dev: install Transship there, or choose another --context");
}
