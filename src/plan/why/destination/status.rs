// SPDX-License-Identifier: Apache-2.0

//! What the status of the mirror says of the image.

use super::Look;
use crate::api::Reason;
use crate::api::conditions::{self, RECONCILING};
use crate::api::image_mirror::{FailureStatus, RefusalStatus};
use crate::api::image_policy::PolicyMode;
use crate::plan::status::halted;
use crate::plan::why::answer::Whereabouts;
use crate::plan::why::origins::SoughtImage;

// === impl Look ===

impl<'a> Look<'a> {
    pub(super) fn quarantined(&self, sought: &SoughtImage) -> Option<Whereabouts> {
        let refusal = self.refusal(sought);
        let refusal = refusal.filter(|refusal| refusal.reason == Reason::Quarantined.as_str());
        let until = self
            .waiting(sought)
            .and_then(|waiting| self.until(sought, waiting));
        match (refusal, until) {
            (Some(refusal), until) => Some(Whereabouts::Quarantined {
                until,
                message: refusal.message.clone(),
            }),
            (None, Some(until)) => Some(Whereabouts::Quarantined {
                until: Some(until),
                message: "its digest has not been seen for long enough: wait".to_owned(),
            }),
            (None, None) => None,
        }
    }

    /// What keeps the image out, or what of it waits.
    pub(super) fn refusal(&self, sought: &SoughtImage) -> Option<&'a RefusalStatus> {
        let mut refusals = self.status.refusals.iter();
        refusals.find(|refusal| {
            refusal.mode == PolicyMode::Enforce && self.names_source(&refusal.image, sought, false)
        })
    }

    /// What failed with the image here, at the source, or with its whole repository.
    pub(super) fn failure(&self, sought: &SoughtImage) -> Option<&'a FailureStatus> {
        let mut failures = self.status.failures.iter();
        failures.find(|failure| match failure.destination.as_deref() {
            None => self.names_source(&failure.image, sought, true),
            Some(name) => {
                name == self.destination.name
                    && (self.names_target(&failure.image, sought)
                        || self.names_source(&failure.image, sought, true))
            }
        })
    }

    /// What keeps the image out, as the answer.
    pub(super) fn refused(&self, sought: &SoughtImage) -> Option<Whereabouts> {
        self.refusal(sought).map(refused)
    }

    /// What failed, as the answer.
    pub(super) fn failed(&self, sought: &SoughtImage) -> Option<Whereabouts> {
        self.failure(sought).map(failed)
    }

    /// Why a tag that is selected is not on record.
    pub(super) fn awaited(&self) -> Whereabouts {
        let status = self.status;
        let running = conditions::find(&status.conditions, RECONCILING);
        let is_running =
            running.is_some_and(|running| running.reason == Reason::Progressing.as_str());
        let told = status.failures.len();
        let failed = status.tags.map_or(0, |tags| tags.failed);
        if self.mirror.suspend {
            return Whereabouts::Suspended;
        }
        let is_current = status.observed_generation == self.generation;
        if let Some(halted) = halted(status).filter(|_| is_current) {
            return Whereabouts::Unusable {
                reason: halted.reason.clone(),
                message: halted.message.clone(),
            };
        }
        let message = if status.observed_generation < 0 {
            "it is selected, and no round has ended yet".to_owned()
        } else if !is_current {
            let runs = if is_running { ", a round runs" } else { "" };
            format!("it is selected, and no round has ended since the spec changed{runs}")
        } else if is_running {
            "it is selected, and a round runs".to_owned()
        } else if usize::try_from(failed).is_ok_and(|failed| failed > told) {
            format!(
                "it is selected and may be among the {failed} tags that failed, of which the status tells {told}: mend these first"
            )
        } else {
            "it is selected and not on record: the source does not have it, or it came after the last round".to_owned()
        };
        Whereabouts::Awaited { message }
    }
}

fn refused(refusal: &RefusalStatus) -> Whereabouts {
    let RefusalStatus {
        image: _,
        policy,
        gate,
        reason,
        message,
        mode: _,
    } = refusal;
    Whereabouts::Refused {
        policy: policy.to_string(),
        gate: gate.clone(),
        reason: reason.clone(),
        message: message.clone(),
    }
}

fn failed(failure: &FailureStatus) -> Whereabouts {
    let FailureStatus {
        image: _,
        destination: _,
        reason,
        message,
        attempts: _,
        next_attempt_time,
    } = failure;
    Whereabouts::Failed {
        reason: reason.clone(),
        message: message.clone(),
        next_attempt_time: next_attempt_time.as_ref().map(|time| time.0),
    }
}
