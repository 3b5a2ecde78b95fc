// SPDX-License-Identifier: Apache-2.0

//! Why nothing or little is selected: which rule left how many out, and the tags that came closest.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use super::entry::ImageEntry;
use super::select::{NotSelected, Selected};
use super::selector::Selector;
use crate::oci::Tag;
use crate::policy::select::{Exclusion, Rule};
use crate::policy::{Version, natural};

/// How many tags are named that came closest.
const CLOSEST: usize = 3;

/// Why the listed tags of a repository are left out; empty where none is. So many more are not named at all.
pub fn explain(excluded: &[(Tag, NotSelected)], unnamed: usize) -> String {
    let count = |is_so: fn(&NotSelected) -> bool| {
        let reasons = excluded.iter().map(|(_, reason)| reason);
        reasons.filter(|reason| is_so(reason)).count()
    };
    let mut parts = Vec::new();
    match unnamed + count(|reason| *reason == NotSelected::NotNamed) {
        0 => {}
        count => parts.push(format!("{count} not among the entry's tags")),
    }
    match count(|reason| *reason == NotSelected::Referrers) {
        0 => {}
        count => parts.push(format!("{count} copied with their images")),
    }
    let by_rule = of_selectors(excluded);
    let selectors: Vec<&Selector> = by_rule.keys().copied().collect();
    parts.extend(selectors.iter().filter_map(|selector| {
        let counts = tell_counts(by_rule.get(*selector)?);
        Some(format!("{selector} leaves out {counts}"))
    }));
    let closest = tell_closest(judged(excluded));
    parts.extend((!closest.is_empty()).then(|| format!("closest: {closest}")));
    parts.join("; ")
}

/// What is said of rules that select less than they ask for: none at all, or fewer than `newest` would take.
pub fn find_little(entry: &ImageEntry, selected: &Selected) -> Vec<String> {
    let by_rule = of_selectors(&selected.excluded);
    let taken = |selector: &Selector| {
        let mut taken = selected.taken.iter();
        taken.find_map(|(known, count)| (known == selector).then_some(*count))
    };
    let told = entry.selectors().filter_map(|(selector, rules)| {
        let counts = by_rule.get(&selector)?;
        let asked = rules.newest.map_or(1, |newest| newest.count);
        let taken = taken(&selector).filter(|taken| *taken < asked)?;
        let of_it = judged(&selected.excluded).filter(|(_, known, _)| **known == selector);
        Some(format!(
            "{selector} selects {taken} and leaves out {}; closest: {}",
            tell_counts(counts),
            tell_closest(of_it)
        ))
    });
    told.collect()
}

/// How many tags each rule of each selector leaves out.
fn of_selectors(excluded: &[(Tag, NotSelected)]) -> BTreeMap<&Selector, BTreeMap<Rule, usize>> {
    let mut by_rule: BTreeMap<&Selector, BTreeMap<Rule, usize>> = BTreeMap::new();
    for (_, selector, exclusion) in judged(excluded) {
        let counts = by_rule.entry(selector).or_default();
        *counts.entry(exclusion.rule()).or_default() += 1;
    }
    by_rule
}

/// The tags that rules leave out, once for each of the rules.
fn judged(excluded: &[(Tag, NotSelected)]) -> impl Iterator<Item = (&Tag, &Selector, &Exclusion)> {
    excluded.iter().flat_map(|(tag, reason)| {
        let reasons = match reason {
            NotSelected::Policies(reasons) => reasons.as_slice(),
            NotSelected::NotNamed | NotSelected::Referrers | NotSelected::Absent => &[],
        };
        let reasons = reasons.iter();
        reasons.map(move |(selector, exclusion)| (tag, selector, exclusion))
    })
}

fn tell_counts(counts: &BTreeMap<Rule, usize>) -> String {
    let counts = counts.iter();
    let told: Vec<String> = counts
        .map(|(rule, count)| format!("{count} by {}", rule.as_str()))
        .collect();
    told.join(", ")
}

/// The tags that passed most rules; of those outside of a range the nearest to it on both sides, of others the
/// last in natural order.
fn tell_closest<'a>(
    judged: impl Iterator<Item = (&'a Tag, &'a Selector, &'a Exclusion)>,
) -> String {
    let mut best: BTreeMap<&Tag, &Exclusion> = BTreeMap::new();
    for (tag, _, exclusion) in judged {
        let known = best.entry(tag).or_insert(exclusion);
        if exclusion.rule() > known.rule() {
            *known = exclusion;
        }
    }
    let Some(furthest) = best.values().map(|exclusion| exclusion.rule()).max() else {
        return String::new();
    };
    // A tag that is no version is farther from a range than one that is.
    let is_no_version = |exclusion: &Exclusion| *exclusion == Exclusion::NotAVersion;
    let mut close: Vec<(&Tag, &Exclusion)> = best
        .into_iter()
        .filter(|(_, exclusion)| exclusion.rule() == furthest)
        .collect();
    close.sort_by(|(left, _), (right, _)| compare(right, left));
    close.sort_by_key(|(_, exclusion)| is_no_version(exclusion));
    let (mut above, others): (Vec<_>, Vec<_>) = close
        .into_iter()
        .partition(|(tag, exclusion)| is_above(tag, exclusion));
    above.reverse();
    let mut sides = (others.into_iter(), above.into_iter());
    let nearest = std::iter::from_fn(|| {
        let next = sides.0.next().or_else(|| sides.1.next());
        std::mem::swap(&mut sides.0, &mut sides.1);
        next
    });
    let told: Vec<String> = nearest
        .take(CLOSEST)
        .map(|(tag, exclusion)| format!("{tag} ({exclusion})"))
        .collect();
    told.join(", ")
}

fn compare(left: &Tag, right: &Tag) -> Ordering {
    let versions = Version::parse(left).cmp(&Version::parse(right));
    versions.then_with(|| natural::compare(left.as_str(), right.as_str()))
}

/// Whether a tag lies above the range that it is outside of.
fn is_above(tag: &Tag, exclusion: &Exclusion) -> bool {
    let Exclusion::OutOfRange { range } = exclusion else {
        return false;
    };
    Version::parse(tag).is_some_and(|version| range.lies_below(&version))
}

#[cfg(test)]
#[path = "explain_tests.rs"]
mod tests;
