//! Which tags of a repository an entry wants, and why not the others.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;

use jiff::Timestamp;
use serde::{Serialize, Serializer};

use super::mirror::{ImageEntry, TagSelector};
use super::policy::Policy;
use crate::api::ObjectName;
use crate::oci::Tag;
use crate::policy::TagGlob;
use crate::policy::select::{Candidate, Exclusion, LimitExceeded, Rules};

/// What an entry wants of a repository.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selected {
    /// The tags, sorted, each once. Literal ones may not exist at the source.
    pub tags: Vec<Wanted>,
    /// The other listed tags, sorted, each with its reason.
    pub excluded: Vec<(Tag, NotSelected)>,
    /// How many candidates each policy that selects takes.
    pub taken: Vec<(ObjectName, usize)>,
}

/// A tag that is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The tag.
    pub tag: Tag,
    /// The policies that select it; none where the entry's `tags` suffice.
    pub policies: Vec<ObjectName>,
}

/// Why a listed tag is not wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotSelected {
    /// The entry's `tags` do not name it.
    NotNamed,
    /// It holds a signature or another referrer, which is copied with its image.
    Referrers,
    /// No policy selects it; one reason for each.
    Policies(Exclusions),
}

/// A policy selects more tags than it allows.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("policy {policy:?}: {source}", policy = .policy.as_str())]
pub struct SelectError {
    /// The policy.
    pub policy: ObjectName,
    /// How many, and how many are allowed.
    pub source: LimitExceeded,
}

impl ImageEntry {
    /// Selects among the listed tags of a repository. Literal tags need not be listed and always pass.
    ///
    /// `lists` are the tags that name lists of referrers. `first_seen` says when tags were first seen; tags
    /// that it lacks are seen now.
    pub fn select(
        &self,
        listing: &[Tag],
        lists: &BTreeSet<Tag>,
        first_seen: &HashMap<Tag, Timestamp>,
    ) -> Result<Selected, SelectError> {
        let literals = self.tags.iter().filter_map(literal);
        let mut tags: BTreeMap<Tag, Vec<ObjectName>> =
            literals.map(|tag| (tag.clone(), Vec::new())).collect();
        let mut excluded = Vec::new();
        let mut candidates = Vec::new();
        let listed: BTreeSet<&Tag> = listing
            .iter()
            .filter(|tag| !tags.contains_key(*tag))
            .collect();
        for tag in listed {
            if tag.is_attached() || lists.contains(tag) {
                excluded.push((tag.clone(), NotSelected::Referrers));
            } else if !self.names(tag) {
                excluded.push((tag.clone(), NotSelected::NotNamed));
            } else {
                candidates.push(Candidate {
                    tag: tag.clone(),
                    first_seen: first_seen.get(tag).copied(),
                });
            }
        }
        let Judgement { candidates, taken } = self.judge(candidates)?;
        for (candidate, verdict) in candidates {
            match verdict {
                Ok(policies) => {
                    tags.insert(candidate, policies);
                }
                Err(exclusions) => {
                    excluded.push((candidate, NotSelected::Policies(exclusions)));
                }
            }
        }
        excluded.sort_by(|(left, _), (right, _)| left.cmp(right));
        Ok(Selected {
            tags: tags
                .into_iter()
                .map(|(tag, policies)| Wanted { tag, policies })
                .collect(),
            excluded,
            taken,
        })
    }

    /// The listed tags of which only what they name can tell whether they are candidates: those that are
    /// named after a digest, and that would be selected if they were images.
    pub fn doubtful<'a>(&'a self, listing: &'a [Tag]) -> impl Iterator<Item = &'a Tag> {
        let bare = listing.iter().filter(|tag| tag.is_bare());
        bare.filter(|tag| {
            !self
                .tags
                .iter()
                .filter_map(literal)
                .any(|known| known == *tag)
        })
        .filter(|tag| {
            let alone = std::slice::from_ref(*tag);
            let selected = self.select(alone, &BTreeSet::new(), &HashMap::new());
            selected.is_ok_and(|selected| selected.tags.iter().any(|one| one.tag == **tag))
        })
    }

    /// Whether a listed tag that is not written literally is a candidate. Globs narrow; literals alone do
    /// not narrow what policies select.
    fn names(&self, tag: &Tag) -> bool {
        let mut globs = self.tags.iter().filter_map(glob).peekable();
        match globs.peek() {
            Some(_) => globs.any(|glob| glob.matches(tag)),
            None => self.tags.is_empty() || self.selects(),
        }
    }

    /// A candidate passes if any policy that selects takes it, or if there is no such policy.
    fn judge(&self, candidates: Vec<Candidate>) -> Result<Judgement, SelectError> {
        let mut judgement = Judgement::default();
        let mut taken: HashMap<Tag, Vec<ObjectName>> = HashMap::new();
        let mut reasons: HashMap<Tag, Exclusions> = HashMap::new();
        let selecting: Vec<(&Policy, &Rules)> = self
            .policies
            .iter()
            .filter_map(|policy| Some((policy.as_ref(), policy.rules.as_ref()?)))
            .collect();
        for (policy, rules) in &selecting {
            let selection = rules.select(&candidates).map_err(|source| SelectError {
                policy: policy.name.clone(),
                source,
            })?;
            let count = selection.selected.len();
            judgement.taken.push((policy.name.clone(), count));
            for tag in selection.selected {
                taken.entry(tag).or_default().push(policy.name.clone());
            }
            for (tag, exclusion) in selection.excluded {
                let reason = (policy.name.clone(), exclusion);
                reasons.entry(tag).or_default().push(reason);
            }
        }
        for Candidate { tag, first_seen: _ } in candidates {
            let verdict = match taken.remove(&tag) {
                Some(policies) => Ok(policies),
                None if selecting.is_empty() => Ok(Vec::new()),
                None => Err(reasons.remove(&tag).unwrap_or_default()),
            };
            judgement.candidates.push((tag, verdict));
        }
        Ok(judgement)
    }
}

/// Why policies do not take a tag, one reason for each.
type Exclusions = Vec<(ObjectName, Exclusion)>;

/// What the policies say of the candidates.
#[derive(Default)]
struct Judgement {
    /// Each candidate, with the policies that take it, or with the reasons of all if none does.
    candidates: Vec<(Tag, Result<Vec<ObjectName>, Exclusions>)>,
    /// How many of them each policy takes.
    taken: Vec<(ObjectName, usize)>,
}

fn literal(selector: &TagSelector) -> Option<&Tag> {
    match selector {
        TagSelector::Literal(tag) => Some(tag),
        TagSelector::Glob(_) => None,
    }
}

fn glob(selector: &TagSelector) -> Option<&TagGlob> {
    match selector {
        TagSelector::Literal(_) => None,
        TagSelector::Glob(glob) => Some(glob),
    }
}

impl fmt::Display for NotSelected {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotNamed => formatter.write_str("not among the entry's tags"),
            Self::Referrers => formatter.write_str("is copied with its image"),
            Self::Policies(exclusions) => {
                for (index, (policy, exclusion)) in exclusions.iter().enumerate() {
                    let separator = if index > 0 { "; " } else { "" };
                    write!(formatter, "{separator}{policy}: {exclusion}")?;
                }
                Ok(())
            }
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
