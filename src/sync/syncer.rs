// SPDX-License-Identifier: Apache-2.0

//! What rounds share in a process: who reaches registries, what is remembered, what is known.

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::build_times::BuildTimes;
use super::claims::Claims;
use super::connect::Connect;
use super::gate::{Facts, Testimonies};
use super::ledger::{KeepError, Ledger};
use super::named::Named;
use super::prune::{Closures, Pruner};
use crate::copy::{Engine, Progress};
use crate::plan::conflicts::Seniority;
use crate::plan::prune::Stop;
use crate::plan::{Claim, Mirror, SourceImage};
use crate::runtime::memory::{Bounds, MemoryAccount, ReadMemory, container_limit};

/// Runs rounds. What one round learns of registries serves the next.
pub struct Syncer<C> {
    pub(super) connect: C,
    pub(super) engine: Engine,
    pub(super) ledger: Arc<Ledger>,
    /// What images are like that had to be judged.
    pub(super) facts: Facts,
    /// When images were built, where rules ask for it.
    pub(super) created: BuildTimes,
    /// Who vouches for images whose policies ask for it.
    pub(super) testimonies: Testimonies,
    /// What tags turned out to name that are named after digests.
    pub(super) named: Named,
    /// How many rounds have judged.
    pub(super) rounds: AtomicU64,
    /// What mirrors hold at their destinations.
    pub(super) claims: Mutex<Claims>,
    /// What pruning may do.
    pub(super) pruner: Pruner,
    /// What manifests lead to that had to be read before pruning.
    pub(super) closures: Closures,
    pub(super) allowance: Allowance,
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

// === impl Syncer ===

impl<C: Connect> Syncer<C> {
    /// A syncer that remembers in `ledger` and tells `progress` what it does.
    pub fn new(connect: C, ledger: Arc<Ledger>, progress: Progress) -> Self {
        Self {
            connect,
            engine: Engine::new(progress),
            ledger,
            facts: Facts::default(),
            created: BuildTimes::default(),
            testimonies: Testimonies::default(),
            named: Named::default(),
            rounds: AtomicU64::default(),
            claims: Mutex::default(),
            pruner: Pruner::held(Stop::by_command()),
            closures: Closures::default(),
            allowance: Allowance::default(),
        }
    }

    /// The same, and `pruner` says what pruning may do.
    #[must_use]
    pub fn with_pruner(self, pruner: Pruner) -> Self {
        Self { pruner, ..self }
    }

    /// The same, and mirrors may take so much.
    #[must_use]
    pub fn with_allowance(self, allowance: Allowance) -> Self {
        Self { allowance, ..self }
    }

    /// Who pays for the memory of a round.
    pub(super) fn account(&self, mirrors: &[&Mirror]) -> MemoryAccount {
        let first = mirrors.first();
        let (name, group) = first.map_or(("", ""), |mirror| (&mirror.name, &mirror.namespace));
        self.allowance.memory.account(name, group)
    }

    /// Takes over what a mirror held at its destinations before this process began.
    pub fn restore_claims(&self, mirror: Seniority, claims: Vec<(SourceImage, Claim)>) {
        self.claims().restore(mirror, claims);
    }

    /// Takes note of mirrors that take no part in rounds: what they may want is not pruned.
    pub fn stand_by(&self, mirrors: impl IntoIterator<Item = Mirror>) {
        let mut claims = self.claims();
        for mirror in mirrors {
            claims.wait_for(mirror);
        }
    }

    /// Brings what is on record of a mirror to where it is kept, as after a round that was cancelled.
    pub async fn flush(&self, mirror: &str) -> Result<(), KeepError> {
        self.ledger.flush(mirror).await
    }

    /// Drops everything about a mirror that is no more. Nothing changes at its destinations. What another
    /// mirror of the same name may want, which has come since, is kept from now on.
    pub fn forget(&self, mirror: &str, successor: Option<Mirror>) {
        let mut claims = self.claims();
        claims.forget(mirror);
        if let Some(successor) = successor {
            claims.wait_for(successor);
        }
        drop(claims);
        self.ledger.forget(mirror);
        self.pruner.forget(mirror);
    }

    pub(super) fn claims(&self) -> MutexGuard<'_, Claims> {
        self.claims.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Allowance ===

impl Default for Allowance {
    /// For a person who runs one round: as much as the container has.
    fn default() -> Self {
        let total = Bounds::total_within(container_limit());
        Self {
            memory: ReadMemory::new(Bounds::of(total, 1)),
            tags: None,
            tells_excluded: true,
        }
    }
}
