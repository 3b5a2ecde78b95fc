// SPDX-License-Identifier: Apache-2.0

//! Whole rounds of the program: what happens before and around the copies.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::future::join_all;
use serde_json::Value;

use super::lab::image;
use super::{CANARY, assert_outcomes, refusal, without_digests, without_words};
use crate::support::canary::Canary;
use crate::support::content::{Image, ImageBuilder};
use crate::support::faults::FaultRegistry;
use crate::support::http::Reply;
use crate::support::http::script::Action;
use crate::support::program::Program;
use crate::support::witness::Witness;

/// A fault of a source, what the round reports of it, and which tags arrive.
type Row = (
    &'static str,
    fn(&FaultRegistry, &Canary),
    &'static str,
    &'static [&'static str],
);

/// A mirror of `team/app`.
fn mirror(name: &str, source: &FaultRegistry, tags: &str, destination: &FaultRegistry) -> String {
    let (source, destination) = (source.host(), destination.host());
    format!(
        "---\napiVersion: transship.dev/v1alpha1\nkind: ImageMirror\nmetadata: {{name: {name}}}\nspec:\n  \
         source: {{registry: '{source}', insecure: true}}\n  images: [{{repository: team/app, tags: {tags}}}]\n  \
         destinations: [{{name: d, registry: '{destination}', insecure: true, repository: '{name}'}}]\n"
    )
}

/// Runs a round: the exit code and the report.
async fn sync(yaml: String) -> (Option<i32>, Value) {
    let program = Program::transship(&["sync", "-o", "json", "-f", "-"]);
    let finished = program.input(yaml).run().await;
    let report = serde_json::from_str(&finished.stdout)
        .unwrap_or_else(|error| panic!("{error}: {} {}", finished.stdout, finished.stderr));
    (finished.code, report)
}

/// The failures of a mirror and of its tags.
fn failures(mirror: &Value) -> Vec<&Value> {
    let tags = mirror["tags"].as_array().unwrap().iter();
    let failed = tags.filter(|tag| tag["action"] == "Failed");
    mirror["failures"]
        .as_array()
        .unwrap()
        .iter()
        .chain(failed)
        .collect()
}

const ROWS: &[Row] = &[
    ("nothing wrong", |_, _| {}, "", &["1", "2"]),
    (
        "no digest for HEAD",
        |source, _| {
            source
                .on("HEAD", "/manifests/")
                .does(Action::RemoveHeader("docker-content-digest"));
        },
        "",
        &["1", "2"],
    ),
    (
        "404 for HEAD",
        |source, _| source.on("HEAD", "/manifests/").responds(Reply::new(404)),
        "",
        &["1", "2"],
    ),
    (
        "no tags: null",
        |source, _| {
            source
                .on("GET", "/tags/list")
                .responds(Reply::new(200).body(r#"{"tags":null}"#));
        },
        "NotFound: SOURCE/team/app has no tags",
        &[],
    ),
    (
        "a next page with another path",
        |source, _| {
            let next = Action::SetHeader("link", "</nowhere?last=1>; rel=\"next\"".to_owned());
            source.on("GET", "/tags/list").nth(1).does(next);
        },
        "",
        &["1", "2"],
    ),
    (
        "a next page that is the same",
        |source, _| {
            let next = Action::SetHeader("link", "<?last=canary>; rel=\"next\"".to_owned());
            source.on("GET", "/tags/list").does(next);
        },
        "CopyFailed: cannot list the tags of SOURCE/team/app: the pages of the list have no \
         end",
        &[],
    ),
    (
        "a next page elsewhere",
        |source, elsewhere| {
            let next = format!("<{}/v2/?canary>; rel=\"next\"", elsewhere.url());
            let next = Action::SetHeader("link", next);
            source.on("GET", "/tags/list").does(next);
        },
        "CopyFailed: cannot list the tags of SOURCE/team/app: the pages of the list have no end",
        &[],
    ),
    (
        "a list without end",
        |source, _| source.on("GET", "/tags/list").does(Action::Endless),
        "CopyFailed: cannot list the tags of SOURCE/team/app: the answer is larger than \
         8388608 bytes, the most that is read",
        &[],
    ),
    (
        "a token server elsewhere",
        |source, elsewhere| {
            let challenge = format!(
                "Bearer realm=\"{}/token\",service=\"canary\"",
                elsewhere.url()
            );
            source
                .on("GET", "/v2/")
                .responds(Reply::new(401).header("www-authenticate", &challenge));
        },
        "CopyFailed: cannot list the tags of SOURCE/team/app: SOURCE names BYSTANDER as its \
         token server, an address that may lead anywhere: if it is the right one, allow its \
         host and port with --trusted-realms",
        &[],
    ),
    (
        "an hour of rest before the list",
        |source, _| {
            let busy = refusal(429, "TOOMANYREQUESTS").header("retry-after", "3600");
            source.on("GET", "/tags/list").responds(busy);
        },
        "RateLimited: cannot list the tags of SOURCE/team/app: 429 Too Many Requests (TOOMANYREQUESTS): \
         too many requests for the registry, it may be asked again at TIME",
        &[],
    ),
    (
        "an hour of rest before the manifests",
        |source, _| {
            let busy = refusal(429, "TOOMANYREQUESTS").header("retry-after", "3600");
            source.on("GET", "/manifests/sha256").responds(busy);
        },
        "RateLimited: reading SOURCE/team/app@DIGEST: cannot fetch the manifest \
         SOURCE/team/app@DIGEST: 429 Too Many Requests (TOOMANYREQUESTS): too many requests for the \
         registry, it may be asked again at TIME; \
         RateLimited: reading SOURCE/team/app@DIGEST: cannot fetch the manifest \
         SOURCE/team/app@DIGEST: 429 Too Many Requests (TOOMANYREQUESTS): too many requests for the \
         registry, it may be asked again at TIME",
        &[],
    ),
    (
        "one tag is gone",
        |source, _| {
            source
                .on("*", "/manifests/2")
                .responds(refusal(404, "MANIFEST_UNKNOWN"));
        },
        "NotFound: SOURCE/team/app:2 does not exist",
        &["1"],
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_misbehaves_spoils_only_its_own_mirror() {
    let outcomes = join_all(ROWS.iter().map(|(name, fault, expected, tags)| async move {
        let (bad, good, destination) = (
            FaultRegistry::start(),
            FaultRegistry::start(),
            FaultRegistry::start(),
        );
        let elsewhere = Canary::start();
        for (source, seed) in [(&bad, 0), (&good, 10)] {
            for (seed, tag) in (seed..).zip(["1", "2"]) {
                let image = ImageBuilder::new(seed).layers(&[500]).build();
                source.load("team/app", tag, &image);
            }
        }
        fault(&bad, &elsewhere);
        let yaml = mirror("bad", &bad, "['*']", &destination)
            + &mirror("good", &good, "['*']", &destination);
        let (code, report) = sync(yaml).await;
        assert_eq!(destination.tags("good"), ["1", "2"], "{name}: {report:#}");
        assert_eq!(destination.tags("bad"), *tags, "{name}: {report:#}");
        assert_eq!(elsewhere.connections(), 0, "{name}");
        let failures = failures(&report["mirrors"][0]);
        assert_eq!(
            code,
            Some(i32::from(!failures.is_empty())),
            "{name}: {report:#}"
        );
        let found: Vec<String> = failures
            .iter()
            .map(|failure| {
                let text = failure["message"].as_str().unwrap();
                assert!(!text.contains(CANARY), "{name}: {text}");
                let until = failure["nextAttemptTime"].as_str();
                let reason = failure["reason"].as_str().unwrap();
                let until = until.map_or("", |until| until.get(..19).unwrap());
                let text = text
                    .replace(&bad.host(), "SOURCE")
                    .replace(&elsewhere.host(), "BYSTANDER")
                    .replace(&format!("{until}Z"), "TIME")
                    // Who comes a moment later is told without a request of its own.
                    .replace(LEFT_ALONE, TOO_MANY);
                format!("{reason}: {}", without_words(&without_digests(&text)))
            })
            .collect();
        (*name, found.join("; "), *expected)
    }));
    assert_outcomes(outcomes.await);
}

const LEFT_ALONE: &str = "the registry asked to be left alone until TIME";
const TOO_MANY: &str = "429 Too Many Requests (TOOMANYREQUESTS): too many requests for the registry, it may be asked again at TIME";

/// The requests for the source, and those before the tag moved that asked what it names.
#[derive(Default)]
struct Asked {
    all: AtomicUsize,
    before: AtomicUsize,
}

/// Lets the tag move to another image right before the n-th request.
fn move_before(source: &Arc<FaultRegistry>, turn: usize, to: Image) -> Arc<Asked> {
    let asked = Arc::new(Asked::default());
    let (count, registry) = (asked.clone(), Arc::downgrade(source));
    let script = source.script();
    script
        .when(move |request| {
            let this = count.all.fetch_add(1, Ordering::SeqCst) + 1;
            if this == turn
                && let Some(registry) = registry.upgrade()
            {
                registry.load("team/app", "1", &to);
            } else if this < turn && request.path.ends_with("/manifests/1") {
                count.before.fetch_add(1, Ordering::SeqCst);
            }
            false
        })
        .does(Action::Close);
    asked
}

#[tokio::test(flavor = "multi_thread")]
async fn whenever_the_tag_moves_what_was_resolved_is_copied() {
    let (old, new) = (image(), ImageBuilder::new(8).layers(&[700]).build());
    for turn in 1.. {
        let (source, destination) = (Arc::new(FaultRegistry::start()), FaultRegistry::start());
        source.load("team/app", "1", &old);
        let asked = move_before(&source, turn, new.clone());
        let yaml = mirror("m", &source, "['1']", &destination);
        let (code, report) = sync(yaml.clone()).await;
        assert_eq!(code, Some(0), "{turn}: {report:#}");
        let mut witness = Witness::new(destination.client(), "m");
        assert_eq!(witness.check("1").await, [], "{turn}");
        let was_resolved = asked.before.load(Ordering::SeqCst) > 0;
        let expected = if was_resolved { &old } else { &new };
        assert_eq!(
            witness.digest("1").await.unwrap(),
            expected.digest(),
            "{turn}"
        );
        if asked.all.load(Ordering::SeqCst) < turn {
            assert!(turn > 10, "only {turn} requests were seen");
            break;
        }
        sync(yaml).await;
        assert_eq!(witness.digest("1").await.unwrap(), new.digest(), "{turn}");
    }
}

/// A destination that answers 403 for what is absent.
fn hiding() -> FaultRegistry {
    FaultRegistry::options()
        .without_referrers_api()
        .hiding_the_absent()
        .start()
}

/// The actions of a round by the program that remembers what it did, with the first failure.
async fn round(state: &std::path::Path, yaml: String) -> String {
    let program = Program::transship(&["sync", "-o", "json", "-f", "-", "--state"]);
    let finished = program.argument(state).input(yaml).run().await;
    let report: Value = serde_json::from_str(&finished.stdout).unwrap();
    let failures = failures(&report["mirrors"][0]);
    let tag = &report["mirrors"][0]["tags"][0];
    match failures.first() {
        Some(failure) => format!("{}: {}", failure["reason"], failure["message"]),
        None => tag["action"].to_string(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_destination_that_hides_what_is_absent_is_written_to() {
    let (source, destination) = (FaultRegistry::start(), hiding());
    let image = ImageBuilder::new(3)
        .platforms(&["linux/amd64", "linux/arm64"])
        .layers(&[500])
        .referrer("application/x-sbom")
        .signature_tag()
        .build();
    source.load("team/app", "1", &image);
    let directory = tempfile::TempDir::new().unwrap();
    let state = directory.path().join("state.json");
    let yaml = mirror("m", &source, "['1']", &destination);
    assert_eq!(round(&state, yaml.clone()).await, "\"Copied\"");
    let mut witness = Witness::new(destination.client(), "m").expecting(&image);
    assert_eq!(witness.check("1").await, []);
    assert_eq!(round(&state, yaml.clone()).await, "\"Unchanged\"");
    destination.lose_tag("m", "1");
    assert_ne!(round(&state, yaml).await, "\"Unchanged\"");
    assert_eq!(witness.check("1").await, [], "restored");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_push_is_refused_too_it_was_the_credential() {
    let (source, destination) = (FaultRegistry::start(), hiding());
    source.load("team/app", "1", &image());
    destination
        .on("POST", "/uploads/")
        .responds(refusal(403, "DENIED"));
    let directory = tempfile::TempDir::new().unwrap();
    let state = directory.path().join("state.json");
    let found = round(&state, mirror("m", &source, "['1']", &destination)).await;
    assert!(
        found.starts_with("\"AccessDenied\"") && found.contains("cannot announce the blob"),
        "{found}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hidden_tag_is_not_written_over_where_it_must_stay() {
    for mutability in ["Fail", "Freeze"] {
        let (source, destination) = (FaultRegistry::start(), hiding());
        let theirs = ImageBuilder::new(8).layers(&[700]).build();
        source.load("team/app", "1", &image());
        destination.load("m", "1", &theirs);
        let shut = Action::Respond(refusal(403, "DENIED"));
        destination.on("*", "/manifests/1").does(shut);
        let directory = tempfile::TempDir::new().unwrap();
        let state = directory.path().join("state.json");
        let yaml = mirror("m", &source, "['1']", &destination)
            + &format!("  tagMutability: {mutability}\n");
        let found = round(&state, yaml).await;
        assert!(found.starts_with("\"AccessDenied\""), "{found}");
        let kept = destination.manifest("m", "1").unwrap();
        assert_eq!(kept.digest, theirs.digest(), "{mutability}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_hides_a_tag_denies_access_to_it() {
    let (source, destination) = (hiding(), FaultRegistry::start());
    source.load("team/app", "1", &image());
    let directory = tempfile::TempDir::new().unwrap();
    let state = directory.path().join("state.json");
    let found = round(&state, mirror("m", &source, "['2']", &destination)).await;
    assert!(found.starts_with("\"AccessDenied\""), "{found}");
}
