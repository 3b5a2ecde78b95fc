// SPDX-License-Identifier: Apache-2.0

//! A controller of the made-up world, and what outlives it.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};

use crate::api::Reason;
use crate::copy::{Endpoint, Progress};
use crate::oci::Repository;
use crate::plan::in_use::InUse;
use crate::plan::{Destination, Mirror};
use crate::sync::ledger::{Keep, KeepError, Leaf, Memory, Page};
use crate::sync::neighbours::Neighbours;
use crate::sync::prune::{PruneRun, Pruner, Times};
use crate::sync::trust::Authorities;
use crate::sync::workloads::{Workloads, WorkloadsError};
use crate::sync::{Connect, ConnectError, Ledger, State};

/// When every history begins.
const BEGIN: i64 = 2_000_000_000;

/// What outlives a process.
#[derive(Default)]
pub(super) struct Durable {
    pub(super) leaves: Mutex<HashMap<Page, Leaf>>,
    pub(super) is_failing: Mutex<bool>,
    /// The processes that have the lease: one, or those that share the work.
    lease: Mutex<Leased>,
}

/// Who has the lease, by numbers.
#[derive(Default)]
struct Leased {
    /// The process that began last.
    last: u64,
    /// Those that may act.
    holders: BTreeSet<u64>,
    /// Those of them that the API server does not hear.
    cut_off: BTreeSet<u64>,
}

/// The time that really passed, and how wrong the clock is.
pub(super) type Clocks = Arc<Mutex<(Duration, SignedDuration)>>;

/// Nobody connects: the registry is a map. What workloads use is told by the world.
#[derive(Clone, Default)]
pub(super) struct Nowhere(pub(super) Arc<Mutex<Arc<InUse>>>);

/// A controller that had the lease when it began.
#[derive(Clone)]
pub(super) struct Process {
    pub(super) state: State,
    nowhere: Nowhere,
    pub(super) number: u64,
}

/// Keeps the records of one process, as long as it has the lease.
struct Session {
    durable: Arc<Durable>,
    number: u64,
}

impl Durable {
    /// Whether a process has the lease.
    pub(super) fn obeys(&self, process: &Process) -> bool {
        let lease = self.lease.lock().unwrap();
        lease.holders.contains(&process.number)
    }

    /// Whether the API server hears a process.
    pub(super) fn hears(&self, number: u64) -> bool {
        let lease = self.lease.lock().unwrap();
        !lease.cut_off.contains(&number)
    }

    /// Whatever a process writes to the API server is lost from now on.
    pub(super) fn cut_off(&self, number: u64) {
        self.lease.lock().unwrap().cut_off.insert(number);
    }

    /// The lease of a process is over.
    pub(super) fn fence(&self, number: u64) {
        self.lease.lock().unwrap().holders.remove(&number);
    }

    /// Takes the lease: besides those that have it, or in their place.
    fn lease(&self, is_shared: bool) -> u64 {
        let mut lease = self.lease.lock().unwrap();
        lease.last += 1;
        if !is_shared {
            lease.holders.clear();
        }
        let number = lease.last;
        lease.holders.insert(number);
        number
    }
}

impl Process {
    /// One that takes the lease and begins with what was kept.
    pub(super) fn start(durable: &Arc<Durable>, clocks: &Clocks, nowhere: &Nowhere) -> Self {
        let process = Self::begin(durable, durable.lease(false), clocks, nowhere);
        for (page, leaf) in &*durable.leaves.lock().unwrap() {
            process.state.ledger.restore(page, leaf.clone());
        }
        process
    }

    /// One that takes part in the work of others, and knows nothing yet.
    pub(super) fn join(
        durable: &Arc<Durable>,
        clocks: &Clocks,
        nowhere: &Nowhere,
        neighbours: impl FnOnce(u64) -> Arc<dyn Neighbours>,
    ) -> Self {
        let number = durable.lease(true);
        let mut process = Self::begin(durable, number, clocks, nowhere);
        process.state = process.state.with_neighbours(neighbours(number));
        process
    }

    fn begin(durable: &Arc<Durable>, number: u64, clocks: &Clocks, nowhere: &Nowhere) -> Self {
        let session = Session {
            durable: durable.clone(),
            number,
        };
        let ledger = Ledger::kept_by(Arc::new(session));
        let clocks = clocks.clone();
        let (began, _) = *clocks.lock().unwrap();
        let times = move || {
            let (passed, offset) = *clocks.lock().unwrap();
            let told = SignedDuration::try_from(passed).unwrap() + offset;
            Times {
                now: Timestamp::from_second(BEGIN).unwrap() + told,
                running: passed.saturating_sub(began),
            }
        };
        let pruner = Pruner::deleting(Some(Arc::new(nowhere.clone()))).with_times(times);
        let state = State::new(Arc::new(ledger), Progress::none()).with_pruner(pruner);
        Self {
            state,
            nowhere: nowhere.clone(),
            number,
        }
    }

    /// The code that decides for a mirror.
    pub(super) fn pruning<'a>(&'a self, mirror: &'a Mirror) -> PruneRun<'a, Nowhere> {
        PruneRun {
            mirror,
            connection: &self.nowhere,
            state: &self.state,
        }
    }
}

impl Keep for Session {
    fn keep<'a>(
        &'a self,
        memory: &'a Memory,
        _: &'a Mirror,
        pages: &'a [Page],
    ) -> BoxFuture<'a, Result<(), KeepError>> {
        let lease = self.durable.lease.lock().unwrap();
        let has_lease = lease.holders.contains(&self.number);
        let is_heard = has_lease && !lease.cut_off.contains(&self.number);
        drop(lease);
        let kept = if *self.durable.is_failing.lock().unwrap() || !is_heard {
            Err(KeepError::new(Reason::Unreachable, "not now".to_owned()))
        } else {
            let mut leaves = self.durable.leaves.lock().unwrap();
            leaves.extend(pages.iter().map(|page| (page.clone(), memory.page(page))));
            Ok(())
        };
        Box::pin(std::future::ready(kept))
    }
}

impl Connect for Nowhere {
    async fn source(&self, _: Option<&Repository>) -> Result<Endpoint, ConnectError> {
        unreachable!("nobody connects in a model")
    }

    async fn destination(&self, _: &Destination, _: &Repository) -> Result<Endpoint, ConnectError> {
        unreachable!("nobody connects in a model")
    }

    fn authorities(&self) -> Arc<Authorities> {
        unreachable!("nobody verifies in a model")
    }
}

impl Workloads for Nowhere {
    fn look(&self) -> BoxFuture<'_, Result<InUse, WorkloadsError>> {
        let in_use = self.0.lock().unwrap();
        Box::pin(std::future::ready(Ok((**in_use).clone())))
    }
}
