// SPDX-License-Identifier: Apache-2.0

//! The bounded lists of a status.

use jiff::Timestamp;

use super::counts::Counts;
use super::round::{Round, failures};
use super::tries::Tries;
use crate::api::image_mirror::{
    Action, DestinationStatus, FAILURES, FailureStatus, HISTORY, ImageMirrorStatus, MESSAGE_LENGTH,
    RECENT, RecentCopy, RoundResult, RoundSummary, TagCounts,
};
use crate::api::time::whole_seconds;
use crate::plan::prune::PruneReport;
use crate::plan::report::{MirrorReport, Outcome, TagReport, Totals};

/// Writes how far the mirror and its destinations are.
pub(super) fn write_counts(status: &mut ImageMirrorStatus, counts: &Counts) {
    let Counts {
        selected,
        synced,
        pending,
        failed,
        frozen,
        refused,
        quarantined,
        destinations,
    } = counts;
    status.synced = Some(format!("{}/{selected}", synced + frozen));
    status.tags = Some(TagCounts {
        selected: number(*selected),
        synced: number(*synced),
        pending: number(*pending),
        failed: number(*failed),
        refused: number(*refused),
        quarantined: number(*quarantined),
        frozen: number(*frozen),
    });
    status.destinations = destinations
        .iter()
        .map(|(name, counts)| DestinationStatus {
            name: name.clone(),
            synced: number(counts.synced),
            failed: number(counts.failed),
            reachable: counts.reachable(),
        })
        .collect();
}

/// Writes what failed, and how often in a row.
pub(super) fn write_failures(
    status: &mut ImageMirrorStatus,
    previous: &ImageMirrorStatus,
    tries: &Tries,
    report: &MirrorReport,
    next: Option<Timestamp>,
) {
    let mut failures: Vec<FailureStatus> = failures(report)
        .map(|(destination, failure)| FailureStatus {
            image: failure.subject.clone(),
            destination: destination.map(str::to_owned),
            reason: failure.reason.to_string(),
            message: failure.message.chars().take(MESSAGE_LENGTH).collect(),
            attempts: 1,
            next_attempt_time: failure.next_attempt_time.or(next).map(whole_seconds),
        })
        .collect();
    failures.sort_by(|left, right| {
        (&left.image, &left.destination).cmp(&(&right.image, &right.destination))
    });
    failures.truncate(FAILURES);
    tries.count(&mut failures, previous);
    status.failures = failures;
}

/// Writes the tags that were written and the round, where it changed something.
pub(super) fn write_round(status: &mut ImageMirrorStatus, round: &Round<'_>) {
    let totals = Totals::of(round.report);
    let result = if failures(round.report).next().is_some() {
        RoundResult::Failed
    } else {
        RoundResult::Succeeded
    };
    let written = totals.copied + totals.retagged + totals.completed;
    let pruned = round.report.prune.as_ref().map_or(0, PruneReport::deleted);
    let is_first_of_its_result = status.history.first().map(|last| last.result) != Some(result);
    let is_in_sync_again = is_first_of_its_result && result == RoundResult::Succeeded;
    if written > 0 || pruned > 0 || is_in_sync_again {
        status.last_sync_time = Some(whole_seconds(round.ended));
    }
    if written == 0 && !is_first_of_its_result {
        return;
    }
    // What moved is told before what is new.
    let is_moved = |tag: &&TagReport| tag.previous_digest.is_some();
    let tags = &round.report.tags;
    let moved = tags.iter().filter(is_moved);
    let former = moved.clone().count();
    let mut recent: Vec<RecentCopy> = moved
        .chain(tags.iter().filter(|tag| !is_moved(tag)))
        .filter_map(|tag| {
            let (digest, action) = match &tag.outcome {
                Outcome::Copied { digest, .. } => (digest, Action::Copied),
                Outcome::Retagged { digest } => (digest, Action::Retagged),
                Outcome::Completed { digest, .. } => (digest, Action::Completed),
                Outcome::Unchanged
                | Outcome::Planned { .. }
                | Outcome::Frozen
                | Outcome::Refused(_)
                | Outcome::Quarantined(_)
                | Outcome::Failed(_) => return None,
            };
            Some(RecentCopy {
                image: tag.target.clone(),
                destination: tag.destination.clone(),
                digest: digest.clone(),
                source_digest: tag.source_digest.clone(),
                previous_digest: tag.previous_digest.clone(),
                action,
                time: whole_seconds(round.ended),
            })
        })
        .take(RECENT)
        .collect();
    recent.append(&mut status.recent);
    recent.truncate(RECENT);
    status.recent = recent;
    let summary = RoundSummary {
        start_time: whole_seconds(round.began),
        end_time: whole_seconds(round.ended),
        result,
        copied: number(written),
        moved: number(former),
        bytes: i64::try_from(totals.bytes).unwrap_or(i64::MAX),
    };
    status.history.insert(0, summary);
    status.history.truncate(HISTORY);
}

fn number(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}
