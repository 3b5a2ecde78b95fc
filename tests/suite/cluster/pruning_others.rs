// SPDX-License-Identifier: Apache-2.0

//! What other mirrors want or may want stays, whatever state they are in, and goes when they are gone.

use futures::future::join_all;
use serde_json::{Value, json};

use super::objects::{Mirror, policy};
use super::pruning_records::{Archive, OLD, REPOSITORY, image};
use super::stage::{change, delete, protector, ready_for, request, until};
use crate::support::faults::FaultRegistry;
use crate::support::http::Reply;
use crate::support::http::script::{Action, Gate};

/// Another mirror, and what keeps it from saying what it wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Other {
    /// It is suspended, and was from the beginning.
    Suspended,
    /// A policy that it names is not there.
    WithoutPolicy,
    /// Its source does not let it list anything.
    Refused,
    /// Its first round waits for its source.
    Waiting,
    /// Its spec wants more since a moment ago, and the round for that waits.
    Widened,
    /// A policy of it selects more since a moment ago, and the round for that waits.
    PolicyWidened,
    /// It names the same registry in another way.
    Alias,
}

const OTHERS: [(&str, Other); 7] = [
    ("suspended", Other::Suspended),
    ("policyless", Other::WithoutPolicy),
    ("refused", Other::Refused),
    ("waiting", Other::Waiting),
    ("widened", Other::Widened),
    ("policy", Other::PolicyWidened),
    ("alias", Other::Alias),
];

/// A source that has the old tag, too.
fn another() -> FaultRegistry {
    let source = FaultRegistry::start();
    source.load(REPOSITORY, OLD, &image(1));
    source.load(REPOSITORY, "2", &image(2));
    source
}

fn mirror(archive: &Archive, source: &FaultRegistry, tags: &[&str]) -> Mirror {
    Mirror::of(&source.host())
        .named("other")
        .image(REPOSITORY, tags)
        .destination("copy", &archive.destination.host())
}

/// Goes on when the other mirror has begun.
async fn begin(archive: &Archive, source: &FaultRegistry, other: Other, gate: &Gate) {
    let namespace = &archive.namespace;
    let named = mirror(archive, source, &[OLD]);
    let narrow = policy("wide", &json!({"include": ["7"]}));
    let held = || {
        let asked = source.on("*", "/v2/");
        asked.does(Action::Hold(gate.clone()));
    };
    match other {
        Other::Suspended => {
            let suspended = named.with("/suspend", true);
            namespace.apply(&suspended.to_string()).await;
            ready_for(namespace, "imir", "other", "Suspended").await;
        }
        Other::WithoutPolicy => {
            let missing = mirror(archive, source, &[]).policy("missing");
            namespace.apply(&missing.to_string()).await;
            ready_for(namespace, "imir", "other", "DependencyNotReady").await;
        }
        Other::Refused => {
            source.on("*", "/v2/").responds(Reply::new(403));
            namespace.apply(&named.to_string()).await;
            ready_for(namespace, "imir", "other", "AccessDenied").await;
        }
        Other::Waiting => {
            held();
            namespace.apply(&named.to_string()).await;
            gate.reached().await;
        }
        Other::Widened => {
            // Another tag at first: it says what it wants, and that is not the old one.
            let elsewhere =
                mirror(archive, source, &["2"]).with("/destinations/0/tags", json!(["b-{tag}"]));
            namespace.apply(&elsewhere.to_string()).await;
            ready_for(namespace, "imir", "other", "Succeeded").await;
            held();
            let wider = json!({"spec": {
                "images": [{"repository": REPOSITORY, "tags": ["2", OLD]}],
                "destinations": [{
                    "name": "copy", "registry": archive.destination.host(), "insecure": true,
                    "tags": ["{tag}", "b-{tag}"],
                }],
            }});
            change(namespace, "imir", "other", &wider).await;
            gate.reached().await;
        }
        Other::PolicyWidened => {
            let selecting = mirror(archive, source, &[]).policy("wide");
            source.load(REPOSITORY, "7", &image(7));
            namespace.apply(&format!("{selecting}{narrow}")).await;
            ready_for(namespace, "imir", "other", "Succeeded").await;
            held();
            let wider = json!({"spec": {"select": {"include": ["7", OLD]}}});
            change(namespace, "impol", "wide", &wider).await;
            gate.reached().await;
        }
        Other::Alias => {
            let host = archive.destination.host().replace("127.0.0.1", "localhost");
            let alias = Mirror::of(&source.host())
                .named("other")
                .image(REPOSITORY, &[OLD])
                .destination("copy", &host);
            namespace.apply(&alias.to_string()).await;
            // It is the same tag, which the archive has.
            ready_for(namespace, "imir", "other", "DestinationConflict").await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_mirror_wants_or_may_want_stays_until_it_is_gone() {
    join_all(OTHERS.map(|(name, other)| async move {
        let archive = Archive::open(&format!("others-{name}")).await;
        let _controller = archive.controller().await;
        archive.copy().await;
        let source = another();
        let gate = Gate::closed();
        begin(&archive, &source, other, &gate).await;
        archive.narrow().await;
        let told = archive.prune("kept").await;
        let tags = archive.tags();
        assert!(tags.iter().any(|tag| tag == OLD), "{name}: {tags:?} {told}");
        let by = protector(&archive.namespace, REPOSITORY, OLD).await;
        let by = by.unwrap_or_default();
        assert!(by.contains("/other"), "{name}: {by}");
        assert_eq!(
            by.contains("may want it"),
            other != Other::Alias,
            "{name}: {by}"
        );

        delete(&archive.namespace, "imir", "other").await;
        gate.open();
        let round = std::sync::atomic::AtomicUsize::new(0);
        until("the old tag goes", async || {
            let round = round.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            archive.prune(&format!("gone-{round}")).await;
            !archive.tags().iter().any(|tag| tag == OLD)
        })
        .await;
    }))
    .await;
}

/// What a mirror wants by now is not on its record, and nobody has asked it since the start.
#[tokio::test(flavor = "multi_thread")]
async fn a_new_process_waits_until_mirrors_have_said_what_they_want() {
    let archive = Archive::open("others-restart").await;
    let controller = archive.controller().await;
    archive.copy().await;
    let source = another();
    source.load(REPOSITORY, "7", &image(7));
    let narrow = policy("wide", &json!({"include": ["7"]}));
    let selecting = mirror(&archive, &source, &[]).policy("wide");
    archive
        .namespace
        .apply(&format!("{selecting}{narrow}"))
        .await;
    ready_for(&archive.namespace, "imir", "other", "Succeeded").await;
    controller.stop().await;

    archive.narrow().await;
    let wider = json!({"spec": {"select": {"include": ["7", OLD]}}});
    change(&archive.namespace, "impol", "wide", &wider).await;
    source.on("*", "/v2/").responds(Reply::new(500));
    let _controller = archive.controller().await;
    let told = archive.prune("kept").await;
    assert!(archive.tags().iter().any(|tag| tag == OLD), "{told}");

    // It is asked, and wants it.
    source.script().clear_rules();
    request(&archive.namespace, "other", "asked").await;
    let is_told = |mirror: &Value| mirror["status"]["lastHandledReconcileAt"] == "asked";
    archive
        .namespace
        .wait_for("imir", "other", "asked", is_told)
        .await;
    archive.prune("wanted").await;
    let by = protector(&archive.namespace, REPOSITORY, OLD).await;
    let expected = format!("mirror {}/other", archive.namespace.name());
    assert_eq!(by, Some(expected));
}
