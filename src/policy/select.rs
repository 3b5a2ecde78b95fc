//! Which tags to take, and why the others are not taken.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::fmt;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::number::Number;
use super::{Pattern, Range, Version, natural};
use crate::oci::Tag;

/// The rules of one policy. Every rule that is there must hold.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// Patterns of which one must match; any tag where there are none.
    pub include: Vec<Pattern>,
    /// Patterns of which none may match.
    pub exclude: Vec<Pattern>,
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

/// How many of the newest tags to take, counted within each variant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Newest {
    /// How many.
    pub count: usize,
    /// What makes a tag newer.
    pub by: NewestBy,
    /// Which tags are counted together.
    pub per: NewestPer,
}

/// What makes a tag newer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum NewestBy {
    /// The version in the tag. Tags without one are left out.
    #[default]
    Version,
    /// The tag's text, the last in natural order being the newest: `r1070` comes after `r99`.
    Name,
    /// The time at which Transship first saw the tag.
    FirstSeen,
}

/// Which tags are counted together.
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

/// A tag that may be taken.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// The tag.
    pub tag: Tag,
    /// When it was first seen; None where that was now.
    pub first_seen: Option<Timestamp>,
}

/// What the rules say about all candidates; both lists in the order of the candidates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    /// The tags to take.
    pub selected: Vec<Tag>,
    /// The others, each with its reason.
    pub excluded: Vec<(Tag, Exclusion)>,
}

/// Why a tag is not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Exclusion {
    /// No `include` pattern matches.
    NotIncluded,
    /// An `exclude` pattern matches.
    ExcludedBy {
        /// The pattern.
        pattern: Pattern,
    },
    /// A rule needs a version and the tag is none.
    NotAVersion,
    /// The version lies outside of the range.
    OutOfRange {
        /// The range.
        range: Range,
    },
    /// The version is a prerelease.
    Prerelease,
    /// There are enough newer tags.
    NotNewest {
        /// The rule.
        newest: Newest,
        /// The variant within which it was counted.
        variant: Option<String>,
    },
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

/// A candidate with what the rules need to know of it.
struct Judged<'a> {
    candidate: &'a Candidate,
    version: Option<Version>,
    exclusion: Option<Exclusion>,
}

impl Judged<'_> {
    fn is_named_prerelease(&self) -> bool {
        let version = self.version.as_ref();
        version.is_some_and(Version::is_named_prerelease)
    }
}

// === impl Rules ===

impl Rules {
    /// Divides the candidates into those to take and those not to take.
    pub fn select(&self, candidates: &[Candidate]) -> Result<Selection, LimitExceeded> {
        let mut judged: Vec<Judged<'_>> = candidates
            .iter()
            .map(|candidate| {
                let version = Version::parse(&candidate.tag);
                let exclusion = self.exclude(&candidate.tag, version.as_ref());
                Judged {
                    candidate,
                    version,
                    exclusion,
                }
            })
            .collect();
        if let Some(newest) = self.newest {
            newest.exclude_older(&mut judged, self.versions.is_none());
        }
        let mut selection = Selection {
            selected: Vec::new(),
            excluded: Vec::new(),
        };
        for Judged {
            candidate,
            version: _,
            exclusion,
        } in judged
        {
            let tag = candidate.tag.clone();
            match exclusion {
                None => selection.selected.push(tag),
                Some(exclusion) => selection.excluded.push((tag, exclusion)),
            }
        }
        let selected = selection.selected.len();
        match self.limit {
            Some(limit) if selected > limit => Err(LimitExceeded { selected, limit }),
            Some(_) | None => Ok(selection),
        }
    }

    /// The rules that look at one tag alone.
    fn exclude(&self, tag: &Tag, version: Option<&Version>) -> Option<Exclusion> {
        if !self.include.is_empty() && !self.include.iter().any(|pattern| pattern.matches(tag)) {
            return Some(Exclusion::NotIncluded);
        }
        if let Some(pattern) = self.exclude.iter().find(|pattern| pattern.matches(tag)) {
            let pattern = pattern.clone();
            return Some(Exclusion::ExcludedBy { pattern });
        }
        let Versions { range, prereleases } = self.versions.as_ref()?;
        let Some(version) = version else {
            return Some(Exclusion::NotAVersion);
        };
        let is_refused = *prereleases == Prereleases::Exclude
            && version.is_prerelease()
            && !range.lets_in(version);
        if is_refused && !range.names_prerelease() {
            return Some(Exclusion::Prerelease);
        }
        if !range.contains(version) {
            let range = range.clone();
            return Some(Exclusion::OutOfRange { range });
        }
        is_refused.then_some(Exclusion::Prerelease)
    }
}

// === impl Newest ===

impl Newest {
    /// Without a rule about prereleases, `releases_first` takes them only where there are too few releases.
    fn exclude_older(self, judged: &mut [Judged<'_>], releases_first: bool) {
        if self.by == NewestBy::Version || self.per != NewestPer::All {
            for tag in judged.iter_mut().filter(|tag| tag.exclusion.is_none()) {
                if tag.version.is_none() {
                    tag.exclusion = Some(Exclusion::NotAVersion);
                }
            }
        }
        let mut groups: HashMap<Group, Vec<&mut Judged<'_>>> = HashMap::new();
        for tag in judged.iter_mut().filter(|tag| tag.exclusion.is_none()) {
            groups.entry(self.group(tag)).or_default().push(tag);
        }
        for (group, mut tags) in groups {
            tags.sort_by(|left, right| self.compare(right, left));
            let releases_first = releases_first && self.by == NewestBy::Version;
            if releases_first {
                tags.sort_by_key(|tag| tag.is_named_prerelease());
            }
            let most = self.count.min(tags.len());
            let (kept, left_out) = tags.split_at_mut(most);
            let oldest = kept.last().and_then(|tag| tag.version.as_ref());
            for tag in left_out {
                let gave_way = releases_first && tag.version.as_ref() > oldest;
                tag.exclusion = Some(if gave_way {
                    Exclusion::Prerelease
                } else {
                    Exclusion::NotNewest {
                        newest: self,
                        variant: group.variant.clone(),
                    }
                });
            }
        }
    }

    fn group(self, tag: &Judged<'_>) -> Group {
        let version = tag.version.as_ref();
        let major = version.and_then(Version::major).cloned();
        let minor = version.and_then(Version::minor).cloned();
        let (major, minor) = match self.per {
            NewestPer::All => (None, None),
            NewestPer::Major => (major, None),
            NewestPer::Minor => (major, minor),
        };
        Group {
            variant: version.and_then(Version::variant).map(str::to_owned),
            major,
            minor,
        }
    }

    fn compare(self, left: &Judged<'_>, right: &Judged<'_>) -> Ordering {
        let by_name =
            || natural::compare(left.candidate.tag.as_str(), right.candidate.tag.as_str());
        match self.by {
            NewestBy::Version => left.version.cmp(&right.version),
            NewestBy::Name => by_name(),
            NewestBy::FirstSeen => {
                // What is seen only now is the newest.
                let seen = |tag: &Judged<'_>| tag.candidate.first_seen.unwrap_or(Timestamp::MAX);
                seen(left)
                    .cmp(&seen(right))
                    .then_with(|| left.version.cmp(&right.version))
            }
        }
        .then_with(by_name)
    }
}

/// The tags that are counted together.
#[derive(PartialEq, Eq, Hash)]
struct Group {
    variant: Option<String>,
    major: Option<Number>,
    minor: Option<Number>,
}

// === impl Exclusion ===

impl fmt::Display for Exclusion {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotIncluded => formatter.write_str("matches no include pattern"),
            Self::ExcludedBy { pattern } => write!(formatter, "excluded by {pattern}"),
            Self::NotAVersion => formatter.write_str("is not a version"),
            Self::OutOfRange { range } => write!(formatter, "outside of {range}"),
            Self::Prerelease => formatter.write_str("is a prerelease"),
            Self::NotNewest { newest, variant } => {
                write!(formatter, "{newest}")?;
                match variant {
                    Some(variant) => write!(formatter, " of variant {variant}"),
                    None => Ok(()),
                }
            }
        }
    }
}

impl fmt::Display for Newest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { count, by, per } = self;
        let by = match by {
            NewestBy::Version => "",
            NewestBy::Name => " by name",
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

#[cfg(test)]
#[path = "select_tests.rs"]
mod tests;
