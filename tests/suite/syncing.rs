// SPDX-License-Identifier: Apache-2.0

//! Whole rounds through the program: files in, registries changed, a report out.

mod immutable;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::access_log::{Request, Resource, count};
use crate::support::content::{Image, ImageBuilder};
use crate::support::corpus::Corpus;
use crate::support::crash::CrashPoint;
use crate::support::front::Moment;
use crate::support::poller::Poller;
use crate::support::program::{Finished, Program};
use crate::support::proxy::DelayProxy;
use crate::support::registries::{Kind, Registry, Security};
use crate::support::witness::Witness;

/// A mirror file in the making.
struct Mirror {
    source: String,
    images: String,
    destinations: String,
    rest: String,
}

impl Mirror {
    fn from(source: &Registry) -> Self {
        Self {
            source: source.host(),
            images: String::new(),
            destinations: String::new(),
            rest: String::new(),
        }
    }

    fn image(mut self, repository: &str, tags: &[&str]) -> Self {
        writeln!(
            self.images,
            "    - {{repository: {repository}, tags: {tags:?}}}"
        )
        .unwrap();
        self
    }

    fn to(self, registry: &Registry) -> Self {
        self.at(&registry.host(), "")
    }

    /// A destination with more fields, such as `, previousTag: …`.
    fn at(mut self, host: &str, fields: &str) -> Self {
        let number = self.destinations.lines().count();
        let line = format!("{{name: d{number}, registry: '{host}', insecure: true{fields}}}");
        writeln!(self.destinations, "    - {line}").unwrap();
        self
    }

    /// More fields of the spec, such as `tagMutability: Fail`.
    fn with(mut self, field: &str) -> Self {
        writeln!(self.rest, "  {field}").unwrap();
        self
    }

    fn yaml(&self) -> String {
        let Self {
            source,
            images,
            destinations,
            rest,
        } = self;
        format!(
            "apiVersion: transship.dev/v1alpha1\nkind: ImageMirror\nmetadata: {{name: m}}\nspec:\n  \
             source: {{registry: '{source}', insecure: true}}\n  images:\n{images}  destinations:\n{destinations}{rest}"
        )
    }

    fn command(&self) -> Program {
        Program::transship(&["sync", "-o", "json", "-f", "-"]).input(self.yaml())
    }

    async fn sync(&self) -> Report {
        Report::read(&self.command().run().await)
    }
}

/// What a run reported on its standard output.
struct Report {
    code: Option<i32>,
    totals: Value,
    text: String,
}

impl Report {
    fn read(finished: &Finished) -> Self {
        let report: Value = serde_json::from_str(&finished.stdout)
            .unwrap_or_else(|error| panic!("{error}: {:?} {}", finished.stdout, finished.stderr));
        Self {
            code: finished.code,
            totals: report["totals"].clone(),
            text: finished.stdout.clone() + &finished.stderr,
        }
    }

    /// copied, retagged, unchanged, frozen, failed
    fn counts(&self) -> [u64; 5] {
        ["copied", "retagged", "unchanged", "frozen", "failed"].map(|key| {
            self.totals[key]
                .as_u64()
                .unwrap_or_else(|| panic!("{key}: {}", self.text))
        })
    }
}

async fn pair(kind: Kind) -> (Registry, Registry) {
    tokio::join!(
        Registry::start(kind, Security::Plain),
        Registry::start(kind, Security::Plain)
    )
}

fn image(seed: u64) -> Image {
    ImageBuilder::new(seed)
        .platforms(&["linux/amd64", "linux/arm64"])
        .layers(&[2_000, 20_000])
        .build()
}

async fn assert_same(source: &Registry, destination: &Registry, repository: &str, tags: &[&str]) {
    let mut there = Witness::new(destination.client(), repository);
    let here = Witness::new(source.client(), repository);
    for tag in tags {
        assert_eq!(there.check(tag).await, [], "{repository}:{tag}");
        assert_eq!(
            there.digest(tag).await.unwrap(),
            here.digest(tag).await.unwrap(),
            "{repository}:{tag}"
        );
    }
}

fn writes(requests: &[Request]) -> usize {
    requests
        .iter()
        .filter(|request| request.is_mutating())
        .count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_run_pulls_nothing_and_writes_nothing() {
    for kind in Kind::ALL {
        let (source, destination) = pair(kind).await;
        for (seed, tag) in (0_u64..).zip(["1.0", "1.1", "2.0"]) {
            source.client().push("app", tag, &image(seed)).await;
        }
        let mirror = Mirror::from(&source).image("app", &["*"]).to(&destination);
        let directory = TempDir::new().unwrap();
        let state = directory.path().join("state.json");
        let sync = async |remembers: bool| {
            let command = mirror.command();
            let command = if remembers {
                command.argument("--state").argument(&state)
            } else {
                command
            };
            Report::read(&command.run().await)
        };
        let first = sync(true).await;
        assert_eq!(
            (first.code, first.counts()),
            (Some(0), [3, 0, 0, 0, 0]),
            "{kind:?}: {}",
            first.text
        );
        assert_same(&source, &destination, "app", &["1.0", "1.1", "2.0"]).await;

        for remembers in [true, false] {
            source.forget_requests().await;
            destination.forget_requests().await;
            let second = sync(remembers).await;
            assert_eq!(
                (second.code, second.counts()),
                (Some(0), [0, 0, 3, 0, 0]),
                "{kind:?}: {}",
                second.text
            );
            let (read, written) = (source.requests().await, destination.requests().await);
            assert_eq!(count(&read, "HEAD", Resource::Manifest), 3, "{kind:?}");
            assert_eq!(count(&read, "GET", Resource::Manifest), 0, "{kind:?}");
            assert_eq!(count(&written, "HEAD", Resource::Manifest), 3, "{kind:?}");
            assert_eq!(
                (written.len(), writes(&written)),
                (3, 0),
                "{kind:?}: {written:#?}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_copy_of_one_tag_takes_2b_p_3_requests_with_the_look_at_the_tag() {
    for kind in [Kind::Distribution3, Kind::Distribution2] {
        let (source, destination) = pair(kind).await;
        let image = image(10);
        source.client().push("app", "1", &image).await;
        let report = Mirror::from(&source)
            .image("app", &["1"])
            .to(&destination)
            .sync()
            .await;
        assert_eq!(report.counts(), [1, 0, 0, 0, 0], "{}", report.text);
        let requests = destination.requests().await;
        let expected = 2 * image.blobs.len() + image.children.len() + 3;
        assert_eq!(requests.len(), expected, "{kind:?}: {requests:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tag_that_moves_is_treated_as_the_mirror_says() {
    let (old, new) = (image(20), image(21));
    let cases = [
        ("tagMutability: Follow", [1, 0, 0, 0, 0], &new, Some(0)),
        ("tagMutability: Freeze", [0, 0, 0, 1, 0], &old, Some(0)),
        ("tagMutability: Fail", [0, 0, 0, 0, 1], &old, Some(1)),
    ];
    for (field, counts, expected, code) in cases {
        let (source, destination) = pair(Kind::Distribution3).await;
        source.client().push("app", "1", &old).await;
        let mirror = Mirror::from(&source)
            .image("app", &["1"])
            .at(&destination.host(), ", previousTag: '{tag}-previous'")
            .with(field);
        mirror.sync().await;
        source.client().push("app", "1", &new).await;
        let poller = Poller::watch(&destination.client(), &["app"]);
        let report = mirror.sync().await;
        assert_eq!(poller.finish().await.problems, [], "{field}");
        assert_eq!(
            (report.code, report.counts()),
            (code, counts),
            "{field}: {}",
            report.text
        );
        let witness = Witness::new(destination.client(), "app");
        assert_eq!(
            witness.digest("1").await.unwrap(),
            expected.digest(),
            "{field}"
        );
        let previous = witness.digest("1-previous").await.ok();
        assert_eq!(
            previous.as_deref() == Some(old.digest()),
            code == Some(0) && counts[0] == 1,
            "{field}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn three_destinations_and_one_that_is_gone() {
    let source = Registry::start(Kind::Distribution3, Security::Plain).await;
    let image = image(30);
    source.client().push("app", "1", &image).await;
    let good = [
        Registry::start(Kind::Distribution3, Security::Plain).await,
        Registry::start(Kind::Distribution2, Security::Plain).await,
        Registry::start(Kind::Crane, Security::Plain).await,
    ];
    let mut gone = Registry::start(Kind::Crane, Security::Plain).await;
    gone.stop();
    source.forget_requests().await;
    let mirror = good
        .iter()
        .fold(Mirror::from(&source).image("app", &["1"]), Mirror::to)
        .to(&gone);
    let report = mirror.sync().await;
    assert_eq!(
        (report.code, report.counts()),
        (Some(1), [3, 0, 0, 0, 1]),
        "{}",
        report.text
    );
    assert!(report.text.contains("Unreachable"), "{}", report.text);
    for registry in &good {
        assert_same(&source, registry, "app", &["1"]).await;
    }
    assert_eq!(
        count(&source.requests().await, "GET", Resource::Blob),
        image.blobs.len()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reduced_index_is_recognised_with_and_without_a_memory() {
    let (source, destination) = pair(Kind::Distribution3).await;
    source.client().push("app", "1", &image(40)).await;
    let directory = TempDir::new().unwrap();
    let state = directory.path().join("state.json");
    let mirror = Mirror::from(&source)
        .image("app", &["1"])
        .to(&destination)
        .with("platforms: {mode: List, list: [linux/amd64]}");
    let run = async |state: Option<&Path>| {
        let command = state.into_iter().fold(mirror.command(), |command, state| {
            command.argument("--state").argument(state)
        });
        Report::read(&command.run().await)
    };
    assert_eq!(run(Some(&state)).await.counts(), [1, 0, 0, 0, 0]);
    source.forget_requests().await;
    destination.forget_requests().await;
    assert_eq!(run(Some(&state)).await.counts(), [0, 0, 1, 0, 0]);
    assert_eq!(
        count(&source.requests().await, "GET", Resource::Manifest),
        0,
        "the record knows the digest"
    );
    assert_eq!(run(None).await.counts(), [0, 0, 1, 0, 0]);
    assert_eq!(
        count(&source.requests().await, "GET", Resource::Manifest),
        1,
        "the index tells the digest"
    );
    assert_eq!(writes(&destination.requests().await), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_any_write_the_next_run_finishes_with_what_was_missing() {
    let corpus = Corpus::small_tags(50, 2, 3_000);
    let source = Registry::start(Kind::Distribution3, Security::Plain).await;
    source.client().push_corpus(&corpus).await;
    let repository = corpus
        .images()
        .next()
        .map(|(repository, ..)| repository.to_owned())
        .unwrap();
    let tags: BTreeSet<&str> = corpus.images().map(|(_, tag, _)| tag).collect();
    let tags: Vec<&str> = tags.into_iter().collect();

    for moment in [
        Moment::BeforeForward,
        Moment::BeforeReply,
        Moment::AfterReply,
    ] {
        for change in 1.. {
            let destination = Registry::start(Kind::Distribution3, Security::Plain).await;
            let point = CrashPoint::in_front_of(destination.address());
            let mirror = Mirror::from(&source)
                .image(&repository, &["*"])
                .at(&point.host(), "");
            let poller = Poller::watch(&destination.client(), &[&repository]);
            let crash = point.run(mirror.command(), moment, change).await;
            assert_eq!(
                poller.finish().await.problems,
                [],
                "{moment:?} of write {change}"
            );
            if !crash.was_killed {
                assert!(change > 8, "only {change} writes were seen");
                break;
            }
            let report = mirror.sync().await;
            assert_eq!(
                (report.code, report.counts()[4]),
                (Some(0), 0),
                "{}",
                report.text
            );
            assert_same(&source, &destination, &repository, &tags).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tag_moves_while_it_is_copied_and_what_was_resolved_is_copied() {
    let (source, destination) = pair(Kind::Distribution3).await;
    let (old, new) = (image(60), image(61));
    source.client().push("app", "1", &old).await;
    let point = CrashPoint::in_front_of(destination.address());
    let mirror = Mirror::from(&source)
        .image("app", &["1"])
        .at(&point.host(), "");
    let running = mirror.command().start();
    source.client().push("app", "1", &new).await;
    let report = Report::read(&running.finish().await);
    assert_eq!(report.counts(), [1, 0, 0, 0, 0], "{}", report.text);
    let mut witness = Witness::new(destination.client(), "app");
    let digest = witness.digest("1").await.unwrap();
    assert!([old.digest(), new.digest()].contains(&digest.as_str()));
    assert_eq!(witness.check("1").await, []);
    mirror.sync().await;
    assert_eq!(witness.digest("1").await.unwrap(), new.digest());
}

#[tokio::test(flavor = "multi_thread")]
async fn many_tags_of_a_repository_are_listed_page_by_page() {
    let corpus = Corpus::small_tags(70, 250, 200);
    let (source, destination) = pair(Kind::Distribution3).await;
    source.client().push_corpus(&corpus).await;
    let repository = corpus
        .images()
        .next()
        .map(|(repository, ..)| repository.to_owned())
        .unwrap();
    let mirror = Mirror::from(&source)
        .image(&repository, &["*"])
        .to(&destination);
    assert_eq!(mirror.sync().await.counts(), [250, 0, 0, 0, 0]);
    let there = destination.client().tags(&repository).await.unwrap();
    assert_eq!(there.len(), 250);
}

#[tokio::test(flavor = "multi_thread")]
async fn other_platforms_or_referrers_are_noticed_although_the_digest_is_the_same() {
    let image = ImageBuilder::new(80)
        .platforms(&["linux/amd64", "linux/arm64"])
        .layers(&[2_000])
        .referrer("application/vnd.example.sbom")
        .build();
    let source = Registry::start(Kind::Distribution3, Security::Plain).await;
    let destination = Registry::options(Kind::Distribution3)
        .sparse_indexes()
        .start()
        .await;
    source.client().push("app", "1", &image).await;
    let directory = TempDir::new().unwrap();
    let state = directory.path().join("state.json");
    let run = async |fields: &[&str]| {
        let mirror = Mirror::from(&source).image("app", &["1"]).to(&destination);
        let mirror = fields
            .iter()
            .fold(mirror, |mirror, field| mirror.with(field));
        let command = mirror.command().argument("--state").argument(&state);
        let report = Report::read(&command.run().await);
        assert_eq!(
            report.counts(),
            [1, 0, 0, 0, 0],
            "{fields:?}: {}",
            report.text
        );
    };
    run(&[
        "platforms: {mode: List, list: [linux/amd64], index: Preserve}",
        "referrers: {mode: Skip}",
    ])
    .await;
    let mut whole = Witness::new(destination.client(), "app");
    assert_ne!(whole.check("1").await, [], "the other platform is missing");
    run(&["referrers: {mode: Skip}"]).await;
    assert_eq!(whole.check("1").await, []);
    run(&[]).await;
    let mut with_referrers = Witness::new(destination.client(), "app").expecting(&image);
    assert_eq!(with_referrers.check("1").await, []);
    run(&["platforms: {mode: List, list: [linux/arm64]}"]).await;
    run(&["platforms: {mode: List, list: [linux/amd64]}"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_round_that_takes_too_long_says_so_and_the_next_one_goes_on() {
    let (source, destination) = pair(Kind::Distribution3).await;
    source.client().push("app", "1", &image(81)).await;
    let slow = DelayProxy::start(destination.address(), Duration::from_secs(2));
    let mirror = Mirror::from(&source).image("app", &["1"]);
    let report = mirror.at(&slow.host(), "").with("timeout: 1s").sync().await;
    assert_eq!(
        (report.code, report.counts()[4]),
        (Some(1), 1),
        "{}",
        report.text
    );
    assert!(
        report.text.contains("not copied within spec.timeout, 1s"),
        "{}",
        report.text
    );

    let mirror = Mirror::from(&source).image("app", &["1"]).to(&destination);
    assert_eq!(mirror.sync().await.counts(), [1, 0, 0, 0, 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn tags_of_one_digest_share_the_bytes_of_one_copy() {
    let (source, destination) = pair(Kind::Distribution3).await;
    let image = image(82);
    for tag in ["1.2.3", "1.2", "latest"] {
        source.client().push("app", tag, &image).await;
    }
    let report = Mirror::from(&source)
        .image("app", &["*"])
        .to(&destination)
        .sync()
        .await;
    let bytes: usize = image.blobs.iter().map(|blob| blob.bytes.len()).sum();
    assert_eq!(report.counts(), [3, 0, 0, 0, 0], "{}", report.text);
    assert_eq!(
        report.totals["bytes"].as_u64(),
        Some(bytes as u64),
        "{}",
        report.text
    );
    assert_same(&source, &destination, "app", &["1.2.3", "1.2", "latest"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_mirrors_never_write_one_tag() {
    let (source, destination) = pair(Kind::Distribution3).await;
    let (first, second) = (image(83), image(84));
    source.client().push("first", "1", &first).await;
    source.client().push("second", "1", &second).await;
    let to_same = |repository| {
        Mirror::from(&source)
            .image(repository, &["1"])
            .at(&destination.host(), ", repository: shared")
    };
    let (first, second) = (to_same("first").yaml(), to_same("second").yaml());
    let both = format!("{first}---\n{}", second.replace("name: m}", "name: other}"));
    let finished = Program::transship(&["sync", "-o", "json", "-f", "-"])
        .input(both)
        .run()
        .await;
    let report = Report::read(&finished);
    assert_eq!(
        (report.code, report.counts()),
        (Some(1), [1, 0, 0, 0, 1]),
        "{}",
        report.text
    );
    assert!(
        report.text.contains("DestinationConflict"),
        "{}",
        report.text
    );
    let there = Witness::new(destination.client(), "shared");
    let here = Witness::new(source.client(), "first");
    assert_eq!(
        there.digest("1").await.unwrap(),
        here.digest("1").await.unwrap()
    );
}
