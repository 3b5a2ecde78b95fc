// SPDX-License-Identifier: Apache-2.0

//! Counters of what went over the wire.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::class::{Class, PerClass};

/// What went over the wire so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    requests: PerClass<u64>,
    /// Manifests that were read: what Docker Hub counts as pulls.
    pub pulls: u64,
    /// Bytes of bodies read.
    pub bytes_read: u64,
    /// Bytes of bodies written.
    pub bytes_written: u64,
}

/// The same while it is counted.
#[derive(Debug)]
pub(super) struct Counters {
    requests: PerClass<AtomicU64>,
    pulls: AtomicU64,
    bytes_read: AtomicU64,
    bytes_written: AtomicU64,
}

impl Traffic {
    /// Requests of a class, with redirects and repetitions.
    pub fn requests(&self, class: Class) -> u64 {
        *self.requests.of(class)
    }
}

impl Counters {
    pub(super) fn new() -> Self {
        Self {
            requests: PerClass::new(|_| AtomicU64::new(0)),
            pulls: AtomicU64::new(0),
            bytes_read: AtomicU64::new(0),
            bytes_written: AtomicU64::new(0),
        }
    }

    pub(super) fn count_request(&self, class: Class) {
        self.requests.of(class).fetch_add(1, Relaxed);
    }

    pub(super) fn count_pull(&self) {
        self.pulls.fetch_add(1, Relaxed);
    }

    pub(super) fn count_read(&self, bytes: usize) {
        self.bytes_read.fetch_add(bytes as u64, Relaxed);
    }

    pub(super) fn count_written(&self, bytes: usize) {
        self.bytes_written.fetch_add(bytes as u64, Relaxed);
    }

    pub(super) fn read(&self) -> Traffic {
        Traffic {
            requests: PerClass::new(|class| self.requests.of(class).load(Relaxed)),
            pulls: self.pulls.load(Relaxed),
            bytes_read: self.bytes_read.load(Relaxed),
            bytes_written: self.bytes_written.load(Relaxed),
        }
    }
}
