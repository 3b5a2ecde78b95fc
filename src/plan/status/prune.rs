// SPDX-License-Identifier: Apache-2.0

//! What pruning came to, as the status tells it.

use jiff::Timestamp;

use crate::api::Reason;
use crate::api::conditions::{self, Holds, PRUNED, Statement};
use crate::api::image_mirror::{ImageMirrorStatus, PruneMode, PruneStatus};
use crate::plan::prune::{PruneReport, Stop};

/// Writes the counts and the condition, or takes them away where nothing is pruned.
pub(super) fn write_prune(
    status: &mut ImageMirrorStatus,
    report: Option<&PruneReport>,
    generation: i64,
    now: Timestamp,
) {
    let Some(report) = report else {
        status.prune = None;
        conditions::remove(&mut status.conditions, PRUNED);
        return;
    };
    let known = status.prune.take().and_then(|prune| prune.approved);
    status.prune = Some(PruneStatus {
        candidates: number(report.candidates()),
        protected: number(report.protected()),
        deleted: number(report.restorable),
        plan: plan(report),
        approved: report.approved.clone().or(known),
    });
    let (holds, reason, message) = judge(report);
    let statement = Statement {
        r#type: PRUNED,
        holds,
        reason,
        message: &message,
        generation,
    };
    conditions::set(&mut status.conditions, &statement, now);
}

/// Says that nothing is pruned, where a round ever said what is.
pub(super) fn halt_prune(
    status: &mut ImageMirrorStatus,
    reason: Reason,
    generation: i64,
    now: Timestamp,
) {
    if conditions::find(&status.conditions, PRUNED).is_none() {
        return;
    }
    let statement = Statement {
        r#type: PRUNED,
        holds: Holds::False,
        reason,
        message: "no round runs, and nothing is deleted",
        generation,
    };
    conditions::set(&mut status.conditions, &statement, now);
}

/// A plan that was carried out is none any more.
fn plan(report: &PruneReport) -> Option<crate::oci::Digest> {
    let is_done = report.deleted() > 0 && report.stop.is_none() && report.failures.is_empty();
    report.plan.clone().filter(|_| !is_done)
}

fn judge(report: &PruneReport) -> (Holds, Reason, String) {
    if let Some(Stop { reason, message }) = &report.stop {
        return (Holds::False, *reason, message.clone());
    }
    let first = report
        .failures
        .iter()
        .min_by_key(|failure| &failure.subject);
    if let Some(failure) = first {
        let message = format!("{}: {}", failure.subject, failure.message);
        return (Holds::False, failure.reason, message);
    }
    let (candidates, protected) = (report.candidates(), report.protected());
    let message = match report.mode {
        PruneMode::Plan => format!(
            "{candidates} candidates, {protected} protected; spec.prune.mode is Plan: nothing is deleted"
        ),
        PruneMode::Delete | PruneMode::Retain => format!(
            "everything that is due is deleted; {candidates} candidates wait for their grace, {protected} are protected"
        ),
    };
    (Holds::True, Reason::Succeeded, message)
}

fn number(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}
