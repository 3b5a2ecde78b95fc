// SPDX-License-Identifier: Apache-2.0

//! When a round began and ended.

use std::time::Duration;

use jiff::Timestamp;

/// When a round began and ended.
#[derive(Clone, Copy)]
pub(super) struct Span {
    pub(super) began: Timestamp,
    pub(super) ended: Timestamp,
}

impl Span {
    /// How long it took.
    pub(super) fn duration(self) -> Duration {
        duration(self.began, self.ended)
    }
}

/// The earlier of two times, where there are any.
pub(super) fn earlier(left: Option<Timestamp>, right: Option<Timestamp>) -> Option<Timestamp> {
    match (left, right) {
        (Some(left), Some(right)) => Some(left.min(right)),
        (left, right) => left.or(right),
    }
}

/// The clock may have been set back meanwhile.
pub(super) fn duration(began: Timestamp, ended: Timestamp) -> Duration {
    Duration::try_from(ended.duration_since(began)).unwrap_or_default()
}
