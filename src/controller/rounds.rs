// SPDX-License-Identifier: Apache-2.0

//! The rounds that run, so that they end when what they were started for is no more.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kube::ResourceExt;
use kube::runtime::reflector::ObjectRef;
use tokio_util::sync::CancellationToken;

use crate::api::ImageMirror;

/// The rounds that run.
#[derive(Clone, Debug)]
pub(super) struct Rounds {
    running: Arc<Mutex<HashMap<ObjectRef<ImageMirror>, Running>>>,
    /// Ends all of them.
    stop: CancellationToken,
}

/// A round that runs. It is over when this is dropped.
#[derive(Debug)]
pub(super) struct RunningRound {
    rounds: Rounds,
    mirror: ObjectRef<ImageMirror>,
    cancelled: CancellationToken,
}

#[derive(Debug)]
struct Running {
    version: Version,
    cancelled: CancellationToken,
}

/// What a round is for: this object, with this spec.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Version {
    uid: Option<String>,
    generation: Option<i64>,
}

// === impl Rounds ===

impl Rounds {
    /// No rounds yet; all end when `stop` is cancelled.
    pub(super) fn new(stop: CancellationToken) -> Self {
        Self {
            running: Arc::default(),
            stop,
        }
    }

    /// Begins a round for a mirror as it is now.
    pub(super) fn begin(&self, mirror: &ImageMirror) -> RunningRound {
        let cancelled = self.stop.child_token();
        let name = ObjectRef::from_obj(mirror);
        let running = Running {
            version: Version::of(mirror),
            cancelled: cancelled.clone(),
        };
        self.lock().insert(name.clone(), running);
        RunningRound {
            rounds: self.clone(),
            mirror: name,
            cancelled,
        }
    }

    /// Takes note of a mirror as the API server has it now. A round for another spec ends.
    pub(super) fn observe(&self, mirror: &ImageMirror) {
        let running = self.lock();
        if let Some(round) = running.get(&ObjectRef::from_obj(mirror)) {
            let is_over = mirror.metadata.deletion_timestamp.is_some();
            if is_over || round.version != Version::of(mirror) {
                round.cancelled.cancel();
            }
        }
    }

    /// Ends the rounds of the mirrors that this picks.
    pub(super) fn end_where(&self, picks: impl Fn(&ObjectRef<ImageMirror>) -> bool) {
        for (mirror, round) in &*self.lock() {
            if picks(mirror) {
                round.cancelled.cancel();
            }
        }
    }

    /// Takes note that a mirror is no more.
    pub(super) fn remove(&self, mirror: &ObjectRef<ImageMirror>) {
        if let Some(round) = self.lock().get(mirror) {
            round.cancelled.cancel();
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ObjectRef<ImageMirror>, Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl RunningRound ===

impl RunningRound {
    /// Does a part of the round; None where the round has to end first.
    pub(super) async fn unless_cancelled<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        self.cancelled.run_until_cancelled(work).await
    }

    /// Whether it has to end because the process does: what it was started for is still wanted.
    pub(super) fn ends_with_process(&self) -> bool {
        self.rounds.stop.is_cancelled()
    }
}

impl Drop for RunningRound {
    fn drop(&mut self) {
        self.rounds.lock().remove(&self.mirror);
    }
}

// === impl Version ===

impl Version {
    fn of(mirror: &ImageMirror) -> Self {
        Self {
            uid: mirror.uid(),
            generation: mirror.metadata.generation,
        }
    }
}
