// SPDX-License-Identifier: Apache-2.0

//! What an interrupted run did, by what it put on record before each of its deletions.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;

use crate::api::Reason;
use crate::cli::session::Session;
use crate::plan::Mirror;
use crate::plan::prune::{Fate, PruneReport, PrunedTag, Stop, Target, Unwanted};
use crate::plan::report::{Failure, MirrorReport};
use crate::sync::Report;
use crate::sync::ledger::{Slot, Tombstone};

/// What was on record before a run.
pub(super) struct Before {
    /// Why tags are not wanted: nothing is deleted by the run that first finds it so.
    unwanted: HashMap<Slot, Unwanted>,
    deletions: HashSet<(Slot, Timestamp)>,
}

impl Before {
    pub(super) fn of(session: &Session) -> Self {
        let mut before = Self {
            unwanted: HashMap::new(),
            deletions: HashSet::new(),
        };
        for mirror in session.mirrors() {
            for (page, leaf) in session.ledger().leaves(&mirror.name) {
                let unwanted = leaf.records.iter().filter_map(|(tag, record)| {
                    let unwanted = record.unwanted.as_deref()?.clone();
                    Some((page.slot(tag), unwanted))
                });
                before.unwanted.extend(unwanted);
            }
            let deletions = deletions(session, mirror);
            let deletions = deletions.map(|(slot, known, _)| (slot, known.deleted_at));
            before.deletions.extend(deletions);
        }
        before
    }

    /// The report of a run that began after this and did not come to its end.
    pub(super) fn report(&self, session: &Session) -> Report {
        let mirrors = session.mirrors().map(|mirror| MirrorReport {
            prune: Some(self.report_one(session, mirror)),
            ..MirrorReport::new(&mirror.name)
        });
        Report {
            mirrors: mirrors.collect(),
        }
    }

    fn report_one(&self, session: &Session, mirror: &Mirror) -> PruneReport {
        let mut report = PruneReport {
            mode: mirror.prune.mode,
            restorable: session.ledger().deleted(&mirror.name).len(),
            stop: Some(Stop::interrupted()),
            ..PruneReport::default()
        };
        let leaves = session.ledger().leaves(&mirror.name);
        let recorded: usize = leaves.iter().map(|(_, leaf)| leaf.records.len()).sum();
        for (slot, tombstone, fate) in deletions(session, mirror) {
            if self
                .deletions
                .contains(&(slot.clone(), tombstone.deleted_at))
            {
                continue;
            }
            let Some(unwanted) = self.unwanted.get(&slot) else {
                continue;
            };
            let tag = pruned(mirror, slot, tombstone, unwanted, fate);
            if tag.fate == Fate::Failed {
                report.failures.push(unseen(&tag.target));
            }
            report.tags.push(tag);
        }
        report.recorded = recorded + report.deleted();
        report
            .tags
            .sort_by(|left, right| left.target.cmp(&right.target));
        report
    }
}

/// The deletions of a mirror that are on record, and what is known of each.
fn deletions(session: &Session, mirror: &Mirror) -> impl Iterator<Item = (Slot, Tombstone, Fate)> {
    let deleted = session.ledger().deleted(&mirror.name).into_iter();
    let deleted = deleted.map(|(slot, tombstone)| (slot, tombstone, Fate::Deleted));
    let begun = session.ledger().begun(&mirror.name).into_iter();
    deleted.chain(begun.map(|(slot, tombstone)| (slot, tombstone, Fate::Failed)))
}

fn pruned(
    mirror: &Mirror,
    slot: Slot,
    tombstone: Tombstone,
    unwanted: &Unwanted,
    fate: Fate,
) -> PrunedTag {
    PrunedTag {
        target: Target {
            destination: slot.page.destination,
            registry: tombstone.registry,
            repository: slot.page.repository,
            tag: slot.tag,
        },
        source: tombstone.source,
        digest: tombstone.digest,
        reason: unwanted.cause,
        since: unwanted.since,
        due: unwanted.due(mirror.prune.grace),
        shared_with: Vec::new(),
        fate,
    }
}

fn unseen(target: &Target) -> Failure {
    Failure {
        subject: target.to_string(),
        reason: Reason::PrunePaused,
        message: "it was about to be deleted, and may be gone: transship restore finds out"
            .to_owned(),
        next_attempt_time: None,
        is_of_tag: true,
    }
}
