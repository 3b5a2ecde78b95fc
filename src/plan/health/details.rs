// SPDX-License-Identifier: Apache-2.0

//! What single images of a mirror fail with, which of them policies keep out, and how far a Job is that copies.

use crate::api::Reason;
use crate::api::conditions::{self, RECONCILING};
use crate::api::image_mirror::{FailureStatus, ImageMirrorStatus, JobStatus, RefusalStatus};
use crate::api::image_policy::PolicyMode;
use crate::plan::why::Told;

/// What failed, where, how often, and with how many others for the same cause.
pub fn tell_failure(failure: &FailureStatus, others: usize) -> Told {
    let FailureStatus {
        image,
        destination,
        reason,
        message,
        attempts,
        next_attempt_time: _,
    } = failure;
    let at = destination.as_ref();
    let at = at.map_or_else(String::new, |name| format!(" (destination {name})"));
    let others = match others {
        0 => String::new(),
        others => format!(" and {others} more"),
    };
    let times = u64::try_from(*attempts).unwrap_or_default();
    let times = if times > 1 {
        format!(", {times} times")
    } else {
        String::new()
    };
    Told {
        label: "failed",
        text: format!("{image}{at}{others}: {reason}{times}: {message}"),
    }
}

/// How far the Job is that copies for a mirror, and what keeps its pods from running; nothing where there is none.
pub fn tell_job(status: &ImageMirrorStatus) -> Option<Told> {
    let job = status.job.as_ref()?;
    let JobStatus {
        name,
        uid: _,
        indexes,
        succeeded,
        failed,
        stopping,
    } = job;
    // It was written with the numbers, and says why pods do not run.
    let told = conditions::find(&status.conditions, RECONCILING);
    let text = match told {
        _ if *stopping => {
            format!(
                "Job {name} ends: {succeeded} of {indexes} parts are done, and its pods are waited for"
            )
        }
        Some(told) => told.message.clone(),
        None => {
            format!("Job {name} copies: {succeeded} of {indexes} parts are done, {failed} failed")
        }
    };
    Some(Told { label: "job", text })
}

/// What a policy does not admit, does not admit yet, or only reports.
pub fn tell_refusal(refusal: &RefusalStatus) -> Told {
    let RefusalStatus {
        image,
        policy,
        gate,
        reason,
        message,
        mode,
    } = refusal;
    let label = match mode {
        PolicyMode::Audit => "audited",
        PolicyMode::Enforce if *reason == Reason::Quarantined.as_str() => "quarantined",
        PolicyMode::Enforce => "refused",
    };
    Told {
        label,
        text: format!("{image}: {reason} by {policy}, {gate}: {message}"),
    }
}
