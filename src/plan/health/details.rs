// SPDX-License-Identifier: Apache-2.0

//! What single images of a mirror fail with, and which of them policies keep out.

use crate::api::Reason;
use crate::api::image_mirror::{FailureStatus, RefusalStatus};
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
