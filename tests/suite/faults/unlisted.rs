// SPDX-License-Identifier: Apache-2.0

//! A source that lists nothing: what is on record and what is written in full stays known.

use serde_json::Value;
use tempfile::TempDir;

use super::refusal;
use crate::support::content::{Image, ImageBuilder};
use crate::support::faults::FaultRegistry;
use crate::support::program::Program;

/// Rounds of one mirror that remember what they did.
struct Rounds {
    source: FaultRegistry,
    destination: FaultRegistry,
    directory: TempDir,
    images: &'static str,
}

// === impl Rounds ===

impl Rounds {
    fn of(images: &'static str) -> Self {
        let rounds = Self {
            source: FaultRegistry::start(),
            destination: FaultRegistry::start(),
            directory: TempDir::new().unwrap(),
            images,
        };
        for (seed, tag) in (1..).zip(["1.0", "1.1", "1.2", "latest"]) {
            rounds.source.load("team/app", tag, &image(seed));
        }
        rounds
    }

    /// What became of the tags, and the reasons of what failed.
    async fn round(&self) -> (Vec<String>, Vec<String>) {
        let (source, destination) = (self.source.host(), self.destination.host());
        let yaml = format!(
            "apiVersion: transship.dev/v1alpha1\nkind: ImageMirror\nmetadata: {{name: m}}\nspec:\n  \
             source: {{registry: '{source}', insecure: true}}\n  images: {}\n  prune: {{mode: Delete, grace: 0s}}\n  \
             destinations: [{{name: d, registry: '{destination}', insecure: true}}]\n",
            self.images
        );
        let program = Program::transship(&["sync", "-o", "json", "-f", "-", "--state"])
            .argument(self.directory.path().join("state.json"));
        let finished = program.input(yaml).run().await;
        let report: Value = serde_json::from_str(&finished.stdout)
            .unwrap_or_else(|error| panic!("{error}: {} {}", finished.stdout, finished.stderr));
        let mirror = &report["mirrors"][0];
        let tags = mirror["tags"].as_array().unwrap().iter();
        let tags = tags.map(|tag| {
            let (_, name) = tag["target"].as_str().unwrap().rsplit_once(':').unwrap();
            format!("{name} {}", tag["action"].as_str().unwrap())
        });
        let failures = mirror["failures"].as_array().unwrap().iter();
        let failures = failures.map(|failure| failure["reason"].as_str().unwrap().to_owned());
        (tags.collect(), failures.collect())
    }
}

fn image(seed: u64) -> Image {
    ImageBuilder::new(seed).layers(&[500]).build()
}

#[tokio::test(flavor = "multi_thread")]
async fn literal_tags_need_no_listing_even_beside_what_does() {
    let rounds = Rounds::of("[{repository: team/app, tags: [latest, '1.*']}]");
    let refused = refusal(500, "UNKNOWN");
    rounds.source.on("GET", "/tags/list").responds(refused);
    let (tags, failures) = rounds.round().await;
    assert_eq!(tags, ["latest Copied"]);
    assert_eq!(failures, ["Unreachable"]);
    assert_eq!(rounds.destination.tags("team/app"), ["latest"]);
}

/// Each with what the source does not list any more.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_on_record_stays_selected_and_in_sync() {
    let by_rules = "[{repository: team/app, select: {semver: {range: '>=1'}, newest: {count: 2}}}]";
    let by_glob = "[{repository: 'team/*', tags: ['1.1', '1.2']}]";
    for (images, list) in [
        (by_rules, "/tags/list"),
        (by_glob, "/v2/_catalog"),
        ("[{repository: 'team/*', tags: ['1.[12]']}]", "/tags/list"),
    ] {
        let rounds = Rounds::of(images);
        let (tags, failures) = rounds.round().await;
        assert_eq!(tags, ["1.1 Copied", "1.2 Copied"], "{images}");
        assert_eq!(failures, [""; 0], "{images}");

        let refused = refusal(500, "UNKNOWN");
        rounds.source.on("GET", list).responds(refused);
        rounds.source.load("team/app", "1.1", &image(9));
        rounds.source.load("team/app", "1.3", &image(10));
        let (tags, failures) = rounds.round().await;
        assert_eq!(tags, ["1.1 Copied", "1.2 Unchanged"], "{images}");
        assert_eq!(failures, ["Unreachable"], "{images}");

        // What is gone is no failure of its own, and nothing is deleted for it.
        rounds.source.lose_tag("team/app", "1.1");
        let (tags, failures) = rounds.round().await;
        let absent = if images == by_glob { 2 } else { 1 };
        assert_eq!(tags, ["1.2 Unchanged"], "{images}");
        assert_eq!(failures.len(), absent, "{images}: {failures:?}");
        assert_eq!(rounds.destination.tags("team/app"), ["1.1", "1.2"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_answers_nothing_fails_each_tag_that_is_known() {
    let rounds = Rounds::of("[{repository: team/app, select: {semver: {range: '>=1'}}}]");
    rounds.round().await;
    rounds
        .source
        .on("*", "/team/app/")
        .responds(refusal(500, "UNKNOWN"));
    let (tags, failures) = rounds.round().await;
    assert_eq!(tags, [""; 0]);
    assert_eq!(
        failures, ["Unreachable"; 4],
        "the repository, and three tags"
    );
}
