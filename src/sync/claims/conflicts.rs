// SPDX-License-Identifier: Apache-2.0

//! What keeps a mirror from what it wants.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::holder::{Holder, Target, targets};
use crate::plan::conflicts::{Claimant, Conflict, ConflictKind, Seniority, find_conflicts};
use crate::plan::{Claim, SourceImage};
use crate::sync::ledger::Ownership;
use crate::sync::wishes::{Wish, Wishes};

/// The wishes of a mirror that are not honoured, and why: the image, and the tag that it is to have.
pub(in crate::sync) type Conflicts<'a> = HashMap<(&'a SourceImage, &'a Claim), Hindrance>;

/// What keeps a mirror from a tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::sync) enum Hindrance {
    /// Another image, or another mirror, has it.
    Conflict(ConflictKind),
    /// An older mirror may want it, and has not said so.
    Undecided(String),
}

/// What keeps a mirror from its own wishes, by those of the others who want some of it.
pub(super) fn find_own_conflicts<'a>(
    own: &'a Wishes,
    all: &[Arc<Wishes>],
    wanted: &HashSet<Target>,
    rivals: &[Holder],
) -> Conflicts<'a> {
    let ages: Vec<Seniority> = all.iter().map(|one| one.mirror.seniority()).collect();
    let held = rivals.iter().map(|rival| {
        let Holder {
            mirror,
            source,
            claim,
            ownership,
            ..
        } = rival;
        (*ownership, &**mirror, source, claim)
    });
    let wished = all.iter().zip(&ages).flat_map(|(wishes, mirror)| {
        let is_own = wishes.mirror.name == own.mirror.name;
        let is_meant = move |claim: &Claim| is_own || targets(claim).any(|it| wanted.contains(&it));
        let meant = wishes.tags.iter().filter(move |wish| is_meant(&wish.claim));
        meant.map(move |wish| (wish.ownership, mirror, &wish.source, &wish.claim))
    });
    let mut wanting: Vec<(Ownership, &Seniority, &SourceImage, &Claim)> =
        held.chain(wished).collect();
    // Of the same age the one that came first stays first.
    wanting.sort_by_key(|(ownership, mirror, ..)| (Reverse(*ownership), mirror.age()));
    let claimants = wanting
        .into_iter()
        .map(|(_, mirror, source, claim)| Claimant {
            mirror: &mirror.name,
            source,
            claim,
        });
    let claimants: Vec<Claimant<'_>> = claimants.collect();
    let conflicts = find_conflicts(&claimants).into_iter();
    let refused = conflicts.filter(|conflict| conflict.claimant.mirror == own.mirror.name);
    let refused: HashMap<(&SourceImage, &Claim), ConflictKind> = refused
        .map(|Conflict { claimant, kind }| ((claimant.source, claimant.claim), kind))
        .collect();
    let of_own = own.tags.iter().filter_map(|Wish { source, claim, .. }| {
        let kind = refused.get(&(source, claim))?;
        Some(((source, claim), Hindrance::Conflict(kind.clone())))
    });
    of_own.collect()
}
