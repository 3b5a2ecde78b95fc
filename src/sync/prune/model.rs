//! A model check: thousands of random histories of a source, a destination, workloads, people, crashes
//! and clocks. What decides is the real code; the registry, the cluster and the time are made up.
//!
//! After each deletion, and at the end of each history, a judge that shares nothing with the deciding code
//! says whether it was right:
//!
//! - nothing that a workload uses is deleted;
//! - nothing is deleted but what is on record with this digest, with a tombstone already kept;
//! - nothing is deleted that was wanted less than the grace ago, whatever the clocks say;
//! - no more is deleted than the brakes allow, but for exactly the approved plan;
//! - no other tag is lost, and no signature of an image that a tag names, a workload uses, or a person may
//!   still restore;
//! - once everything is quiet, the destination has what a fresh mirror would have, and besides that only
//!   what somebody else wrote, what is in use, and what the rules keep.
//!
//! `TRANSSHIP_MODEL_SEED` runs one history again, with everything that happens in it.

mod judge;
mod known;
mod random;
mod round;
mod world;

use self::random::Random;
use self::world::World;

/// Histories in one run.
const HISTORIES: u64 = 10_000;
/// What happens in one.
const EVENTS: usize = 10;
/// Histories that are played at the same time.
const SHARES: u64 = 4;

/// Plays a history: how many tags were deleted, and how many signatures after them.
fn play(seed: u64, is_told: bool) -> (usize, usize) {
    let mut world = World::new(Random::new(seed), is_told);
    for _ in 0..EVENTS {
        world.happen();
    }
    world.come_to_rest();
    (world.deleted, world.cleared)
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "a history that failed is played again by its seed"
)]
fn no_history_loses_what_is_wanted_used_or_somebody_elses() {
    if let Ok(seed) = std::env::var("TRANSSHIP_MODEL_SEED") {
        play(seed.parse().unwrap(), true);
        return;
    }
    let play_share = |share: u64| -> Vec<(usize, usize)> {
        let seeds = (0..HISTORIES).filter(|seed| seed % SHARES == share);
        seeds
            .map(|seed| {
                let played = std::panic::catch_unwind(|| play(seed, false));
                played.unwrap_or_else(|_| panic!("see TRANSSHIP_MODEL_SEED={seed}"))
            })
            .collect()
    };
    let played: Vec<(usize, usize)> = std::thread::scope(|scope| {
        let shares: Vec<_> = (0..SHARES)
            .map(|share| scope.spawn(move || play_share(share)))
            .collect();
        let played = shares.into_iter().map(|share| share.join().unwrap());
        played.flatten().collect()
    });
    let deleted: usize = played.iter().map(|(deleted, _)| deleted).sum();
    let cleared: usize = played.iter().map(|(_, cleared)| cleared).sum();
    // It would be easy to be right by deleting nothing.
    assert!(deleted > 2_000, "{deleted} tags were deleted");
    assert!(cleared > 500, "{cleared} signatures were deleted");
}
