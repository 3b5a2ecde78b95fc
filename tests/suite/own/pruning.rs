// SPDX-License-Identifier: Apache-2.0

//! Pruning by the program at registries that delete by an API of their own: all guards are those of pruning, and only
//! the last request is another one.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::image;
use crate::support::content::ImageBuilder;
use crate::support::credentials::Login;
use crate::support::faults::FaultRegistry;
use crate::support::http::Reply;
use crate::support::named::NamedRegistry;

const REGISTRIES: [&str; 3] = ["docker.io", "ghcr.io", "team.azurecr.io"];
const FREE: &str = "mode: Delete, grace: 1ms, inUse: Ignore, maxPercent: 100";

struct Lab {
    named: NamedRegistry,
    destination: &'static str,
}

/// A registry, and `source.test`, with a login to it.
fn start(destination: &str) -> NamedRegistry {
    let hosts = [
        "source.test",
        destination,
        "registry-1.docker.io",
        "hub.docker.com",
        "api.github.com",
    ];
    let options = FaultRegistry::options().deleting_nothing();
    let named = NamedRegistry::start_with(&hosts, options);
    let Login { username, password } = Login::valid();
    let auth = STANDARD.encode(format!("{username}:{password}"));
    let key = if destination == "docker.io" {
        "https://index.docker.io/v1/"
    } else {
        destination
    };
    named.write(
        "config.json",
        &json!({"auths": {key: {"auth": auth}}}).to_string(),
    );
    named
}

impl Lab {
    /// `keep` and `drop` of `app` at `source.test` are copied to `team/app`; `twin` is the same image as `drop`.
    async fn copied(destination: &'static str) -> Self {
        let named = start(destination);
        for (tag, seed) in [("keep", 1), ("drop", 2), ("twin", 2)] {
            named.registry.load("app", tag, &image(seed));
        }
        let lab = Self { named, destination };
        lab.run("'*'", FREE, &["sync"]).await;
        assert_eq!(lab.tags(), ["drop", "keep", "twin"], "{destination}");
        lab
    }

    fn tags(&self) -> Vec<String> {
        self.named.registry.tags("team/app")
    }

    async fn run(&self, tags: &str, prune: &str, arguments: &[&str]) -> Value {
        let destination = self.destination;
        let yaml = format!(
            "apiVersion: transship.dev/v1alpha1
kind: ImageMirror
metadata: {{name: m}}
spec:
  source: {{registry: source.test}}
  images: [{{repository: app, tags: [{tags}]}}]
  destinations: [{{name: d, registry: {destination}, repository: team/app}}]
  prune: {{{prune}}}
"
        );
        self.named.write("mirror.yaml", &yaml);
        let end = ["-f", "mirror.yaml", "--state", "state.json", "-o", "json"];
        let finished = self
            .named
            .transship(&[arguments, &end].concat())
            .run()
            .await;
        assert!(!finished.stderr.contains(&Login::valid().password));
        serde_json::from_str(&finished.stdout)
            .unwrap_or_else(|error| panic!("{error}: {:?} {}", finished.stdout, finished.stderr))
    }

    fn deletes(&self) -> Vec<String> {
        let requests = self.named.registry.requests().into_iter();
        let deletes = requests.filter(|request| request.method == "DELETE");
        deletes.map(|request| request.path).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tags_of_a_manifest_go_together_wherever_they_stand_among_others() {
    let lab = Lab::copied("ghcr.io").await;
    // Of one image the first and the last tag of all that are due, and of another more than a batch has.
    for tag in ["a", "z"] {
        lab.named.registry.load("app", tag, &image(3));
    }
    for number in 0..21 {
        let tag = format!("m{number:02}");
        lab.named.registry.load("app", &tag, &image(4));
    }
    lab.run("'*'", FREE, &["sync"]).await;
    assert_eq!(lab.tags().len(), 26);
    let mut gone = 0;
    for _ in 0..2 {
        let report = lab.run("keep", FREE, &["prune", "--delete"]).await;
        gone += deleted(&report);
    }
    assert_eq!(gone, 25);
    assert_eq!(lab.tags(), ["keep"]);
    assert_eq!(lab.deletes().len(), 3, "one for each image");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manifest_that_is_seen_after_its_deletion_shows_nothing_of_the_next_one() {
    let lab = Lab::copied("ghcr.io").await;
    lab.named.registry.load("app", "solo", &image(3));
    lab.run("'*'", FREE, &["sync"]).await;
    let first = image(2);
    let stale = Reply::new(200)
        .header("docker-content-digest", first.digest())
        .header("content-type", &first.root.media_type)
        .body(first.root.bytes.clone());
    let path = format!("/v2/team/app/manifests/{}", first.digest());
    lab.named.registry.on("HEAD", path).responds(stale);
    for _ in 0..2 {
        lab.run("keep, solo", FREE, &["prune", "--delete"]).await;
    }
    assert_eq!(lab.tags(), ["keep", "solo"]);
    lab.named.registry.script().clear_rules();
    for _ in 0..2 {
        lab.run("keep", FREE, &["prune", "--delete"]).await;
    }
    assert_eq!(lab.tags(), ["keep"]);
    let digest = image(3).digest().to_owned();
    let found = lab.named.registry.manifest("team/app", &digest);
    assert!(found.is_some(), "what an index may list is pushed again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tag_that_is_deleted_by_hand_leaves_what_an_index_lists() {
    for destination in REGISTRIES {
        let named = start(destination);
        let index = ImageBuilder::new(7)
            .platforms(&["linux/amd64", "linux/arm64"])
            .layers(&[1_000])
            .build();
        let child = &index.children[0];
        named.registry.load("team/app", "multi", &index);
        named.registry.load_manifest("team/app", "v1", child);
        let name = format!("{destination}/team/app:v1");
        let finished = named.transship(&["delete", "--yes", &name]).run().await;
        finished.assert_success();
        assert_eq!(named.registry.tags("team/app"), ["multi"], "{destination}");
        let found = named.registry.manifest("team/app", &child.digest);
        assert!(found.is_some(), "{destination}: the index is broken");
    }
}

fn deleted(report: &Value) -> u64 {
    report["totals"]["deleted"].as_u64().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_must_not_be_deleted_is_not() {
    for destination in REGISTRIES {
        let lab = Lab::copied(destination).await;
        let cases = [
            ("a plan", FREE, &["prune"][..]),
            (
                "a mode",
                "mode: Plan, grace: 1ms, inUse: Ignore",
                &["prune", "--delete"],
            ),
            ("no mode", "mode: Retain", &["prune", "--delete"]),
            (
                "the grace",
                "mode: Delete, grace: 24h, inUse: Ignore",
                &["prune", "--delete"],
            ),
            (
                "too many at once",
                "mode: Delete, grace: 1ms, inUse: Ignore, maxPercent: 1",
                &["prune", "--delete"],
            ),
        ];
        for (what, prune, arguments) in cases {
            let report = lab.run("keep", prune, arguments).await;
            assert_eq!(deleted(&report), 0, "{destination} {what}: {report}");
        }
        // The source lists nothing at all.
        lab.named
            .registry
            .on("GET", "/v2/app/tags/list")
            .nth(1)
            .responds(Reply::new(500));
        assert!(
            lab.deletes().is_empty(),
            "{destination}: {:?}",
            lab.deletes()
        );
        assert_eq!(lab.tags(), ["drop", "keep", "twin"], "{destination}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_due_goes_and_can_be_restored() {
    for destination in REGISTRIES {
        let lab = Lab::copied(destination).await;
        let report = lab.run("keep", FREE, &["prune", "--delete"]).await;
        let report = if deleted(&report) == 0 {
            lab.run("keep", FREE, &["prune", "--delete"]).await
        } else {
            report
        };
        assert_eq!(deleted(&report), 2, "{destination}: {report}");
        assert_eq!(lab.tags(), ["keep"], "{destination}");
        let by_digest = |path: &String| path.contains("/manifests/");
        assert!(!lab.deletes().iter().any(by_digest), "{destination}");
        let restored = lab.run("keep", FREE, &["restore", "--all"]).await;
        assert_eq!(
            lab.tags(),
            ["drop", "keep", "twin"],
            "{destination}: {restored}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_has_a_tag_of_somebody_else_is_kept_with_a_reason() {
    let lab = Lab::copied("ghcr.io").await;
    lab.named.registry.load("team/app", "theirs", &image(2));
    for _ in 0..2 {
        let report = lab.run("keep", FREE, &["prune", "--delete"]).await;
        assert_eq!(deleted(&report), 0, "{report}");
    }
    assert!(lab.deletes().is_empty());
    let report = lab.run("keep", FREE, &["prune", "--delete"]).await;
    let words = "ghcr.io deletes all of them at once or none";
    assert!(report.to_string().contains(words), "{report}");
    assert_eq!(lab.tags(), ["drop", "keep", "theirs", "twin"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_of_which_one_tag_is_wanted_is_kept() {
    let lab = Lab::copied("ghcr.io").await;
    for _ in 0..2 {
        let report = lab.run("keep, twin", FREE, &["prune", "--delete"]).await;
        assert_eq!(deleted(&report), 0, "{report}");
    }
    assert!(lab.deletes().is_empty());
    assert_eq!(lab.tags(), ["drop", "keep", "twin"]);
}
