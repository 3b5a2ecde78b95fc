// SPDX-License-Identifier: Apache-2.0

//! Which tags to take, and why the others are not taken.

mod exclusion;
mod newest;
mod reading;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::exclusion::{Exclusion, Rule};
use self::newest::{Lack, Late};
pub use self::newest::{Newest, NewestBy, NewestPer, NewestVariants};
pub use self::reading::Candidate;
use self::reading::Reading;
use super::{Extract, Pattern, Range, Version};
use crate::oci::Tag;

/// The rules of one policy. Every rule that is there must hold.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// Patterns of which one must match; any tag where there are none.
    pub include: Vec<Pattern>,
    /// Patterns of which none may match.
    pub exclude: Vec<Pattern>,
    /// The part of a tag that is read as version, number or name; the whole where there is none.
    pub extract: Option<Extract>,
    /// The versions that are wanted.
    pub versions: Option<Versions>,
    /// Only the newest of what the other rules leave.
    pub newest: Option<Newest>,
    /// More than this is an error.
    pub limit: Option<usize>,
}

/// The versions that are wanted.
#[derive(Clone, Debug)]
pub struct Versions {
    /// The range they lie in.
    pub range: Range,
    /// Whether prereleases are taken.
    pub prereleases: Prereleases,
}

/// Whether prereleases are taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Prereleases {
    /// Leaves them out.
    #[default]
    Exclude,
    /// Takes them where the range allows.
    Include,
}

/// What the rules say about all candidates; both lists in the order of the candidates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    /// The tags to take.
    pub selected: Vec<Tag>,
    /// The others, each with its reason.
    pub excluded: Vec<(Tag, Exclusion)>,
}

/// More tags pass than `limit` allows.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{selected} tags are selected, more than the limit of {limit}: narrow the selection or raise the limit"
)]
pub struct LimitExceeded {
    /// Tags that pass.
    pub selected: usize,
    /// The limit.
    pub limit: usize,
}

// === impl Rules ===

impl Rules {
    /// Divides the candidates into those to take and those not to take.
    pub fn select(&self, candidates: &[Candidate]) -> Result<Selection, LimitExceeded> {
        let mut judged: Vec<Result<Reading<'_>, Exclusion>> = self.judge(candidates).collect();
        if let Some(newest) = self.newest {
            self.leave_newest(newest, &mut judged);
        }
        let mut selection = Selection {
            selected: Vec::new(),
            excluded: Vec::new(),
        };
        for (candidate, judgement) in candidates.iter().zip(judged) {
            let tag = candidate.tag.clone();
            match judgement {
                Ok(_) => selection.selected.push(tag),
                Err(exclusion) => selection.excluded.push((tag, exclusion)),
            }
        }
        let selected = selection.selected.len();
        match self.limit {
            Some(limit) if selected > limit => Err(LimitExceeded { selected, limit }),
            Some(_) | None => Ok(selection),
        }
    }

    /// The patterns of `exclude` that match no candidate, whatever other rules say of those.
    pub fn idle_excludes<'a>(
        &'a self,
        candidates: &'a [Candidate],
    ) -> impl Iterator<Item = &'a Pattern> {
        let is_idle = |pattern: &&Pattern| {
            let mut candidates = candidates.iter();
            !candidates.any(|candidate| pattern.matches(&candidate.tag))
        };
        self.exclude.iter().filter(is_idle)
    }

    /// Whether it must be known when images were built.
    pub fn needs_created(&self) -> bool {
        self.newest
            .is_some_and(|newest| newest.by == NewestBy::Created)
    }

    /// The candidates among which the newest are found.
    pub fn leave<'a>(&self, candidates: &'a [Candidate]) -> impl Iterator<Item = &'a Tag> {
        let judged = candidates.iter().zip(self.judge(candidates));
        judged.filter_map(|(candidate, judgement)| judgement.ok().map(|_| &candidate.tag))
    }

    /// What the rules make of each candidate that look at one tag alone, whatever is known of its times.
    fn judge<'a>(
        &self,
        candidates: &'a [Candidate],
    ) -> impl Iterator<Item = Result<Reading<'a>, Exclusion>> {
        candidates.iter().map(|candidate| {
            self.judge_name(&candidate.tag)?;
            let extract = self.extract.as_ref();
            let reading = Reading::new(candidate, extract, self.takes_single());
            let Some(reading) = reading else {
                let pattern = extract.map(|extract| extract.pattern().clone());
                return Err(pattern.map_or(Exclusion::NotIncluded, |pattern| {
                    Exclusion::NotExtracted { pattern }
                }));
            };
            self.judge_version(reading.version.as_ref())?;
            match self.newest.and_then(|newest| newest.lack(&reading)) {
                Some(Lack::Version) => Err(Exclusion::NotAVersion),
                Some(Lack::Number) => Err(Exclusion::NotANumber),
                None => Ok(reading),
            }
        })
    }

    /// Whether a number alone is a version: the rules say that one is meant.
    fn takes_single(&self) -> bool {
        let by_number = |newest: Newest| newest.by == NewestBy::Number;
        self.extract.is_some() || self.newest.is_some_and(by_number)
    }

    fn judge_name(&self, tag: &Tag) -> Result<(), Exclusion> {
        if !self.include.is_empty() && !self.include.iter().any(|pattern| pattern.matches(tag)) {
            return Err(Exclusion::NotIncluded);
        }
        match self.exclude.iter().find(|pattern| pattern.matches(tag)) {
            Some(pattern) => Err(Exclusion::ExcludedBy {
                pattern: pattern.clone(),
            }),
            None => Ok(()),
        }
    }

    fn judge_version(&self, version: Option<&Version>) -> Result<(), Exclusion> {
        let Some(Versions { range, prereleases }) = &self.versions else {
            return Ok(());
        };
        let Some(version) = version else {
            return Err(Exclusion::NotAVersion);
        };
        let is_refused = *prereleases == Prereleases::Exclude
            && version.is_prerelease()
            && !range.lets_in(version);
        if is_refused && !range.names_prerelease() {
            return Err(Exclusion::Prerelease);
        }
        if !range.contains(version) {
            let range = range.clone();
            return Err(Exclusion::OutOfRange { range });
        }
        if is_refused {
            return Err(Exclusion::Prerelease);
        }
        Ok(())
    }

    /// Leaves out what has no time where that is asked for, and what is too old.
    fn leave_newest(&self, newest: Newest, judged: &mut [Result<Reading<'_>, Exclusion>]) {
        if self.needs_created() {
            for judgement in judged.iter_mut() {
                let tag = judgement.as_ref();
                if tag.is_ok_and(|tag| tag.candidate.created.is_none()) {
                    *judgement = Err(Exclusion::NotDated);
                }
            }
        }
        let passed = judged.iter().enumerate();
        let passed =
            passed.filter_map(|(place, judgement)| Some((place, judgement.as_ref().ok()?)));
        let older = newest.find_older(passed, self.versions.is_none());
        for (place, late) in older {
            if let Some(judgement) = judged.get_mut(place) {
                *judgement = Err(match late {
                    Late::Prerelease => Exclusion::Prerelease,
                    Late::Older(variant) => Exclusion::NotNewest { newest, variant },
                });
            }
        }
    }
}

#[cfg(test)]
#[path = "select_tests.rs"]
mod tests;
