// SPDX-License-Identifier: Apache-2.0

//! What a registry says of a tag right after it was deleted may be from before.

use std::time::Duration;

use futures::FutureExt;
use jiff::Timestamp;

use super::known::{KNOWN_IMAGES, MIRRORS};
use super::process::{Clocks, Durable, Nowhere, Process};
use crate::api::mirrored_repository::Took;
use crate::oci::TagOrDigest;
use crate::plan::Mirror;
use crate::plan::prune::{Candidate, Clock, Fate, Recorded, Selection, find_candidates};
use crate::sync::ledger::{Page, Record, Slot, Tombstone};
use crate::sync::prune::records::recorded;
use crate::sync::prune::safeguard::Safeguards;
use crate::sync::prune::settle::unsettled;

/// One record of a tag that is not wanted any more.
fn unwanted() -> (Slot, Record) {
    let page = Page {
        mirror: "platform/base".to_owned(),
        destination: "eu".to_owned(),
        repository: "library/gone".parse().unwrap(),
    };
    let digest = KNOWN_IMAGES[0].digest.clone();
    let record = Record {
        source: "docker.io/library/gone:1.0".to_owned(),
        source_digest: digest.clone(),
        digest,
        shape: "all platforms".to_owned(),
        first_seen: Timestamp::UNIX_EPOCH,
        copied_at: Some(Timestamp::UNIX_EPOCH),
        adopted: false,
        refused: false,
        registry: Some("r.example.com".parse().unwrap()),
        unwanted: None,
        verified: None,
        referrers: None,
        checked_at: None,
        own_referrers: Vec::new(),
    };
    (page.slot(&"1.0".parse().unwrap()), record)
}

fn candidate(process: &Process, mirror: &Mirror) -> Candidate {
    let leaves = process.state.ledger.leaves(&mirror.name);
    let claimed = std::collections::HashSet::new();
    let recorded: Vec<Recorded<'_>> = leaves
        .iter()
        .flat_map(|(page, leaf)| recorded(page, leaf, &claimed))
        .collect();
    let now = process.state.pruner.now();
    let selection = Selection::default();
    let found = find_candidates(mirror, &selection, &recorded, Clock::New, now);
    found.candidates.into_iter().next().unwrap()
}

/// A process in which the deletion of a tag has begun, and nobody saw what came of it.
fn begun(clocks: &Clocks) -> (Process, Slot, Candidate) {
    let mirror = &MIRRORS[0];
    let (slot, record) = unwanted();
    let process = Process::start(&Durable::default().into(), clocks, &Nowhere::default());
    process.state.ledger.write(slot.clone(), record);
    let candidate = candidate(&process, mirror);
    bury(&process, &candidate);
    (process, slot, candidate)
}

/// Writes what is about to be deleted, and gives what was written before.
fn bury(process: &Process, candidate: &Candidate) -> Option<Tombstone> {
    let batch = [(0, candidate)];
    let pruning = process.pruning(&MIRRORS[0]);
    let written = pruning.write_tombstones(&batch, false, Safeguards::new());
    written.now_or_never().unwrap().unwrap().remove(&0)
}

/// The next round looks at the tag.
fn settle(process: &Process, is_there: bool) {
    let pruning = process.pruning(&MIRRORS[0]);
    for (page, leaf) in process.state.ledger.leaves(&MIRRORS[0].name) {
        for (slot, record) in unsettled(&page, &leaf) {
            let found = is_there.then_some(&record.digest);
            pruning.settle_one(&slot, record, found);
        }
    }
}

#[test]
fn what_went_unseen_can_be_restored_whatever_the_next_looks_say() {
    let protected = Fate::Protected {
        rule: None,
        protected_by: "Pod shop/web".to_owned(),
    };
    // What the next round sees first, and what becomes of the tag when it tries to delete it again.
    for (is_there, fate, is_on_record) in [
        (false, None, false),
        (true, None, true),
        (true, Some(Fate::Gone), false),
        (true, Some(protected), true),
        (true, Some(Fate::Waiting), true),
        (true, Some(Fate::Failed), true),
    ] {
        let (process, slot, candidate) = begun(&Clocks::default());
        settle(&process, is_there);
        if let Some(fate) = &fate {
            let earlier = bury(&process, &candidate);
            process
                .pruning(&MIRRORS[0])
                .settle_deleted(&candidate, fate, earlier);
        }
        let ledger = &process.state.ledger;
        let case = format!("{is_there} {fate:?}");
        assert!(ledger.tombstone(&slot).is_some(), "{case}");
        assert_eq!(ledger.read(&slot).is_some(), is_on_record, "{case}");
    }
}

#[test]
fn what_restores_a_tag_outlives_a_push_that_nobody_saw_end() {
    let (process, slot, _) = begun(&Clocks::default());
    let ledger = &process.state.ledger;
    let pending = Record {
        copied_at: None,
        ..unwanted().1
    };
    ledger.write(slot.clone(), pending);
    settle(&process, true);
    assert!(ledger.read(&slot).is_some_and(|record| record.adopted));
    assert!(ledger.tombstone(&slot).is_some());
}

#[test]
fn what_names_another_digest_by_now_can_still_be_restored() {
    let other = &KNOWN_IMAGES[1].digest;
    // The next round finds it so before it looks at anything, or right before it would delete it again.
    for is_settled in [true, false] {
        let (process, slot, candidate) = begun(&Clocks::default());
        let ledger = &process.state.ledger;
        if is_settled {
            let record = ledger.read(&slot).unwrap();
            process
                .pruning(&MIRRORS[0])
                .settle_one(&slot, &record, Some(other));
        } else {
            let earlier = bury(&process, &candidate);
            let fate = &Fate::Disowned;
            process
                .pruning(&MIRRORS[0])
                .settle_deleted(&candidate, fate, earlier);
        }
        assert_eq!(ledger.read(&slot), None, "{is_settled}");
        assert!(ledger.tombstone(&slot).is_some(), "{is_settled}");
    }
}

#[test]
fn a_deletion_that_can_be_undone_is_not_written_over() {
    let (process, slot, candidate) = begun(&Clocks::default());
    let pruning = process.pruning(&MIRRORS[0]);
    let known = process.state.ledger.tombstone(&slot).unwrap();
    for (registry, digest, is_held) in [
        ("r.example.com", 0, false),
        ("s.example.com", 0, true),
        ("r.example.com", 1, true),
    ] {
        let tombstone = Tombstone {
            registry: registry.parse().unwrap(),
            digest: KNOWN_IMAGES[digest].digest.clone(),
            ..known.clone()
        };
        process.state.ledger.bury(&slot, tombstone);
        let doubt = pruning.find_other_grave(&candidate);
        assert_eq!(doubt.is_some(), is_held, "{registry} {digest}");
    }
}

#[test]
fn what_went_along_is_looked_for_also_where_the_tag_is_there_again() {
    let (process, slot, _) = begun(&Clocks::default());
    let pruning = process.pruning(&MIRRORS[0]);
    let unseen = |is_meant: bool| {
        let unseen = pruning.unseen(|_| is_meant).into_iter();
        unseen
            .map(|(slot, _, is_begun)| (slot, is_begun))
            .collect::<Vec<_>>()
    };
    assert_eq!(unseen(false), []);
    assert_eq!(unseen(true), [(slot.clone(), true)]);
    process.state.ledger.disown(&slot);
    assert_eq!(unseen(true), [(slot.clone(), false)]);
    pruning.conclude(&slot, Some(Took::Tag));
    assert_eq!(unseen(true), []);
}

#[test]
fn what_was_gone_before_the_deletion_is_not_pushed_again_for_ever() {
    let (process, slot, _) = begun(&Clocks::default());
    let pruning = process.pruning(&MIRRORS[0]);
    let tombstone = process.state.ledger.tombstone(&slot).unwrap();
    let image = &KNOWN_IMAGES[0];
    let manifest = TagOrDigest::Digest(image.digest.clone());
    let other = TagOrDigest::Tag("2.0".parse().unwrap());
    for (is_kept, lost, expected) in [
        (false, vec![manifest.clone(), other.clone()], true),
        (false, vec![other], false),
        (true, vec![manifest], false),
    ] {
        if is_kept {
            process
                .state
                .ledger
                .keep(&slot.page, image.manifests.clone());
        }
        let found = pruning.is_lost_for_good(&slot, &tombstone, &lost);
        assert_eq!(found, expected, "{is_kept} {lost:?}");
    }
}

#[test]
fn what_no_round_touched_cannot_be_restored() {
    for fate in [Fate::Waiting, Fate::Failed, Fate::Gone] {
        let (process, slot, candidate) = begun(&Clocks::default());
        let pruning = process.pruning(&MIRRORS[0]);
        pruning.settle_deleted(&candidate, &fate, None);
        assert_eq!(process.state.ledger.tombstone(&slot), None, "{fate:?}");
    }
}

#[test]
fn what_is_still_there_after_the_grace_was_not_deleted() {
    for (hours, is_kept) in [(23, true), (25, false)] {
        let clocks = Clocks::default();
        let (process, slot, _) = begun(&clocks);
        settle(&process, true);
        clocks.lock().unwrap().0 = Duration::from_secs(hours * 60 * 60);
        let dead = process.pruning(&MIRRORS[0]).find_dead(Clock::Steady);
        assert!(dead.is_empty(), "{hours}");
        let ledger = &process.state.ledger;
        assert_eq!(ledger.tombstone(&slot).is_some(), is_kept, "{hours}");
        assert!(ledger.read(&slot).is_some(), "{hours}");
    }
}

#[test]
fn what_may_have_gone_counts_for_a_day_and_comes_back_for_the_grace() {
    let hasty = MIRRORS.iter().find(|it| it.prune.grace.as_std().is_zero());
    let clocks = Clocks::default();
    let (process, slot, candidate) = begun(&clocks);
    let pruning = process.pruning(&MIRRORS[0]);
    clocks.lock().unwrap().0 = Duration::from_secs(60 * 60);
    assert!(
        process
            .pruning(hasty.unwrap())
            .find_dead(Clock::Steady)
            .is_empty()
    );
    let known = process.state.ledger.tombstone(&slot);
    assert!(known.is_some_and(|known| known.cleared));
    // Nothing brings it back any more, also if it turns out to be gone only now.
    let earlier = bury(&process, &candidate);
    pruning.settle_deleted(&candidate, &Fate::Gone, earlier);
    assert_eq!(process.state.ledger.read(&slot), None);
    assert_eq!(process.state.ledger.deleted(&slot.page.mirror), []);
}

#[test]
fn what_went_along_is_to_be_healed_whatever_the_grace_is() {
    let mirror = MIRRORS
        .iter()
        .find(|mirror| mirror.prune.grace.as_std().is_zero())
        .unwrap();
    let month = 31 * 24;
    for (hours, shared_with, is_kept) in [
        (1, "2.0", true),
        (50, "2.0", true),
        (month + 1, "2.0", false),
        (1, "", false),
    ] {
        let clocks = Clocks::default();
        let (process, slot, _) = begun(&clocks);
        let ledger = &process.state.ledger;
        let tombstone = Tombstone {
            shared_with: shared_with.parse().into_iter().collect(),
            ..ledger.tombstone(&slot).unwrap()
        };
        ledger.bury(&slot, tombstone);
        ledger.disown(&slot);
        clocks.lock().unwrap().0 = Duration::from_secs(hours * 60 * 60);
        let dead = process.pruning(mirror).find_dead(Clock::Steady);
        assert_eq!(dead.is_empty(), is_kept, "{hours} {shared_with}");
    }
}

#[test]
fn that_nothing_is_missing_proves_nothing_where_others_may_have_pushed_it() {
    for (took, is_unseen, spares) in [
        (Some(Took::Tag), false, Some(true)),
        (Some(Took::Tag), true, None),
        (Some(Took::Manifest), true, None),
        (Some(Took::OtherTags), true, Some(false)),
        (None, true, None),
    ] {
        let (process, slot, candidate) = begun(&Clocks::default());
        let pruning = process.pruning(&MIRRORS[0]);
        if is_unseen {
            pruning.settle_unseen(&slot, took);
        } else {
            pruning.conclude(&slot, took);
        }
        let target = &candidate.target;
        let found = pruning.is_known_to_spare(&target.registry, &target.repository);
        assert_eq!(found, spares, "{took:?} {is_unseen}");
        let tombstone = process.state.ledger.tombstone(&slot).unwrap();
        assert_eq!(tombstone.took.is_some(), took.is_some(), "{took:?}");
    }
}
