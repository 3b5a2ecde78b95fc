// SPDX-License-Identifier: Apache-2.0

//! What can be put out of order.

/// Something that is not done as it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mutant {
    TakesEarly,
    LastsTooLong,
    ComesBack,
    IgnoresTheJointLease,
    WritesOver,
    HoldsWithoutAnswer,
    HandsOverEarly,
    KeepsAll,
    SeesTheDead,
    WritesOneByOne,
    BeatsTooSoon,
}

pub(super) const MUTANTS: [(Mutant, &str); 11] = [
    (
        Mutant::TakesEarly,
        "a member lapses before its claim is over",
    ),
    (
        Mutant::LastsTooLong,
        "a claim lasts as long as the leases, from the answer on",
    ),
    (Mutant::ComesBack, "a claim that is over comes back"),
    (
        Mutant::IgnoresTheJointLease,
        "members act without the joint lease",
    ),
    (
        Mutant::WritesOver,
        "a lease is written whatever became of it",
    ),
    (
        Mutant::HoldsWithoutAnswer,
        "a write without an answer counts",
    ),
    (
        Mutant::HandsOverEarly,
        "a shard is released while rounds of it run",
    ),
    (Mutant::KeepsAll, "nothing is handed over"),
    (Mutant::SeesTheDead, "a beat looks new at each look"),
    (
        Mutant::WritesOneByOne,
        "shards are taken one after the other, slowly",
    ),
    (
        Mutant::BeatsTooSoon,
        "who waits for the joint lease counts as a member",
    ),
];
