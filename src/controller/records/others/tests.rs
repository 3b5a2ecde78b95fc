// SPDX-License-Identifier: Apache-2.0

use std::num::NonZeroU8;
use std::sync::Mutex;

use axum::Router;
use axum::http::Uri;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::*;
use crate::oci::{Digest, Tag};
use crate::plan::conflicts::Seniority;
use crate::runtime::lease::shards::Division;
use crate::sync::ledger::{Ownership, Rival, Wanting};

/// What is asked of the API server: the kind, with the field selector and the place where a list goes on.
type Asked = Arc<Mutex<Vec<String>>>;

/// Records of another member for so many repositories of a registry.
fn records(registry: &str, repositories: usize) -> Vec<Value> {
    let digest = Digest::sha256(b"image");
    let record = |number: usize| {
        let repository = format!("{registry}/app-{number}");
        json!({
            "apiVersion": "transship.dev/v1alpha1", "kind": "MirroredRepository",
            "metadata": {
                "name": convert::object_name("u", "d", &repository, 0), "namespace": "team", "uid": "r",
                "labels": {"transship.dev/mirror-uid": "u", "transship.dev/destination": "d"},
                "ownerReferences": [{
                    "apiVersion": "transship.dev/v1alpha1", "kind": "ImageMirror", "name": "m", "uid": "u",
                    "controller": true,
                }],
            },
            "spec": {
                "mirror": "m", "destination": "d", "repository": repository, "part": 0,
            },
            "status": {"tagCount": 1, "candidateCount": 0, "tags": [{
                "tag": "1", "source": "docker.io/library/app:1", "sourceDigest": digest, "digest": digest,
                "shape": "all platforms", "firstSeen": "2026-01-01T00:00:00Z", "copiedAt": "2026-01-01T00:00:00Z",
            }]},
        })
    };
    (0..repositories).map(record).collect()
}

/// An API server with these records and one mirror, in pages, and what it is asked.
fn server(records: Vec<Value>) -> (Client, Asked) {
    let asked = Asked::default();
    let asking = asked.clone();
    let answer = async move |uri: Uri| {
        let query = uri.query().unwrap_or_default().to_owned();
        let value = |name: &str| {
            let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
            let mut values = pairs.filter(|(key, _)| *key == name);
            values.next().map(|(_, value)| {
                value
                    .replace("%3D", "=")
                    .replace("%2F", "/")
                    .replace("%3A", ":")
            })
        };
        let kind = uri.path().rsplit('/').next().unwrap_or_default();
        let selector = value("fieldSelector");
        let from: usize = value("continue").map_or(0, |from| from.parse().unwrap());
        asking.lock().unwrap().push(format!(
            "{kind} {} {from}",
            selector.clone().unwrap_or_default()
        ));
        let meant = |object: &&Value| {
            let repository = format!(
                "spec.repository={}",
                object["spec"]["repository"].as_str().unwrap()
            );
            selector
                .as_ref()
                .is_none_or(|selector| *selector == repository)
        };
        let mirror = json!({"metadata": {"name": "m", "namespace": "team", "uid": "u"}});
        let (items, more): (Vec<Value>, usize) = if kind == "imagemirrors" {
            (vec![mirror], 0)
        } else {
            let all: Vec<&Value> = records.iter().filter(meant).collect();
            let limit: usize = value("limit").unwrap().parse().unwrap();
            let page = all.iter().skip(from).take(limit).map(|it| (*it).clone());
            (page.collect(), all.len().saturating_sub(from + limit))
        };
        let next = if more > 0 {
            (from + items.len()).to_string()
        } else {
            String::new()
        };
        json!({"apiVersion": "v1", "kind": "List", "metadata": {"continue": next}, "items": items})
            .to_string()
    };
    let router = Router::new().fallback(answer);
    (Client::new(router, "default"), asked)
}

fn places(registry: &str, repositories: &[usize]) -> BTreeSet<RecordPlace> {
    let places = repositories.iter().map(|number| {
        let repository = format!("app-{number}");
        (registry.parse().unwrap(), repository.parse().unwrap())
    });
    places.collect()
}

/// Whether the mirror has the tag of a repository, for all that is on record here.
fn is_known(ledger: &Ledger, place: &RecordPlace) -> bool {
    let tag: Tag = "1".parse().unwrap();
    let other = Seniority {
        created: Some(Timestamp::UNIX_EPOCH),
        order: 0,
        uid: None,
        name: "team/other".to_owned(),
    };
    let wanting = Wanting {
        mirror: &other,
        source: "quay.io/other/app:1",
        ownership: Ownership::Wanted,
    };
    ledger
        .contender((place, &tag), &wanting, |_| {
            Some(Rival::of(None, place, &tag))
        })
        .is_some()
}

#[tokio::test]
async fn one_list_serves_all_repositories_of_registries_that_are_named_by_addresses() {
    const RECORDS: usize = 1_200;
    let (client, asked) = server(records("10.0.0.1:5000", RECORDS));
    let hands = Arc::new(Hands::empty(Division::of(NonZeroU8::MIN)));
    let others = OtherShards::new(client, vec![None], hands);
    let ledger = Ledger::in_memory();
    let sought = places("10.0.0.1:5000", &[0, 1, 2, 3, 4, 5, 700, 1_199]);
    others.look(&ledger, &sought).await.unwrap();
    let pages = RECORDS.div_ceil(PAGE_SIZE.try_into().unwrap());
    let lists = asked.lock().unwrap().clone();
    let (of_records, of_mirrors): (Vec<&String>, Vec<&String>) = lists
        .iter()
        .partition(|asked| asked.starts_with("mirroredrepositories "));
    assert_eq!(
        (of_records.len(), of_mirrors.len()),
        (pages, 1),
        "{lists:?}"
    );
    for place in &sought {
        assert!(is_known(&ledger, place), "{place:?}");
    }
    // What was not looked for is not kept.
    let others = places("10.0.0.1:5000", &[6, 7, 1_000]);
    assert!(!others.iter().any(|place| is_known(&ledger, place)));
}

#[tokio::test]
async fn named_registries_are_asked_for_by_repository_and_mirrors_once() {
    let (client, asked) = server(records("registry.example.com:5000", 50));
    let hands = Arc::new(Hands::empty(Division::of(NonZeroU8::MIN)));
    let others = OtherShards::new(client, vec![None], hands);
    let ledger = Ledger::in_memory();
    let sought = places("registry.example.com:5000", &[3, 4]);
    others.look(&ledger, &sought).await.unwrap();
    assert_eq!(
        *asked.lock().unwrap(),
        [
            "mirroredrepositories spec.repository=registry.example.com:5000/app-3 0",
            "imagemirrors metadata.name=m 0",
            "mirroredrepositories spec.repository=registry.example.com:5000/app-4 0",
        ]
    );
    assert!(sought.iter().all(|place| is_known(&ledger, place)));
}
