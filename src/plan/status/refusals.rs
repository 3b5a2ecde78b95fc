// SPDX-License-Identifier: Apache-2.0

//! What policies do not admit, as the status tells it.

use std::collections::BTreeSet;

use crate::api::image_mirror::{ImageMirrorStatus, MESSAGE_LENGTH, REFUSALS, RefusalStatus};
use crate::api::image_policy::PolicyMode;
use crate::plan::gates::{Quarantine, Refusal};
use crate::plan::report::{Audited, MirrorReport, Outcome};

/// Which refusals are told first, then the image, then the policy.
type Place<'a> = (Urgency, &'a str, &'a str);

/// What is told first: what stays out for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Urgency {
    Refused,
    Quarantined,
    Audited,
}

/// Writes the images that policies do not admit, each once, whatever the number of destinations.
pub(super) fn write_refusals(status: &mut ImageMirrorStatus, report: &MirrorReport) {
    let mut refusals: Vec<(Place<'_>, &Refusal)> = refusals(report).collect();
    refusals.sort_by_key(|(place, _)| *place);
    let mut seen = BTreeSet::new();
    refusals.retain(|(place, _)| seen.insert(*place));
    status.refusals = refusals
        .into_iter()
        .take(REFUSALS)
        .map(|((urgency, image, _), refusal)| tell(urgency, image, refusal))
        .collect();
}

fn refusals(report: &MirrorReport) -> impl Iterator<Item = (Place<'_>, &Refusal)> {
    let withheld = report.tags.iter().filter_map(|tag| {
        let (urgency, refusal) = match &tag.outcome {
            Outcome::Refused(refusal) => (Urgency::Refused, refusal),
            Outcome::Quarantined(Quarantine { until: _, refusal }) => {
                (Urgency::Quarantined, refusal)
            }
            Outcome::Unchanged
            | Outcome::Planned { .. }
            | Outcome::Copied { .. }
            | Outcome::Retagged { .. }
            | Outcome::Completed { .. }
            | Outcome::Frozen
            | Outcome::Failed(_) => return None,
        };
        Some((
            (urgency, tag.source.as_str(), refusal.policy.as_str()),
            refusal,
        ))
    });
    let audited = report.audited.iter().map(|Audited { source, refusal }| {
        let place = (Urgency::Audited, source.as_str(), refusal.policy.as_str());
        (place, refusal)
    });
    withheld.chain(audited)
}

fn tell(urgency: Urgency, image: &str, refusal: &Refusal) -> RefusalStatus {
    let Refusal {
        policy,
        gate,
        reason,
        message,
    } = refusal;
    RefusalStatus {
        image: image.to_owned(),
        policy: policy.clone(),
        gate: gate.to_string(),
        reason: reason.to_string(),
        message: message.chars().take(MESSAGE_LENGTH).collect(),
        mode: match urgency {
            Urgency::Refused | Urgency::Quarantined => PolicyMode::Enforce,
            Urgency::Audited => PolicyMode::Audit,
        },
    }
}
