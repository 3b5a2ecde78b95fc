// SPDX-License-Identifier: Apache-2.0

//! What rounds share in a process: what is remembered, what is known, and what they may take.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::claims::Claims;
use super::learned::Learned;
use super::ledger::{KeepError, Ledger, Ownership};
use super::neighbours::Neighbours;
use super::prune::{Closures, Pruner};
use super::wishes::Run;
use crate::copy::{Engine, Progress};
use crate::plan::conflicts::Seniority;
use crate::plan::prune::Stop;
use crate::plan::{Claim, Mirror, SourceImage};
use crate::runtime::memory::{Bounds, ReadMemory};

/// What rounds share: what one learns of registries serves the next. Cheap to clone.
#[derive(Clone)]
pub struct State {
    pub(super) engine: Arc<Engine>,
    pub(super) ledger: Arc<Ledger>,
    /// What is known of images and tags at sources.
    pub(super) learned: Arc<Learned>,
    /// How many runs have begun.
    runs: Arc<AtomicU64>,
    /// What mirrors hold at their destinations.
    claims: Arc<Mutex<Claims>>,
    /// What pruning may do.
    pub(super) pruner: Arc<Pruner>,
    /// What manifests lead to that had to be read before pruning.
    pub(super) closures: Arc<Closures>,
    /// The images that indexes list.
    pub(super) parts: Arc<Closures>,
    pub(super) allowance: Allowance,
    /// The records of other processes; none where no other one works.
    pub(super) neighbours: Option<Arc<dyn Neighbours>>,
}

/// What mirrors may take of the process.
#[derive(Clone, Debug)]
pub struct Allowance {
    /// The memory for what is read from registries.
    pub memory: ReadMemory,
    /// Most tags that one mirror may select; no bound where absent.
    pub tags: Option<usize>,
    /// Whether reports say of every tag that is not selected why it is not. It takes memory for each of them.
    pub tells_excluded: bool,
}

// === impl State ===

impl State {
    /// What is remembered in `ledger`; `progress` is told what copies do.
    pub fn new(ledger: Arc<Ledger>, progress: Progress) -> Self {
        Self {
            engine: Arc::new(Engine::new(progress)),
            ledger,
            learned: Arc::default(),
            runs: Arc::default(),
            claims: Arc::default(),
            pruner: Arc::new(Pruner::held(Stop::by_command())),
            closures: Arc::default(),
            parts: Arc::default(),
            allowance: Allowance::for_mirrors(1),
            neighbours: None,
        }
    }

    /// The same, and `pruner` says what pruning may do.
    #[must_use]
    pub fn with_pruner(self, pruner: Pruner) -> Self {
        let pruner = Arc::new(pruner);
        Self { pruner, ..self }
    }

    /// The same, and mirrors may take so much.
    #[must_use]
    pub fn with_allowance(self, allowance: Allowance) -> Self {
        Self { allowance, ..self }
    }

    /// The same, and other processes work on other mirrors.
    #[must_use]
    pub fn with_neighbours(self, neighbours: Arc<dyn Neighbours>) -> Self {
        let neighbours = Some(neighbours);
        Self { neighbours, ..self }
    }

    /// Takes over what a mirror held at its destinations before this process began.
    pub fn restore_claims(&self, mirror: Seniority, claims: Vec<(SourceImage, Claim, Ownership)>) {
        self.claims().restore(mirror, claims);
    }

    /// Takes over what a mirror held by the memory of an earlier process.
    pub fn resume_claims(&self, mirror: &Mirror) {
        let held = self
            .ledger
            .leaves_where(&mirror.name, |_, leaf| !leaf.records.is_empty());
        for (page, leaf) in held {
            let destination = mirror.destination(&page.destination);
            let registry = destination.map(|destination| &destination.registry);
            let held = leaf.held(&page.repository, registry);
            self.restore_claims(mirror.seniority(), held);
        }
    }

    /// Takes note of mirrors that are about to have a round: what they may want is not pruned, and younger ones leave it
    /// to them at first.
    pub fn expect(&self, mirrors: impl IntoIterator<Item = Mirror>) {
        let mut claims = self.claims();
        for mirror in mirrors {
            claims.expect(Arc::new(mirror));
        }
    }

    /// Takes note of mirrors that take no part in rounds: what they may want is not pruned.
    pub fn stand_by(&self, mirrors: impl IntoIterator<Item = Mirror>) {
        let mut claims = self.claims();
        for mirror in mirrors {
            claims.stand_by(Arc::new(mirror));
        }
    }

    /// Brings what is on record of a mirror to where it is kept, as after a round that was cancelled.
    pub async fn flush(&self, mirror: &Mirror) -> Result<(), KeepError> {
        self.ledger.flush(mirror).await
    }

    /// Drops everything about a mirror that is no more. Nothing changes at its destinations. What another
    /// mirror of the same name may want, which has come since, is kept from now on.
    pub fn forget(&self, mirror: &str, successor: Option<Mirror>) {
        let mut claims = self.claims();
        claims.forget(mirror);
        if let Some(successor) = successor {
            claims.wait_for(Arc::new(successor));
        }
        drop(claims);
        self.ledger.forget(mirror);
        self.pruner.forget(mirror);
    }

    /// Whether this process works on a mirror, for all that it knows.
    pub(super) fn is_here(&self, mirror: &str) -> bool {
        let neighbours = self.neighbours.as_ref();
        neighbours.is_none_or(|neighbours| !neighbours.is_other(mirror))
    }

    /// Begins rounds: what may have changed at registries since the last ones is forgotten.
    pub(super) fn begin_run(&self) -> Run {
        self.engine.begin_round();
        self.begin_glance()
    }

    /// Begins a look at some tags. Rounds that run keep what they know; the look forgets what it knows of its own
    /// repositories.
    pub(super) fn begin_glance(&self) -> Run {
        Run(self.runs.fetch_add(1, Ordering::Relaxed))
    }

    pub(super) fn claims(&self) -> MutexGuard<'_, Claims> {
        self.claims.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Allowance ===

impl Allowance {
    /// For a process in a cluster: nobody reads why tags are not selected.
    pub fn within(bounds: Bounds, tags: usize) -> Self {
        Self {
            memory: ReadMemory::new(bounds),
            tags: Some(tags),
            tells_excluded: false,
        }
    }

    /// For a person who runs so many mirrors: as much as the container has.
    pub fn for_mirrors(count: usize) -> Self {
        let total = Bounds::total(None);
        Self {
            memory: ReadMemory::new(Bounds::of(total, count)),
            tags: None,
            tells_excluded: true,
        }
    }
}
