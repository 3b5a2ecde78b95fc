// SPDX-License-Identifier: Apache-2.0

//! A destination tag and what is to be done about it, with what is put on record of that.

use std::sync::Arc;

use jiff::Timestamp;

use super::ledger::{Looked, NEVER, Record, Verified};
use super::sighting::Sighting;
use crate::copy::{Action, Done, Error, Late, Visit};
use crate::oci::Digest;
use crate::plan::decide::Decision;
use crate::plan::gates::Voucher;
use crate::plan::report::{Failure, Moved, Outcome};
use crate::policy::Duration;
use crate::runtime::clock;

/// A sighting and what is to be done about it.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub(super) sighting: Sighting,
    pub(super) step: Step,
    /// Who vouches for the image.
    pub(super) voucher: Option<Voucher>,
    /// The look at what refers to the image that was just had.
    pub(super) looked: Option<Looked>,
    /// What came of a look at all that the tag leads to at the destination.
    pub(super) wholeness: Wholeness,
}

/// Whether all that a tag leads to was just found at the destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wholeness {
    /// Nobody looked.
    Unseen,
    /// All of it was there, at this time.
    Whole(Timestamp),
    /// Something was missing: it is looked at again once it was copied.
    Damaged,
}

/// What is to be done about a sighting.
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// What the digests say.
    Decided(Decision),
    /// Nothing: a policy does not admit the image, with this outcome.
    Withheld(Outcome),
    /// The image is there, and something that refers to it is missing.
    Completed(Completion),
    /// The image is there, and it could not be seen what refers to it.
    Unseen(Failure),
}

/// What a destination lacks of what refers to an image that it has.
#[derive(Clone, Debug)]
pub(super) struct Completion {
    pub(super) visit: Arc<Visit>,
    pub(super) late: Arc<Late>,
    /// The place of the destination among the targets of the visit.
    pub(super) target: usize,
}

// === impl Wholeness ===

impl Wholeness {
    /// When all of it was found.
    pub(super) fn whole_at(self) -> Option<Timestamp> {
        match self {
            Self::Whole(at) => Some(at),
            Self::Unseen | Self::Damaged => None,
        }
    }
}

// === impl Item ===

impl Item {
    /// Whether the image is copied.
    pub(super) fn is_copied(&self) -> bool {
        matches!(self.step, Step::Decided(Decision::Copy | Decision::Move))
    }

    /// What is known before anything is copied.
    pub(super) fn foreseen(&self) -> Outcome {
        let decision = match &self.step {
            Step::Decided(decision) => *decision,
            Step::Withheld(outcome) => return outcome.clone(),
            Step::Completed(_) => {
                return Outcome::Planned {
                    moves: false,
                    completes: true,
                    destination_digest: None,
                    moved: None,
                };
            }
            Step::Unseen(failure) => return Outcome::Failed(failure.clone()),
        };
        match decision {
            Decision::Unchanged => Outcome::Unchanged,
            Decision::Copy | Decision::Move => self.planned(),
            Decision::Freeze => Outcome::Frozen,
            Decision::Refuse => Outcome::Failed(Failure::moved(
                &self.sighting.claim.to_string(),
                format!(
                    "{} moved to {} at the source, and tagMutability is Fail: the destination keeps {}",
                    self.sighting.image.source,
                    self.sighting.image.digest,
                    self.sighting
                        .current
                        .as_ref()
                        .map_or("nothing", Digest::as_str),
                ),
            )),
        }
    }

    /// The copy that is to be made, and what it goes over.
    fn planned(&self) -> Outcome {
        let Sighting {
            image,
            expected,
            current,
            recorded,
            ..
        } = &self.sighting;
        let other = current.as_ref().filter(|current| *current != expected);
        let recorded = recorded.as_ref().filter(|record| !record.is_pending());
        Outcome::Planned {
            moves: other.is_some(),
            completes: false,
            destination_digest: other.cloned(),
            moved: other.and(recorded).map(|record| {
                if record.source_digest == image.digest {
                    Moved::Destination
                } else {
                    Moved::Source
                }
            }),
        }
    }

    /// What a copy came to; nothing came of it where its time was over.
    pub(super) fn outcome(
        &self,
        result: Option<&Result<Done, Error>>,
        timeout: Duration,
    ) -> Outcome {
        let claim = &self.sighting.claim;
        let subject = claim.to_string();
        let done = result.map(|result| result.as_ref().and_then(|done| done.about(&claim.tag)));
        match done {
            Some(Ok(Done {
                digest,
                action,
                bytes,
                unmoved: _,
                seen: _,
                attached: _,
            })) => match action {
                Action::Unchanged => Outcome::Unchanged,
                Action::Completed => Outcome::Completed {
                    digest: digest.clone(),
                    bytes: *bytes,
                },
                Action::Retagged => Outcome::Retagged {
                    digest: digest.clone(),
                },
                Action::Copied => Outcome::Copied {
                    digest: digest.clone(),
                    bytes: *bytes,
                },
            },
            Some(Err(error)) => Outcome::Failed(Failure::copying(&subject, error)),
            None => Outcome::Failed(Failure::timed_out(&subject, timeout)),
        }
    }

    /// What stands on record before anything is pushed; nothing where nothing was ever written.
    pub(super) fn record_ahead(&self) -> Option<Record> {
        let Sighting {
            image,
            expected,
            recorded,
            ..
        } = &self.sighting;
        let kept = |refused| {
            let recorded = recorded.clone()?;
            Some(Record {
                source: image.source.to_string(),
                refused,
                unwanted: None,
                ..recorded
            })
        };
        let decision = match self.step {
            Step::Decided(Decision::Unchanged) => return Some(self.record_right(true)),
            Step::Completed(_) | Step::Unseen(_) => return Some(self.record_right(false)),
            Step::Decided(decision) => decision,
            Step::Withheld(_) => return kept(true),
        };
        match decision {
            Decision::Copy | Decision::Move => Some(self.record(expected.clone(), None)),
            Decision::Unchanged | Decision::Freeze | Decision::Refuse => kept(false),
        }
    }

    /// What stands on record of a tag that is right, and whether all that refers to its image is there.
    pub(super) fn record_right(&self, is_complete: bool) -> Record {
        let Sighting {
            image,
            expected,
            recorded,
            ..
        } = &self.sighting;
        let before = recorded.as_ref();
        let looked = self.looked.filter(|_| is_complete);
        let referrers = looked.or_else(|| before.and_then(|record| record.referrers));
        let verified = if is_complete {
            self.verified()
        } else {
            before.and_then(|record| record.verified.clone())
        };
        let checked_at = self
            .wholeness
            .whole_at()
            .filter(|_| is_complete)
            .or_else(|| before.and_then(|record| record.checked_at));
        let checked_at = self.doubted_look().or(checked_at);
        let new = |copied_at| self.record(expected.clone(), copied_at);
        let record = match before {
            None => Record {
                adopted: true,
                ..new(None)
            },
            // A push whose end nobody saw: who wrote the tag is not known.
            Some(recorded) if recorded.is_pending() => Record {
                adopted: true,
                ..new(None)
            },
            Some(recorded) => Record {
                source: image.source.to_string(),
                refused: false,
                unwanted: None,
                ..recorded.clone()
            },
        };
        Record {
            verified,
            referrers,
            checked_at,
            ..record
        }
    }

    pub(super) fn record(&self, digest: Digest, copied_at: Option<Timestamp>) -> Record {
        let Sighting {
            image, recorded, ..
        } = &self.sighting;
        let known = recorded
            .as_ref()
            .filter(|known| known.source_digest == image.digest);
        let registry = &self.sighting.claim.registry;
        let is_here = |known: &&Record| known.registry.as_ref() == Some(registry);
        let here = known.filter(is_here);
        let now = clock::now();
        Record {
            source: image.source.to_string(),
            source_digest: image.digest.clone(),
            digest,
            first_seen: known.map_or(copied_at.unwrap_or(now), |known| known.first_seen),
            shape: image.shape.to_string(),
            copied_at,
            adopted: false,
            refused: false,
            registry: Some(registry.clone()),
            unwanted: None,
            verified: self.verified(),
            referrers: None,
            checked_at: self.doubted_look(),
            own_referrers: here.map_or_else(Vec::new, |here| here.own_referrers.clone()),
        }
    }

    /// A directory that stands in for a registry says nothing of what the registry has.
    fn doubted_look(&self) -> Option<Timestamp> {
        let Sighting {
            image, endpoint, ..
        } = &self.sighting;
        let is_told = image.origin.endpoint.is_registry() && endpoint.is_registry();
        (!is_told).then_some(NEVER)
    }

    /// Who vouches for the image; since when stays, as long as it is the same evidence.
    fn verified(&self) -> Option<Box<Verified>> {
        let Sighting {
            image, recorded, ..
        } = &self.sighting;
        let new = Verified::new(self.voucher.as_ref()?, clock::now());
        let known = recorded
            .as_ref()
            .filter(|known| known.source_digest == image.digest)
            .and_then(|known| known.verified.clone());
        Some(
            known
                .filter(|known| known.is_like(&new))
                .unwrap_or_else(|| Box::new(new)),
        )
    }
}
