// SPDX-License-Identifier: Apache-2.0

//! A model check: thousands of random histories of mirrors, sources, destinations, workloads, people,
//! processes and clocks. What decides is the real code; registries, the cluster and the time are made up.
//!
//! After each deletion, and at the end of each history, a judge that shares nothing with the deciding code
//! says whether it was right:
//!
//! - nothing is deleted but what the mirror saw itself push, and has on record with this digest;
//! - nothing that any mirror wants, by what it last knew, or that was wanted less than the grace ago,
//!   whatever the clocks say;
//! - what a tag is not wanted for is true, whatever the lists say;
//! - nothing that a workload uses is deleted;
//! - no more is deleted than the brakes allow, but for exactly the approved plan;
//! - what was deleted can be restored for as long as the grace says, and no signature is lost of an image
//!   that a tag names, a workload uses, or a person may still restore;
//! - of mirrors that another process works on that shares the work, all of this is true by what is on record, and by
//!   the specs that its watch has told of, and while shards change hands;
//! - once everything is quiet, the destination has what a fresh mirror would have, and besides that only
//!   what somebody else wrote, what is in use, and what the rules keep.
//!
//! `TRANSSHIP_MODEL_SEED` plays one history again, with everything that happens in it;
//! `TRANSSHIP_MODEL_HISTORIES` plays so many, from `TRANSSHIP_MODEL_FROM` on.

mod along;
mod clear;
mod contention;
mod copy;
mod delete;
mod events;
mod faults;
mod fellows;
mod fleet;
mod judge;
mod known;
mod member;
mod mutants;
mod notes;
mod process;
mod protection;
mod pruning;
mod random;
mod round;
mod sharing;
mod store;
mod takes;
mod unseen;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

use self::judge::Blame;
use self::mutants::{MUTANTS, Mutant};
use self::random::Random;
use self::world::World;

/// Histories in one run, where nobody says how many.
const HISTORIES: u64 = 3_000;
/// Histories after which a long run says how far it is.
const STEP: u64 = 100_000;
/// Histories within which a fault that is put back is found.
const FOUND_WITHIN: u64 = 10_000;
/// Histories that are told of, where more than one fails.
const BLAMES: usize = 10;
/// One history of so many is of members that share the work.
const SHARED: u64 = 3;
/// What happens in one.
const EVENTS: usize = 12;

/// Plays a history: how many tags were deleted, and how many signatures after them. Else what the judge says.
fn play(seed: u64, is_told: bool, mutant: Option<Mutant>) -> Result<(usize, usize), String> {
    let played = catch_unwind(AssertUnwindSafe(|| {
        let is_shared = seed % SHARED == SHARED - 1;
        let mut world = World::new(Random::new(seed), is_shared, (is_told, mutant));
        for _ in 0..EVENTS {
            world.happen();
        }
        world.come_to_rest();
        (world.notes.deleted, world.notes.cleared)
    }));
    // Anything else is a fault of the model, or of what it calls.
    played.map_err(|panic| match panic.downcast::<Blame>() {
        Ok(blame) => blame.0,
        Err(other) => resume_unwind(other),
    })
}

#[expect(
    clippy::disallowed_methods,
    reason = "a history that failed is played again by its seed, and more of them by their number"
)]
fn told(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap())
}

/// Does something on all processors at once.
fn everywhere(work: impl Fn() + Sync) {
    let count = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..count {
            scope.spawn(&work);
        }
    });
}

#[test]
fn no_history_loses_what_is_wanted_used_or_somebody_elses() {
    if let Some(seed) = told("TRANSSHIP_MODEL_SEED") {
        play(seed, true, None).unwrap();
        return;
    }
    let from = told("TRANSSHIP_MODEL_FROM").unwrap_or(0);
    let histories = told("TRANSSHIP_MODEL_HISTORIES").unwrap_or(HISTORIES);
    let next = AtomicU64::new(0);
    let (deleted, cleared) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let blames = Mutex::new(Vec::new());
    let say = |count: u64| {
        let (deleted, cleared) = (deleted.load(Relaxed), cleared.load(Relaxed));
        eprintln!(
            "{count} histories from seed {from}: {deleted} tags, {cleared} signatures deleted"
        );
    };
    everywhere(|| {
        loop {
            let count = next.fetch_add(1, Relaxed);
            if count >= histories {
                return;
            }
            if count > 0 && count.is_multiple_of(STEP) {
                say(count);
            }
            let seed = from + count;
            match play(seed, false, None) {
                Ok((tags, signatures)) => {
                    deleted.fetch_add(tags, Relaxed);
                    cleared.fetch_add(signatures, Relaxed);
                }
                Err(blame) => {
                    let mut blames = blames.lock().unwrap();
                    blames.push(format!("TRANSSHIP_MODEL_SEED={seed}: {blame}"));
                    if blames.len() >= BLAMES {
                        return;
                    }
                }
            }
        }
    });
    let blames = blames.into_inner().unwrap();
    assert!(blames.is_empty(), "{}", blames.join("\n"));
    say(histories);
    // It would be easy to be right by deleting nothing.
    let few = usize::try_from(histories / 10).unwrap();
    let (deleted, cleared) = (deleted.into_inner(), cleared.into_inner());
    assert!(deleted > few, "{deleted} tags were deleted");
    assert!(cleared > few / 4, "{cleared} signatures were deleted");
}

#[test]
fn every_fault_that_was_mended_is_found_when_it_is_put_back() {
    let next = AtomicUsize::new(0);
    let moved = Mutex::new(Vec::new());
    everywhere(|| {
        while let Some((mutant, seed)) = MUTANTS.get(next.fetch_add(1, Relaxed)) {
            let finds = |seed: u64| {
                play(seed, false, Some(*mutant)).is_err() && play(seed, false, None).is_ok()
            };
            if !finds(*seed) {
                let found = (0..FOUND_WITHIN).find(|seed| finds(*seed));
                eprintln!("{mutant:?} is found by {found:?}");
                moved.lock().unwrap().push((*mutant, found));
            }
        }
    });
    let moved = moved.into_inner().unwrap();
    assert!(
        moved.is_empty(),
        "found by these seeds now, which pass without the fault: {moved:?}"
    );
}
