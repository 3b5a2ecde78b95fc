// SPDX-License-Identifier: Apache-2.0

//! Places for work that is done a part at a time, whoever was there first.
//!
//! All images of a round are begun at once. Were their blobs sent in turns, all of them would end at once as well, and
//! what comes after the last blob would be waited for at the end. So a place goes to the image that began first.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

/// When the image began that a part belongs to: the lower the sooner.
pub(super) type Turn = u64;

/// A number of places. Cheap to clone.
#[derive(Clone)]
pub(super) struct Slots(Arc<Mutex<State>>);

struct State {
    free: usize,
    /// How many have waited so far.
    count: u64,
    waiting: BTreeMap<(Turn, u64), oneshot::Sender<Slot>>,
}

/// A place; it goes to the next when dropped. None in one that nobody wanted.
pub(super) struct Slot(Option<Slots>);

// === impl Slots ===

impl Slots {
    pub(super) fn new(free: usize) -> Self {
        Self(Arc::new(Mutex::new(State {
            free,
            count: 0,
            waiting: BTreeMap::new(),
        })))
    }

    /// Waits for a place.
    pub(super) async fn take(&self, turn: Turn) -> Slot {
        let waiting = {
            let mut state = self.lock();
            if state.free > 0 {
                state.free -= 1;
                None
            } else {
                let (sender, receiver) = oneshot::channel();
                state.count += 1;
                let place = (turn, state.count);
                state.waiting.insert(place, sender);
                Some(receiver)
            }
        };
        match waiting {
            None => Slot(Some(self.clone())),
            // A sender goes away only with a place.
            Some(waiting) => waiting.await.unwrap_or_else(|_| Slot(Some(self.clone()))),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Slot ===

impl Drop for Slot {
    fn drop(&mut self) {
        let Some(slots) = self.0.take() else {
            return;
        };
        loop {
            let next = {
                let mut state = slots.lock();
                let next = state.waiting.pop_first();
                state.free += usize::from(next.is_none());
                next
            };
            let Some((_, next)) = next else {
                return;
            };
            match next.send(Self(Some(slots.clone()))) {
                Ok(()) => return,
                // It waits no more.
                Err(mut unwanted) => unwanted.0 = None,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[tokio::test]
    async fn a_place_goes_to_who_began_first_and_past_those_who_have_gone() {
        let slots = Slots::new(1);
        let first = slots.take(7).await;
        let mut waiting: Vec<_> = [3, 1, 2, 1].map(|turn| slots.take(turn).boxed()).into();
        for one in &mut waiting {
            assert!(one.now_or_never().is_none());
        }
        drop(waiting.remove(1));
        drop(first);
        let mut order = Vec::new();
        while order.len() < waiting.len() {
            for (number, one) in waiting.iter_mut().enumerate() {
                if order.contains(&number) {
                    continue;
                }
                if let Some(slot) = one.now_or_never() {
                    order.push(number);
                    drop(slot);
                    break;
                }
            }
        }
        assert_eq!(order, [2, 1, 0]);
        assert!(slots.take(9).now_or_never().is_some(), "it is free again");
    }

    #[tokio::test]
    async fn a_place_that_nobody_takes_any_more_is_not_lost() {
        let slots = Slots::new(1);
        let first = slots.take(0).await;
        let mut given = slots.take(0).boxed();
        assert!((&mut given).now_or_never().is_none());
        drop(first);
        drop(given);
        assert!(slots.take(0).now_or_never().is_some());
    }
}
