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
    /// What may be a tag that stays is not kept.
    SiblingsIgnored,
    /// The manifests of what is about to go are not kept.
    NothingKept,
    /// The other tags of what is about to go are not looked up.
    SharersIgnored,
    /// What is not missing after an interrupted round proves that the registry took nothing along.
    UnseenIsProof,
    /// What is about to go is put on record when it is gone.
    LateTombstone,
    /// What was deleted and not seen to be gone is taken for there.
    UnseenIsUndone,
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
pub(super) const MUTANTS: [(Mutant, u64); 27] = [
    (Mutant::FailureForgetsClaims, 219),
    (Mutant::OthersClaimsIgnored, 58),
    (Mutant::OthersRecordsIgnored, 6),
    (Mutant::UnheardIgnored, 553),
    (Mutant::RegistriesByText, 55),
    (Mutant::AliasIgnored, 168),
    (Mutant::CaseCompared, 787),
    (Mutant::RegistryOfRecordIgnored, 93),
    (Mutant::PendingIsWritten, 18),
    (Mutant::AdoptedIsWritten, 18),
    (Mutant::NoSourceLookup, 73),
    (Mutant::FailureIgnored, 568),
    (Mutant::BrakesOverAll, 1023),
    (Mutant::SiblingsIgnored, 31),
    (Mutant::NothingKept, 2),
    (Mutant::SharersIgnored, 193),
    (Mutant::UnseenIsProof, 2396),
    (Mutant::LateTombstone, 2),
    (Mutant::UnseenIsUndone, 625),
    (Mutant::DigestNotCompared, 84),
    (Mutant::GraceNotRestarted, 68),
    (Mutant::ClockBelieved, 480),
    (Mutant::ClosureIgnored, 48),
    (Mutant::OneLook, 159),
    (Mutant::LeaseNotLooked, 286),
    (Mutant::RestorableIgnored, 1495),
    (Mutant::LeftoversInUse, 1567),
];
