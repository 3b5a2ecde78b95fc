// SPDX-License-Identifier: Apache-2.0

//! Every tag on record that is not wanted any more: what protects it, and when it is due.

use std::cell::LazyCell;
use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;

use super::arrivals::Arrivals;
use super::recorded::{Place, Recorded, Standing, Target};
use super::retain::Keeper;
use super::rule::{Doubt, Rule};
use super::unwanted::{Aged, Cause, Clock, Unwanted};
use super::wanted::{Selection, Wanted};
use crate::api::image_mirror::AdoptedTags;
use crate::oci::{Digest, Repository, Tag};
use crate::plan::conflicts::SourceImage;
use crate::plan::mirror::Mirror;

/// Most tags that are named of those that share a digest.
const SHARERS: usize = 5;
/// What keeps a tag whose image has another name.
const NOT_ARRIVED: &str = "its image is not there under its new name yet";

/// A tag on record that is not wanted any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Which one.
    pub target: Target,
    /// The image at the source.
    pub source: SourceImage,
    /// The digest that the image had there.
    pub source_digest: Digest,
    /// The digest that the tag names.
    pub digest: Digest,
    /// Since when it is not wanted, and what protects it.
    pub unwanted: Unwanted,
    /// The part of the rule that protects it, if one does.
    pub held_by: Option<Rule>,
    /// Whether the grace has passed. What something protects is never deleted, due or not.
    pub is_over: bool,
    /// Some of the other tags on record in its repository that name the same digest.
    pub shared_with: Vec<Tag>,
}

/// What there is to know of the tags of a mirror.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// The tags that are not wanted any more, sorted.
    pub candidates: Vec<Candidate>,
    /// Whether time did not count because of the clock.
    pub is_clock_doubtful: bool,
}

/// Finds the tags of a mirror that are not wanted any more, with what the rules say. Whether a workload
/// uses them is not known yet.
pub fn find_candidates(
    mirror: &Mirror,
    selection: &Selection,
    recorded: &[Recorded<'_>],
    clock: Clock,
    now: Timestamp,
) -> Found {
    let mut repositories: BTreeMap<(&str, &Repository), Vec<&Recorded<'_>>> = BTreeMap::new();
    for tag in recorded {
        let key = (tag.target.destination, tag.target.repository);
        repositories.entry(key).or_default().push(tag);
    }
    let arrivals = LazyCell::new(|| Arrivals::of(mirror, recorded));
    let mut found = Found::default();
    for tags in repositories.into_values() {
        let unwanted: Vec<(&Recorded<'_>, Aged)> = tags
            .iter()
            .filter_map(|tag| Some((*tag, age(mirror, selection, tag, clock, now)?)))
            .collect();
        if unwanted.is_empty() {
            continue;
        }
        let keeper = Keeper::new(mirror, &tags);
        let sharers = Sharers::of(&tags);
        for (tag, aged) in unwanted {
            found.is_clock_doubtful |= aged.is_doubtful;
            let doubt = keeper
                .reason_to_keep(tag, now)
                .map(|reason| Doubt::new(Rule::Unwanted, reason))
                .or_else(|| keep_adopted(mirror, tag))
                .or_else(|| {
                    let is_renamed = aged.unwanted.cause == Cause::Renamed;
                    let is_gone = is_renamed && !arrivals.has_all_of(mirror, selection, tag);
                    is_gone.then(|| Doubt::new(Rule::Absent, NOT_ARRIVED))
                });
            found
                .candidates
                .extend(candidate(tag, aged, doubt, &sharers));
        }
    }
    found
        .candidates
        .sort_by(|left, right| left.target.cmp(&right.target));
    found
}

/// Since when a tag is not wanted; None where it is wanted, where nobody can say, and where it can be no
/// candidate.
fn age(
    mirror: &Mirror,
    selection: &Selection,
    tag: &Recorded<'_>,
    clock: Clock,
    now: Timestamp,
) -> Option<Aged> {
    if tag.is_claimed || !tag.is_present(mirror) {
        return None;
    }
    match selection.judge(mirror, tag) {
        Wanted::Yes | Wanted::Unknown(_) => None,
        Wanted::No(cause) => {
            let grace = mirror.prune.grace;
            Some(Unwanted::look(tag.unwanted, cause, grace, clock, now))
        }
    }
}

/// Whether a tag could be deleted if it was not wanted.
pub(super) fn is_deletable(mirror: &Mirror, tag: &Recorded<'_>) -> bool {
    tag.is_present(mirror) && keep_adopted(mirror, tag).is_none()
}

fn candidate(
    tag: &Recorded<'_>,
    aged: Aged,
    doubt: Option<Doubt>,
    sharers: &Sharers<'_>,
) -> Option<Candidate> {
    let Aged {
        mut unwanted,
        is_over,
        is_doubtful: _,
    } = aged;
    let held_by = doubt.as_ref().map(|doubt| doubt.rule);
    unwanted.protected_by = doubt.map(|doubt| doubt.message);
    let Place {
        destination,
        registry,
        repository,
        tag: name,
    } = tag.target;
    Some(Candidate {
        target: Target {
            destination: destination.to_owned(),
            registry: registry?.clone(),
            repository: repository.clone(),
            tag: name.clone(),
        },
        source: tag.source.clone()?,
        source_digest: tag.source_digest.clone(),
        digest: tag.digest.clone(),
        unwanted,
        held_by,
        is_over,
        shared_with: sharers.besides(tag),
    })
}

fn keep_adopted(mirror: &Mirror, tag: &Recorded<'_>) -> Option<Doubt> {
    match (tag.standing, mirror.prune.adopted) {
        (Standing::Adopted, AdoptedTags::Keep) => {
            let message = "it was there before: spec.prune.adopted is Keep";
            Some(Doubt::new(Rule::Ours, message))
        }
        (Standing::Adopted, AdoptedTags::Include) | (Standing::Written | Standing::Pending, _) => {
            None
        }
    }
}

/// The tags of a repository by their digests.
struct Sharers<'a>(HashMap<&'a Digest, Vec<&'a Tag>>);

impl<'a> Sharers<'a> {
    fn of(tags: &[&Recorded<'a>]) -> Self {
        let mut sharers: HashMap<&Digest, Vec<&Tag>> = HashMap::new();
        for tag in tags {
            sharers.entry(tag.digest).or_default().push(tag.target.tag);
        }
        Self(sharers)
    }

    fn besides(&self, tag: &Recorded<'_>) -> Vec<Tag> {
        let sharers = self.0.get(tag.digest).into_iter().flatten();
        let others = sharers.filter(|other| **other != tag.target.tag);
        others.take(SHARERS).map(|other| (*other).clone()).collect()
    }
}

// === impl Candidate ===

impl Candidate {
    /// Whether it may be deleted, as far as it is known.
    pub fn is_due(&self) -> bool {
        self.is_over && self.unwanted.protected_by.is_none()
    }

    /// Protects it, unless something does already.
    pub fn protect(&mut self, doubt: Doubt) {
        let Doubt { rule, message } = doubt;
        if self.unwanted.protected_by.is_none() {
            self.unwanted.protected_by = Some(message);
            self.held_by = Some(rule);
        }
    }
}
