// SPDX-License-Identifier: Apache-2.0

//! What happens while images are copied, for whoever watches.

use std::sync::Arc;

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Bytes that a destination needs became known.
    Expected {
        /// How many.
        bytes: u64,
    },
    /// A destination has the blob without a transfer: mounted, linked, or from this process's own writes.
    Skipped {
        /// The size of the blob.
        bytes: u64,
    },
    /// Bytes came from a source.
    Downloaded {
        /// How many.
        bytes: u64,
    },
    /// A destination confirmed a blob.
    Uploaded {
        /// The size of the blob.
        bytes: u64,
    },
}

/// Takes events as they happen. It must not block.
pub trait Observer: Send + Sync {
    /// Something happened.
    fn observe(&self, event: &Event);
}

/// The observers of an engine.
#[derive(Clone, Default)]
pub struct Progress(Vec<Arc<dyn Observer>>);

impl Progress {
    /// Nobody watches.
    pub fn none() -> Self {
        Self::default()
    }

    /// One more observer.
    #[must_use]
    pub fn with(mut self, observer: Arc<dyn Observer>) -> Self {
        self.0.push(observer);
        self
    }

    pub(super) fn report(&self, event: &Event) {
        for observer in &self.0 {
            observer.observe(event);
        }
    }
}
