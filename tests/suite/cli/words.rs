// SPDX-License-Identifier: Apache-2.0

//! The words of a registry, and who is to blame, as they reach a person and a program.

use serde_json::Value;

use super::Files;
use crate::support::content::ImageBuilder;
use crate::support::faults::FaultRegistry;
use crate::support::http::Reply;

const QUOTA: &str = "adding 510.7 MiB of storage resource, which when updated to current usage of 9.8 GiB will \
                     exceed the configured upper limit of 10.0 GiB.";
const IMMUTABLE: &str = "The image tag '1' already exists in the 'app' repository and cannot be overwritten because the tag is immutable.";
const MISSING: &str =
    "The repository with name 'app' does not exist in the registry with id '123456789012'";

/// A mirror of `app:1` between two registries that do what they are told.
struct Lab {
    source: FaultRegistry,
    destination: FaultRegistry,
    files: Files,
}

impl Lab {
    fn new() -> Self {
        let (source, destination) = (FaultRegistry::start(), FaultRegistry::start());
        source.load("app", "1", &ImageBuilder::new(1).layers(&[1_000]).build());
        let mirror = format!(
            "apiVersion: transship.dev/v1alpha1
kind: ImageMirror
metadata: {{name: m}}
spec:
  source: {{registry: '{}', insecure: true}}
  images: [{{repository: app, tags: ['1']}}]
  destinations: [{{name: d, registry: '{}', insecure: true}}]
",
            source.host(),
            destination.host()
        );
        Self {
            source,
            destination,
            files: Files::new(&[("mirror.yaml", &mirror)]),
        }
    }

    fn plain(&self, text: &str) -> String {
        text.replace(&self.source.host(), "SOURCE")
            .replace(&self.destination.host(), "DESTINATION")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_words_of_a_registry_reach_text_and_json() {
    let cases = [
        ("POST", "/uploads/", 403, "DENIED", QUOTA, "QuotaExceeded"),
        (
            "PUT",
            "/manifests/1",
            400,
            "TAG_INVALID",
            IMMUTABLE,
            "TagImmutable",
        ),
        (
            "POST",
            "/uploads/",
            404,
            "NAME_UNKNOWN",
            MISSING,
            "RepositoryMissing",
        ),
    ];
    for (method, part, status, code, words, reason) in cases {
        let lab = Lab::new();
        let reply = Reply::error(status, code, words);
        lab.destination.on(method, part).responds(reply);
        let text = lab.files.run(&["sync", "-f", "mirror.yaml"]).await;
        let said = format!("; it says \"{words}\"");
        let line = text
            .stderr
            .lines()
            .find(|line| line.starts_with("failed: "));
        let line = lab.plain(line.unwrap_or_default());
        assert!(line.contains(&format!("{reason}: cannot ")), "{line}");
        assert!(line.ends_with(&said), "{line}");
        assert_eq!(text.code, Some(1));

        let json = lab
            .files
            .run(&["sync", "-o", "json", "-f", "mirror.yaml"])
            .await;
        let report: Value = serde_json::from_str(&json.stdout).unwrap();
        let failures = report.pointer("/mirrors/0").unwrap().to_string();
        let encoded = Value::from(said).to_string();
        assert!(failures.contains(encoded.trim_matches('"')), "{failures}");
        assert!(failures.contains(reason), "{failures}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tag_that_is_immutable_is_tried_once() {
    let lab = Lab::new();
    let reply = Reply::error(400, "TAG_INVALID", IMMUTABLE);
    lab.destination.on("PUT", "/manifests/1").responds(reply);
    lab.files.run(&["sync", "-f", "mirror.yaml"]).await;
    let requests = lab.destination.requests();
    let count = |method: &str, part: &str| {
        let is_such = |path: &str| path.contains(part);
        let found = requests
            .iter()
            .filter(|request| request.method == method && is_such(&request.path));
        found.count()
    };
    assert_eq!(count("PUT", "/manifests/1"), 1);
    assert_eq!(
        count("PUT", "/uploads/"),
        2,
        "the config and the layer, once"
    );
}

/// Everything through a proxy that is not there, except what `NO_PROXY` names.
#[tokio::test(flavor = "multi_thread")]
async fn no_proxy_knows_ports() {
    let lab = Lab::new();
    let (source, destination) = (lab.source.host(), lab.destination.host());
    let run = async |no_proxy: String| {
        let finished = lab
            .files
            .transship(&["sync", "-f", "mirror.yaml"])
            .environment("HTTP_PROXY", "http://me:canary@127.0.0.1:1")
            .environment("NO_PROXY", no_proxy)
            .run()
            .await;
        assert!(!finished.stdout.contains("canary"), "{}", finished.stdout);
        assert!(!finished.stderr.contains("canary"), "{}", finished.stderr);
        (finished.code, lab.plain(&finished.stderr))
    };
    let (code, text) = run(format!("{source},127.0.0.1:2")).await;
    assert_eq!(code, Some(1));
    let expected = "Unreachable: cannot look up DESTINATION/app:1: the proxy http://127.0.0.1:1 cannot be reached: ";
    assert!(text.contains(expected), "{text}");
    let (code, text) = run(format!("{source}, {destination}")).await;
    assert_eq!(code, Some(0), "{text}");
}
