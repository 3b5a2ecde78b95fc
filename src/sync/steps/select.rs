// SPDX-License-Identifier: Apache-2.0

//! The tags that a mirror wants of what its sources have, with a reason for each that is not.

use std::collections::HashMap;
use std::sync::Arc;

use super::excludes::Excludes;
use super::list::Observed;
use crate::copy::Origin;
use crate::plan::explain::{explain, find_little};
use crate::plan::report::{Failure, MirrorReport};
use crate::plan::{self, ImageEntry, Policy, RepositorySelector, Wanted};
use crate::sync::mirror_round::MirrorRound;
use crate::sync::only::Only;
use crate::sync::sighting::Selected;
use crate::sync::state::Allowance;

/// The tags that the mirror wants of what was observed, each once: what several entries want must pass the gates of all
/// of them.
pub(in crate::sync) fn select(
    allowance: &Allowance,
    round: &mut MirrorRound,
    observed: Vec<Result<Observed<'_>, Failure>>,
) -> Vec<Selected> {
    let mut excludes = Excludes::default();
    let mut selected = Vec::new();
    for observed in observed {
        match observed {
            Ok(observed) => {
                selected.extend(select_of(allowance, round, &mut excludes, observed));
            }
            Err(failure) => round.fail(failure),
        }
    }
    note_idle(&mut round.report, excludes);
    refuse_too_many(allowance, round, merge(selected))
}

/// Takes out everything where it is more than the mirror may select: nothing of it is looked at.
fn refuse_too_many(
    allowance: &Allowance,
    round: &mut MirrorRound,
    selected: Vec<Selected>,
) -> Vec<Selected> {
    let found = selected.len() * round.mirror.destinations.len();
    match allowance.tags {
        Some(most) if found > most => {
            let failure = Failure::too_many_tags(&round.mirror.name, found, most);
            round.fail(failure);
            Vec::new()
        }
        Some(_) | None => selected,
    }
}

fn select_of(
    allowance: &Allowance,
    round: &mut MirrorRound,
    excludes: &mut Excludes,
    observed: Observed<'_>,
) -> Vec<Selected> {
    let Observed {
        entry,
        origin,
        listing,
        unlisted,
        lists,
        times,
        unnamed,
        recorded,
    } = observed;
    let subject = format!("{}/{}", origin.endpoint.name(), origin.repository);
    for failure in lists.failures {
        round.fail_tag(failure);
    }
    if let Some(failure) = unlisted {
        round.fail(failure);
        let mut known = entry.select_known(&listing, &lists.tags, &times);
        if let Some(only) = &round.only {
            limit(&mut known, only, &origin);
        }
        return take(allowance, round, entry, &origin, known);
    }
    let mut selection = match entry.select(&listing, &lists.tags, &times) {
        Ok(selection) => selection,
        Err(error) => {
            round.fail(Failure::selecting(&subject, &error));
            return Vec::new();
        }
    };
    if let Some(only) = &round.only {
        limit(&mut selection, only, &origin);
        return take(allowance, round, entry, &origin, selection);
    }
    let told = selection.excluded.iter();
    let told = told.filter(|(tag, _)| recorded.has(&subject, tag));
    round.selection.add(
        &origin.repository,
        &entry.naming,
        entry.needs_listing(),
        selection.tags.iter().map(|wanted| &wanted.tag),
        told.map(|(tag, reason)| (tag, reason)),
    );
    let is_named = matches!(entry.repository, RepositorySelector::Literal(_));
    if is_named && selection.tags.is_empty() {
        let why = explain(&selection.excluded, unnamed);
        let seen = listing.len() + unnamed;
        round.fail(Failure::nothing_selected(&subject, seen, &why));
    }
    // What is to be known of rules that select less than they ask for.
    for little in find_little(entry, &selection) {
        round.report.note(format!("{subject}: {little}"));
    }
    excludes.watch(entry, &selection);
    take(allowance, round, entry, &origin, selection)
}

/// Leaves only what a round is limited to. It may be gone by now, which is for a whole round to tell.
fn limit(selection: &mut plan::Selected, only: &Only, origin: &Origin) {
    let repository = &origin.repository;
    selection
        .tags
        .retain(|wanted| only.covers(repository, &wanted.tag));
    for wanted in &mut selection.tags {
        wanted.is_optional = true;
    }
}

/// Puts into the report what is selected of a repository and what is not, and hands on what is.
fn take(
    allowance: &Allowance,
    round: &mut MirrorRound,
    entry: &ImageEntry,
    origin: &Origin,
    selection: plan::Selected,
) -> Vec<Selected> {
    let report = &mut round.report;
    let tags = report.select(&round.mirror.source.registry, &origin.repository, selection);
    if !allowance.tells_excluded {
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

/// Says which patterns match nothing, where all tags have been seen.
fn note_idle(report: &mut MirrorReport, excludes: Excludes) {
    let mut failures = report.failures.iter();
    if failures.all(|failure| failure.is_of_tag) {
        for note in excludes.idle() {
            report.note(note);
        }
    }
}

/// Each tag once, with the policies of all entries that want it.
fn merge(selected: Vec<Selected>) -> Vec<Selected> {
    let mut merged: Vec<Selected> = Vec::new();
    let mut places = HashMap::new();
    for tag in selected {
        let key = (tag.origin.repository.clone(), tag.tag.clone());
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
