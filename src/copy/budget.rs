// SPDX-License-Identifier: Apache-2.0

//! The bytes that may be in memory at once, whatever the size of the images.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bytes of bodies in flight in the whole process.
pub(super) const PROCESS_BYTES: usize = 48 * 1024 * 1024;
/// Bytes that one destination may lag behind its source.
pub(super) const QUEUE_BYTES: usize = 2 * 1024 * 1024;

/// A number of bytes that frames are taken from and return to when they have left the process.
#[derive(Clone, Debug)]
pub(super) struct Budget {
    semaphore: Arc<Semaphore>,
    bytes: u32,
}

/// Bytes taken from a budget; they return when the last copy of the permit is dropped.
pub(super) type Permit = Arc<OwnedSemaphorePermit>;

/// Bytes that count against a budget until the last copy of them is dropped.
struct Accounted {
    bytes: Bytes,
    _permits: [Permit; 2],
}

impl Budget {
    pub(super) fn new(bytes: usize) -> Self {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        Self {
            semaphore: Arc::new(Semaphore::new(bytes as usize)),
            bytes,
        }
    }

    /// Waits until `length` bytes are free. A frame larger than the whole budget takes all of it.
    #[expect(clippy::expect_used, reason = "nothing closes the semaphore")]
    pub(super) async fn take(&self, length: usize) -> Permit {
        let permits = self.clamp(length);
        Arc::new(
            self.semaphore
                .clone()
                .acquire_many_owned(permits)
                .await
                .expect("open"),
        )
    }

    /// Takes `length` bytes if they are free now.
    pub(super) fn try_take(&self, length: usize) -> Option<Permit> {
        let permits = self.clamp(length);
        self.semaphore
            .clone()
            .try_acquire_many_owned(permits)
            .ok()
            .map(Arc::new)
    }

    fn clamp(&self, length: usize) -> u32 {
        u32::try_from(length).unwrap_or(u32::MAX).min(self.bytes)
    }
}

/// The same bytes, which give their permits back when the connection has taken them.
pub(super) fn account(bytes: Bytes, permits: [Permit; 2]) -> Bytes {
    Bytes::from_owner(Accounted {
        bytes,
        _permits: permits,
    })
}

impl AsRef<[u8]> for Accounted {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn bytes_come_back_when_the_last_copy_is_gone() {
        let budget = Budget::new(10);
        let permit = budget.take(8).await;
        let first = account(Bytes::from_static(b"12345678"), [permit.clone(), permit]);
        let second = first.clone();
        assert!(budget.try_take(3).is_none());
        drop(first);
        assert!(budget.try_take(3).is_none());
        drop(second);
        assert!(budget.try_take(10).is_some());
    }

    #[tokio::test]
    async fn a_frame_larger_than_the_budget_takes_all_of_it() {
        let budget = Budget::new(10);
        let permit = budget.take(1_000).await;
        assert!(budget.try_take(1).is_none());
        drop(permit);
        assert!(budget.try_take(10).is_some());
    }
}
