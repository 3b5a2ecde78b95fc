// SPDX-License-Identifier: Apache-2.0

//! A round of one mirror in the making: what its steps hand on, and what they put into the report on the way.

use std::sync::Arc;

use super::item::Item;
use super::ledger::KeepError;
use super::only::Only;
use super::sighting::Absent;
use crate::plan::Mirror;
use crate::plan::prune::Selection;
use crate::plan::report::{Failure, MirrorReport, Outcome};

/// A round of one mirror.
pub(super) struct MirrorRound {
    pub(super) mirror: Arc<Mirror>,
    /// What is selected, before anything is resolved.
    pub(super) selection: Selection,
    /// What is wanted and does not exist.
    pub(super) absent: Vec<Absent>,
    /// The destination tags, each with what is to be done about it.
    pub(super) items: Vec<Item>,
    pub(super) report: MirrorReport,
    /// What the round is limited to.
    pub(super) only: Option<Only>,
}

impl MirrorRound {
    pub(super) fn new(mirror: &Arc<Mirror>) -> Self {
        Self {
            mirror: mirror.clone(),
            selection: Selection::default(),
            absent: Vec::new(),
            items: Vec::new(),
            report: MirrorReport::new(&mirror.name),
            only: None,
        }
    }

    /// Takes note of what keeps the mirror, or one of its repositories, from being looked at.
    pub(super) fn fail(&mut self, failure: Failure) {
        self.report.failures.push(failure);
    }

    /// Takes note of a tag that failed.
    pub(super) fn fail_tag(&mut self, failure: Failure) {
        let is_of_tag = true;
        self.fail(Failure {
            is_of_tag,
            ..failure
        });
    }

    /// Takes note of records that are not up to date, each of its repository where it is not all of them.
    pub(super) fn fail_records(&mut self, error: &KeepError) {
        if error.pages().next().is_none() {
            self.fail(Failure::unkept(&self.mirror.name, error));
        }
        for (page, error) in error.pages() {
            self.fail(Failure::unkept(page.repository.as_str(), error));
        }
    }

    /// Puts into the report what came of the items, in their order.
    pub(super) fn tell(&mut self, outcomes: Vec<Outcome>) {
        let tags = self.items.iter().zip(outcomes);
        let tags = tags.map(|(item, outcome)| item.sighting.report(outcome));
        self.report.tags.extend(tags);
    }

    /// Whether all that is wanted is looked at, and nothing of it has failed so far. A failure may hide what the mirror
    /// wants.
    pub(super) fn is_complete(&self) -> bool {
        self.only.is_none() && self.report.failures.is_empty() && self.report.tags.is_empty()
    }
}
