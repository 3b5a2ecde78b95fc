// SPDX-License-Identifier: Apache-2.0

//! How many tags came to what.

use std::collections::BTreeMap;
use std::fmt;

use crate::api::Reason;
use crate::api::image_mirror::Reachable;
use crate::plan::report::{MirrorReport, Outcome};

/// How many of the selected tags came to what. A tag counts once, whatever the number of destinations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) selected: usize,
    pub(super) synced: usize,
    pub(super) pending: usize,
    pub(super) failed: usize,
    pub(super) frozen: usize,
    pub(super) refused: usize,
    pub(super) quarantined: usize,
    /// By name.
    pub(super) destinations: BTreeMap<String, DestinationCounts>,
}

/// How many tags came to what at one destination.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct DestinationCounts {
    pub(super) synced: usize,
    pub(super) failed: usize,
    /// Failures in which the registry answered, and tags there that policies do not admit.
    pub(super) answered: usize,
    /// Of the failures, those in which it did not.
    pub(super) unreachable: usize,
}

/// What became of a tag at all of its destinations: the worst counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum End {
    Synced,
    Frozen,
    Pending,
    Quarantined,
    Refused,
    Failed,
}

/// Counts the tags of a report.
pub(super) fn count(report: &MirrorReport) -> Counts {
    let mut ends: BTreeMap<&str, End> = BTreeMap::new();
    let mut counts = Counts::default();
    for failure in report.failures.iter().filter(|failure| failure.is_of_tag) {
        ends.insert(&failure.subject, End::Failed);
    }
    for tag in &report.tags {
        let destination = counts.destinations.entry(tag.destination.clone());
        let end = destination.or_default().count(&tag.outcome);
        let worst = ends.entry(&tag.source).or_insert(end);
        *worst = end.max(*worst);
    }
    counts.selected = ends.len();
    for end in ends.into_values() {
        let count = match end {
            End::Synced => &mut counts.synced,
            End::Frozen => &mut counts.frozen,
            End::Pending => &mut counts.pending,
            End::Quarantined => &mut counts.quarantined,
            End::Refused => &mut counts.refused,
            End::Failed => &mut counts.failed,
        };
        *count += 1;
    }
    counts
}

// === impl Counts ===

/// The beginning of the message of `Ready`.
impl fmt::Display for Counts {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            selected,
            synced,
            pending: _,
            failed: _,
            frozen,
            refused,
            quarantined,
            destinations: _,
        } = self;
        write!(formatter, "{synced} of {selected} tags are synced")?;
        for (count, word) in [
            (frozen, "frozen"),
            (refused, "refused"),
            (quarantined, "quarantined"),
        ] {
            if *count > 0 {
                write!(formatter, ", {count} {word}")?;
            }
        }
        Ok(())
    }
}

// === impl DestinationCounts ===

impl DestinationCounts {
    fn count(&mut self, outcome: &Outcome) -> End {
        match outcome {
            Outcome::Unchanged
            | Outcome::Copied { .. }
            | Outcome::Retagged { .. }
            | Outcome::Completed { .. } => {
                self.synced += 1;
                End::Synced
            }
            Outcome::Frozen => End::Frozen,
            Outcome::Planned { .. } => End::Pending,
            Outcome::Refused(_) => {
                self.answered += 1;
                End::Refused
            }
            Outcome::Quarantined(_) => {
                self.answered += 1;
                End::Quarantined
            }
            Outcome::Failed(failure) => {
                self.failed += 1;
                match answered(failure.reason) {
                    Some(true) => self.answered += 1,
                    Some(false) => self.unreachable += 1,
                    None => {}
                }
                End::Failed
            }
        }
    }

    /// Whether the registry answered: one answer is proof, and so is one refusal.
    pub(super) fn reachable(&self) -> Reachable {
        let Self {
            synced,
            failed: _,
            answered,
            unreachable,
        } = *self;
        match (synced + answered > 0, unreachable > 0) {
            (true, _) => Reachable::True,
            (false, true) => Reachable::False,
            (false, false) => Reachable::Unknown,
        }
    }
}

/// Whether a failure shows that a registry answered; None where it shows neither, as where it was not asked.
fn answered(reason: Reason) -> Option<bool> {
    let is_silence = matches!(reason, Reason::Unreachable | Reason::TlsError);
    let is_answer = matches!(
        reason,
        Reason::NotFound
            | Reason::RepositoryMissing
            | Reason::TagImmutable
            | Reason::RateLimited
            | Reason::QuotaExceeded
            | Reason::SparseIndexRefused
    );
    (is_silence || is_answer).then_some(is_answer)
}
