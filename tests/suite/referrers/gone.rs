// SPDX-License-Identifier: Apache-2.0

//! What a list of referrers says that is not so, or not all.

use std::collections::BTreeSet;

use super::lab::{Lab, Requests, attach, fallback_tag, list};
use crate::support::content::{Image, ImageBuilder, Referrer, Signer};
use crate::support::faults::FaultRegistry;
use crate::support::http::Reply;
use crate::support::program::Program;

fn image(seed: u64) -> Image {
    ImageBuilder::new(seed).layers(&[500]).build()
}

fn sign(subject: &str) -> Referrer {
    Signer::generate().sign(subject)
}

/// The registry lists nothing of its own for a digest, in these words.
fn list_nothing(registry: &FaultRegistry, digest: &str, body: &str) {
    let reply = Reply::new(200)
        .header("content-type", "application/vnd.oci.image.index.v1+json")
        .body(body.to_owned());
    registry
        .on("GET", format!("/referrers/{digest}"))
        .responds(reply);
}

/// The registry has lost a manifest and goes on listing it.
fn lose(registry: &FaultRegistry, referrer: &Referrer) {
    let path = format!("/manifests/{}", referrer.manifest.digest);
    registry
        .on("*", path)
        .responds(Reply::error(404, "MANIFEST_UNKNOWN", "manifest unknown"));
}

fn count(requests: &Requests, request: &str) -> usize {
    requests.iter().filter(|one| *one == request).count()
}

#[tokio::test]
async fn an_old_tag_counts_where_the_registrys_own_list_is_empty() {
    let empty = r#"{"schemaVersion":2,"manifests":[]}"#;
    let null = r#"{"schemaVersion":2,"manifests":null}"#;
    for body in [empty, null] {
        for is_late in [false, true] {
            for to_api in [true, false] {
                let case = format!("{body} {is_late} {to_api}");
                let destination = FaultRegistry::options();
                let destination = if to_api {
                    destination.start()
                } else {
                    destination.without_referrers_api().start()
                };
                let lab = Lab::between(FaultRegistry::start(), destination).taking("['1']");
                let image = image(1);
                let signature = sign(image.digest());
                // Old, too, and on what the tag lists.
                let of_signature = sign(&signature.manifest.digest);
                lab.source.load("team/app", "1", &image);
                list_nothing(&lab.source, image.digest(), body);
                list_nothing(&lab.source, &signature.manifest.digest, body);
                let publish = || {
                    for (subject, referrer) in [
                        (image.digest(), &signature),
                        (signature.manifest.digest.as_str(), &of_signature),
                    ] {
                        lab.attach(referrer);
                        list(&lab.source, subject, std::slice::from_ref(referrer));
                    }
                };
                if is_late {
                    assert_eq!(lab.round().await, ["1: Copied"], "{case}");
                }
                publish();
                let outcome = if is_late { "1: Completed" } else { "1: Copied" };
                assert_eq!(lab.forgetful().await, [outcome], "{case}");
                for referrer in [&signature, &of_signature] {
                    assert!(lab.has(referrer).await, "{case}");
                }
                assert_eq!(lab.forgetful().await, ["1: Unchanged"], "{case}");
            }
        }
    }
}

#[tokio::test]
async fn an_empty_list_costs_one_lookup_or_none() {
    for (lists_tags, expected) in [(true, 0), (false, 1)] {
        for denies in [false, true] {
            let lab = Lab::new().taking("['1']");
            let image = image(1);
            lab.source.load("team/app", "1", &image);
            if !lists_tags {
                lab.source.on("GET", "/tags/list").responds(Reply::new(404));
            }
            let head = format!("HEAD manifests {}", fallback_tag(image.digest()));
            if denies {
                let tag = fallback_tag(image.digest());
                lab.source
                    .script()
                    .when(move |request| request.path.ends_with(&tag))
                    .responds(Reply::error(403, "DENIED", "forbidden"));
            }
            for outcome in ["1: Copied", "1: Unchanged"] {
                lab.requests();
                assert_eq!(lab.forgetful().await, [outcome], "{lists_tags} {denies}");
                let [source, _] = lab.requests();
                assert_eq!(count(&source, &head), expected, "{source:?}");
            }
        }
    }
}

#[tokio::test]
async fn what_is_listed_and_gone_is_left_out_and_the_rest_arrives() {
    for has_api in [true, false] {
        for is_late in [false, true] {
            let case = format!("{has_api} {is_late}");
            let lab = if has_api {
                Lab::new()
            } else {
                Lab::without_api()
            };
            let lab = lab.taking("['1']");
            let image = image(1);
            lab.source.load("team/app", "1", &image);
            if is_late {
                assert_eq!(lab.round().await, ["1: Copied"], "{case}");
            }
            let [gone, kept] = [(); 2].map(|()| sign(image.digest()));
            lab.attach(&gone);
            lab.attach(&kept);
            if !has_api {
                list(&lab.source, image.digest(), &[gone.clone(), kept.clone()]);
            }
            lose(&lab.source, &gone);
            let outcome = if is_late { "1: Completed" } else { "1: Copied" };
            assert_eq!(lab.forgetful().await, [outcome], "{case}");
            assert!(lab.has(&kept).await, "{case}");
            assert!(!lab.has(&gone).await, "{case}");
            if let Some(list) = lab.fallback(image.digest()) {
                let text = list.to_string();
                assert!(!text.contains(&gone.manifest.digest), "{case}: {text}");
            }
            for again in [
                lab.forgetful().await,
                lab.planned().await,
                lab.asked().await,
            ] {
                assert_eq!(again, ["1: Unchanged"], "{case}");
            }
        }
    }
}

#[tokio::test]
async fn what_others_listed_at_the_destination_and_lost_does_not_hold_up_ours() {
    let lab = Lab::without_api();
    let image = image(1);
    lab.source.load("team/app", "1", &image);
    let [ours, theirs, lost] = [(); 3].map(|()| sign(image.digest()));
    lab.attach(&ours);
    list(&lab.source, image.digest(), std::slice::from_ref(&ours));
    attach(&lab.destination, &theirs);
    // The registry checks what a list names, as distribution does, and this is not there.
    list(
        &lab.destination,
        image.digest(),
        &[lost.clone(), theirs.clone()],
    );
    assert_eq!(lab.round().await, ["1: Copied"]);
    let listed = lab.fallback(image.digest()).unwrap();
    let digests: Vec<&str> = listed["manifests"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["digest"].as_str().unwrap())
        .collect();
    let expected = [&theirs, &ours].map(|one| one.manifest.digest.as_str());
    assert_eq!(digests, expected);
}

#[tokio::test]
async fn a_list_of_nothing_that_is_there_is_no_image() {
    for has_api in [true, false] {
        let lab = if has_api {
            Lab::new()
        } else {
            Lab::without_api()
        };
        let (image, stranger) = (image(1), image(2));
        lab.source.load("team/app", "1", &image);
        for subject in [image.digest(), stranger.digest()] {
            let gone = [(); 3].map(|()| sign(subject));
            list(&lab.source, subject, &gone);
        }
        assert_eq!(lab.round().await, ["1: Copied"], "{has_api}");
        for again in [lab.round().await, lab.forgetful().await, lab.asked().await] {
            assert_eq!(again, ["1: Unchanged"], "{has_api}");
        }
        assert_eq!(lab.destination.tags("team/app"), ["1"], "{has_api}");
    }
}

#[tokio::test]
async fn what_is_left_out_is_told() {
    let (source, destination) = (FaultRegistry::start(), FaultRegistry::start());
    let image = image(1);
    source.load("team/app", "1", &image);
    // A signature of a signature, and so on.
    let mut chain = vec![sign(image.digest())];
    for _ in 0..3 {
        let last = &chain[chain.len() - 1].manifest.digest;
        chain.push(sign(last));
    }
    for referrer in &chain {
        attach(&source, referrer);
    }
    let gone = sign(image.digest());
    attach(&source, &gone);
    lose(&source, &gone);
    let void = fallback_tag(crate::support::digest::sha256(b"nothing").as_str());
    list(
        &source,
        &void.replace('-', ":"),
        &[sign(&void.replace('-', ":"))],
    );
    let copied = Program::transship(&["copy", "--all-tags"])
        .argument(format!("{}/team/app", source.host()))
        .argument(format!("{}/team/app", destination.host()))
        .argument(format!(
            "--insecure={},{}",
            source.host(),
            destination.host()
        ))
        .run()
        .await;
    copied.assert_success();
    let there: Vec<bool> = chain
        .iter()
        .map(|one| {
            let there = destination.manifest("team/app", &one.manifest.digest);
            there.is_some()
        })
        .collect();
    assert_eq!(there, [true, true, true, false]);
    for told in [
        "up to 3 steps: what refers to the last ones is left out",
        "left_out=1",
        "is listed as referring to an image and is gone: it is left out",
        gone.manifest.digest.as_str(),
        "nothing that this tag lists is there any more: it is left out",
        void.as_str(),
    ] {
        assert!(copied.stderr.contains(told), "{told}: {}", copied.stderr);
    }
}

#[tokio::test]
async fn one_asks_whether_a_source_lists_referrers_and_no_list_that_is_the_same_is_read() {
    for tags in ["['*']", "['a*', 'b*']"] {
        let lab = Lab::without_api().taking(tags);
        let mut lists = BTreeSet::new();
        for (number, tag) in (0..20).zip(["a", "b"].into_iter().cycle()) {
            let image = image(number);
            lab.source
                .load("team/app", &format!("{tag}{number}"), &image);
            let signature = sign(image.digest());
            lab.attach(&signature);
            list(
                &lab.source,
                image.digest(),
                std::slice::from_ref(&signature),
            );
            lists.insert(fallback_tag(image.digest()));
        }
        lab.forgetful().await;
        lab.requests();
        let outcomes = lab.forgetful().await;
        assert!(
            outcomes.iter().all(|line| line.ends_with("Unchanged")),
            "{outcomes:?}"
        );
        let [source, destination] = lab.requests();
        assert_eq!(count(&source, "GET referrers DIGEST"), 1, "{source:?}");
        let is_read = |request: &&String| request.starts_with("GET manifests");
        assert_eq!(source.iter().find(is_read), None);
        assert_eq!(count(&destination, "GET referrers DIGEST"), 0);
        for list in &lists {
            // Whether it is a list has to be read where the selection would take it as an image.
            let asked = if tags == "['*']" { "GET" } else { "HEAD" };
            let asked = format!("{asked} manifests {list}");
            assert_eq!(count(&destination, &asked), 1, "{destination:?}");
            let all = destination.iter().filter(|request| request.ends_with(list));
            assert_eq!(all.count(), 1, "{destination:?}");
        }
    }
}
