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
    /// What the mirror itself wants at another destination is not asked.
    OwnClaimsIgnored,
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
    /// What went in the last 24 hours does not count.
    NoWindow,
    /// Tags that could not be deleted count among those that could.
    BrakesOverAll,
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
    /// The same, but only once what is wanted is copied.
    HealedAfterCopy,
    /// The same, but not where nothing is pruned.
    RetainHealsNothing,
    /// What is not missing after an interrupted round proves that the registry took nothing along.
    UnseenIsProof,
    /// What a person restores is ours, also if it is there already.
    RestoredIsOurs,
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
}

/// Each with the seed of a history that finds it.
pub(super) const MUTANTS: [(Mutant, u64); 35] = [
    (Mutant::FailureForgetsClaims, 194),
    (Mutant::OthersClaimsIgnored, 58),
    (Mutant::OthersRecordsIgnored, 3602),
    (Mutant::UnheardIgnored, 355),
    (Mutant::OwnClaimsIgnored, 105),
    (Mutant::RegistriesByText, 34),
    (Mutant::AliasIgnored, 34),
    (Mutant::CaseCompared, 246),
    (Mutant::RegistryOfRecordIgnored, 112),
    (Mutant::PendingIsWritten, 55),
    (Mutant::AdoptedIsWritten, 33),
    (Mutant::NoSourceLookup, 75),
    (Mutant::FailureIgnored, 138),
    (Mutant::NoWindow, 9584),
    (Mutant::BrakesOverAll, 411),
    (Mutant::SiblingsIgnored, 0),
    (Mutant::NothingKept, 0),
    (Mutant::SharersIgnored, 0),
    (Mutant::TakenIgnored, 0),
    (Mutant::UnseenNotHealed, 0),
    (Mutant::HealedAfterCopy, 0),
    (Mutant::RetainHealsNothing, 0),
    (Mutant::UnseenIsProof, 0),
    (Mutant::RestoredIsOurs, 0),
    (Mutant::LateTombstone, 0),
    (Mutant::UnseenIsUndone, 694),
    (Mutant::EarlierForgotten, 2454),
    (Mutant::DigestNotCompared, 51),
    (Mutant::GraceNotRestarted, 264),
    (Mutant::ClockBelieved, 36),
    (Mutant::ClosureIgnored, 6),
    (Mutant::OneLook, 270),
    (Mutant::LeaseNotLooked, 1078),
    (Mutant::RestorableIgnored, 2779),
    (Mutant::LeftoversInUse, 228),
];
