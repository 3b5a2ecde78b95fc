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
        }
    }

    /// The same, and `pruner` says what pruning may do.
    #[must_use]
    pub fn with_pruner(self, pruner: Pruner) -> Self {
        Self { pruner, ..self }
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
