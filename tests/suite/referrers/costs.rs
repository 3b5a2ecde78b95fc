// SPDX-License-Identifier: Apache-2.0

//! What looking again costs: nothing between two looks, and one request for each digest at most.

use transship::sync::{Ledger, Mode};

use super::lab::{Lab, Requests, list};
use crate::support::content::{FoundBy, Image, ImageBuilder, Signer};

const TAGS: usize = 4;

fn fill(lab: &Lab) -> Vec<Image> {
    let images = (0..TAGS).map(|number| {
        let image = ImageBuilder::new(number as u64).layers(&[500]).build();
        lab.source.load("team/app", &format!("v{number}"), &image);
        image
    });
    images.collect()
}

/// A request for each of the tags.
fn heads() -> Requests {
    (0..TAGS)
        .map(|number| format!("HEAD manifests v{number}"))
        .collect()
}

/// The requests that are not for the tags themselves.
fn more(requests: Requests) -> Requests {
    let heads = heads();
    let (known, more): (Requests, Requests) = requests
        .into_iter()
        .partition(|request| heads.contains(request));
    assert_eq!(known, heads);
    more
}

fn literal() -> String {
    let tags: Vec<String> = (0..TAGS).map(|number| format!("v{number}")).collect();
    format!("{tags:?}")
}

/// What the source is asked in a round besides the tags, and that the destination is asked for nothing else.
async fn costs(lab: &Lab) -> Requests {
    lab.requests();
    let outcomes = lab.round().await;
    assert!(
        outcomes.iter().all(|line| line.ends_with("Unchanged")),
        "{outcomes:?}"
    );
    let [source, destination] = lab.requests();
    assert_eq!(more(destination), [""; 0]);
    more(source)
}

fn times(count: usize, request: &str) -> Requests {
    vec![request.to_owned(); count]
}

#[tokio::test]
async fn a_round_between_two_looks_costs_what_it_costs_without_referrers() {
    for tags in ["['*']".to_owned(), literal()] {
        for has_api in [true, false] {
            for fields in ["", "referrers: {mode: Skip}"] {
                let lab = if has_api {
                    Lab::new()
                } else {
                    Lab::without_api()
                };
                let lab = lab.taking(&tags).with(fields);
                fill(&lab);
                lab.round().await;
                let expected: &[&str] = if tags == "['*']" {
                    &["GET tags list"]
                } else {
                    &[]
                };
                assert_eq!(costs(&lab).await, expected, "{tags} {has_api} {fields}");
                assert_eq!(lab.has_looked(), fields.is_empty());
                if fields.is_empty() {
                    lab.age(11);
                }
                assert_eq!(costs(&lab).await, expected, "{tags} {has_api} {fields}");
            }
        }
    }
}

#[tokio::test]
async fn a_look_costs_one_request_for_each_digest_or_none() {
    let list = || "GET tags list".to_owned();
    let probe = "GET referrers DIGEST";
    for (tags, has_api, expected) in [
        (
            "['*']".to_owned(),
            true,
            [times(TAGS, probe), vec![list()]].concat(),
        ),
        (literal(), true, [times(TAGS, probe), vec![list()]].concat()),
        // One finds out that the registry lists nothing; then the tags tell.
        ("['*']".to_owned(), false, vec![list()]),
        (literal(), false, vec![list()]),
    ] {
        let lab = if has_api {
            Lab::new()
        } else {
            Lab::without_api()
        };
        let lab = lab.taking(&tags);
        fill(&lab);
        let syncer = Lab::syncer(Ledger::in_memory());
        lab.round_of(&syncer, Mode::Apply).await;
        lab.requests();
        lab.round_of(&syncer, Mode::Refresh).await;
        let [source, destination] = lab.requests();
        assert_eq!(more(destination), [""; 0]);
        assert_eq!(more(source), expected, "{tags} {has_api}");

        lab.round().await;
        lab.age(25);
        let mut found = costs(&lab).await;
        if !has_api {
            let before = found.len();
            found.retain(|request| request != probe);
            assert_eq!(before - found.len(), 1, "one asks for all");
        }
        assert_eq!(found, expected, "{tags} {has_api}");
        let again: &[&str] = if tags == "['*']" {
            &["GET tags list"]
        } else {
            &[]
        };
        assert_eq!(costs(&lab).await, again, "it was looked at");
    }
}

#[tokio::test]
async fn what_refers_to_an_image_is_a_digest_of_its_own() {
    let lab = Lab::new();
    let images = fill(&lab);
    let signer = Signer::generate();
    for image in &images {
        lab.attach(&signer.sign(image.digest()));
    }
    lab.round().await;
    assert_eq!(costs(&lab).await, ["GET tags list"]);
    lab.age(25);
    let expected = [
        times(2 * TAGS, "GET referrers DIGEST"),
        times(1, "GET tags list"),
    ];
    assert_eq!(costs(&lab).await, expected.concat());
}

#[tokio::test]
async fn tags_are_looked_up_where_they_tell() {
    let lab = Lab::without_api();
    let images = fill(&lab);
    let signer = Signer::generate();
    let tagged = signer.sign_tagged(images[0].digest());
    let bundle = signer.sign(images[1].digest());
    lab.attach(&tagged);
    lab.attach(&bundle);
    list(
        &lab.source,
        images[1].digest(),
        std::slice::from_ref(&bundle),
    );
    lab.round().await;
    assert_eq!(costs(&lab).await, ["GET tags list"]);
    lab.age(25);
    let mut found = costs(&lab).await;
    found.retain(|request| request != "GET referrers DIGEST");
    let FoundBy::Tag(tag) = &tagged.found_by else {
        unreachable!("a tag")
    };
    let mut expected = vec![
        // A list that is the same has the same members: it is not read.
        format!(
            "HEAD manifests {}",
            super::lab::fallback_tag(images[1].digest())
        ),
        "GET tags list".to_owned(),
        format!("HEAD manifests {tag}"),
    ];
    expected.sort();
    assert_eq!(found, expected);
}

#[tokio::test]
async fn the_images_of_an_index_are_told_by_the_destination() {
    let lab = Lab::new().taking("['1']");
    let index = ImageBuilder::new(1)
        .platforms(&["linux/amd64", "linux/arm64"])
        .layers(&[500])
        .build();
    lab.source.load("team/app", "1", &index);
    lab.round().await;
    lab.age(25);
    lab.requests();
    assert_eq!(lab.round().await, ["1: Unchanged"]);
    let [source, destination] = lab.requests();
    let expected = [
        times(3, "GET referrers DIGEST"),
        vec!["GET tags list".to_owned(), "HEAD manifests 1".to_owned()],
    ];
    assert_eq!(source, expected.concat());
    assert_eq!(destination, ["GET manifests DIGEST", "HEAD manifests 1"]);
}

/// Where nothing lists referrers but tags, each tag that is named after a digest costs one request at either end, and
/// nothing is read from the source.
#[tokio::test]
async fn a_round_without_a_memory_asks_each_tag_once_at_either_end() {
    let lab = Lab::without_api();
    let mut lists = Vec::new();
    let mut signatures = Vec::new();
    for (number, tag) in ["v0", "v1"].into_iter().enumerate() {
        let index = ImageBuilder::new(number as u64)
            .platforms(&["linux/amd64", "linux/arm64"])
            .layers(&[500])
            .referrer("application/vnd.example.signature")
            .child_referrer("application/spdx+json")
            .signature_tag()
            .build();
        lab.source.load("team/app", tag, &index);
        for referrer in &index.referrers {
            match &referrer.found_by {
                FoundBy::Tag(tag) => signatures.push(tag.clone()),
                FoundBy::Subject => {
                    let subject = &referrer.subject;
                    list(&lab.source, subject, std::slice::from_ref(referrer));
                    lists.push(super::lab::fallback_tag(subject));
                }
            }
        }
    }
    assert_eq!((lists.len(), signatures.len()), (6, 2));
    assert_eq!(lab.forgetful().await, ["v0: Copied", "v1: Copied"]);
    lab.requests();
    assert_eq!(lab.forgetful().await, ["v0: Unchanged", "v1: Unchanged"]);
    let [mut source, mut destination] = lab.requests();
    source.retain(|request| request != "GET referrers DIGEST");
    destination.retain(|request| request != "GET referrers DIGEST");
    let head = |name: &String| format!("HEAD manifests {name}");
    let get = |name: &String| format!("GET manifests {name}");
    let tags = ["v0".to_owned(), "v1".to_owned()];
    let mut at_source: Requests = tags
        .iter()
        .chain(&lists)
        .chain(&signatures)
        .map(head)
        .collect();
    at_source.push("GET tags list".to_owned());
    at_source.sort();
    assert_eq!(source, at_source);
    let mut at_destination: Requests = tags.iter().chain(&signatures).map(head).collect();
    at_destination.extend(lists.iter().map(get));
    at_destination.extend(times(2, "GET manifests DIGEST"));
    at_destination.sort();
    assert_eq!(destination, at_destination);

    // Where deletes rest on it, the members of a list have to say themselves that it is one.
    let lab = lab.with("prune: {mode: Plan}");
    assert_eq!(lab.forgetful().await, ["v0: Unchanged", "v1: Unchanged"]);
    let [_, destination] = lab.requests();
    let reads = destination
        .iter()
        .filter(|one| *one == "GET manifests DIGEST");
    assert_eq!(reads.count(), 2 + lists.len());
}
