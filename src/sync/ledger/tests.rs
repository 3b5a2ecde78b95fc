// SPDX-License-Identifier: Apache-2.0

//! What is remembered, from one round and process to the next.

use futures::future::BoxFuture;

use super::keepsake_samples::mirror;
use super::*;
use crate::api::Reason;

const MIRROR: &str = "default/m";

fn slot(tag: &str) -> Slot {
    Slot {
        page: Page {
            mirror: MIRROR.to_owned(),
            destination: "eu".to_owned(),
            repository: "a/b".parse().unwrap(),
        },
        tag: tag.parse().unwrap(),
    }
}

fn record() -> Record {
    Record {
        source: "docker.io/library/a:1".to_owned(),
        source_digest: Digest::sha256(b"source"),
        digest: Digest::sha256(b"destination"),
        shape: "all platforms".to_owned(),
        first_seen: Timestamp::UNIX_EPOCH,
        copied_at: None,
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

fn sight(source: &[u8], second: i64) -> Sight {
    Sight {
        source_digest: Digest::sha256(source),
        first_seen: Timestamp::from_second(second).unwrap(),
    }
}

#[tokio::test]
async fn what_was_flushed_is_there_for_the_next_process() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state.json");
    let ledger = Ledger::open(&path).unwrap();
    ledger.write(slot("1"), record());
    ledger.flush(&mirror("m")).await.unwrap();
    drop(ledger);

    let ledger = Ledger::open(&path).unwrap();
    assert_eq!(
        (ledger.read(&slot("1")), ledger.read(&slot("2"))),
        (Some(record()), None)
    );
}

#[test]
fn what_other_processes_kept_takes_the_place_of_what_was_known() {
    let ledger = Ledger::in_memory();
    for tag in ["1", "2"] {
        ledger.write(slot(tag), record());
    }
    let copied = Record {
        copied_at: Some(Timestamp::UNIX_EPOCH),
        ..record()
    };
    let leaf = Leaf {
        records: [(slot("1").tag, copied.clone())].into(),
        ..Leaf::default()
    };
    ledger.replace(MIRROR, vec![(slot("1").page, leaf)]);
    assert_eq!(ledger.read(&slot("1")), Some(copied));
    assert_eq!(ledger.read(&slot("2")), None);
    // Nothing of it is to be kept again.
    assert!(ledger.memory.changed(MIRROR).is_empty());
}

/// Fails as often as it is told, and remembers what it was given.
#[derive(Default)]
struct Flaky {
    failures: std::sync::atomic::AtomicUsize,
    kept: std::sync::Mutex<Vec<usize>>,
}

impl Keep for Flaky {
    fn keep<'a>(
        &'a self,
        memory: &'a Memory,
        _: &'a Mirror,
        pages: &'a [Page],
    ) -> BoxFuture<'a, Result<(), KeepError>> {
        use std::sync::atomic::Ordering::Relaxed;
        let left = self.failures.load(Relaxed);
        self.failures.store(left.saturating_sub(1), Relaxed);
        let outcome = if left > 0 {
            Err(KeepError::new(Reason::Unreachable, "not now".to_owned()))
        } else {
            let records = pages.iter().map(|page| memory.page(page).records.len());
            self.kept.lock().unwrap().extend(records);
            Ok(())
        };
        Box::pin(std::future::ready(outcome))
    }
}

#[tokio::test]
async fn what_could_not_be_kept_is_kept_the_next_time_and_then_no_more() {
    let keep = Arc::new(Flaky::default());
    keep.failures.store(1, std::sync::atomic::Ordering::Relaxed);
    let ledger = Ledger::kept_by(keep.clone());
    ledger.write(slot("1"), record());
    ledger.write(slot("2"), record());
    assert!(ledger.flush(&mirror("m")).await.is_err());
    for _ in 0..2 {
        ledger.flush(&mirror("m")).await.unwrap();
        ledger.flush(&mirror("another")).await.unwrap();
    }
    ledger.lose(slot("1").page);
    ledger.flush(&mirror("m")).await.unwrap();
    ledger.forget(MIRROR);
    ledger.lose(slot("1").page);
    ledger.flush(&mirror("m")).await.unwrap();
    assert_eq!(*keep.kept.lock().unwrap(), [2, 2]);
}

#[tokio::test]
async fn the_first_sight_of_a_digest_lasts_until_the_tag_moves() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state.json");
    let seen = |ledger: &Ledger, source: &[u8]| {
        let time = ledger.first_sight(&slot("1"), &Digest::sha256(source));
        time.map(Timestamp::as_second)
    };
    let ledger = Ledger::open(&path).unwrap();
    ledger.wait(&slot("1"), sight(b"source", 60));
    ledger.wait(&slot("1"), sight(b"source", 70));
    ledger.flush(&mirror("m")).await.unwrap();
    drop(ledger);

    let ledger = Ledger::open(&path).unwrap();
    assert_eq!(seen(&ledger, b"source"), Some(60));
    ledger.wait(&slot("1"), sight(b"moved", 80));
    assert_eq!(
        (seen(&ledger, b"source"), seen(&ledger, b"moved")),
        (None, Some(80))
    );
    ledger.wait(&slot("1"), sight(b"source", 90));
    ledger.write(
        slot("1"),
        Record {
            first_seen: Timestamp::from_second(99).unwrap(),
            ..record()
        },
    );
    assert_eq!(
        seen(&ledger, b"source"),
        Some(90),
        "the record takes it over"
    );
    assert!(ledger.memory.page(&slot("1").page).waiting.is_empty());
}

#[test]
fn what_is_no_longer_wanted_is_no_longer_waited_for() {
    let ledger = Ledger::in_memory();
    for tag in ["1", "2"] {
        ledger.wait(&slot(tag), sight(b"source", 60));
    }
    ledger.wait_only_for("default/another", &BTreeSet::new());
    ledger.wait_only_for(MIRROR, &BTreeSet::from([slot("2")]));
    let leaf = ledger.memory.page(&slot("1").page);
    let tags: Vec<&str> = leaf.waiting.keys().map(Tag::as_str).collect();
    assert_eq!(tags, ["2"]);
}

#[test]
fn the_first_sight_of_a_tag_is_kept() {
    let ledger = Ledger::in_memory();
    let tags: Vec<Tag> = ["1", "2"].map(|tag| tag.parse().unwrap()).into();
    let later = Timestamp::from_second(60).unwrap();
    ledger.first_seen("a/b", &tags[..1], Timestamp::UNIX_EPOCH);
    let seen = ledger.first_seen("a/b", &tags, later);
    assert_eq!(
        (seen[&tags[0]], seen[&tags[1]]),
        (Timestamp::UNIX_EPOCH, later)
    );
}

#[test]
fn a_file_of_something_else_is_refused_and_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state.json");
    for (text, expected) in [
        ("precious", "is not a state file"),
        (r#"{"version": 9, "mirrors": {}}"#, "has version 9"),
        (
            r#"{"version": 1, "mirrors": {}, "more": 1}"#,
            "is not a state file",
        ),
    ] {
        std::fs::write(&path, text).unwrap();
        let message = Ledger::open(&path).err().unwrap().to_string();
        assert!(message.contains(expected), "{message}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
    }
}
