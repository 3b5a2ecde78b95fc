// SPDX-License-Identifier: Apache-2.0

//! Signatures and the like that come after their image was copied.

use super::lab::{Lab, attach, list};
use crate::support::content::{FoundBy, Image, ImageBuilder, Referrer, Signer};
use crate::support::faults::FaultRegistry;

fn image(seed: u64) -> Image {
    ImageBuilder::new(seed).layers(&[500]).build()
}

fn pair(seed: u64) -> Image {
    ImageBuilder::new(seed)
        .platforms(&["linux/amd64", "linux/arm64"])
        .layers(&[500])
        .build()
}

/// A signature in each of the two schemes.
fn schemes(subject: &str) -> [Referrer; 2] {
    let signer = Signer::generate();
    [signer.sign(subject), signer.sign_tagged(subject)]
}

/// How a signature that came later is met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    /// By a process that remembers nothing.
    Forgetful,
    /// Since a person asks.
    Asked,
    /// Since it is time.
    Time,
    /// Since nobody has looked before.
    OldRecord,
    /// In any round.
    Round,
}

async fn meet(lab: &Lab, by: By) -> Vec<String> {
    match by {
        By::Forgetful => lab.forgetful().await,
        By::Asked => lab.asked().await,
        By::Time => {
            lab.age(25);
            lab.round().await
        }
        By::OldRecord => {
            lab.forget_looks();
            lab.round().await
        }
        By::Round => lab.round().await,
    }
}

#[tokio::test]
async fn what_comes_later_arrives() {
    for by in [By::Forgetful, By::Asked, By::Time, By::OldRecord] {
        for tags in ["['*']", "['1']"] {
            for has_api in [true, false] {
                for scheme in 0..2 {
                    let case = format!("{by:?} {tags} {has_api} {scheme}");
                    let lab = if has_api {
                        Lab::new()
                    } else {
                        Lab::without_api()
                    };
                    let lab = lab.taking(tags);
                    let image = image(1);
                    lab.source.load("team/app", "1", &image);
                    assert_eq!(lab.round().await, ["1: Copied"], "{case}");
                    assert_eq!(lab.forgetful().await, ["1: Unchanged"], "{case}");

                    let [bundle, tagged] = schemes(image.digest());
                    let signature = if scheme == 0 { bundle } else { tagged };
                    lab.attach(&signature);
                    if !has_api && scheme == 0 {
                        list(
                            &lab.source,
                            image.digest(),
                            std::slice::from_ref(&signature),
                        );
                    }
                    assert_eq!(lab.planned().await, ["1: to complete"], "{case}");
                    lab.wrote("1");
                    assert_eq!(meet(&lab, by).await, ["1: Completed"], "{case}");
                    assert!(lab.has(&signature).await, "{case}");
                    assert!(!lab.wrote("1"), "{case}: the tag stays as it is");
                    assert_eq!(lab.round().await, ["1: Unchanged"], "{case}");
                    assert_eq!(meet(&lab, by).await, ["1: Unchanged"], "{case}");
                    assert_eq!(lab.planned().await, ["1: Unchanged"], "{case}");
                }
            }
        }
    }
}

#[tokio::test]
async fn a_tag_list_that_is_read_anyway_tells_at_once() {
    for (has_api, scheme, found) in [
        (true, 1, "1: Completed"),
        (false, 0, "1: Completed"),
        (false, 1, "1: Completed"),
        // The registry's own list is asked when it is time.
        (true, 0, "1: Unchanged"),
    ] {
        let lab = if has_api {
            Lab::new()
        } else {
            Lab::without_api()
        };
        let image = image(1);
        lab.source.load("team/app", "1", &image);
        lab.round().await;
        let [bundle, tagged] = schemes(image.digest());
        let signature = if scheme == 0 { bundle } else { tagged };
        lab.attach(&signature);
        if !has_api && scheme == 0 {
            list(
                &lab.source,
                image.digest(),
                std::slice::from_ref(&signature),
            );
        }
        let case = format!("{has_api} {scheme}");
        assert_eq!(meet(&lab, By::Round).await, [found], "{case}");
        assert_eq!(lab.has(&signature).await, found == "1: Completed", "{case}");
    }
}

#[tokio::test]
async fn a_second_signature_under_the_same_tag_arrives() {
    let lab = Lab::without_api();
    let image = image(2);
    lab.source.load("team/app", "1", &image);
    let [first, tagged] = schemes(image.digest());
    let [second, again] = schemes(image.digest());
    for referrer in [&first, &second, &tagged] {
        lab.attach(referrer);
    }
    list(&lab.source, image.digest(), std::slice::from_ref(&first));
    lab.round().await;
    let both = list(
        &lab.source,
        image.digest(),
        &[first.clone(), second.clone()],
    );
    lab.attach(&again);
    assert_eq!(meet(&lab, By::Time).await, ["1: Completed"]);
    for referrer in [&first, &second, &again] {
        assert!(lab.has(referrer).await);
    }
    let there = lab
        .destination
        .manifest("team/app", &super::lab::fallback_tag(image.digest()));
    assert_eq!(there.unwrap().digest, both.digest, "byte for byte");
}

#[tokio::test]
async fn what_refers_to_the_images_of_an_index_and_to_a_signature_arrives() {
    for fields in [
        "",
        "platforms: {mode: List, list: [linux/amd64], index: Preserve}",
        "platforms: {mode: List, list: [linux/amd64], index: Rewrite}",
        "platforms: {mode: List, list: [linux/amd64], index: Unwrap}",
    ] {
        for has_api in [true, false] {
            for by in [By::Forgetful, By::Asked, By::Time] {
                let case = format!("{fields} {has_api} {by:?}");
                let start = || {
                    let options = FaultRegistry::options().sparse();
                    if has_api {
                        options.start()
                    } else {
                        options.without_referrers_api().start()
                    }
                };
                let lab = Lab::between(start(), start()).with(fields);
                let image = pair(3);
                lab.source.load("team/app", "1", &image);
                assert_eq!(lab.round().await, ["1: Copied"], "{case}");
                let [amd, arm] = [0, 1].map(|child| {
                    let [bundle, _] = schemes(&image.children[child].digest);
                    bundle
                });
                let [of_amd, tagged] = schemes(&amd.manifest.digest);
                for referrer in [&amd, &arm, &of_amd, &tagged] {
                    lab.attach(referrer);
                    if !has_api && referrer.found_by == FoundBy::Subject {
                        list(
                            &lab.source,
                            &referrer.subject,
                            std::slice::from_ref(referrer),
                        );
                    }
                }
                let outcome = meet(&lab, by).await;
                assert!(
                    outcome.contains(&"1: Completed".to_owned()),
                    "{case}: {outcome:?}"
                );
                for (referrer, is_wanted) in [
                    (&amd, true),
                    (&of_amd, true),
                    (&tagged, true),
                    (&arm, fields.is_empty()),
                ] {
                    assert_eq!(lab.has(referrer).await, is_wanted, "{case}: {referrer:?}");
                }
            }
        }
    }
}

#[tokio::test]
async fn what_vanishes_at_the_source_stays_and_what_others_put_there_too() {
    let lab = Lab::without_api();
    let image = image(4);
    let [signature, tagged] = schemes(image.digest());
    let [mine, _] = schemes(image.digest());
    lab.source.load("team/app", "1", &image);
    lab.attach(&signature);
    lab.attach(&tagged);
    list(
        &lab.source,
        image.digest(),
        std::slice::from_ref(&signature),
    );
    lab.round().await;
    attach(&lab.destination, &mine);
    list(
        &lab.destination,
        image.digest(),
        &[signature.clone(), mine.clone()],
    );
    let FoundBy::Tag(tag) = &tagged.found_by else {
        unreachable!("a tag")
    };
    lab.source.lose_tag("team/app", tag);
    let fallback = super::lab::fallback_tag(image.digest());
    lab.source.lose_tag("team/app", &fallback);
    for by in [By::Round, By::Time, By::Asked, By::Forgetful] {
        assert_eq!(meet(&lab, by).await, ["1: Unchanged"], "{by:?}");
    }
    let [later, _] = schemes(image.digest());
    lab.attach(&later);
    list(&lab.source, image.digest(), std::slice::from_ref(&later));
    assert_eq!(lab.round().await, ["1: Completed"]);
    for referrer in [&signature, &tagged, &mine, &later] {
        assert!(lab.has(referrer).await, "{referrer:?}");
    }
}

#[tokio::test]
async fn a_change_of_mode_or_types_takes_effect_and_deletes_nothing() {
    let image = image(5);
    let signer = Signer::generate();
    let [bundle, tagged] = [
        signer.sign(image.digest()),
        signer.sign_tagged(image.digest()),
    ];
    let [sbom] = ImageBuilder::new(5)
        .layers(&[500])
        .referrer("application/spdx+json")
        .build()
        .referrers
        .try_into()
        .unwrap();
    let mut lab = Lab::new();
    lab.source.load("team/app", "1", &image);
    for referrer in [&bundle, &tagged, &sbom] {
        lab.attach(referrer);
    }
    // On that signature another one: it goes with what it refers to.
    let [of_bundle, _] = schemes(&bundle.manifest.digest);
    lab.attach(&of_bundle);
    let steps = [
        ("referrers: {mode: Skip}", [false; 4]),
        (
            "referrers: {artifactTypes: [application/spdx+json]}",
            [false, false, true, false],
        ),
        (
            "referrers: {artifactTypes: [application/vnd.dev.cosign.simplesigning.v1+json]}",
            [false, true, true, false],
        ),
        ("referrers: {mode: Copy}", [true; 4]),
        ("referrers: {mode: Skip}", [true; 4]),
    ];
    for (field, expected) in steps {
        lab = lab.with(field);
        lab.round().await;
        let mut found = Vec::new();
        for referrer in [&bundle, &tagged, &sbom, &of_bundle] {
            found.push(lab.has(referrer).await);
        }
        assert_eq!(found, expected, "{field}");
        assert_eq!(lab.round().await, ["1: Unchanged"], "{field}");
        assert_eq!(lab.forgetful().await, ["1: Unchanged"], "{field}");
        assert_eq!(lab.planned().await, ["1: Unchanged"], "{field}");
    }
}

#[tokio::test]
async fn a_look_that_fails_is_told_and_had_again() {
    let lab = Lab::new().taking("['1']");
    let image = image(6);
    lab.source.load("team/app", "1", &image);
    lab.round().await;
    let [signature, _] = schemes(image.digest());
    lab.attach(&signature);
    lab.age(25);
    lab.source.on("GET", "/referrers/").responds(
        crate::support::http::Reply::error(401, "UNAUTHORIZED", "no")
            .header("www-authenticate", "Basic realm=\"a\""),
    );
    lab.source
        .on("GET", "/tags/list")
        .responds(crate::support::http::Reply::new(404));
    lab.source.on("HEAD", ".sig").responds(
        crate::support::http::Reply::error(429, "TOOMANYREQUESTS", "no")
            .header("retry-after", "3600"),
    );
    let outcome = lab.round().await;
    assert!(outcome[0].starts_with("1: RateLimited"), "{outcome:?}");
    assert!(!lab.has(&signature).await);
    lab.source.script().clear_rules();
    assert_eq!(lab.round().await, ["1: Completed"]);
    assert!(lab.has(&signature).await);
}
