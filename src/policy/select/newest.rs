// SPDX-License-Identifier: Apache-2.0

//! The newest tags of those that other rules leave.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::fmt;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::reading::Reading;
use crate::policy::number::{Decimal, Number};
use crate::policy::{Version, natural};

/// How many of the newest tags to take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Newest {
    /// How many.
    pub count: usize,
    /// What makes a tag newer.
    pub by: NewestBy,
    /// Which versions are counted together.
    pub per: NewestPer,
    /// Whether variants are counted together.
    pub variants: NewestVariants,
}

/// What makes a tag newer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum NewestBy {
    /// The version in the tag. Tags without one are left out.
    #[default]
    Version,
    /// The number that the tag is, such as 41 or 1700000000. Tags that are none are left out.
    Number,
    /// The tag's text, the last in natural order being the newest: `r1070` comes after `r99`.
    Name,
    /// The time at which the image was built, by its config. That is read once for each digest, and each tag is asked for its digest in each round. Tags without a time are left out.
    Created,
    /// The time at which Transship first saw the tag.
    FirstSeen,
}

/// Which versions are counted together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum NewestPer {
    /// All versions.
    #[default]
    All,
    /// Those of one major version.
    Major,
    /// Those of one minor version.
    Minor,
}

/// Whether variants are counted together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum NewestVariants {
    /// Each variant, such as alpine or bookworm-slim, is counted for itself.
    #[default]
    Separate,
    /// What stands behind a version is read as one build of it among others.
    Together,
}

/// What a name lacks to be counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lack {
    Version,
    Number,
}

/// Why a tag is not among the newest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Late {
    /// It is a prerelease, and releases were taken in its place.
    Prerelease,
    /// There are enough newer ones of its variant.
    Older(Option<String>),
}

/// The tags that are counted together.
#[derive(PartialEq, Eq, Hash)]
struct Group {
    variant: Option<String>,
    major: Option<Number>,
    minor: Option<Number>,
}

/// A tag with what it is compared by.
struct Counted<'a> {
    place: usize,
    reading: &'a Reading<'a>,
    number: Option<Decimal>,
}

// === impl Newest ===

impl Newest {
    /// What its name lacks to be counted.
    pub(super) fn lack(self, reading: &Reading<'_>) -> Option<Lack> {
        let needs_version = self.by == NewestBy::Version || self.per != NewestPer::All;
        if self.by == NewestBy::Number && reading.number().is_none() {
            return Some(Lack::Number);
        }
        (needs_version && reading.version.is_none()).then_some(Lack::Version)
    }

    /// The places of the tags that are too old. Without a rule about prereleases, `releases_first` takes
    /// them only where there are too few releases.
    pub(super) fn find_older<'a>(
        self,
        tags: impl Iterator<Item = (usize, &'a Reading<'a>)>,
        releases_first: bool,
    ) -> Vec<(usize, Late)> {
        let mut groups: HashMap<Group, Vec<Counted<'a>>> = HashMap::new();
        for (place, reading) in tags {
            let is_number = self.by == NewestBy::Number;
            let group = groups.entry(self.group(reading)).or_default();
            group.push(Counted {
                place,
                reading,
                number: is_number.then(|| reading.number()).flatten(),
            });
        }
        let releases_first = releases_first && self.by == NewestBy::Version;
        let mut older = Vec::new();
        for (group, mut tags) in groups {
            tags.sort_by(|left, right| self.compare(right, left));
            if releases_first {
                tags.sort_by_key(|tag| tag.reading.is_named_prerelease());
            }
            let (kept, left_out) = tags.split_at(self.count.min(tags.len()));
            let oldest = kept.last();
            older.extend(left_out.iter().map(|tag| {
                let is_newer = |kept: &Counted<'_>| self.compare(tag, kept).is_gt();
                let late = if releases_first && oldest.is_none_or(is_newer) {
                    Late::Prerelease
                } else {
                    Late::Older(group.variant.clone())
                };
                (tag.place, late)
            }));
        }
        older
    }

    fn group(self, reading: &Reading<'_>) -> Group {
        let version = reading.version.as_ref();
        let major = version.and_then(Version::major).cloned();
        let minor = version.and_then(Version::minor).cloned();
        let (major, minor) = match self.per {
            NewestPer::All => (None, None),
            NewestPer::Major => (major, None),
            NewestPer::Minor => (major, minor),
        };
        let variant = match self.variants {
            NewestVariants::Separate => version.and_then(Version::variant),
            NewestVariants::Together => None,
        };
        Group {
            variant: variant.map(str::to_owned),
            major,
            minor,
        }
    }

    fn compare(self, left: &Counted<'_>, right: &Counted<'_>) -> Ordering {
        let by_version = || self.compare_versions(left.reading, right.reading);
        let [left_candidate, right_candidate] = [left, right].map(|tag| tag.reading.candidate);
        match self.by {
            NewestBy::Version => by_version(),
            NewestBy::Number => left.number.cmp(&right.number),
            NewestBy::Name => Ordering::Equal,
            NewestBy::Created => left_candidate
                .created
                .cmp(&right_candidate.created)
                .then_with(by_version),
            NewestBy::FirstSeen => {
                // What is seen only now is the newest.
                let [left, right] = [left_candidate, right_candidate]
                    .map(|candidate| candidate.first_seen.unwrap_or(Timestamp::MAX));
                left.cmp(&right).then_with(by_version)
            }
        }
        .then_with(|| natural::compare(&left.reading.text, &right.reading.text))
        .then_with(|| {
            let [left, right] = [left_candidate, right_candidate].map(|one| one.tag.as_str());
            natural::compare(left, right)
        })
    }

    /// What stands behind a version counts as its build where variants are counted together.
    fn compare_versions(self, left: &Reading<'_>, right: &Reading<'_>) -> Ordering {
        match (self.variants, &left.version, &right.version) {
            (NewestVariants::Together, Some(left), Some(right)) => {
                left.release().precedence(right.release())
            }
            (NewestVariants::Separate | NewestVariants::Together, left, right) => left.cmp(right),
        }
    }
}

impl fmt::Display for Newest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            count,
            by,
            per,
            variants: _,
        } = self;
        let by = match by {
            NewestBy::Version => "",
            NewestBy::Number => " by number",
            NewestBy::Name => " by name",
            NewestBy::Created => " by time of build",
            NewestBy::FirstSeen => " by first sight",
        };
        let per = match per {
            NewestPer::All => "",
            NewestPer::Major => " per major version",
            NewestPer::Minor => " per minor version",
        };
        match count {
            1 => write!(formatter, "not the newest{by}{per}"),
            _ => write!(formatter, "not among the {count} newest{by}{per}"),
        }
    }
}
