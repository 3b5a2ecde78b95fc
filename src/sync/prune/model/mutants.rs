// SPDX-License-Identifier: Apache-2.0

//! Faults that were mended, put back one at a time: the judge finds each of them.

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mutant {
    /// A round that fails forgets what its mirror wants.
    FailureForgetsClaims,
    /// What other mirrors want is not asked.
    OthersClaimsIgnored,
    /// What stands on the records of other mirrors is not asked.
    OthersRecordsIgnored,
    /// A mirror that was never heard, or is suspended, wants nothing.
    UnheardIgnored,
    /// Registries are compared by their texts.
    RegistriesByText,
    /// The same tag and digest at a host of another name protects nothing.
    AliasIgnored,
    /// Tags are compared with upper and lower case.
    CaseCompared,
    /// What was written to another registry is looked for at this one.
    RegistryOfRecordIgnored,
    /// A push that nobody saw end is taken for written.
    PendingIsWritten,
    /// Tags that were there before are taken for our own.
    AdoptedIsWritten,
    /// What the list leaves out is not looked up.
    NoSourceLookup,
    /// A round that fails deletes all the same.
    FailureIgnored,
    /// Tags that could not be deleted count among those that could.
    BrakesOverAll,
    /// The limits are those of a plan, whatever went a moment ago.
    NoWindow,
    /// What may be a tag that stays is not kept.
    SiblingsIgnored,
    /// The manifests of what is about to go are not kept.
    NothingKept,
    /// The other tags of what is about to go are not looked up.
    SharersIgnored,
    /// What went along with a tag is not looked up.
    TakenIgnored,
    /// The same after an interrupted round.
    UnseenNotHealed,
    /// The same, but not where nothing is pruned.
    RetainHealsNothing,
    /// What a person restores is ours, also if it is there already.
    RestoredIsOurs,
    /// What is not missing after an interrupted round proves that the registry took nothing along.
    UnseenIsProof,
    /// What is about to go is put on record when it is gone.
    LateTombstone,
    /// What was deleted and not seen to be gone is taken for there.
    UnseenIsUndone,
    /// A round that does not touch a tag forgets that an earlier one tried to delete it.
    EarlierForgotten,
    /// The tag is deleted whatever it names by then.
    DigestNotCompared,
    /// The grace does not begin anew when a tag is wanted for a while.
    GraceNotRestarted,
    /// The clock is believed.
    ClockBelieved,
    /// A digest below an index in use is not found to be in use.
    ClosureIgnored,
    /// Nobody looks again at the workloads before the delete.
    OneLook,
    /// A process that lost its lease meanwhile goes on deleting.
    LeaseNotLooked,
    /// What refers to images that can be restored goes.
    RestorableIgnored,
    /// What refers to images in use goes.
    LeftoversInUse,
    /// What other members have on record is not read before something is deleted.
    OtherMembersUnread,
    /// It is read under one name of the registry.
    OtherMembersByName,
    /// Who takes over a shard does not know what was deleted.
    HandoverForgetsDeleted,
}

/// Each with the seed of a history that finds it.
pub(super) const MUTANTS: [(Mutant, u64); 36] = [
    (Mutant::FailureForgetsClaims, 1686),
    (Mutant::OthersClaimsIgnored, 291),
    (Mutant::OthersRecordsIgnored, 34),
    (Mutant::UnheardIgnored, 403),
    (Mutant::RegistriesByText, 55),
    (Mutant::AliasIgnored, 35),
    (Mutant::CaseCompared, 127),
    (Mutant::RegistryOfRecordIgnored, 720),
    (Mutant::PendingIsWritten, 159),
    (Mutant::AdoptedIsWritten, 157),
    (Mutant::NoSourceLookup, 235),
    (Mutant::FailureIgnored, 643),
    (Mutant::BrakesOverAll, 861),
    (Mutant::NoWindow, 516),
    (Mutant::SiblingsIgnored, 183),
    (Mutant::NothingKept, 1),
    (Mutant::SharersIgnored, 138),
    (Mutant::TakenIgnored, 138),
    (Mutant::UnseenNotHealed, 2406),
    (Mutant::RetainHealsNothing, 9574),
    (Mutant::RestoredIsOurs, 2460),
    (Mutant::UnseenIsProof, 3303),
    (Mutant::LateTombstone, 1),
    (Mutant::UnseenIsUndone, 77),
    (Mutant::EarlierForgotten, 1397),
    (Mutant::DigestNotCompared, 285),
    (Mutant::GraceNotRestarted, 82),
    (Mutant::ClockBelieved, 1),
    (Mutant::ClosureIgnored, 72),
    (Mutant::OneLook, 324),
    (Mutant::LeaseNotLooked, 2676),
    (Mutant::RestorableIgnored, 2118),
    (Mutant::LeftoversInUse, 186),
    (Mutant::OtherMembersUnread, 3860),
    (Mutant::OtherMembersByName, 3860),
    (Mutant::HandoverForgetsDeleted, 77),
];
