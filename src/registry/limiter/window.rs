// SPDX-License-Identifier: Apache-2.0

//! How many requests of one class are on their way at a time.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use crate::registry::request_limits::Slots;

/// How many places a window has.
#[derive(Clone, Copy, Debug)]
pub(super) struct Size {
    pub(super) start: usize,
    pub(super) most: usize,
}

/// A window that grows by one with each success until the host is asked too much for the first time,
/// then by one for each windowful of successes, and is halved whenever the host is asked too much (slow
/// start, additive increase, multiplicative decrease).
#[derive(Debug)]
pub(super) struct Window {
    places: Arc<Semaphore>,
    most: usize,
    /// When requests may leave, where the host is known to allow so many per second.
    slots: Option<Slots>,
    state: Mutex<State>,
}

/// A place in a window.
#[derive(Debug)]
pub(super) struct Place {
    window: Arc<Window>,
    /// None where there was none and the request could not wait.
    permit: Option<OwnedSemaphorePermit>,
}

#[derive(Debug)]
struct State {
    /// The places there should be.
    size: usize,
    /// Places that are to vanish as soon as they are given back.
    surplus: usize,
    /// Successes since the window last grew.
    successes: usize,
    halved: Option<Instant>,
}

// === impl Size ===

impl Size {
    /// A window that neither grows nor is smaller at the start.
    pub(super) fn fixed(places: usize) -> Self {
        Self {
            start: places,
            most: places,
        }
    }
}

// === impl Window ===

impl Window {
    pub(super) fn new(Size { start, most }: Size, slots: Option<Slots>) -> Self {
        Self {
            places: Arc::new(Semaphore::new(start)),
            most,
            slots,
            state: Mutex::new(State {
                size: start,
                surplus: 0,
                successes: 0,
                halved: None,
            }),
        }
    }

    /// Waits for a place.
    pub(super) async fn enter(window: &Arc<Self>) -> Place {
        Place {
            window: Arc::clone(window),
            // The semaphore is never closed.
            permit: Arc::clone(&window.places).acquire_owned().await.ok(),
        }
    }

    /// Does without a place.
    pub(super) fn enter_anyway(window: &Arc<Self>) -> Place {
        Place {
            window: Arc::clone(window),
            permit: None,
        }
    }

    /// The next moment at which the known rate allows a request; it is ours then.
    pub(super) fn take_slot(&self) -> Option<Instant> {
        self.slots.as_ref().map(Slots::take)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn grow(&self) {
        let mut state = self.state();
        state.successes += 1;
        let is_due = state.halved.is_none() || state.successes >= state.size;
        if !is_due || state.size >= self.most {
            return;
        }
        state.successes = 0;
        state.size += 1;
        if state.surplus > 0 {
            state.surplus -= 1;
        } else {
            self.places.add_permits(1);
        }
    }

    fn halve(&self, sent: Instant) {
        let mut state = self.state();
        // What left before says nothing about the window as it is now.
        if state.halved.is_some_and(|halved| sent < halved) {
            return;
        }
        let size = (state.size / 2).max(1);
        let vanished = self.places.forget_permits(state.size - size);
        state.surplus += state.size - size - vanished;
        state.size = size;
        state.successes = 0;
        state.halved = Some(Instant::now());
    }
}

// === impl Place ===

impl Place {
    /// The host answered in good order.
    pub(super) fn succeeded(&self) {
        self.window.grow();
    }

    /// The host is asked too much: a request that left at `sent` shows it.
    pub(super) fn congested(&self, sent: Instant) {
        self.window.halve(sent);
    }

    /// Lets somebody else have it.
    pub(super) fn give_back(&mut self) {
        let Some(permit) = self.permit.take() else {
            return;
        };
        let mut state = self.window.state();
        if state.surplus > 0 {
            state.surplus -= 1;
            permit.forget();
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.give_back();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures::FutureExt;
    use tokio::time::advance;

    use super::*;

    const SIZE: Size = Size { start: 8, most: 16 };

    /// The places that are free.
    fn free(window: &Arc<Window>) -> Vec<Place> {
        let mut places = Vec::new();
        while let Some(place) = tokio::task::unconstrained(Window::enter(window)).now_or_never() {
            places.push(place);
        }
        places
    }

    #[tokio::test(start_paused = true)]
    async fn a_window_grows_with_each_success_at_first_and_slowly_after_it_was_halved() {
        let window = Arc::new(Window::new(SIZE, None));
        assert_eq!(free(&window).len(), 8);
        for _ in 0..3 {
            Window::enter(&window).await.succeeded();
        }
        assert_eq!(free(&window).len(), 11);
        for _ in 0..100 {
            Window::enter(&window).await.succeeded();
        }
        assert_eq!(free(&window).len(), SIZE.most);
        Window::enter(&window).await.congested(Instant::now());
        for (successes, expected) in [(0, 8), (7, 8), (1, 9), (8, 9), (1, 10)] {
            for _ in 0..successes {
                Window::enter(&window).await.succeeded();
            }
            assert_eq!(free(&window).len(), expected);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_window_is_halved_once_for_what_left_together_and_never_closes() {
        let window = Arc::new(Window::new(SIZE, None));
        let place = Window::enter(&window).await;
        let sent = Instant::now();
        for expected in [4, 2, 1, 1] {
            advance(Duration::from_millis(1)).await;
            place.congested(Instant::now());
            place.congested(sent);
            assert_eq!(free(&window).len() + 1, expected);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn places_in_use_vanish_when_they_are_given_back() {
        let window = Arc::new(Window::new(SIZE, None));
        let mut places = free(&window);
        places[0].congested(Instant::now());
        places.truncate(4);
        assert_eq!(free(&window).len(), 0);
        places.truncate(3);
        assert_eq!(free(&window).len(), 1);
        drop(places);
        assert_eq!(free(&window).len(), 4);
    }
}
