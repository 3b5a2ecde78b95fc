// SPDX-License-Identifier: Apache-2.0

//! Which tags of a repository an entry wants, and why not the others.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Serialize, Serializer};

use super::mirror::{AbsentTag, ImageEntry, TagSelector};
use super::selector::Selector;
use crate::oci::{Digest, Repository, Tag};
use crate::policy::Pattern;
use crate::policy::select::{Candidate, Exclusion, LimitExceeded, Rules};

/// What an entry wants of a repository.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selected {
    /// The tags, sorted, each once. Literal ones may not exist at the source.
    pub tags: Vec<Wanted>,
    /// The other listed tags, sorted, each with its reason.
    pub excluded: Vec<(Tag, NotSelected)>,
    /// How many candidates the rules of each policy, and of the entry, take.
    pub taken: Vec<(Selector, usize)>,
    /// The patterns of `exclude`, and whether each matches no candidate.
    pub excludes: Vec<(Selector, Pattern, bool)>,
}

/// When the listed tags of a repository came to be, as far as that is known.
#[derive(Clone, Debug, Default)]
pub struct Times {
    /// When they were first seen. Tags that it lacks are seen now.
    pub first_seen: HashMap<Tag, Timestamp>,
    /// When their images were built.
    pub created: HashMap<Tag, Timestamp>,
}

/// A tag that is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The tag.
    pub tag: Tag,
    /// Whose rules select it; none where the entry's `tags` suffice.
    pub selected_by: Vec<Selector>,
    /// The digest that it is pinned to.
    pub pin: Option<Digest>,
    /// Whether it is left out where it does not exist.
    pub is_optional: bool,
}

/// Why a listed tag is not wanted.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema)]
#[schemars(with = "String")]
pub enum NotSelected {
    /// The entry's `tags` do not name it.
    NotNamed,
    /// It holds a signature or another referrer, which is copied with its image.
    Referrers,
    /// No rules select it; one reason for each policy, and for those of the entry.
    Policies(Exclusions),
    /// It does not exist, and need not.
    Absent,
}

/// Rules select more tags than they allow.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {source}", name(.selector))]
pub struct SelectError {
    /// Whose rules.
    pub selector: Selector,
    /// How many, and how many are allowed.
    pub source: LimitExceeded,
}

fn name(selector: &Selector) -> String {
    match selector {
        Selector::Entry => selector.to_string(),
        Selector::Policy(name) => format!("policy {:?}", name.as_str()),
    }
}

impl ImageEntry {
    /// Selects among the listed tags of a repository. Literal tags need not be listed and always pass.
    ///
    /// `lists` are the tags that name lists of referrers.
    pub fn select(
        &self,
        listing: &[Tag],
        lists: &BTreeSet<Tag>,
        times: &Times,
    ) -> Result<Selected, SelectError> {
        let literals = self.tags.iter().filter_map(|tag| self.want_literal(tag));
        let mut tags: BTreeMap<Tag, Wanted> = literals
            .map(|wanted| (wanted.tag.clone(), wanted))
            .collect();
        let Divided {
            candidates,
            mut excluded,
        } = self.divide(listing, lists, times);
        let excludes = self.watch_excludes(&candidates);
        let Judgement { candidates, taken } = self.judge(candidates)?;
        for (candidate, verdict) in candidates {
            match verdict {
                Ok(selected_by) => {
                    let wanted = Wanted::listed(candidate.clone(), selected_by);
                    tags.insert(candidate, wanted);
                }
                Err(exclusions) => {
                    excluded.push((candidate, NotSelected::Policies(exclusions)));
                }
            }
        }
        excluded.sort_by(|(left, _), (right, _)| left.cmp(right));
        Ok(Selected {
            tags: tags.into_values().collect(),
            excluded,
            taken,
            excludes,
        })
    }

    /// Selects where the source does not list its tags: among those that are on record, which may be gone, and
    /// the literal ones.
    pub fn select_known(&self, known: &[Tag], lists: &BTreeSet<Tag>, times: &Times) -> Selected {
        let selected = self.select(known, lists, times);
        let selected = selected.or_else(|_| self.select(&[], lists, times));
        let mut selected = selected.unwrap_or_default();
        for wanted in &mut selected.tags {
            wanted.is_optional |= !self.is_literal(&wanted.tag);
        }
        selected
    }

    fn watch_excludes(&self, candidates: &[Candidate]) -> Vec<(Selector, Pattern, bool)> {
        let watched = self.selectors().flat_map(|(selector, rules)| {
            let idle: Vec<&Pattern> = rules.idle_excludes(candidates).collect();
            let watched = rules.exclude.iter().map(move |pattern| {
                let is_idle = idle.contains(&pattern);
                (selector.clone(), pattern.clone(), is_idle)
            });
            watched.collect::<Vec<_>>()
        });
        watched.collect()
    }

    /// The candidates of which it must be known when their images were built: those that all other rules leave
    /// of whoever asks for that.
    pub fn undated(&self, listing: &[Tag], lists: &BTreeSet<Tag>) -> BTreeSet<Tag> {
        if !self.selectors().any(|(_, rules)| rules.needs_created()) {
            return BTreeSet::new();
        }
        let Divided { candidates, .. } = self.divide(listing, lists, &Times::default());
        let asking = self.selectors().filter(|(_, rules)| rules.needs_created());
        let asking: Vec<&Rules> = asking.map(|(_, rules)| rules).collect();
        let undated = asking.iter().flat_map(|rules| rules.leave(&candidates));
        undated.cloned().collect()
    }

    /// The listed tags of which only what they name can tell whether they are candidates: those that are
    /// named after a digest, and that would be selected if they were images.
    pub fn doubtful<'a>(&'a self, listing: &'a [Tag]) -> impl Iterator<Item = &'a Tag> {
        let bare = listing.iter().filter(|tag| tag.is_bare());
        bare.filter(|tag| !self.is_literal(tag) && self.may_pass(tag))
    }

    /// Whether a tag of a repository may be meant, as far as its name alone tells: rules that compare it with others
    /// may leave it out all the same.
    pub fn may_mean(&self, repository: &Repository, tag: &Tag) -> bool {
        self.repository.covers(repository) && (self.is_literal(tag) || self.may_pass(tag))
    }

    /// Whether the rules that look at one tag alone may take it.
    fn may_pass(&self, tag: &Tag) -> bool {
        let alone = std::slice::from_ref(tag);
        let Divided { candidates, .. } = self.divide(alone, &BTreeSet::new(), &Times::default());
        let mut selectors = self.selectors().peekable();
        let is_taken = selectors.peek().is_none()
            || selectors.any(|(_, rules)| rules.leave(&candidates).next().is_some());
        is_taken && !candidates.is_empty()
    }

    /// Whether a listed tag may be wanted, whatever else is listed.
    pub fn may_take(&self, tag: &Tag) -> bool {
        self.names(tag) || self.is_literal(tag)
    }

    fn want_literal(&self, selector: &TagSelector) -> Option<Wanted> {
        let tag = selector.literal()?.clone();
        Some(Wanted {
            tag,
            selected_by: Vec::new(),
            pin: selector.pin().cloned(),
            is_optional: self.absent == AbsentTag::Skip,
        })
    }

    fn is_literal(&self, tag: &Tag) -> bool {
        let mut literals = self.tags.iter().filter_map(TagSelector::literal);
        literals.any(|literal| literal == tag)
    }

    /// Tells candidates from the listed tags that are none. Literal tags are neither.
    fn divide(&self, listing: &[Tag], lists: &BTreeSet<Tag>, times: &Times) -> Divided {
        let mut divided = Divided::default();
        let literals: BTreeSet<&Tag> = self.tags.iter().filter_map(TagSelector::literal).collect();
        let listed: BTreeSet<&Tag> = listing.iter().collect();
        for tag in listed.difference(&literals).copied() {
            if tag.is_attached() || lists.contains(tag) {
                let excluded = (tag.clone(), NotSelected::Referrers);
                divided.excluded.push(excluded);
            } else if !self.names(tag) {
                divided.excluded.push((tag.clone(), NotSelected::NotNamed));
            } else {
                divided.candidates.push(Candidate {
                    tag: tag.clone(),
                    first_seen: times.first_seen.get(tag).copied(),
                    created: times.created.get(tag).copied(),
                });
            }
        }
        divided
    }

    /// Whether a listed tag that is not written literally is a candidate. Globs narrow; literals alone do
    /// not narrow what rules select.
    fn names(&self, tag: &Tag) -> bool {
        let mut globs = self.tags.iter().filter_map(TagSelector::glob).peekable();
        match globs.peek() {
            Some(_) => globs.any(|glob| glob.matches(tag)),
            None => self.tags.is_empty() || self.selects(),
        }
    }

    /// A candidate passes if the rules of the entry or of any policy take it, or if there are none.
    fn judge(&self, candidates: Vec<Candidate>) -> Result<Judgement, SelectError> {
        let mut judgement = Judgement::default();
        let mut taken: HashMap<Tag, Vec<Selector>> = HashMap::new();
        let mut reasons: HashMap<Tag, Exclusions> = HashMap::new();
        for (selector, rules) in self.selectors() {
            let selection = rules.select(&candidates).map_err(|source| SelectError {
                selector: selector.clone(),
                source,
            })?;
            for tag in &selection.selected {
                taken.entry(tag.clone()).or_default().push(selector.clone());
            }
            for (tag, exclusion) in selection.excluded {
                let reason = (selector.clone(), exclusion);
                reasons.entry(tag).or_default().push(reason);
            }
            judgement.taken.push((selector, selection.selected.len()));
        }
        for Candidate { tag, .. } in candidates {
            let verdict = match taken.remove(&tag) {
                Some(selectors) => Ok(selectors),
                None if !self.selects() => Ok(Vec::new()),
                None => Err(reasons.remove(&tag).unwrap_or_default()),
            };
            judgement.candidates.push((tag, verdict));
        }
        Ok(judgement)
    }
}

impl Wanted {
    fn listed(tag: Tag, selected_by: Vec<Selector>) -> Self {
        Self {
            tag,
            selected_by,
            pin: None,
            is_optional: false,
        }
    }
}

/// Why rules do not take a tag, one reason for each policy, and for those of the entry.
type Exclusions = Vec<(Selector, Exclusion)>;

/// The listed tags that may be taken, and the others.
#[derive(Default)]
struct Divided {
    candidates: Vec<Candidate>,
    excluded: Vec<(Tag, NotSelected)>,
}

/// What the rules say of the candidates.
#[derive(Default)]
struct Judgement {
    /// Each candidate, with whose rules take it, or with the reasons of all if none do.
    candidates: Vec<(Tag, Result<Vec<Selector>, Exclusions>)>,
    /// How many of them all rules of one take.
    taken: Vec<(Selector, usize)>,
}

impl fmt::Display for NotSelected {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotNamed => formatter.write_str("not among the entry's tags"),
            Self::Referrers => formatter.write_str("is copied with its image"),
            Self::Policies(exclusions) => {
                for (index, (selector, exclusion)) in exclusions.iter().enumerate() {
                    let separator = if index > 0 { "; " } else { "" };
                    write!(formatter, "{separator}{selector}: {exclusion}")?;
                }
                Ok(())
            }
            Self::Absent => formatter.write_str("does not exist, and absent is Skip"),
        }
    }
}

impl Serialize for NotSelected {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
#[path = "select_tests.rs"]
mod tests;
