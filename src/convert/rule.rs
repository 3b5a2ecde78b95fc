// SPDX-License-Identifier: Apache-2.0

//! One thing that is copied, in words of no tool.

use std::collections::{BTreeMap, BTreeSet};

use super::conversion::Gap;
use crate::oci::{Registry, Repository};

/// Most tags, or digests, of an entry.
const MOST: usize = 256;
/// What stands for the whole tag, where nothing else is written.
pub(super) const WHOLE: &str = "$0";
/// Most tags of an entry that have other names.
const RETAGS: usize = 64;

/// What a file says.
#[derive(Debug, Default)]
pub(super) struct Draft {
    pub(super) rules: Vec<Rule>,
    /// Registries with credentials in the file.
    pub(super) logins: BTreeSet<Registry>,
    /// Registries that are spoken to in plain HTTP.
    pub(super) insecure: BTreeSet<Registry>,
    /// What is not about one rule.
    pub(super) gaps: Vec<Gap>,
}

/// One repository, or all that a glob stands for, and what of it is copied to one place.
#[derive(Clone, Debug)]
pub(super) struct Rule {
    /// The name of the group of rules, where the file has one.
    pub(super) group: Option<String>,
    pub(super) source: Registry,
    /// A repository, or a glob of some.
    pub(super) repository: String,
    pub(super) destination: Registry,
    pub(super) naming: Naming,
    pub(super) tags: Tags,
    pub(super) options: Options,
    pub(super) gaps: Vec<Gap>,
}

/// The repository at the destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Naming {
    /// One repository.
    Repository(Repository),
    /// A template of ours.
    Template(String),
}

/// What is copied of a repository.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(super) struct Tags {
    /// Tags that must exist.
    pub(super) literals: Vec<String>,
    /// What is taken of the tags that are listed: by any of them.
    pub(super) selections: Vec<Selection>,
    /// Images that are taken by digest.
    pub(super) digests: Vec<String>,
    /// Other tags at the destination, for literals.
    pub(super) retag: BTreeMap<String, String>,
}

/// A selection, in the words of a policy.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(super) struct Selection {
    pub(super) include: Vec<String>,
    pub(super) exclude: Vec<String>,
    pub(super) extract: Option<Extract>,
    pub(super) semver: Option<Semver>,
    pub(super) newest: Option<Newest>,
}

/// The part of a tag that is read in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Extract {
    pub(super) pattern: String,
    pub(super) value: String,
}

/// A range of versions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Semver {
    pub(super) range: String,
    pub(super) prereleases: bool,
}

/// How many of what is left are taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Newest {
    pub(super) count: i64,
    pub(super) by: Order,
}

/// What makes a tag newer than another one. Variants compete with each other in all these tools.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Version,
    Number,
    Name,
}

/// What holds for a mirror as a whole.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(super) struct Options {
    pub(super) platforms: Vec<String>,
    /// Whether the image of the only platform takes the place of the index.
    pub(super) unwraps: bool,
    pub(super) referrers: Referrers,
    /// Whether a tag that is there is left alone for good.
    pub(super) frozen: bool,
    pub(super) previous_tag: Option<String>,
    pub(super) times: Times,
    pub(super) suspended: bool,
}

/// What comes along with images.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(super) enum Referrers {
    #[default]
    All,
    None,
    Types(Vec<String>),
}

/// When rounds run.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(super) enum Times {
    /// As the tool is called.
    #[default]
    Unsaid,
    Every(String),
    Cron(String),
}

// === impl Draft ===

impl Draft {
    /// Takes note of a rule, or of why there is none.
    pub(super) fn add(&mut self, rule: Result<Rule, Gap>) {
        match rule {
            Ok(rule) => self.rules.push(rule),
            Err(gap) => self.gaps.push(gap),
        }
    }
}

// === impl Extract ===

impl Extract {
    /// The whole tag, where the pattern matches it.
    pub(super) fn whole(pattern: &str) -> Self {
        Self {
            pattern: pattern.to_owned(),
            value: WHOLE.to_owned(),
        }
    }
}

// === impl Tags ===

impl Tags {
    /// Every tag.
    pub(super) fn all() -> Self {
        Self::selected(Selection::default())
    }

    /// What one selection takes.
    pub(super) fn selected(selection: Selection) -> Self {
        Self {
            selections: vec![selection],
            ..Self::default()
        }
    }

    /// These tags.
    pub(super) fn literal(tags: impl IntoIterator<Item = String>) -> Self {
        Self {
            literals: tags.into_iter().collect(),
            ..Self::default()
        }
    }

    /// Parts that have room in an entry each.
    pub(super) fn split(self) -> Vec<Self> {
        if self.literals.len().max(self.digests.len()) <= MOST {
            return vec![self];
        }
        let Self {
            literals,
            selections,
            digests,
            retag,
        } = self;
        let mut parts: Vec<Self> = literals
            .chunks(MOST)
            .map(|some| Self {
                retag: retag
                    .iter()
                    .filter(|(tag, _)| some.contains(tag))
                    .map(|(tag, name)| (tag.clone(), name.clone()))
                    .collect(),
                ..Self::literal(some.iter().cloned())
            })
            .collect();
        parts.extend(digests.chunks(MOST).map(|some| Self {
            digests: some.to_vec(),
            ..Self::default()
        }));
        if let Some(first) = parts.first_mut() {
            first.selections = selections;
        }
        parts
    }

    /// Whether one entry can say both. A tag has one name and one digest there, and what selections take has its own.
    pub(super) fn fits(&self, other: &Self) -> bool {
        let bare = |literal: &String| literal.split('@').next().map(str::to_owned);
        let are_apart = self.literals.iter().all(|one| {
            let mut same = other
                .literals
                .iter()
                .filter(|another| bare(another) == bare(one));
            same.all(|another| another == one && self.retag.get(one) == other.retag.get(one))
        });
        let has_names = !self.retag.is_empty() || !other.retag.is_empty();
        let selects = !self.selections.is_empty() || !other.selections.is_empty();
        are_apart
            && !(has_names && selects)
            && self.literals.len() + other.literals.len() <= MOST
            && self.digests.len() + other.digests.len() <= MOST
            && self.retag.len() + other.retag.len() <= RETAGS
    }

    /// What either of two takes.
    pub(super) fn or(&mut self, other: Self) {
        for literal in other.literals {
            if !self.literals.contains(&literal) {
                self.literals.push(literal);
            }
        }
        for selection in other.selections {
            if !self.selections.contains(&selection) {
                self.selections.push(selection);
            }
        }
        for digest in other.digests {
            if !self.digests.contains(&digest) {
                self.digests.push(digest);
            }
        }
        self.retag.extend(other.retag);
    }
}

// === impl Selection ===

impl Selection {
    /// The patterns, where nothing else narrows.
    pub(super) fn alone(&self) -> Option<&[String]> {
        let rest = Self {
            include: Vec::new(),
            ..self.clone()
        };
        rest.takes_all().then_some(self.include.as_slice())
    }

    /// How many fields it has.
    pub(super) fn len(&self) -> usize {
        let Self {
            include,
            exclude,
            extract,
            semver,
            newest,
        } = self;
        let fields = [
            !include.is_empty(),
            !exclude.is_empty(),
            extract.is_some(),
            semver.is_some(),
            newest.is_some(),
        ];
        fields.into_iter().filter(|is_written| *is_written).count()
    }

    /// Whether every tag is taken.
    pub(super) fn takes_all(&self) -> bool {
        *self == Self::default()
    }
}
