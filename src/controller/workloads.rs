// SPDX-License-Identifier: Apache-2.0

//! What workloads use, as the API server tells it at this moment.
//!
//! Every kind that holds an image, or may bring one back, is listed, and those that the operator adds: in all namespaces, and anew for each
//! look, never from a cache. What cannot be listed as a whole is an error, because an image that nobody was
//! seen to use may be deleted.

mod extra;
mod gather;
mod kinds;
mod list;
mod object_error;
mod objects;
mod page;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use futures::FutureExt;
use futures::future::BoxFuture;
use kube::Client;
use tokio::sync::Mutex;

pub use self::extra::{Extra, ExtraError};
pub use self::gather::Gather;
pub use self::kinds::Kind;
pub use self::object_error::ObjectError;

use crate::api::Reason;
use crate::plan::in_use::InUse;
use crate::sync::workloads::{Workloads, WorkloadsError};

/// The workloads of a cluster.
pub struct ClusterWorkloads {
    client: Client,
    /// What is listed besides [`Kind::ALL`].
    extra: Vec<Extra>,
    /// Looks that wait for the one that runs, or run.
    looking: AtomicUsize,
    last: Mutex<Option<Look>>,
}

/// What was seen, for those who asked before the look began.
struct Look {
    began: Instant,
    seen: Result<InUse, WorkloadsError>,
}

/// The workloads of a cluster into which nobody may look.
#[derive(Clone, Copy, Debug)]
pub struct UnseenWorkloads;

// === impl ClusterWorkloads ===

impl ClusterWorkloads {
    /// Those that this client may list.
    pub fn new(client: Client) -> Self {
        Self {
            client,
            extra: Vec::new(),
            looking: AtomicUsize::new(0),
            last: Mutex::new(None),
        }
    }

    /// The same, and what an operator adds.
    #[must_use]
    pub fn with_extra(self, extra: Vec<Extra>) -> Self {
        Self { extra, ..self }
    }

    /// Gathers something from all that is listed, at this moment. It begins as `empty`.
    pub async fn gather<G: Gather>(&self, empty: &G) -> Result<G, WorkloadsError> {
        list::list_all(&self.client, &self.extra, empty).await
    }

    /// One look at a time, and one for all who waited: it began after they asked.
    async fn look(&self) -> Result<InUse, WorkloadsError> {
        let asked = Instant::now();
        let _counted = Counted::new(&self.looking);
        let mut last = self.last.lock().await;
        if let Some(look) = last.take_if(|look| look.began >= asked) {
            return self.give(&mut last, look);
        }
        *last = None;
        let began = Instant::now();
        let seen = self.gather(&InUse::default()).await;
        self.give(&mut last, Look { began, seen })
    }

    /// What was seen, which is held twice only where others wait for it.
    fn give(&self, last: &mut Option<Look>, look: Look) -> Result<InUse, WorkloadsError> {
        if self.looking.load(Ordering::Relaxed) == 1 {
            return look.seen;
        }
        let seen = look.seen.clone();
        *last = Some(look);
        seen
    }
}

impl Workloads for ClusterWorkloads {
    fn look(&self) -> BoxFuture<'_, Result<InUse, WorkloadsError>> {
        self.look().boxed()
    }
}

// === impl UnseenWorkloads ===

impl Workloads for UnseenWorkloads {
    fn look(&self) -> BoxFuture<'_, Result<InUse, WorkloadsError>> {
        let message = "Transship does not look at workloads: set inUse.enabled of the Helm chart (--in-use), \
                       or spec.prune.inUse to Ignore";
        let error = WorkloadsError {
            reason: Reason::DependencyNotReady,
            message: message.to_owned(),
        };
        futures::future::ready(Err(error)).boxed()
    }
}

/// A look that waits or runs, until it ends or is given up.
struct Counted<'a>(&'a AtomicUsize);

impl<'a> Counted<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
