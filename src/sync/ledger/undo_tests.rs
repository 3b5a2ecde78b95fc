// SPDX-License-Identifier: Apache-2.0

//! What stays known of a deleted tag, and for how long.

use jiff::Timestamp;

use super::keepsake_samples::{image, index, kept, mirror, tombstone};
use super::records::Records;
use super::{Keepsakes, Ledger, Page, Record, Slot, Tombstone};
use crate::api::mirrored_repository::{OWN_REFERRERS, Took};
use crate::oci::{Digest, Manifest};

const MIRROR: &str = "default/m";

fn page(repository: &str) -> Page {
    Page {
        mirror: MIRROR.to_owned(),
        destination: "eu".to_owned(),
        repository: repository.parse().unwrap(),
    }
}

fn slot(tag: &str) -> Slot {
    page("a/b").slot(&tag.parse().unwrap())
}

fn record(image: &Manifest, copied_at: Option<Timestamp>) -> Record {
    Record {
        source: "docker.io/library/a:1".to_owned(),
        source_digest: Digest::sha256(b"source"),
        digest: image.digest().clone(),
        shape: "all platforms".to_owned(),
        first_seen: Timestamp::UNIX_EPOCH,
        copied_at,
        adopted: false,
        refused: false,
        registry: Some("registry.example.com".parse().unwrap()),
        unwanted: None,
        verified: None,
        referrers: None,
        checked_at: None,
        own_referrers: Vec::new(),
    }
}

/// A deleted tag, and the manifests that bring it back.
fn deleted() -> (Ledger, Manifest, Keepsakes) {
    let ledger = Ledger::in_memory();
    let part = image("part");
    let root = index(&[&part]);
    let keepsakes = kept(&[&part, &root]);
    ledger.bury(&slot("1"), tombstone(&root, &[]));
    ledger.keep(&slot("1").page, keepsakes.clone());
    (ledger, root, keepsakes)
}

#[test]
fn what_brings_a_tag_back_stays_until_it_is_there_again() {
    let (ledger, root, keepsakes) = deleted();
    let page = slot("1").page;
    ledger.write(slot("1"), record(&root, None));
    assert!(ledger.tombstone(&slot("1")).is_some(), "nobody saw it");
    assert_eq!(ledger.keepsakes(&page), keepsakes);
    ledger.write(slot("1"), record(&root, Some(Timestamp::UNIX_EPOCH)));
    assert_eq!(ledger.tombstone(&slot("1")), None);
    assert_eq!(ledger.keepsakes(&page), Keepsakes::new());
}

#[test]
fn only_a_push_of_ours_to_the_same_place_forgets_a_deletion() {
    let (epoch, later) = (Timestamp::UNIX_EPOCH, Timestamp::from_second(9).unwrap());
    let elsewhere = Some("other.example.com".parse().unwrap());
    let (_, root, _) = deleted();
    let written = record(&root, Some(epoch));
    let adopted = Record {
        adopted: true,
        ..record(&root, None)
    };
    let moved = Record {
        registry: elsewhere,
        ..record(&root, Some(later))
    };
    // What was on record before, what is written, and whether the deletion is forgotten.
    for (before, after, is_forgotten) in [
        // That the tag is right may be an answer from before it was deleted.
        (None, adopted.clone(), false),
        (Some(written.clone()), written.clone(), false),
        (Some(record(&root, None)), adopted, false),
        (None, record(&root, None), false),
        // The destination was at another registry before.
        (Some(record(&root, None)), moved, false),
        (Some(record(&root, None)), written.clone(), true),
        (Some(written), record(&root, Some(later)), true),
    ] {
        let (known, root, keepsakes) = deleted();
        let ledger = Ledger::in_memory();
        if let Some(before) = &before {
            ledger.write(slot("1"), before.clone());
        }
        let tombstone = known.tombstone(&slot("1")).unwrap();
        ledger.bury(&slot("1"), tombstone);
        ledger.keep(&slot("1").page, keepsakes);
        let case = format!("{before:?} {after:?}");
        ledger.write(slot("1"), after);
        let is_kept = ledger.tombstone(&slot("1")).is_some();
        assert_eq!(is_kept, !is_forgotten, "{case}");
        let keepsakes = ledger.keepsakes(&slot("1").page);
        assert_eq!(keepsakes.contains_key(root.digest()), is_kept, "{case}");
    }
}

#[test]
fn what_went_along_and_is_not_healed_outlives_a_push() {
    for (took, is_forgotten) in [(None, false), (Some(Took::OtherTags), true)] {
        let (ledger, root, _) = deleted();
        let tombstone = Tombstone {
            shared_with: vec!["2".parse().unwrap()],
            took,
            ..ledger.tombstone(&slot("1")).unwrap()
        };
        ledger.bury(&slot("1"), tombstone);
        ledger.write(slot("1"), record(&root, Some(Timestamp::UNIX_EPOCH)));
        let found = ledger.tombstone(&slot("1"));
        assert_eq!(found.is_none(), is_forgotten, "{took:?}");
    }
}

#[test]
fn what_was_deleted_at_another_registry_is_not_on_record_by_the_same_name() {
    // The registry of the record, what the deletion took, and whether it can be restored.
    for (registry, took, is_deleted) in [
        (None, None, false),
        (Some("registry.example.com"), None, false),
        // Somebody pushed it again after it was seen to go.
        (Some("registry.example.com"), Some(Took::Tag), false),
        (Some("other.example.com"), None, true),
    ] {
        let (ledger, root, _) = deleted();
        let record = Record {
            registry: registry.map(|registry| registry.parse().unwrap()),
            adopted: true,
            ..record(&root, None)
        };
        ledger.write(slot("1"), record);
        let tombstone = Tombstone {
            took,
            ..ledger.tombstone(&slot("1")).unwrap()
        };
        ledger.bury(&slot("1"), tombstone);
        assert_eq!(
            ledger.deleted(MIRROR).len() == 1,
            is_deleted,
            "{registry:?}"
        );
        assert_eq!(ledger.begun(MIRROR).len() == 1, !is_deleted, "{registry:?}");
        // Whatever came of it, it may have gone.
        let since = Timestamp::from_second(-1).unwrap();
        let counted = ledger.deleted_since(MIRROR, since);
        assert_eq!(counted.len(), 1, "{registry:?} {took:?}");
    }
}

#[test]
fn what_brings_a_tag_back_goes_with_what_it_was() {
    let (ledger, _, _) = deleted();
    ledger.forget_deleted(&slot("1"));
    assert_eq!(ledger.keepsakes(&slot("1").page), Keepsakes::new());
}

#[test]
fn manifests_of_deleted_tags_that_are_lost_go_too() {
    let (ledger, _, keepsakes) = deleted();
    ledger.keep(&page("a/c"), keepsakes.clone());
    ledger.sweep("default/another");
    assert_eq!(ledger.keepsakes(&page("a/c")), keepsakes);
    ledger.sweep(MIRROR);
    assert_eq!(ledger.keepsakes(&page("a/c")), Keepsakes::new());
    assert_eq!(ledger.keepsakes(&page("a/b")), keepsakes);
}

#[tokio::test]
async fn what_brings_a_tag_back_is_there_for_the_next_process() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state.json");
    let (known, root, keepsakes) = deleted();
    let ledger = Ledger::open(&path).unwrap();
    let tombstone = known.tombstone(&slot("1")).unwrap();
    ledger.bury(&slot("1"), tombstone.clone());
    ledger.keep(&slot("1").page, keepsakes.clone());
    ledger.flush(&mirror("m")).await.unwrap();
    drop(ledger);
    let ledger = Ledger::open(&path).unwrap();
    assert_eq!(ledger.tombstone(&slot("1")), Some(tombstone));
    assert_eq!(ledger.keepsakes(&slot("1").page), keepsakes);
    assert!(
        ledger
            .keepsakes(&slot("1").page)
            .contains_key(root.digest())
    );
}

#[test]
fn room_is_what_is_left_of_it() {
    let (ledger, _, keepsakes) = deleted();
    let empty = Ledger::in_memory().room(MIRROR);
    let size: usize = keepsakes.values().map(super::Keepsake::size).sum();
    assert_eq!(ledger.room(MIRROR), empty - size);
    assert_eq!(ledger.room("default/another"), empty, "all have more");
}

#[test]
fn whether_a_registry_spares_manifests_is_known_where_it_was_seen() {
    use Took::{Manifest, OtherTags, Tag};
    // The deleted tags by registry, repository and what went with them; and what is known of a/b at `one`.
    type Seen<'a> = (&'a str, &'a str, Option<Took>);
    let cases: [(&[Seen<'_>], Option<bool>); 8] = [
        (&[], None),
        (&[("one", "a/b", None)], None),
        (&[("one", "a/b", Some(Manifest))], None),
        (&[("one", "a/b", Some(Tag))], Some(true)),
        (&[("one", "a/c", Some(Tag))], None),
        (&[("two", "a/b", Some(Tag))], None),
        (&[("two", "a/b", Some(OtherTags))], None),
        (
            &[
                ("one", "a/b", Some(Tag)),
                ("one", "a/c", Some(OtherTags)),
                ("one", "a/d", Some(Tag)),
            ],
            Some(false),
        ),
    ];
    for (seen, expected) in cases {
        let ledger = Ledger::in_memory();
        for (registry, repository, took) in seen {
            let slot = page(repository).slot(&"1".parse().unwrap());
            let tombstone = Tombstone {
                registry: format!("{registry}.example.com").parse().unwrap(),
                took: *took,
                ..tombstone(&image("it"), &[])
            };
            ledger.bury(&slot, tombstone);
        }
        let registry = "one.example.com".parse().unwrap();
        let found = ledger.spares(&registry, &"a/b".parse().unwrap());
        assert_eq!(found, expected, "{seen:?}");
    }
}

#[test]
fn in_an_older_copy_nothing_is_ours() {
    let sbom = image("sbom");
    let page = slot("1").page;
    let mut own = record(&image("it"), Some(Timestamp::UNIX_EPOCH));
    own.add_referrers(&[sbom.digest().clone()]);
    let mut records = Records::default();
    let tombstone = tombstone(&image("it"), &[&sbom]);
    super::records::find_mut(&mut records.mirrors, &page).insert(slot("1").tag, own);
    super::records::find_mut(&mut records.deleted, &page).insert(slot("2").tag, tombstone);
    records.adopt_all();
    let leaf = records.leaf(&page);
    let record = &leaf.records[&slot("1").tag];
    assert!(record.adopted && record.own_referrers.is_empty());
    assert!(leaf.deleted[&slot("2").tag].referrers.is_empty());
}

#[test]
fn what_refers_to_an_image_is_on_record_once_and_not_without_end() {
    let mut record = record(&image("it"), None);
    let digests: Vec<Digest> = (0..100_u8)
        .map(|number| Digest::sha256(&[number]))
        .collect();
    record.add_referrers(&digests[..2]);
    record.add_referrers(&digests[..2]);
    assert_eq!(record.own_referrers, digests[..2]);
    record.add_referrers(&digests);
    assert_eq!(record.own_referrers, digests[..OWN_REFERRERS]);
}

#[test]
fn what_was_deleted_together_did_not_go_along() {
    let it = image("it");
    let first = Tombstone {
        deleted_at: Timestamp::from_second(1000).unwrap(),
        ..tombstone(&it, &[])
    };
    let moved = image("what was on record before somebody moved the tag");
    // Where, when and as what the other tag was deleted, and whether it is still on record.
    for (destination, registry, second, was, is_on_record, expected) in [
        ("eu", "registry.example.com", 1000, &it, false, true),
        ("us", "registry.example.com", 1000, &it, false, true),
        ("us", "registry.example.com:443", 1005, &it, false, true),
        ("us", "alias.example.com", 1000, &it, false, false),
        // Somebody pushed it anew since then.
        ("eu", "registry.example.com", 999, &it, false, false),
        // It was about to be deleted, and named this image by then.
        ("eu", "registry.example.com", 1000, &moved, false, false),
        // Its turn has not come yet.
        ("eu", "registry.example.com", 1000, &it, true, false),
    ] {
        let ledger = Ledger::in_memory();
        let mut other = slot("2");
        destination.clone_into(&mut other.page.destination);
        let tombstone = Tombstone {
            registry: registry.parse().unwrap(),
            deleted_at: Timestamp::from_second(second).unwrap(),
            ..tombstone(was, &[])
        };
        if is_on_record {
            ledger.write(other.clone(), record(was, Some(Timestamp::UNIX_EPOCH)));
        }
        ledger.bury(&other, tombstone);
        let found = ledger.is_deleted_like(&slot("2"), &first);
        assert_eq!(found, expected, "{destination} {registry} {second}");
    }
}
