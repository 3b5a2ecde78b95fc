// SPDX-License-Identifier: Apache-2.0

//! One of the mirrors of the made-up world.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::known::{At, DESTINATIONS, KNOWN_TAGS, MIRRORS, Place, any_mirror};
use super::random::Random;
use crate::oci::{Digest, Tag};
use crate::plan::{Mirror, TagSelector};
use crate::sync::ledger::Slot;

/// A mirror, and what is known of it besides its spec.
#[derive(Clone)]
pub(super) struct Member {
    pub(super) mirror: Arc<Mirror>,
    /// Which of the known mirrors it is.
    pub(super) index: usize,
    /// What its policy selects, in every repository.
    pub(super) selected: BTreeSet<Tag>,
    /// The plan that its last round came to.
    pub(super) plan: Option<Digest>,
    pub(super) is_suspended: bool,
    /// Whether its last round wrote nothing because another one has what it wants.
    pub(super) is_stalled: bool,
    /// What it last knew that it wants, and of which image.
    pub(super) known: BTreeMap<At, (Place, Digest)>,
    /// What it came to have on record, and found nobody about to delete, of what it wants.
    pub(super) settled: BTreeMap<At, Digest>,
    /// What it put on record, and has not looked for yet on the records of others.
    pub(super) announced: BTreeSet<At>,
    /// Whether its spec lists its tags, so that it tells which others it does not want.
    pub(super) is_listed: bool,
    /// What it deleted without approval, and when by the time that really passed.
    pub(super) unapproved: Vec<(Slot, Duration)>,
}

impl Member {
    /// One that is alone has one destination, which nothing else is about.
    pub(super) fn any(random: &mut Random, number: usize, is_alone: bool) -> Self {
        let index = any_mirror(random);
        let mut mirror = (*MIRRORS[index]).clone();
        mirror.name = format!("platform/m{number}");
        if !is_alone {
            let names: &[&str] = [&["eu"][..], &["eu", "us"]][random.index(2)];
            let destinations = names.iter().map(|name| {
                let mut destination = DESTINATIONS[random.index(DESTINATIONS.len())].clone();
                (*name).clone_into(&mut destination.name);
                destination
            });
            mirror.destinations = destinations.collect();
        }
        Self {
            mirror: Arc::new(mirror),
            index,
            selected: KNOWN_TAGS.iter().cloned().collect(),
            plan: None,
            is_suspended: false,
            is_stalled: false,
            known: BTreeMap::new(),
            settled: BTreeMap::new(),
            announced: BTreeSet::new(),
            is_listed: number % 2 == 1,
            unapproved: Vec::new(),
        }
    }

    /// What its spec tells of what it may want to whoever does not work on it.
    pub(super) fn spec(&self) -> Mirror {
        let mut mirror = (*self.mirror).clone();
        if self.is_listed {
            for entry in &mut mirror.images {
                entry.policies.clear();
                let tags = self.selected.iter().cloned();
                entry.tags = tags.map(TagSelector::Literal).collect();
            }
        }
        mirror
    }
}
