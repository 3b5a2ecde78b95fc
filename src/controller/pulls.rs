// SPDX-License-Identifier: Apache-2.0

//! Queues that events are taken from: one poller for each receiver, for as long as this process leads.

mod poller;
mod seen;
mod work;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kube::runtime::reflector::ObjectRef;
use tokio::sync::mpsc::UnboundedSender;
use tokio_util::sync::{CancellationToken, DropGuard};

use self::poller::Poller;
use self::seen::Seen;
pub(super) use self::work::Work;
use self::work::{LeadsNow, ReceiverRef};
use super::hinted::Hinted;
use super::hooks::Doors;
use super::lookers::Lookers;
use super::metrics::ControllerMetrics;
use crate::api::Reason;
use crate::events::receiver_status::Reception;

/// Most queues that are polled, of all namespaces and of one.
const MOST: usize = 256;
const MOST_OF_NAMESPACE: usize = 16;

/// The queues that are polled.
pub(super) struct Pulls {
    hinted: Arc<Hinted>,
    doors: Arc<Doors>,
    metrics: Arc<ControllerMetrics>,
    end: CancellationToken,
    /// Whether this process leads.
    leads: LeadsNow,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// By `namespace/name` of their receivers.
    running: HashMap<String, Running>,
    /// Those who look at the receivers of a namespace, or of all.
    lookers: Lookers<ReceiverRef>,
}

/// A queue that is polled, until this is dropped.
struct Running {
    work: Arc<Work>,
    seen: Arc<Mutex<Seen>>,
    _stop: DropGuard,
}

// === impl Pulls ===

impl Pulls {
    /// No queue is polled, and none is any more from `end` on. Messages are gone only where this process `leads`.
    pub(super) fn new(
        hinted: Arc<Hinted>,
        doors: Arc<Doors>,
        metrics: Arc<ControllerMetrics>,
        end: CancellationToken,
        leads: LeadsNow,
    ) -> Self {
        Self {
            hinted,
            doors,
            metrics,
            end,
            leads,
            state: Mutex::default(),
        }
    }

    /// Takes note of who looks at the receivers of a namespace, or of all.
    pub(super) fn look_through(
        &self,
        namespace: Option<&str>,
        looker: UnboundedSender<ReceiverRef>,
    ) {
        self.lock().lookers.add(namespace, looker);
    }

    /// Polls the queue of a receiver, unless that is done already, and says how that is.
    pub(super) fn place(&self, name: &str, work: Work) -> Reception {
        let mut state = self.lock();
        let running = state.running.get(name).filter(|running| {
            running.work.puller.is_like(&work.puller) && running.work.sender == work.sender
        });
        if let Some(running) = running {
            return running.seen().reception();
        }
        state.running.remove(name);
        let (namespace, own) = name.split_once('/').unwrap_or_default();
        if state.is_full(namespace) {
            return Reception::Waiting {
                reason: Reason::LimitExceeded,
                message: format!(
                    "{MOST_OF_NAMESPACE} queues of this namespace are polled already, or {MOST} of all: let several \
                     registries send to one queue"
                ),
            };
        }
        let looker = state.lookers.of(namespace).cloned();
        let (stop, seen) = (self.end.child_token(), Arc::default());
        let work = Arc::new(work);
        let running = Running {
            work: Arc::clone(&work),
            seen: Arc::clone(&seen),
            _stop: stop.clone().drop_guard(),
        };
        state.running.insert(name.to_owned(), running);
        let poller = Poller {
            work,
            seen,
            looker,
            receiver: ObjectRef::new(own).within(namespace),
            namespace: namespace.to_owned(),
            measure: self.doors.measure(namespace),
            hinted: Arc::clone(&self.hinted),
            doors: Arc::clone(&self.doors),
            metrics: Arc::clone(&self.metrics),
            leads: Arc::clone(&self.leads),
        };
        tokio::spawn(async move { stop.run_until_cancelled(poller.run()).await });
        Seen::default().reception()
    }

    /// Polls nothing for a receiver.
    pub(super) fn stop(&self, name: &str) {
        self.lock().running.remove(name);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn is_full(&self, namespace: &str) -> bool {
        let is_of = |name: &&String| name.split_once('/').is_some_and(|(of, _)| of == namespace);
        let own = self.running.keys().filter(is_of).count();
        self.running.len() >= MOST || own >= MOST_OF_NAMESPACE
    }
}

impl Running {
    fn seen(&self) -> Seen {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.clone()
    }
}

#[cfg(test)]
mod tests;
