//! How much of a host we ask for at once: one window for each class of requests.
//!
//! A window grows by one for each windowful of successes and is halved when the host is asked too
//! much (additive increase, multiplicative decrease). Places are given in the order of asking. When
//! the host asks to be left alone for long, the work is given back instead of waiting.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout};

use super::class::{Class, PerClass};
use super::profile::Profile;

/// The places of a window at the start, and the most that it grows to.
///
/// Small requests cost a round trip and hardly any bytes: too few at a time, and a distant registry
/// is waited for. The figures are those of several processes of the usual tools side by side.
const SMALL: Size = Size {
    start: 32,
    most: 64,
};
/// The same for the bodies of blobs.
const BODIES: Size = Size {
    start: 16,
    most: 32,
};
/// How long one congestion lasts: failures so close to each other halve the window once.
const CONGESTION: Duration = Duration::from_millis(100);
/// The longest wait for a host that asked to be left alone.
const PATIENCE: Duration = Duration::from_secs(60);
/// The longest wait for a place of a request that others depend on.
const SOON: Duration = Duration::from_secs(2);

/// The host wants to be left alone for longer than we wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Paused {
    /// How long from now.
    pub(super) wait: Duration,
}

/// The windows of one host.
#[derive(Debug)]
pub(super) struct Limiter(PerClass<Arc<Window>>);

/// Leave to send one request, and to read the answer.
#[derive(Debug)]
pub(super) struct Permit {
    window: Arc<Window>,
    /// None where there was none and the request could not wait.
    place: Option<OwnedSemaphorePermit>,
}

#[derive(Debug)]
struct Window {
    places: Arc<Semaphore>,
    most: usize,
    /// The time between two requests, where the host allows so many per second.
    spacing: Option<Duration>,
    state: Mutex<State>,
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
    paused_until: Option<Instant>,
    next_slot: Option<Instant>,
}

/// How many places a window has.
#[derive(Clone, Copy, Debug)]
struct Size {
    start: usize,
    most: usize,
}

// === impl Size ===

impl Size {
    fn fixed(places: usize) -> Self {
        Self {
            start: places,
            most: places,
        }
    }
}

// === impl Limiter ===

impl Limiter {
    /// Windows for a host of this profile.
    pub(super) fn new(profile: &Profile) -> Self {
        Self(PerClass::new(|class| {
            let size = match class {
                Class::Upload | Class::BlobRead => BODIES,
                Class::Lookup
                | Class::ManifestRead
                | Class::ManifestWrite
                | Class::ManifestDelete
                | Class::UploadStart => SMALL,
            };
            let size = profile.window(class).map_or(size, Size::fixed);
            Arc::new(Window::new(size, profile.rate(class)))
        }))
    }

    /// Waits for a place and for the end of any pause that is not too long.
    pub(super) async fn admit(&self, class: Class) -> Result<Permit, Paused> {
        let window = self.0.of(class);
        // The semaphore is never closed.
        let place = Arc::clone(&window.places).acquire_owned().await.ok();
        let permit = Permit {
            window: Arc::clone(window),
            place,
        };
        window.wait().await?;
        Ok(permit)
    }

    /// The same, but goes ahead without a place when none gets free soon.
    ///
    /// For requests without which others could not give their places back.
    pub(super) async fn admit_soon(&self, class: Class) -> Result<Permit, Paused> {
        if let Ok(admitted) = timeout(SOON, self.admit(class)).await {
            return admitted;
        }
        let window = self.0.of(class);
        window.wait().await?;
        Ok(Permit {
            window: Arc::clone(window),
            place: None,
        })
    }

    /// Holds all requests of a class back for a while. Says how much longer that is than they would
    /// have been held back anyway.
    pub(super) fn pause(&self, class: Class, wait: Duration) -> Duration {
        let mut state = self.0.of(class).state();
        let now = Instant::now();
        let before = state.paused_until.unwrap_or(now).max(now);
        let until = before.max(now + wait);
        state.paused_until = Some(until);
        until - before
    }
}

// === impl Window ===

impl Window {
    fn new(Size { start, most }: Size, per_second: Option<u32>) -> Self {
        Self {
            places: Arc::new(Semaphore::new(start)),
            most,
            spacing: per_second.map(|rate| Duration::from_secs(1) / rate.max(1)),
            state: Mutex::new(State {
                size: start,
                surplus: 0,
                successes: 0,
                halved: None,
                paused_until: None,
                next_slot: None,
            }),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn wait(&self) -> Result<(), Paused> {
        loop {
            let now = Instant::now();
            let paused = self.state().paused_until.filter(|until| *until > now);
            let Some(until) = paused else { break };
            let wait = until - now;
            if wait > PATIENCE {
                return Err(Paused { wait });
            }
            tokio::time::sleep_until(until).await;
        }
        if let Some(slot) = self.take_slot() {
            tokio::time::sleep_until(slot).await;
        }
        Ok(())
    }

    /// The next moment at which the rate allows a request; it is ours then.
    fn take_slot(&self) -> Option<Instant> {
        let spacing = self.spacing?;
        let now = Instant::now();
        let mut state = self.state();
        let slot = state.next_slot.map_or(now, |slot| slot.max(now));
        state.next_slot = Some(slot + spacing);
        Some(slot)
    }

    fn grow(&self) {
        let mut state = self.state();
        state.successes += 1;
        if state.successes < state.size || state.size >= self.most {
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

    fn halve(&self) {
        let now = Instant::now();
        let mut state = self.state();
        if state.halved.is_some_and(|last| now - last < CONGESTION) {
            return;
        }
        let size = (state.size / 2).max(1);
        let vanished = self.places.forget_permits(state.size - size);
        state.surplus += state.size - size - vanished;
        state.size = size;
        state.successes = 0;
        state.halved = Some(now);
    }
}

// === impl Permit ===

impl Permit {
    /// The host answered in good order.
    pub(super) fn succeeded(&self) {
        self.window.grow();
    }

    /// The host is asked too much.
    pub(super) fn congested(&self) {
        self.window.halve();
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let Some(place) = self.place.take() else {
            return;
        };
        let mut state = self.window.state();
        if state.surplus > 0 {
            state.surplus -= 1;
            place.forget();
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    const CLASS: Class = Class::Lookup;

    fn limiter() -> Limiter {
        Limiter::new(Profile::of("example.com"))
    }

    /// How many requests are let through at once.
    fn places(limiter: &Limiter) -> usize {
        let mut permits = Vec::new();
        // Without the turns that the runtime takes by itself: only the window decides.
        while let Some(permit) = tokio::task::unconstrained(limiter.admit(CLASS)).now_or_never() {
            permits.push(permit.unwrap());
        }
        permits.len()
    }

    #[tokio::test(start_paused = true)]
    async fn a_window_grows_by_one_for_each_windowful_up_to_its_most() {
        let limiter = limiter();
        assert_eq!(places(&limiter), SMALL.start);
        for _ in 0..SMALL.start {
            limiter.admit(CLASS).await.unwrap().succeeded();
        }
        assert_eq!(places(&limiter), SMALL.start + 1);
        for _ in 0..10_000 {
            limiter.admit(CLASS).await.unwrap().succeeded();
        }
        assert_eq!(places(&limiter), SMALL.most);
    }

    #[tokio::test(start_paused = true)]
    async fn a_window_is_halved_once_for_each_congestion_and_never_closes() {
        let limiter = limiter();
        let permits = [
            limiter.admit(CLASS).await.unwrap(),
            limiter.admit(CLASS).await.unwrap(),
        ];
        for permit in &permits {
            permit.congested();
        }
        drop(permits);
        assert_eq!(places(&limiter), SMALL.start / 2);
        for expected in [8, 4, 2, 1, 1] {
            tokio::time::advance(CONGESTION).await;
            limiter.admit(CLASS).await.unwrap().congested();
            assert_eq!(places(&limiter), expected);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn places_in_use_vanish_when_they_are_given_back() {
        let limiter = limiter();
        let mut permits = Vec::new();
        for _ in 0..SMALL.start {
            permits.push(limiter.admit(CLASS).await.unwrap());
        }
        permits[0].congested();
        permits.truncate(SMALL.start / 2);
        assert_eq!(places(&limiter), 0);
        permits.truncate(SMALL.start / 2 - 1);
        assert_eq!(places(&limiter), 1);
        drop(permits);
        assert_eq!(places(&limiter), SMALL.start / 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_short_pause_is_waited_for_and_a_long_one_is_not() {
        let limiter = limiter();
        let start = Instant::now();
        let pauses = [5, 2, 6].map(|seconds| limiter.pause(CLASS, Duration::from_secs(seconds)));
        assert_eq!(pauses.map(|longer| longer.as_secs()), [5, 0, 1]);
        limiter.admit(CLASS).await.unwrap();
        assert_eq!(start.elapsed().as_secs(), 6);

        limiter.pause(CLASS, Duration::from_secs(600));
        assert_eq!(limiter.admit(CLASS).await.unwrap_err().wait.as_secs(), 600);
        assert_eq!(
            places(&Limiter::new(Profile::of("other.test"))),
            SMALL.start
        );
        limiter.admit(Class::ManifestWrite).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_rate_spaces_requests_evenly() {
        let limiter = Limiter::new(Profile::of("1.dkr.ecr.eu-west-1.amazonaws.com"));
        let start = Instant::now();
        for _ in 0..9 {
            limiter.admit(Class::ManifestWrite).await.unwrap();
        }
        assert_eq!(start.elapsed().as_millis(), 1_000);
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_others_depend_on_does_not_wait_long_for_a_place() {
        let limiter = limiter();
        let mut permits = Vec::new();
        for _ in 0..SMALL.start {
            permits.push(limiter.admit(CLASS).await.unwrap());
        }
        assert!(limiter.admit(CLASS).now_or_never().is_none());
        let start = Instant::now();
        limiter.admit_soon(CLASS).await.unwrap();
        assert_eq!(start.elapsed(), SOON);
        permits.pop();
        limiter.admit_soon(CLASS).await.unwrap();
        assert_eq!(start.elapsed(), SOON);
        assert_eq!(places(&limiter), 1, "it gave its place back");
    }
}
