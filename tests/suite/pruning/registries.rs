// SPDX-License-Identifier: Apache-2.0

//! Pruning by the program at the registries that people run: the plan, the grace, the brakes, the
//! deletes, and the way back.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use serde_json::Value;
use tempfile::TempDir;

use super::lab::signed;
use crate::support::content::{Image, ImageBuilder};
use crate::support::crash::CrashPoint;
use crate::support::front::Moment;
use crate::support::program::{Finished, Program};
use crate::support::registries::{Kind, Registry, Security};
use crate::support::witness::Witness;

pub(super) const REPOSITORY: &str = "app";

/// A mirror of one repository, with the files that the program works on.
pub(super) struct Lab {
    pub(super) source: Registry,
    pub(super) destination: Registry,
    /// What the mirror calls the destination.
    pub(super) host: String,
    directory: TempDir,
}

/// The mirror as one run sees it.
pub(super) struct Run<'a> {
    lab: &'a Lab,
    prune: &'static str,
    tags: &'static str,
}

/// What a run printed as JSON.
pub(super) struct Report {
    code: Option<i32>,
    pub(super) document: Value,
    pub(super) text: String,
}

impl Lab {
    pub(super) async fn new(kind: Kind) -> Self {
        Self::between(Kind::Distribution3, kind).await
    }

    async fn between(source: Kind, kind: Kind) -> Self {
        let (source, destination) = tokio::join!(
            Registry::start(source, Security::Plain),
            Registry::start(kind, Security::Plain)
        );
        let host = destination.host();
        Self {
            source,
            destination,
            host,
            directory: TempDir::new().unwrap(),
        }
    }

    fn state(&self) -> PathBuf {
        self.directory.path().join("state.json")
    }

    /// The mirror with these tags and this `prune`.
    pub(super) fn with(&self, tags: &'static str, prune: &'static str) -> Run<'_> {
        Run {
            lab: self,
            prune,
            tags,
        }
    }

    pub(super) async fn tags(&self) -> BTreeSet<String> {
        let tags = self.destination.client().tags(REPOSITORY).await.unwrap();
        tags.into_iter().collect()
    }

    pub(super) async fn digest(&self, tag: &str) -> Option<String> {
        let client = self.destination.client();
        client.resolve_digest(REPOSITORY, tag).await.unwrap()
    }
}

impl Run<'_> {
    pub(super) fn command(&self, arguments: &[&str]) -> Program {
        let Self { lab, prune, tags } = self;
        let (source, host) = (lab.source.host(), &lab.host);
        let yaml = format!(
            "apiVersion: transship.dev/v1alpha1
kind: ImageMirror
metadata: {{name: m}}
spec:
  source: {{registry: '{source}', insecure: true}}
  images: [{{repository: {REPOSITORY}, tags: ['{tags}']}}]
  destinations: [{{name: d, registry: '{host}', insecure: true}}]
  prune: {{{prune}}}
"
        );
        fs::write(lab.directory.path().join("mirror.yaml"), yaml).unwrap();
        Program::transship(arguments)
            .argument("-f")
            .argument(lab.directory.path().join("mirror.yaml"))
            .argument("--state")
            .argument(lab.state())
    }

    pub(super) async fn text(&self, arguments: &[&str]) -> Finished {
        self.command(arguments).run().await
    }

    pub(super) async fn json(&self, arguments: &[&str]) -> Report {
        Report::read(&self.text(&[arguments, &["-o", "json"]].concat()).await)
    }
}

impl Report {
    fn read(finished: &Finished) -> Self {
        let document = serde_json::from_str(&finished.stdout)
            .unwrap_or_else(|error| panic!("{error}: {:?} {}", finished.stdout, finished.stderr));
        Self {
            code: finished.code,
            document,
            text: format!("{}{}", finished.stdout, finished.stderr),
        }
    }

    /// due, waiting, protected, deleted, failed
    pub(super) fn totals(&self) -> [u64; 5] {
        ["due", "waiting", "protected", "deleted", "failed"].map(|key| {
            self.document["totals"][key]
                .as_u64()
                .unwrap_or_else(|| panic!("{key}: {}", self.text))
        })
    }

    /// What stopped the pruning of the mirror.
    fn stop(&self) -> Option<&str> {
        self.document["mirrors"][0]["prune"]["stop"]["reason"].as_str()
    }

    fn plan(&self) -> &str {
        let plan = &self.document["mirrors"][0]["prune"]["plan"];
        plan.as_str().unwrap_or_else(|| panic!("{}", self.text))
    }
}

pub(super) fn image(seed: u64) -> Image {
    ImageBuilder::new(seed)
        .platforms(&["linux/amd64", "linux/arm64"])
        .layers(&[1_000])
        .build()
}

/// Forty tags: `keep-0` to `keep-19` and `drop-0` to `drop-19`. The first ten of each stand for the same
/// images, `drop-19` for a child of `keep-3`; the rest for images of their own.
async fn push_forty(source: &Registry) -> BTreeMap<String, Image> {
    let client = source.client();
    let mut images = BTreeMap::new();
    for number in 0..20 {
        let shared = image(number % 10);
        client
            .push(REPOSITORY, &format!("keep-{number}"), &shared)
            .await;
        images.insert(format!("keep-{number}"), shared);
        let dropped = if number < 10 {
            image(number)
        } else {
            image(100 + number)
        };
        if number == 19 {
            let child = &image(3).children[0];
            client.push_manifest(REPOSITORY, "drop-19", child).await;
        } else {
            client
                .push(REPOSITORY, &format!("drop-{number}"), &dropped)
                .await;
        }
    }
    images
}

pub(super) fn names(of: &[(&str, std::ops::Range<u32>)]) -> BTreeSet<String> {
    let names = of
        .iter()
        .flat_map(|(word, range)| range.clone().map(move |number| format!("{word}-{number}")));
    names.collect()
}

/// Every image that is kept is as it was.
async fn assert_complete(lab: &Lab, kept: &BTreeMap<String, Image>, kind: Kind) {
    for (tag, image) in kept {
        let digest = lab.digest(tag).await;
        assert_eq!(digest.as_deref(), Some(image.digest()), "{kind:?} {tag}");
        let mut witness = Witness::new(lab.destination.client(), REPOSITORY);
        assert_eq!(witness.check(tag).await, [], "{kind:?} {tag}");
    }
}

pub(super) const ALL: &str = "*";
pub(super) const KEPT: &str = "keep-*";
const GRACE: &str = "mode: Delete, grace: 24h, inUse: Ignore";
const SHORT: &str = "mode: Delete, grace: 1ms, inUse: Ignore";
pub(super) const FREE: &str = "mode: Delete, grace: 1ms, inUse: Ignore, maxPercent: 100";

/// Forty tags mirrored, twenty of them no longer wanted and past their grace.
pub(super) async fn narrowed(kind: Kind) -> (Lab, BTreeMap<String, Image>) {
    let lab = Lab::new(kind).await;
    let kept = push_forty(&lab.source).await;
    let synced = lab.with(ALL, GRACE).text(&["sync"]).await;
    synced.assert_success();
    assert_eq!(lab.tags().await.len(), 40, "{kind:?}");
    for arguments in [&["prune"][..], &["prune", "--delete"]] {
        let waiting = lab.with(KEPT, GRACE).json(arguments).await;
        assert_eq!(waiting.totals(), [0, 20, 0, 0, 0], "{kind:?}");
        assert_eq!(waiting.code, Some(0), "{}", waiting.text);
    }
    assert_eq!(lab.tags().await.len(), 40, "{kind:?}: grace has not passed");
    (lab, kept)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_longer_wanted_goes_and_nothing_else() {
    for kind in [Kind::Distribution3, Kind::Crane] {
        let (lab, kept) = narrowed(kind).await;
        let before = lab.tags().await;

        let planned = lab.with(KEPT, SHORT).json(&["prune"]).await;
        assert_eq!(planned.totals(), [20, 0, 0, 0, 0], "{}", planned.text);
        assert_eq!(planned.code, Some(2), "something is due");
        let freed = planned.document["totals"]["freed"].as_u64().unwrap();
        let alone: usize = (110..119).map(|seed| sizes(&image(seed))).sum();
        assert_eq!(freed, alone as u64, "what others share is not freed");
        assert_eq!(lab.tags().await, before, "{kind:?}");

        // Somebody else moves one of the tags, and pushes another.
        let theirs = image(500);
        let client = lab.destination.client();
        client.push(REPOSITORY, "drop-0", &theirs).await;
        client.push(REPOSITORY, "drop-99", &theirs).await;

        let paused = lab.with(KEPT, SHORT).json(&["prune", "--delete"]).await;
        assert_eq!(paused.stop(), Some("PrunePaused"), "{}", paused.text);
        assert_eq!(paused.code, Some(1));
        let wrong = format!("sha256:{}", "0".repeat(64));
        let other = ["prune", "--delete", "--approve", &wrong];
        let other = lab.with(KEPT, SHORT).json(&other).await;
        assert_eq!(other.stop(), Some("PrunePaused"), "{}", other.text);
        assert_eq!(lab.tags().await.len(), 41, "{kind:?}");

        let approved = ["prune", "--delete", "--approve", paused.plan()];
        let done = lab.with(KEPT, SHORT).json(&approved).await;
        assert_eq!(done.totals(), [0, 0, 0, 19, 0], "{}", done.text);
        assert_eq!(done.code, Some(0), "{}", done.text);
        let mut left = names(&[("keep", 0..20)]);
        left.extend(["drop-0".to_owned(), "drop-99".to_owned()]);
        assert_eq!(lab.tags().await, left, "{kind:?}");
        assert_complete(&lab, &kept, kind).await;
        for tag in ["drop-0", "drop-99"] {
            assert_eq!(lab.digest(tag).await.as_deref(), Some(theirs.digest()));
        }

        let again = lab.with(KEPT, SHORT).json(&["prune", "--delete"]).await;
        assert_eq!(again.totals(), [0; 5], "{}", again.text);
        assert_eq!(again.code, Some(0));
    }
}

/// The bytes of an image with its manifests.
fn sizes(image: &Image) -> usize {
    let manifests = image.children.iter().chain([&image.root]);
    let blobs: BTreeMap<&str, usize> = image
        .blobs
        .iter()
        .chain(manifests)
        .map(|blob| (blob.digest.as_str(), blob.bytes.len()))
        .collect();
    blobs.values().sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn where_tags_cannot_be_deleted_nothing_is() {
    let kind = Kind::Distribution2;
    let (lab, kept) = narrowed(kind).await;
    let before = lab.tags().await;
    lab.destination.forget_requests().await;
    for _ in 0..2 {
        let refused = lab.with(KEPT, FREE).json(&["prune", "--delete"]).await;
        assert_eq!(refused.stop(), Some("PruneUnsupported"), "{}", refused.text);
        assert_eq!(refused.totals()[3], 0, "{}", refused.text);
        assert_eq!(refused.code, Some(1));
    }
    let requests = lab.destination.requests().await;
    let deletes: Vec<&str> = requests
        .iter()
        .filter(|request| request.method == "DELETE")
        .map(|request| request.path.as_str())
        .collect();
    assert_eq!(deletes.len(), 2, "one for each run: {deletes:?}");
    assert!(
        deletes.iter().all(|path| path.contains("/manifests/drop-")),
        "never by digest: {deletes:?}"
    );
    assert_eq!(lab.tags().await, before);
    assert_complete(&lab, &kept, kind).await;
    let listed = lab.with(KEPT, FREE).json(&["restore"]).await;
    assert_eq!(
        listed.document["tags"],
        Value::Array(Vec::new()),
        "nothing is gone"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_deleted_can_be_restored() {
    for kind in [Kind::Distribution3, Kind::Crane] {
        let (lab, kept) = narrowed(kind).await;
        let before: BTreeMap<String, Option<String>> = {
            let mut digests = BTreeMap::new();
            for tag in lab.tags().await {
                let digest = lab.digest(&tag).await;
                digests.insert(tag, digest);
            }
            digests
        };
        let done = lab.with(KEPT, FREE).json(&["prune", "--delete"]).await;
        assert_eq!(done.totals(), [0, 0, 0, 20, 0], "{}", done.text);

        let listed = lab.with(KEPT, FREE).json(&["restore"]).await;
        let restorable = listed.document["tags"].as_array().unwrap();
        assert_eq!(restorable.len(), 20, "{}", listed.text);
        assert_eq!(lab.tags().await.len(), 20, "it only lists");

        let unknown = lab.with(KEPT, FREE).text(&["restore", "drop-77"]).await;
        assert_eq!(unknown.code, Some(2), "{}", unknown.stderr);
        let some = ["restore", "drop-5", "app:drop-11"];
        let some = lab.with(KEPT, FREE).text(&some).await;
        some.assert_success();
        assert!(
            some.stdout.ends_with("2 restored, 0 failed\n"),
            "{}",
            some.stdout
        );
        for tag in ["drop-5", "drop-11"] {
            assert_eq!(lab.digest(tag).await, before[tag], "{kind:?} {tag}");
            let mut witness = Witness::new(lab.destination.client(), REPOSITORY);
            assert_eq!(witness.check(tag).await, [], "{kind:?} {tag}");
        }

        // Somebody else took one of the names meanwhile.
        let theirs = image(500);
        let client = lab.destination.client();
        client.push(REPOSITORY, "drop-7", &theirs).await;
        let all = lab.with(KEPT, FREE).text(&["restore", "--all"]).await;
        assert_eq!(all.code, Some(1), "{}", all.stdout);
        assert!(
            all.stdout.ends_with("17 restored, 1 failed\n"),
            "{}",
            all.stdout
        );
        for (tag, digest) in &before {
            let expected = if tag == "drop-7" {
                Some(theirs.digest().to_owned())
            } else {
                digest.clone()
            };
            assert_eq!(lab.digest(tag).await, expected, "{kind:?} {tag}");
        }
        assert_complete(&lab, &kept, kind).await;

        // What is wanted again is not copied twice; only what somebody else took is.
        let synced = lab.with(ALL, FREE).json(&["sync"]).await;
        assert_eq!(
            synced.document["totals"]["unchanged"], 39,
            "{}",
            synced.text
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn signatures_go_after_their_images_and_with_no_other() {
    for kind in [Kind::Distribution3, Kind::Crane] {
        let lab = Lab::new(kind).await;
        for (tag, seed) in [("keep-0", 1), ("drop-0", 1), ("drop-1", 2), ("drop-2", 3)] {
            lab.source
                .client()
                .push(REPOSITORY, tag, &signed(seed))
                .await;
        }
        lab.with(ALL, FREE).text(&["sync"]).await.assert_success();
        let before = lab.tags().await;
        let digest_tags = before.iter().filter(|tag| tag.starts_with("sha256-"));
        assert_eq!(digest_tags.count(), 3 * 4, "{kind:?} {before:?}");
        let narrowed = lab.with(KEPT, FREE);
        narrowed.json(&["prune"]).await;
        let done = narrowed.json(&["prune", "--delete"]).await;
        assert_eq!(done.totals(), [0, 0, 0, 3, 0], "{}", done.text);
        assert_eq!(lab.tags().await.len(), before.len() - 3, "{kind:?}");

        // One of them is restored, and still signed.
        let restored = narrowed.text(&["restore", "drop-2"]).await;
        restored.assert_success();
        let mut witness = Witness::new(lab.destination.client(), REPOSITORY);
        witness = witness.expecting(&signed(3));
        assert_eq!(witness.check("drop-2").await, [], "{kind:?}");

        let kept = lab.with("[kd]*-[02]", FREE);
        let cleared = kept.text(&["prune", "--delete"]).await;
        cleared.assert_success();
        assert_eq!(
            cleared.stdout,
            "4 referrers deleted, 0 to delete, 0 waiting, 0 kept, 2 on record\n"
        );
        for (tag, seed) in [("keep-0", 1), ("drop-2", 3)] {
            let mut witness = Witness::new(lab.destination.client(), REPOSITORY);
            witness = witness.expecting(&signed(seed));
            assert_eq!(witness.check(tag).await, [], "{kind:?} {tag}");
        }
        assert_eq!(lab.tags().await.len(), 2 + 2 * 4, "{kind:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_killed_is_finished_by_the_next() {
    for moment in [
        Moment::BeforeForward,
        Moment::BeforeReply,
        Moment::AfterReply,
    ] {
        for change in [1, 3] {
            let mut lab = Lab::new(Kind::Distribution3).await;
            let point = CrashPoint::in_front_of(lab.destination.address());
            lab.host = point.host();
            for number in 0..4 {
                let client = lab.source.client();
                for word in ["keep", "drop"] {
                    let tag = format!("{word}-{number}");
                    client.push(REPOSITORY, &tag, &image(number)).await;
                }
            }
            lab.with(ALL, FREE).text(&["sync"]).await.assert_success();
            let first = lab.with(KEPT, FREE).json(&["prune"]).await;
            assert_eq!(first.totals()[..2], [0, 4], "{}", first.text);

            let command = lab.with(KEPT, FREE).command(&["prune", "--delete"]);
            let crash = point.run(command, moment, change).await;
            assert!(crash.was_killed, "{moment:?} {change}");

            // Whoever is killed after a reply may have gone on for a moment.
            let gone = 8 - lab.tags().await.len();
            assert!(gone + 1 >= change, "{moment:?} {change}: {gone}");

            let rest = lab.with(KEPT, FREE).json(&["prune", "--delete"]).await;
            assert_eq!(rest.code, Some(0), "{moment:?} {change}: {}", rest.text);
            let left = names(&[("keep", 0..4)]);
            assert_eq!(lab.tags().await, left, "{moment:?} {change}");
            let mut witness = Witness::new(lab.destination.client(), REPOSITORY);
            assert_eq!(witness.check_all().await, [], "{moment:?} {change}");

            // What the killed run deleted is gone for longer than this grace.
            let all = lab.with(KEPT, FREE).text(&["restore", "--all"]).await;
            let expected = format!("{} restored, 0 failed\n", 4 - gone);
            assert!(
                all.stdout.ends_with(&expected),
                "{moment:?} {change}: {}{}",
                all.stdout,
                all.stderr
            );
            assert_eq!(lab.tags().await.len(), 8 - gone, "{moment:?} {change}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sync_says_in_one_line_that_it_does_not_prune() {
    let lab = Lab::new(Kind::Distribution3).await;
    for tag in ["keep-1", "drop-1"] {
        lab.source.client().push(REPOSITORY, tag, &image(1)).await;
    }
    lab.with(ALL, FREE).text(&["sync"]).await.assert_success();
    let narrowed = lab.with(KEPT, FREE);
    narrowed.text(&["sync"]).await.assert_success();
    let due = narrowed.text(&["sync", "-q"]).await;
    due.assert_success();
    let said: Vec<&str> = due
        .stdout
        .lines()
        .filter(|line| line.starts_with("not pruned"))
        .collect();
    assert_eq!(
        said,
        [
            "not pruned: default/m: PrunePaused: this command deletes nothing: transship prune --delete does"
        ]
    );
    let told = due.stdout.lines().find(|line| line.starts_with("to prune"));
    let told = told.unwrap_or_default();
    assert!(
        told.starts_with("to prune: default/m: 1 tag: transship prune -f "),
        "{told}"
    );
    assert!(
        told.ends_with(
            " --mirror default/m shows them and what they take, and deletes them with --delete"
        ),
        "{told}"
    );
    let listed = lab
        .with(KEPT, "mode: Plan, grace: 1ms")
        .text(&["sync", "-q"])
        .await;
    let told = listed
        .stdout
        .lines()
        .find(|line| line.starts_with("to prune"));
    let told = told.unwrap_or_default();
    assert!(
        told.ends_with(" and deletes them once spec.prune.mode is Delete"),
        "{}",
        listed.stdout
    );
    assert_eq!(lab.tags().await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_workloads_use_is_kept_and_without_knowing_it_nothing_is_deleted() {
    const PROTECT: &str = "mode: Delete, grace: 1ms, maxPercent: 100";
    let lab = Lab::new(Kind::Distribution3).await;
    for (seed, tag) in ["keep-0", "drop-0", "drop-1", "drop-2"].iter().enumerate() {
        let image = image(seed as u64);
        lab.source.client().push(REPOSITORY, tag, &image).await;
    }
    lab.with(ALL, PROTECT)
        .text(&["sync"])
        .await
        .assert_success();
    let narrowed = lab.with(KEPT, PROTECT);
    let planned = narrowed.text(&["prune"]).await;
    planned.assert_success();
    assert!(
        planned.stderr.contains("--in-use-from"),
        "{}",
        planned.stderr
    );
    let blind = narrowed.text(&["prune", "--delete"]).await;
    assert_eq!(blind.code, Some(1), "{}", blind.stdout);
    assert_eq!(
        blind.stderr,
        "error: mirror default/m protects what workloads use: say what that is with --in-use-from KUBECONFIG|FILE, \
         or set its spec.prune.inUse to Ignore\n"
    );

    // One by its name, one by the digest of a part of it.
    let part = &image(2).children[0].digest;
    let host = lab.destination.host();
    let used = lab.directory.path().join("used.txt");
    let lines = format!("{host}/{REPOSITORY}:drop-0\nelsewhere.test/app@{part}\n");
    fs::write(&used, lines).unwrap();
    let used = used.to_str().unwrap();
    let done = narrowed
        .json(&["prune", "--delete", "--in-use-from", used])
        .await;
    assert_eq!(done.totals(), [0, 0, 2, 1, 0], "{}", done.text);
    let left = ["keep-0", "drop-0", "drop-1"].map(str::to_owned);
    assert_eq!(lab.tags().await, BTreeSet::from(left));
}

/// crane's registry names no next page: a list that ended with the first one would take 1,000 tags for
/// all, and the tags that new ones push off it for gone.
#[tokio::test(flavor = "multi_thread")]
async fn a_list_of_several_pages_without_links_is_copied_whole_and_loses_nothing() {
    let lab = Lab::between(Kind::Crane, Kind::Distribution3).await;
    let image = image(1);
    let client = lab.source.client();
    client.push(REPOSITORY, "m-0", &image).await;
    let mut tags = names(&[("m", 0..1_500)]);
    for tag in &tags {
        client.push_manifest(REPOSITORY, tag, &image.root).await;
    }
    let synced = lab.with(ALL, FREE).text(&["sync"]).await;
    synced.assert_success();
    assert_eq!(lab.tags().await, tags);

    // They sort before the others.
    let more = names(&[("a", 0..50)]);
    for tag in &more {
        client.push_manifest(REPOSITORY, tag, &image.root).await;
    }
    tags.extend(more);
    let synced = lab.with(ALL, FREE).text(&["sync"]).await;
    synced.assert_success();
    for arguments in [&["prune"][..], &["prune", "--delete"]] {
        let pruned = lab.with(ALL, FREE).json(arguments).await;
        assert_eq!(pruned.totals(), [0; 5], "{}", pruned.text);
    }
    assert_eq!(lab.tags().await, tags);
}
