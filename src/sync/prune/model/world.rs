// SPDX-License-Identifier: Apache-2.0

//! Everything but the code that decides.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::SignedDuration;

use super::known::{At, Place};
use super::member::Member;
use super::mutants::Mutant;
use super::notes::Notes;
use super::process::{Clocks, Durable, Nowhere, Process};
use super::random::Random;
use super::sharing::Sharing;
use super::takes::Takes;
use crate::oci::{Digest, Repository};
use crate::plan::Mirror;
use crate::plan::prune::Unwanted;
use crate::sync::State;
use crate::sync::ledger::{Leaf, Page, Slot};
use crate::sync::prune::PruneRun;

/// What a workload uses, as the judge sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Use {
    /// A tag, by its name at the source, by a short one, or at this registry.
    Tag(Option<usize>, Place),
    /// A digest: of an image, of its child or of its config.
    Image(Digest),
}

/// Everything there is.
pub(super) struct World {
    pub(super) random: Random,
    is_told: bool,
    /// The fault that is put back.
    pub(super) mutant: Option<Mutant>,
    /// What the source has.
    pub(super) source: BTreeMap<Place, Digest>,
    /// What the lists of the source leave out.
    pub(super) cut: BTreeSet<Place>,
    /// What the lists of the source name, where they are from the past.
    pub(super) old_list: Option<BTreeSet<Place>>,
    /// What the destinations have.
    pub(super) registry: BTreeMap<At, Digest>,
    /// The manifests that they store.
    pub(super) manifests: HashSet<(usize, Repository, Digest)>,
    /// What goes at each of them when a tag is deleted.
    pub(super) takes: [Takes; 2],
    /// What destinations had when they began to lag, where they do.
    pub(super) past: Option<BTreeMap<At, Digest>>,
    /// What they go on telling of tags that were deleted, for a while.
    pub(super) stale: BTreeMap<At, Digest>,
    pub(super) workloads: BTreeMap<u64, (String, Use)>,
    pub(super) members: Vec<Member>,
    /// The one whose turn it is.
    pub(super) me: usize,
    /// The controller whose turn it is.
    pub(super) process: Process,
    /// The members that share the work, where several do.
    pub(super) sharing: Option<Sharing>,
    /// The one that took over from it while it slept.
    pub(super) leader: Option<Process>,
    /// Whether something happens in the middle of a round.
    pub(super) is_within: bool,
    pub(super) durable: Arc<Durable>,
    /// Records as they were once.
    pub(super) backup: Option<HashMap<Page, Leaf>>,
    pub(super) nowhere: Nowhere,
    pub(super) clocks: Clocks,
    /// Steps until the process dies, if it does.
    pub(super) fuse: Option<u64>,
    /// Since when tags were unwanted when that was first seen, for the fault that keeps it.
    pub(super) firsts: HashMap<Slot, Unwanted>,
    /// What the judge remembers.
    pub(super) notes: Notes,
    /// Whether nothing fails any more.
    pub(super) is_quiet: bool,
}

// === impl World ===

impl World {
    pub(super) fn new(
        mut random: Random,
        is_shared: bool,
        (is_told, mutant): (bool, Option<Mutant>),
    ) -> Self {
        let clocks: Clocks = Arc::new(Mutex::new((Duration::ZERO, SignedDuration::ZERO)));
        let durable = Arc::new(Durable::default());
        let nowhere = Nowhere::default();
        // Only of one that is alone, all that the rules keep is known.
        let count = [1, 2, 2, 3, 4][random.index(5)];
        let count = if is_shared { count.max(2) } else { count };
        let members: Vec<Member> = (0..count)
            .map(|number| Member::any(&mut random, number, count == 1))
            .collect();
        let takes = [Takes::any(&mut random), Takes::any(&mut random)];
        let mut world = Self {
            process: Process::start(&durable, &clocks, &nowhere),
            sharing: None,
            leader: None,
            is_within: false,
            random,
            is_told,
            mutant,
            source: BTreeMap::new(),
            cut: BTreeSet::new(),
            old_list: None,
            registry: BTreeMap::new(),
            manifests: HashSet::new(),
            takes,
            past: None,
            stale: BTreeMap::new(),
            workloads: BTreeMap::new(),
            members,
            me: 0,
            durable,
            backup: None,
            nowhere,
            clocks,
            fuse: None,
            firsts: HashMap::new(),
            notes: Notes::default(),
            is_quiet: false,
        };
        for _ in 0..6 {
            world.push_at_source();
        }
        if is_shared {
            world.begin_sharing();
        } else {
            world.stand_by();
        }
        for me in 0..count {
            world.me = me;
            world.round();
        }
        world
    }

    /// The mirror whose turn it is.
    pub(super) fn member(&self) -> &Member {
        &self.members[self.me]
    }

    pub(super) fn member_mut(&mut self) -> &mut Member {
        &mut self.members[self.me]
    }

    pub(super) fn mirror(&self) -> &Mirror {
        &self.members[self.me].mirror
    }

    /// What the code that decides knows.
    pub(super) fn state(&self) -> &State {
        &self.process.state
    }

    /// The code that decides for the mirror whose turn it is.
    pub(super) fn pruning(&self) -> PruneRun<'_, Nowhere> {
        self.process.pruning(self.mirror())
    }

    pub(super) fn is(&self, mutant: Mutant) -> bool {
        self.mutant == Some(mutant)
    }

    /// A process knows of every mirror, and not what it wants.
    pub(super) fn stand_by(&self) {
        if !self.is(Mutant::UnheardIgnored) {
            let mirrors = self.members.iter();
            self.state()
                .stand_by(mirrors.map(|member| (*member.mirror).clone()));
        }
    }

    pub(super) fn tell(&self, what: impl FnOnce() -> String) {
        if self.is_told {
            eprintln!("{}", what());
        }
    }

    /// How much time really passed.
    pub(super) fn passed(&self) -> Duration {
        self.clocks.lock().unwrap().0
    }

    pub(super) fn wait(&mut self, time: Duration) {
        self.tell(|| format!("time: {time:?}"));
        self.stale.clear();
        self.clocks.lock().unwrap().0 += time;
    }

    /// Whether the process whose turn it is has the lease.
    pub(super) fn has_lease(&self) -> bool {
        self.durable.obeys(&self.process)
    }

    /// What the lists of the source name.
    pub(super) fn listed(&self) -> impl Iterator<Item = &Place> {
        let old = self.old_list.iter().flatten();
        let new = self.source.keys().filter(|_| self.old_list.is_none());
        old.chain(new).filter(|place| !self.cut.contains(*place))
    }

    /// What a destination says of a tag.
    pub(super) fn ask(&mut self, at: &At) -> Option<Digest> {
        match &self.past {
            Some(past) if self.random.one_in(2) => return past.get(at).cloned(),
            _ => {}
        }
        match self.stale.get(at) {
            Some(stale) if self.random.one_in(2) => Some(stale.clone()),
            _ => self.registry.get(at).cloned(),
        }
    }

    /// Whether the mirror wants this tag.
    pub(super) fn wants(&self, place: &Place) -> bool {
        self.mirror().names(&place.0)
            && self.member().selected.contains(&place.1)
            && self.source.contains_key(place)
    }

    /// Looks at what is kept of a repository.
    pub(super) fn kept<T>(&self, page: &Page, look: impl FnOnce(&Leaf) -> T) -> T {
        let leaves = self.durable.leaves.lock().unwrap();
        match leaves.get(page) {
            Some(leaf) => look(leaf),
            None => look(&Leaf::default()),
        }
    }

    /// Whether a deleted tag that named this can be restored.
    pub(super) fn is_restorable(&self, slot: &Slot, digest: &Digest) -> bool {
        self.kept(&slot.page, |leaf| {
            let tombstone = leaf.deleted.get(&slot.tag);
            tombstone.is_some_and(|known| known.digest == *digest && !known.cleared)
        })
    }
}
