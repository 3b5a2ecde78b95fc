//! What a destination can do wrong.

use futures::future::join_all;
use transship::copy::{Action as Done, Engine, Progress, TagPush};
use transship::registry::{Credential, Pool};

use super::{
    AGENT, Case, Lab, Row, assert_complete, check, check_cases, endpoint, image, job, refusal,
    target,
};
use crate::support::content::{Image, ImageBuilder};
use crate::support::faults::{FaultRegistry, Options};
use crate::support::http::Reply;
use crate::support::http::script::Action;
use crate::support::witness::Witness;

/// A digest that nothing has.
fn other_digest() -> Action {
    Action::SetHeader(
        "docker-content-digest",
        format!("sha256:{}", "0".repeat(64)),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn blobs() {
    let rows: [Row; 17] = [
        (
            "stored, but answered 500",
            |lab| {
                let lost = Action::CommitThen(refusal(500, "UNKNOWN"));
                lab.at_destination("PUT", "/uploads/").does(lost);
            },
            "Copied",
        ),
        (
            "stored, but not answered",
            |lab| {
                lab.at_destination("PUT", "/uploads/")
                    .does(Action::CommitThenClose)
            },
            "Copied",
        ),
        (
            "500 and then fine",
            |lab| {
                lab.at_destination("PUT", "/uploads/")
                    .first(3)
                    .responds(refusal(500, "UNKNOWN"))
            },
            "Copied",
        ),
        (
            "500 for ever",
            |lab| {
                lab.at_destination("PUT", "/uploads/")
                    .responds(refusal(500, "UNKNOWN"))
            },
            "",
        ),
        (
            "the upload is gone",
            |lab| {
                let gone = Action::RespondEarly(refusal(404, "BLOB_UPLOAD_UNKNOWN"));
                lab.at_destination("PUT", "/uploads/").first(3).does(gone);
            },
            "Copied",
        ),
        (
            "the upload is gone every time",
            |lab| {
                let gone = Action::RespondEarly(refusal(404, "BLOB_UPLOAD_UNKNOWN"));
                lab.at_destination("PUT", "/uploads/").does(gone);
            },
            "",
        ),
        (
            "the connection breaks in the middle",
            |lab| {
                lab.at_destination("PUT", "/uploads/")
                    .first(3)
                    .does(Action::CutUpload(900))
            },
            "Copied",
        ),
        (
            "the connection breaks every time",
            |lab| {
                lab.at_destination("PUT", "/uploads/")
                    .does(Action::CutUpload(900))
            },
            "",
        ),
        (
            "no room",
            |lab| {
                lab.at_destination("PUT", "/uploads/")
                    .responds(refusal(507, "UNKNOWN"))
            },
            "",
        ),
        (
            "too large for it in every form",
            |lab| {
                lab.at_destination("PUT", "/uploads/")
                    .responds(refusal(413, "SIZE_INVALID"));
                lab.at_destination("PATCH", "/uploads/")
                    .responds(refusal(413, "SIZE_INVALID"));
            },
            "",
        ),
        (
            "too large for it in one piece",
            |lab| {
                let in_one = |request: &crate::support::http::Request| {
                    request.method == "PUT" && request.headers.value("content-length") != Some("0")
                };
                lab.destination
                    .script()
                    .when(in_one)
                    .first(20)
                    .responds(refusal(413, "SIZE_INVALID"));
            },
            "Copied",
        ),
        (
            "not allowed",
            |lab| {
                lab.at_destination("POST", "/uploads/")
                    .responds(refusal(403, "DENIED"))
            },
            "",
        ),
        (
            "500 to the announcement and then fine",
            |lab| {
                lab.at_destination("POST", "/uploads/")
                    .first(3)
                    .responds(refusal(500, "UNKNOWN"))
            },
            "Copied",
        ),
        (
            "what is not there is said to be",
            |lab| {
                lab.at_destination("POST", "mount=")
                    .responds(Reply::new(201))
            },
            "Copied",
        ),
        (
            "confirmed and not kept, once",
            |lab| {
                lab.at_destination("PUT", "/uploads/")
                    .nth(1)
                    .does(Action::Swallow)
            },
            "Copied",
        ),
        (
            "confirmed and not kept",
            |lab| lab.at_destination("PUT", "/uploads/").does(Action::Swallow),
            "",
        ),
        (
            "confirmed with another digest",
            |lab| lab.at_destination("PUT", "/uploads/").does(other_digest()),
            "",
        ),
    ];
    check(&rows).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn manifests() {
    let rows: [Row; 13] = [
        (
            "a child is confirmed and not kept, once",
            |lab| {
                lab.at_destination("PUT", lab.child())
                    .nth(1)
                    .does(Action::Swallow)
            },
            "Copied",
        ),
        (
            "a child is confirmed and not kept",
            |lab| lab.at_destination("PUT", lab.child()).does(Action::Swallow),
            "",
        ),
        (
            "the tag is confirmed and not kept, once",
            |lab| {
                lab.at_destination("PUT", "/manifests/1")
                    .nth(1)
                    .does(Action::Swallow)
            },
            "Copied",
        ),
        (
            "the tag is confirmed and not kept",
            |lab| {
                lab.at_destination("PUT", "/manifests/1")
                    .does(Action::Swallow)
            },
            "",
        ),
        (
            "500 and then fine",
            |lab| {
                lab.at_destination("PUT", "/manifests/")
                    .first(2)
                    .responds(refusal(500, "UNKNOWN"))
            },
            "Copied",
        ),
        (
            "500 for ever",
            |lab| {
                lab.at_destination("PUT", "/manifests/1")
                    .responds(refusal(500, "UNKNOWN"))
            },
            "",
        ),
        (
            "stored, but answered 500",
            |lab| {
                let lost = Action::CommitThen(refusal(500, "UNKNOWN"));
                lab.at_destination("PUT", "/manifests/").first(2).does(lost);
            },
            "Copied",
        ),
        (
            "stored, but not answered",
            |lab| {
                lab.at_destination("PUT", "/manifests/")
                    .first(2)
                    .does(Action::CommitThenClose)
            },
            "Copied",
        ),
        (
            "a blob is unknown, once",
            |lab| {
                let unknown = refusal(400, "MANIFEST_BLOB_UNKNOWN");
                lab.at_destination("PUT", lab.child())
                    .nth(1)
                    .responds(unknown);
            },
            "Copied",
        ),
        (
            "a blob is unknown",
            |lab| {
                let unknown = refusal(400, "MANIFEST_BLOB_UNKNOWN");
                lab.at_destination("PUT", lab.child()).responds(unknown);
            },
            "",
        ),
        (
            "not allowed",
            |lab| {
                lab.at_destination("PUT", "/manifests/1")
                    .responds(refusal(403, "DENIED"))
            },
            "",
        ),
        (
            "too many requests",
            |lab| {
                let busy = refusal(429, "TOOMANYREQUESTS").header("retry-after", "0");
                lab.at_destination("PUT", lab.child()).responds(busy);
            },
            "",
        ),
        (
            "confirmed with another digest",
            |lab| lab.at_destination("PUT", lab.child()).does(other_digest()),
            "",
        ),
    ];
    check(&rows).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn referrers() {
    let signed = || {
        let image = ImageBuilder::new(5)
            .referrer("application/vnd.example.signature")
            .build();
        let destination = FaultRegistry::options().without_referrers_api().start();
        Lab::between(FaultRegistry::start(), destination, image)
    };
    let with = |fault: fn(&Lab)| {
        let lab = signed();
        fault(&lab);
        lab
    };
    let cases: [Case; 4] = [
        ("a registry without a list of them", signed(), "Copied"),
        (
            "their list cannot be written",
            with(|lab| {
                lab.at_destination("PUT", "/manifests/sha256-")
                    .responds(refusal(403, "DENIED"))
            }),
            "",
        ),
        (
            "what stands at the tag of their list is none",
            with(|lab| {
                let page = Reply::new(200).body("<html>canary");
                lab.at_destination("GET", "/manifests/sha256-")
                    .responds(page);
            }),
            "",
        ),
        (
            "they are not taken",
            with(|lab| {
                let signature = format!("/manifests/{}", lab.image.referrers[0].manifest.digest);
                lab.at_destination("PUT", signature)
                    .responds(refusal(403, "DENIED"));
            }),
            "",
        ),
    ];
    check_cases(cases).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mounts() {
    type Mount = (&'static str, fn() -> Options, Option<Action>, bool);
    let cases: [Mount; 6] = [
        ("granted", FaultRegistry::options, None, false),
        (
            "answered with an upload",
            || FaultRegistry::options().without_mounts(),
            None,
            true,
        ),
        (
            "forbidden",
            FaultRegistry::options,
            Some(Action::Respond(refusal(403, "DENIED"))),
            true,
        ),
        (
            "unknown",
            FaultRegistry::options,
            Some(Action::Respond(refusal(405, "UNSUPPORTED"))),
            true,
        ),
        (
            "granted and not done",
            FaultRegistry::options,
            Some(Action::Respond(Reply::new(201))),
            true,
        ),
        (
            "granted and not done where no manifest is checked",
            || FaultRegistry::options().sparse(),
            Some(Action::Respond(Reply::new(201))),
            true,
        ),
    ];
    join_all(cases.map(|(name, options, fault, is_sent)| async move {
        let lab = Lab::between(FaultRegistry::start(), options().start(), image());
        lab.source.load("team/base", "1", &lab.image);
        let (engine, pool) = (Engine::new(Progress::none()), Pool::new(AGENT));
        let source = endpoint(&pool, &lab.source.host(), Credential::Anonymous);
        let base = target(&pool, &lab.destination.host(), "team/base");
        engine
            .copy(&job(source, &lab.image, base))
            .await
            .remove(0)
            .unwrap();
        if let Some(fault) = fault {
            lab.at_destination("POST", "mount=").does(fault);
        }
        let done = engine.copy(&lab.job(&pool)).await.remove(0);
        let done = done.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(done.bytes > 0, is_sent, "{name}");
        assert_complete(&lab.destination, "team/app", &lab.image).await;
    }))
    .await;
}

/// A lab whose destination has an older image under the tag, and a job that is to move it.
fn moving(fault: fn(&Lab)) -> (Lab, Image) {
    let (lab, old) = (Lab::new(), ImageBuilder::new(6).layers(&[500]).build());
    lab.destination.load("team/app", "1", &old);
    fault(&lab);
    (lab, old)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tag_that_cannot_be_moved_stays_where_it_was() {
    let rows: [Row; 6] = [
        ("nothing wrong", |_| {}, "Copied"),
        (
            "the tag is confirmed and not moved, once",
            |lab| {
                lab.at_destination("PUT", "/manifests/1")
                    .nth(1)
                    .does(Action::Swallow)
            },
            "Copied",
        ),
        (
            "the tag is confirmed and not moved",
            |lab| {
                lab.at_destination("PUT", "/manifests/1")
                    .does(Action::Swallow)
            },
            "",
        ),
        (
            "tags cannot be changed",
            |lab| {
                lab.at_destination("PUT", "/manifests/1")
                    .responds(refusal(412, "DENIED"))
            },
            "",
        ),
        (
            "the image is confirmed and not kept",
            |lab| lab.at_destination("PUT", lab.root()).does(Action::Swallow),
            "",
        ),
        (
            "the previous image cannot be kept",
            |lab| {
                lab.at_destination("PUT", "/manifests/previous")
                    .does(Action::Swallow)
            },
            "",
        ),
    ];
    let outcomes = join_all(rows.map(|(name, fault, expected)| async move {
        let (lab, old) = moving(fault);
        let (engine, pool) = (Engine::new(Progress::none()), Pool::new(AGENT));
        let mut job = lab.job(&pool);
        job.targets[0].tags = vec![TagPush {
            tag: "1".parse().unwrap(),
            current: Some(old.digest().parse().unwrap()),
            previous: Some("previous".parse().unwrap()),
        }];
        let outcome = engine.copy(&job).await.remove(0);
        let named = if outcome.is_ok() { &lab.image } else { &old };
        let mut witness = Witness::new(lab.destination.client(), "team/app");
        assert_eq!(witness.check_all().await, [], "{name}");
        assert_eq!(witness.digest("1").await.unwrap(), named.digest(), "{name}");
        let found = lab.describe(&outcome);
        (found != expected).then(|| format!("{name}\n   found: {found}\nexpected: {expected}\n"))
    }))
    .await;
    let wrong: Vec<String> = outcomes.into_iter().flatten().collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_further_tag_that_is_confirmed_and_not_kept_is_a_failure() {
    let lab = Lab::new();
    lab.at_source("PUT", "/manifests/stable")
        .does(Action::Swallow);
    let (engine, pool) = (Engine::new(Progress::none()), Pool::new(AGENT));
    let mut job = lab.job(&pool);
    job.targets = vec![target(&pool, &lab.source.host(), "team/app")];
    job.targets[0].tags[0].tag = "stable".parse().unwrap();
    let outcome = engine.copy(&job).await.remove(0);
    assert_eq!(lab.describe(&outcome), "");
    lab.source.script().clear_rules();
    let done = engine.copy(&job).await.remove(0).unwrap();
    assert_eq!(done.action, Done::Retagged);
}
