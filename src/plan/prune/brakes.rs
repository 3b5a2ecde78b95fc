// SPDX-License-Identifier: Apache-2.0

//! How many tags may go without a person's approval.
//!
//! What counts is a share of what could be deleted at one destination, and what went without approval in
//! the last 24 hours, or may have gone, counts with what is due: many small plans are no way around a limit. It is tags
//! that count, each once.

use std::collections::{BTreeMap, HashSet};
use std::fmt::Write;

use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::Serialize;

use super::candidates::{Candidate, is_deletable};
use super::recorded::{Place, Recorded, Target};
use crate::oci::{Algorithm, Digest};
use crate::plan::mirror::{Mirror, Pruning};

/// How long a tag that was deleted counts.
const WINDOW: SignedDuration = SignedDuration::from_hours(24);

/// The tags of one mirror that are due, and of how many.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Brakes {
    /// By the names of the destinations.
    pub shares: BTreeMap<String, Share>,
    /// Names exactly the tags that are due, with their digests and since when each is not wanted; None
    /// where none is.
    pub plan: Option<Digest>,
}

/// What goes at one destination, and of how much.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Share {
    /// Tags that are due.
    pub due: usize,
    /// Other tags that were deleted without approval in the last 24 hours, or may have been.
    pub recent: usize,
    /// Tags on record that could be deleted if they were not wanted, with those that are due and without the recent
    /// ones.
    pub deletable: usize,
}

/// Whether the tags that are due may go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Passage {
    /// They are few enough, or there are none.
    Free,
    /// A person approved exactly them.
    Approved,
    /// They wait for approval.
    Paused(String),
}

/// Since when a tag that was deleted counts at this time.
pub fn counted_since(now: Timestamp) -> Timestamp {
    now.checked_sub(WINDOW).unwrap_or(Timestamp::MIN)
}

impl Brakes {
    /// The brakes for the candidates of a mirror, of what it has on record. `recent` are the tags whose deletion
    /// without approval is on record since [`counted_since`].
    pub fn of(
        mirror: &Mirror,
        candidates: &[Candidate],
        recorded: &[Recorded<'_>],
        recent: &[Target],
    ) -> Self {
        let mut shares: BTreeMap<String, Share> = BTreeMap::new();
        let mut share = |destination: &str, count: fn(&mut Share)| {
            if let Some(share) = shares.get_mut(destination) {
                count(share);
            } else {
                count(shares.entry(destination.to_owned()).or_default());
            }
        };
        let due = candidates.iter().filter(|candidate| candidate.is_due());
        let due: Vec<Line<'_>> = due
            .map(|candidate| {
                let Candidate {
                    target,
                    digest,
                    unwanted,
                    ..
                } = candidate;
                (target, digest, unwanted.since)
            })
            .collect();
        let mut recent: HashSet<Place<'_>> = recent.iter().map(Target::place).collect();
        for (target, ..) in &due {
            share(&target.destination, |share| share.due += 1);
            recent.remove(&target.place());
        }
        for place in &recent {
            share(place.destination, |share| share.recent += 1);
        }
        let deletable = recorded.iter().filter(|tag| is_deletable(mirror, tag));
        for tag in deletable.filter(|tag| !recent.contains(&tag.target)) {
            share(tag.target.destination, |share| share.deletable += 1);
        }
        Self {
            shares,
            plan: name_plan(due),
        }
    }

    /// Whether the tags that are due may go.
    pub fn judge(&self, pruning: &Pruning) -> Passage {
        let Some(plan) = &self.plan else {
            return Passage::Free;
        };
        if pruning.approved.as_ref() == Some(plan) {
            return Passage::Approved;
        }
        let Some(excess) = self.exceeded(pruning) else {
            return Passage::Free;
        };
        let other = match &pruning.approved {
            Some(_) => "; the annotation approves another plan",
            None => "",
        };
        Passage::Paused(format!(
            "{excess} allows without approval{other}: nothing is deleted until the annotation \
             transship.dev/approve-prune is {plan}"
        ))
    }

    /// What goes, and the limit that it exceeds.
    fn exceeded(&self, pruning: &Pruning) -> Option<String> {
        let mut all = Share::default();
        for share in self.shares.values() {
            all.due += share.due;
            all.recent += share.recent;
            all.deletable += share.deletable;
        }
        if all.goes() > pruning.max_deletes {
            return Some(all.exceeds("", "maxDeletes", pruning.max_deletes));
        }
        let mut shares = self.shares.iter().filter(|(_, share)| share.due > 0);
        let (destination, share) = shares.find(|(_, share)| {
            share.goes().saturating_mul(100) > share.whole().saturating_mul(pruning.max_percent)
        })?;
        let at = if self.shares.len() > 1 {
            format!(" at {destination}")
        } else {
            String::new()
        };
        Some(share.exceeds(&at, "maxPercent", pruning.max_percent))
    }
}

impl Share {
    fn goes(self) -> usize {
        self.due.saturating_add(self.recent)
    }

    fn whole(self) -> usize {
        self.deletable.saturating_add(self.recent)
    }

    fn exceeds(self, at: &str, limit: &str, most: usize) -> String {
        let Self { due, recent, .. } = self;
        let of = self.whole();
        let mut text = format!("{due} of {of} tags{at} that could be deleted are due");
        if recent > 0 {
            // Writing to a String cannot fail.
            let _ = write!(text, " and {recent} went in the last 24 hours");
        }
        format!("{text}, more than spec.prune.{limit}, {most},")
    }
}

/// A tag that is due: where it is, what it names, and since when it is not wanted.
type Line<'a> = (&'a Target, &'a Digest, Timestamp);

/// The digest that names exactly these tags, in whatever order they come; None where there is none. No name contains a
/// space or a line break.
pub fn name_plan(mut due: Vec<Line<'_>>) -> Option<Digest> {
    due.sort_unstable_by_key(|(target, digest, _)| (*target, *digest));
    let mut hasher = Algorithm::Sha256.hasher();
    for (target, digest, since) in &due {
        let Target {
            destination,
            registry,
            repository,
            tag,
        } = target;
        let since = since.as_second();
        let line = format!("{destination} {registry}/{repository}:{tag} {digest} {since}\n");
        hasher.update(line.as_bytes());
    }
    (!due.is_empty()).then(|| hasher.finish())
}
