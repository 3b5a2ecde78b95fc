// SPDX-License-Identifier: Apache-2.0

//! What the steps of a round hand on, and what they put into the report on the way.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::Allowance;
use super::apply::Unkept;
use super::claims::{Claims, Wish};
use super::excludes::Excludes;
use super::item::Item;
use super::ledger::{Ledger, Slot};
use super::observe::Observed;
use super::sighting::{Absent, Image, Missed, Selected, Sighted, Sighting};
use crate::plan::conflicts::Conflict;
use crate::plan::explain::{explain, find_little};
use crate::plan::gates::{Conclusion, Verdict, Voucher};
use crate::plan::prune::Selection;
use crate::plan::report::{Excluded, Failure, MirrorReport, Outcome, Report};
use crate::plan::{self, ImageEntry, Mirror, NotSelected, Policy, RepositorySelector, Wanted};
use crate::runtime::memory::{self, HeldMemory};

/// What a tag at a destination takes in a round with all that becomes of it, in bytes, about.
const TAG_BYTES: usize = 1_024;

/// The report of a round in the making.
pub(super) struct Collected<'a> {
    mirrors: &'a [&'a Mirror],
    allowance: &'a Allowance,
    reports: Vec<MirrorReport>,
    /// What is selected of each mirror, before anything is resolved.
    selections: Vec<Selection>,
    /// What is wanted and does not exist, with the place of its mirror.
    absent: Vec<(usize, Absent)>,
    excludes: Excludes,
}

impl<'a> Collected<'a> {
    pub(super) fn new(mirrors: &'a [&'a Mirror], allowance: &'a Allowance) -> Self {
        let reports = mirrors
            .iter()
            .map(|mirror| MirrorReport::new(&mirror.name))
            .collect();
        Self {
            mirrors,
            allowance,
            reports,
            selections: vec![Selection::default(); mirrors.len()],
            absent: Vec::new(),
            excludes: Excludes::default(),
        }
    }

    /// The tags that the mirrors want of what was observed, each once: what several entries want must
    /// pass the gates of all of them.
    pub(super) fn select(
        &mut self,
        observed: Vec<Vec<Result<Observed<'_>, Failure>>>,
    ) -> Vec<Selected> {
        let mut selected = Vec::new();
        for (mirror, observed) in observed.into_iter().enumerate() {
            for observed in observed {
                match observed {
                    Ok(observed) => selected.extend(self.select_of(mirror, observed)),
                    Err(failure) => self.fail(mirror, failure),
                }
            }
        }
        self.note_idle();
        self.refuse_too_many(merge(selected))
    }

    /// Takes out the mirrors that select more tags than they may: nothing of them is looked at.
    fn refuse_too_many(&mut self, mut selected: Vec<Selected>) -> Vec<Selected> {
        let Some(most) = self.allowance.tags else {
            return selected;
        };
        for (index, mirror) in self.mirrors.iter().enumerate() {
            let tags = selected.iter().filter(|one| one.mirror == index);
            let found = tags.count() * mirror.destinations.len();
            if found > most {
                let failure = Failure::too_many_tags(&mirror.name, found, most);
                if let Some(report) = self.reports.get_mut(index) {
                    report.failures.push(failure);
                }
                selected.retain(|one| one.mirror != index);
            }
        }
        selected
    }

    /// Makes room for what becomes of the selected tags in the round. Without it nothing of them is looked at.
    pub(super) fn weigh(&mut self, selected: Vec<Selected>) -> (Vec<Selected>, HeldMemory) {
        let destinations = |mirror: usize| {
            let mirror = self.mirrors.get(mirror);
            mirror.map_or(0, |mirror| mirror.destinations.len())
        };
        let tags: usize = selected.iter().map(|one| destinations(one.mirror)).sum();
        match memory::hold(tags * TAG_BYTES) {
            Ok(held) => (selected, held),
            Err(full) => {
                for (index, mirror) in self.mirrors.iter().enumerate() {
                    self.fail(index, Failure::full(&mirror.name, full));
                }
                (Vec::new(), HeldMemory::default())
            }
        }
    }

    fn select_of(&mut self, mirror: usize, observed: Observed<'_>) -> Vec<Selected> {
        let Observed {
            entry,
            origin,
            listing,
            lists,
            times,
            unnamed,
            recorded,
        } = observed;
        let subject = format!("{}/{}", origin.endpoint.name(), origin.repository);
        for failure in lists.failures {
            self.fail_tag(mirror, failure);
        }
        let selection = match entry.select(&listing, &lists.tags, &times) {
            Ok(selection) => selection,
            Err(error) => {
                self.fail(mirror, Failure::selecting(&subject, &error));
                return Vec::new();
            }
        };
        let told = selection.excluded.iter();
        let told = told.filter(|(tag, _)| recorded.has(&subject, tag));
        if let Some(known) = self.selections.get_mut(mirror) {
            known.add(
                &origin.repository,
                &entry.naming,
                entry.needs_listing(),
                selection.tags.iter().map(|wanted| &wanted.tag),
                told.map(|(tag, reason)| (tag, reason)),
            );
        }
        let is_named = matches!(entry.repository, RepositorySelector::Literal(_));
        if is_named && selection.tags.is_empty() {
            let why = explain(&selection.excluded, unnamed);
            let failure = Failure::nothing_selected(&subject, listing.len() + unnamed, &why);
            self.fail(mirror, failure);
        }
        self.note(mirror, &subject, entry, &selection);
        let (Some(report), Some(of)) = (self.reports.get_mut(mirror), self.mirrors.get(mirror))
        else {
            return Vec::new();
        };
        let tags = report.select(&of.source.registry, &origin.repository, selection);
        if !self.allowance.tells_excluded {
            report.excluded = Vec::new();
        }
        let policies = entry.policies.iter();
        let gated: Arc<[Arc<Policy>]> = policies
            .filter(|policy| policy.gates.is_some())
            .cloned()
            .collect();
        let selected = |wanted| {
            let Wanted {
                tag,
                selected_by,
                pin,
                is_optional,
            } = wanted;
            Selected {
                mirror,
                origin: origin.clone(),
                tag,
                pin,
                is_optional,
                namings: vec![entry.naming.clone()],
                selected_by,
                policies: gated.clone(),
            }
        };
        tags.into_iter().map(selected).collect()
    }

    /// What is to be known of rules that select less than they ask for, and of patterns that match nothing.
    fn note(
        &mut self,
        mirror: usize,
        subject: &str,
        entry: &ImageEntry,
        selection: &plan::Selected,
    ) {
        self.excludes.watch(mirror, entry, selection);
        if let Some(report) = self.reports.get_mut(mirror) {
            for little in find_little(entry, selection) {
                report.note(format!("{subject}: {little}"));
            }
        }
    }

    /// Says which patterns match nothing, where all tags have been seen.
    fn note_idle(&mut self) {
        for (mirror, note) in std::mem::take(&mut self.excludes).idle() {
            let report = self.reports.get_mut(mirror);
            let is_seen = |report: &&mut MirrorReport| {
                let mut failures = report.failures.iter();
                failures.all(|failure| failure.is_of_tag)
            };
            if let Some(report) = report.filter(is_seen) {
                report.note(note);
            }
        }
    }

    /// The destination tags that could be looked at; the others are failures of their tags.
    pub(super) fn keep(&mut self, sighted: Vec<Sighted>) -> Vec<Sighting> {
        let mut kept = Vec::new();
        for Sighted {
            mirror,
            sightings,
            failures,
            absent,
        } in sighted
        {
            if let Some(absent) = absent {
                self.leave_absent(mirror, absent);
            }
            for failure in failures {
                self.fail_tag(mirror, failure);
            }
            for sighting in sightings {
                match sighting {
                    Ok(sighting) => kept.push(sighting),
                    Err(missed) => self.miss(missed),
                }
            }
        }
        kept
    }

    /// A tag that need not exist is wanted all the same.
    fn leave_absent(&mut self, mirror: usize, absent: Absent) {
        if let Some(report) = self.reports.get_mut(mirror) {
            report.excluded.push(Excluded {
                source: absent.source.clone(),
                reason: NotSelected::Absent,
            });
        }
        self.absent.push((mirror, absent));
    }

    fn miss(&mut self, missed: Missed) {
        let Missed {
            image,
            claim,
            failure,
        } = missed;
        let mirror = self.mirrors.get(image.mirror);
        let destination = mirror.and_then(|mirror| mirror.destinations.get(claim.destination));
        let destination = destination.map_or("", |destination| &destination.name);
        let tag = image.report(destination, &claim, Outcome::Failed(failure));
        if let Some(report) = self.reports.get_mut(image.mirror) {
            report.tags.push(tag);
        }
    }

    /// Takes out the mirrors that would write what another image or mirror has: nothing of them is written.
    pub(super) fn settle_conflicts(
        &mut self,
        claims: &mut Claims,
        mut sightings: Vec<Sighting>,
    ) -> Vec<Sighting> {
        let mut stalled = BTreeSet::new();
        // A failure may hide what the mirror wants.
        let wishes: Vec<Wish<'_>> = sightings
            .iter()
            .map(|sighting| Wish {
                mirror: sighting.image.mirror,
                source: &sighting.image.source,
                claim: &sighting.claim,
                digest: &sighting.expected,
            })
            .collect();
        let is_complete = |index| self.reports.get(index).is_some_and(is_complete);
        let conflicts = claims.settle(self.mirrors, is_complete, &wishes);
        for (index, absent) in std::mem::take(&mut self.absent) {
            if let Some(mirror) = self.mirrors.get(index) {
                claims.withhold_absent(mirror, &absent);
            }
        }
        for (index, Conflict { claim: _, kind }) in conflicts {
            if let Some(Sighting { image, claim, .. }) = sightings.get(index) {
                stalled.insert(image.mirror);
                self.fail(image.mirror, Failure::conflict(&claim.to_string(), &kind));
            }
        }
        sightings.retain(|sighting| !stalled.contains(&sighting.image.mirror));
        sightings
    }

    /// Takes note of what the policies made of an image; nothing becomes of one that they could not judge.
    pub(super) fn judge(
        &mut self,
        image: &Image,
        judgement: Result<Conclusion, Failure>,
    ) -> Option<(Verdict, Option<Voucher>)> {
        match judgement {
            Ok(conclusion) => {
                let report = self.reports.get_mut(image.mirror)?;
                Some(report.judge(&image.source.to_string(), conclusion))
            }
            Err(failure) => {
                self.fail_tag(image.mirror, failure);
                None
            }
        }
    }

    /// Forgets since when tags have waited that are no longer wanted. What was not seen because
    /// something failed may be wanted all the same.
    pub(super) fn keep_waiting(&self, ledger: &Ledger, waiting: &BTreeSet<Slot>) {
        for report in &self.reports {
            if is_complete(report) {
                ledger.wait_only_for(&report.mirror, waiting);
            }
        }
    }

    /// The mirrors whose records could not be kept.
    pub(super) fn miss_records(&mut self, unkept: Vec<Unkept>) {
        for (mirror, error) in unkept {
            let name = self.mirrors.get(mirror).map_or("", |mirror| &mirror.name);
            self.fail(mirror, Failure::unkept(name, &error));
        }
    }

    /// The report of the whole round, and what was selected of each mirror.
    pub(super) fn report(
        mut self,
        items: &[Item],
        outcomes: Vec<Outcome>,
    ) -> (Report, Vec<Selection>) {
        for (Item { sighting, .. }, outcome) in items.iter().zip(outcomes) {
            if let Some(report) = self.reports.get_mut(sighting.image.mirror) {
                report.tags.push(sighting.report(outcome));
            }
        }
        let report = Report {
            mirrors: self.reports,
        };
        (report, self.selections)
    }

    fn fail_tag(&mut self, mirror: usize, failure: Failure) {
        let is_of_tag = true;
        self.fail(
            mirror,
            Failure {
                is_of_tag,
                ..failure
            },
        );
    }

    fn fail(&mut self, mirror: usize, failure: Failure) {
        if let Some(report) = self.reports.get_mut(mirror) {
            report.failures.push(failure);
        }
    }
}

/// Whether nothing that was wanted of the mirror has failed so far.
fn is_complete(report: &MirrorReport) -> bool {
    report.failures.is_empty() && report.tags.is_empty()
}

/// Each tag once, with the policies of all entries that want it.
fn merge(selected: Vec<Selected>) -> Vec<Selected> {
    let mut merged: Vec<Selected> = Vec::new();
    let mut places = HashMap::new();
    for tag in selected {
        let key = (tag.mirror, tag.origin.repository.clone(), tag.tag.clone());
        let place = *places.entry(key).or_insert(merged.len());
        match merged.get_mut(place) {
            Some(known) => known.add(tag),
            None => merged.push(tag),
        }
    }
    merged
}

impl Selected {
    /// Takes over what another entry says that wants the same tag.
    fn add(&mut self, other: Self) {
        let Self {
            mirror: _,
            origin: _,
            tag: _,
            pin,
            is_optional,
            namings,
            selected_by,
            policies,
        } = other;
        // Only an entry that names the repository in full pins tags, and there is one such entry.
        self.pin = self.pin.take().or(pin);
        self.is_optional &= is_optional;
        for naming in namings {
            if !self.namings.contains(&naming) {
                self.namings.push(naming);
            }
        }
        for selector in selected_by {
            if !self.selected_by.contains(&selector) {
                self.selected_by.push(selector);
            }
        }
        let is_new = |policy: &&Arc<Policy>| {
            let mut known = self.policies.iter();
            !known.any(|known| known.name == policy.name)
        };
        let new: Vec<Arc<Policy>> = policies.iter().filter(is_new).cloned().collect();
        if !new.is_empty() {
            self.policies = self.policies.iter().cloned().chain(new).collect();
        }
    }
}
