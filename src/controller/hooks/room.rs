// SPDX-License-Identifier: Apache-2.0

//! How much is taken: of a receiver, of all receivers of a namespace, and of all.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, SemaphorePermit};

use crate::events::bucket::Bucket;

/// What is taken at once and in a time.
#[derive(Clone, Copy)]
pub(super) struct Bounds {
    /// Hints that are taken at once.
    hints: u32,
    /// Time in which one more is.
    every: Duration,
    /// Most bodies that are read at once.
    bodies: usize,
}

/// For one receiver.
pub(super) const OWN: Bounds = Bounds {
    hints: 1_000,
    every: Duration::from_millis(10),
    bodies: 8,
};
/// For the receivers of one namespace together. It is some of what there is for all, so that no namespace keeps the
/// others from being heard.
pub(super) const SHARE: Bounds = Bounds {
    hints: 2_000,
    every: Duration::from_millis(5),
    bodies: 16,
};
/// For all receivers together.
pub(super) const ALL: Bounds = Bounds {
    hints: 8_000,
    every: Duration::from_millis(1),
    bodies: 64,
};

/// Room for hints and bodies. It outlives each look at a receiver, which would fill it up otherwise.
pub(super) struct Room {
    pace: Mutex<Bucket>,
    bodies: Semaphore,
    most_bodies: usize,
}

impl Room {
    /// All of it is free.
    pub(super) fn new(bounds: Bounds) -> Self {
        let Bounds {
            hints,
            every,
            bodies,
        } = bounds;
        Self {
            pace: Mutex::new(Bucket::new(hints, every, Instant::now())),
            bodies: Semaphore::new(bodies),
            most_bodies: bodies,
        }
    }

    /// Whether all of it is free.
    pub(super) fn is_free(&self) -> bool {
        self.bodies.available_permits() == self.most_bodies && self.pace().is_full(Instant::now())
    }

    /// Room for one body. Nobody waits in line for it: a sender that does would hold it for a time that it chooses.
    pub(super) fn body(&self) -> Option<SemaphorePermit<'_>> {
        self.bodies.try_acquire().ok()
    }

    fn pace(&self) -> MutexGuard<'_, Bucket> {
        self.pace.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes so many hints of each of these. False: one has not so many, and none was taken of any.
pub(super) fn take(rooms: &[&Room], count: u32, now: Instant) -> bool {
    for (place, room) in rooms.iter().enumerate() {
        if !room.pace().take(count, now) {
            for taken in rooms.iter().take(place) {
                taken.pace().give_back(count);
            }
            return false;
        }
    }
    true
}
