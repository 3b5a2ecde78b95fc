// SPDX-License-Identifier: Apache-2.0

//! How much of a host we ask for at once, and how fast.
//!
//! Each class of requests has a [window](Window). Places are given in the order of asking. Of a host that
//! nobody knows yet, little is asked at first: all that is on its way when it refuses something is in
//! vain. Whatever has a place passes the turnstile that all classes share.

mod opening;
mod window;

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{sleep_until, timeout};

use super::class::{Class, PerClass};
use super::profile::Profile;
use super::request_limits::Slots;
use super::sharers::RequestSharers;
use super::turnstile::{Passage, Paused, Turnstile};
use opening::Opening;
use window::{Place, Size, Window};

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
/// The longest wait for a place of a request that others depend on: one among ours, and one among everybody's.
pub(super) const SOON: Duration = Duration::from_secs(2);

/// The limits of one host, as it shows them to one who asks.
#[derive(Debug)]
pub(super) struct Limiter {
    windows: PerClass<Arc<Window>>,
    /// One for all classes that the host counts together.
    turnstiles: PerClass<Arc<Turnstile>>,
    opening: Opening,
}

/// Leave to send one request, and to read the answer.
#[derive(Debug)]
pub(super) struct Permit {
    /// Given up with the permit.
    place: Place,
    passage: Passage,
}

// === impl Limiter ===

impl Limiter {
    /// The limits of a host of this profile.
    pub(super) fn new(profile: &Profile, sharers: &RequestSharers) -> Self {
        let windows = PerClass::new(|class| {
            let rate = profile.rate(class);
            let spacing = rate.map(|rate| Duration::from_secs(1) / rate.max(1));
            let slots = spacing.map(|spacing| Slots::every(spacing, sharers));
            Arc::new(Window::new(size(profile, class), slots))
        });
        let shared = Arc::new(Turnstile::paced());
        let turnstiles = PerClass::new(|class| {
            if profile.counts_alone(class) {
                Arc::new(Turnstile::paced())
            } else {
                Arc::clone(&shared)
            }
        });
        Self {
            windows,
            turnstiles,
            opening: Opening::new(),
        }
    }

    /// Waits for a place, and for a turn where the host refused something lately.
    pub(super) async fn admit(&self, class: Class) -> Result<Permit, Paused> {
        let place = Window::enter(self.windows.of(class)).await;
        self.opening.enter().await;
        self.pass(class, place).await
    }

    /// The same, but goes ahead without a place when none gets free soon.
    ///
    /// For requests without which others could not give their places back.
    pub(super) async fn admit_soon(&self, class: Class) -> Result<Permit, Paused> {
        let window = self.windows.of(class);
        let place = timeout(SOON, Window::enter(window)).await;
        let place = place.unwrap_or_else(|_| Window::enter_anyway(window));
        self.pass(class, place).await
    }

    async fn pass(&self, class: Class, place: Place) -> Result<Permit, Paused> {
        if let Some(slot) = self.windows.of(class).take_slot() {
            sleep_until(slot).await;
        }
        Ok(Permit {
            place,
            passage: self.turnstiles.of(class).pass().await?,
        })
    }

    /// Takes note that the host answered in good order.
    pub(super) fn answered(&self, permit: &Permit) {
        permit.place.succeeded();
        permit.passage.answered();
        self.opening.answered();
    }

    /// Takes note that the host is asked too much, and may have asked to be left alone. Says how much
    /// longer it is left alone now than before.
    pub(super) fn refused(&self, permit: &Permit, asked: Option<Duration>) -> Duration {
        permit.congested();
        self.opening.end();
        permit.passage.failed(asked)
    }

    /// Takes note of a request that leaves, besides the one with the permit, as one that says who we are.
    pub(super) fn spend(&self, class: Class) {
        self.turnstiles.of(class).spend();
    }
}

/// The most requests of a class that are asked of such a host at once.
pub(super) fn most(profile: &Profile, class: Class) -> usize {
    size(profile, class).most
}

fn size(profile: &Profile, class: Class) -> Size {
    let usual = match class {
        Class::Upload | Class::BlobRead => BODIES,
        Class::Lookup
        | Class::ManifestRead
        | Class::ManifestWrite
        | Class::ManifestDelete
        | Class::UploadStart => SMALL,
    };
    profile.window(class).map_or(usual, Size::fixed)
}

// === impl Permit ===

impl Permit {
    /// How the request passed.
    pub(super) fn passage(&mut self) -> &mut Passage {
        &mut self.passage
    }

    /// Lets somebody else have the place.
    pub(super) fn give_back(&mut self) {
        self.place.give_back();
    }

    /// What is behind the host, or the way to it, is asked too much.
    pub(super) fn congested(&self) {
        self.place.congested(self.passage.sent_at());
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use tokio::time::{Instant, advance};

    use super::opening::AT_FIRST;
    use super::*;

    const CLASS: Class = Class::Lookup;

    /// The limits of a host that has answered enough to be known.
    async fn known(host: &str) -> Limiter {
        let limiter = Limiter::new(Profile::of(host), &RequestSharers::default());
        for _ in 0..AT_FIRST {
            let permit = limiter.admit(Class::ManifestDelete).await.unwrap();
            limiter.answered(&permit);
        }
        limiter
    }

    /// How many requests are let through at once.
    fn places(limiter: &Limiter) -> usize {
        permits(limiter).len()
    }

    fn permits(limiter: &Limiter) -> Vec<Permit> {
        let mut permits = Vec::new();
        // Without the turns that the runtime takes by itself: only the limits decide.
        while let Some(permit) = tokio::task::unconstrained(limiter.admit(CLASS)).now_or_never() {
            permits.push(permit.unwrap());
        }
        permits
    }

    #[tokio::test(start_paused = true)]
    async fn of_a_new_host_little_is_asked_until_it_has_answered() {
        let limiter = Limiter::new(Profile::of("example.com"), &RequestSharers::default());
        let mut sent = permits(&limiter);
        assert_eq!(sent.len(), 12, "at once");
        let start = Instant::now();
        // The one that found no place counts.
        for _ in sent.len() + 1..24 {
            sent.push(limiter.admit(CLASS).await.unwrap());
        }
        assert!(!start.elapsed().is_zero(), "one by one");
        assert_eq!(places(&limiter), 0);
        for permit in &sent[..12] {
            limiter.answered(permit);
        }
        assert_eq!(places(&limiter), SMALL.start + 12 - sent.len());
    }

    #[tokio::test(start_paused = true)]
    async fn a_new_host_that_takes_its_time_is_waited_for_a_second_at_most() {
        let limiter = Limiter::new(Profile::of("example.com"), &RequestSharers::default());
        let mut sent = permits(&limiter);
        for _ in sent.len() + 1..24 {
            sent.push(limiter.admit(CLASS).await.unwrap());
        }
        let start = Instant::now();
        limiter.admit(CLASS).await.unwrap();
        assert_eq!(start.elapsed(), Duration::from_secs(1));
        assert_eq!(places(&limiter), SMALL.start - sent.len());
    }

    #[tokio::test(start_paused = true)]
    async fn a_new_host_that_refuses_is_known() {
        let limiter = Limiter::new(Profile::of("example.com"), &RequestSharers::default());
        let first = permits(&limiter);
        limiter.refused(&first[0], None);
        let ahead = limiter.admit(CLASS).await.unwrap();
        limiter.answered(&ahead);
        assert!(limiter.admit(CLASS).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn one_refusal_holds_all_classes_of_a_host_and_those_that_it_counts_alone_by_themselves()
    {
        let cases = [
            ("example.com", Class::ManifestRead, Class::Lookup, true),
            ("example.com", Class::Lookup, Class::Upload, true),
            (
                "registry-1.docker.io",
                Class::ManifestRead,
                Class::Lookup,
                false,
            ),
            (
                "registry-1.docker.io",
                Class::Lookup,
                Class::ManifestRead,
                false,
            ),
            ("registry-1.docker.io", Class::Lookup, Class::BlobRead, true),
        ];
        for (host, refused, other, is_held) in cases {
            let limiter = known(host).await;
            let permit = limiter.admit(refused).await.unwrap();
            limiter.refused(&permit, Some(Duration::from_secs(600)));
            drop(permit);
            assert_eq!(
                limiter.admit(refused).await.unwrap_err().wait.as_secs(),
                600
            );
            let found = limiter.admit(other).await.is_err();
            assert_eq!(found, is_held, "{host}: {refused:?} and {other:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_short_rest_is_waited_for_and_then_one_goes_ahead() {
        let limiter = known("example.com").await;
        let start = Instant::now();
        let permit = limiter.admit(CLASS).await.unwrap();
        let longer =
            [5, 2, 6].map(|seconds| limiter.refused(&permit, Some(Duration::from_secs(seconds))));
        assert_eq!(longer.map(|longer| longer.as_secs()), [5, 0, 1]);
        let ahead = limiter.admit(CLASS).await.unwrap();
        assert_eq!(start.elapsed().as_secs(), 6);
        assert!(limiter.admit(CLASS).now_or_never().is_none());
        limiter.answered(&ahead);
        limiter.admit(CLASS).await.unwrap();
        assert_eq!(start.elapsed().as_secs(), 6);
    }

    #[tokio::test(start_paused = true)]
    async fn who_went_ahead_and_was_called_off_leaves_it_to_the_next() {
        let limiter = known("example.com").await;
        let refused = limiter.admit(CLASS).await.unwrap();
        limiter.refused(&refused, None);
        let ahead = limiter.admit(CLASS).await.unwrap();
        assert!(limiter.admit(CLASS).now_or_never().is_none());
        drop(ahead);
        assert!(limiter.admit(CLASS).now_or_never().is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn who_has_to_ask_something_first_does_not_wait_for_itself() {
        let limiter = known("example.com").await;
        let refused = limiter.admit(CLASS).await.unwrap();
        limiter.refused(&refused, None);
        let mut delete = limiter.admit(Class::ManifestDelete).await.unwrap();
        delete.passage().stand_aside();
        let look = limiter.admit(CLASS).now_or_never().unwrap().unwrap();
        limiter.answered(&look);
        advance(Duration::from_secs(1)).await;
        delete.passage().leave();
        limiter.refused(&delete, Some(Duration::from_secs(90)));
        assert_eq!(limiter.admit(CLASS).await.unwrap_err().wait.as_secs(), 90);
    }

    #[tokio::test(start_paused = true)]
    async fn a_host_that_refuses_everything_gets_one_request_at_a_time_and_the_work_is_given_back()
    {
        let limiter = Arc::new(known("example.com").await);
        let start = Instant::now();
        let tasks: Vec<_> = (0..100)
            .map(|_| {
                let limiter = Arc::clone(&limiter);
                tokio::spawn(async move {
                    let mut refused = 0;
                    loop {
                        match limiter.admit(CLASS).await {
                            Ok(permit) => limiter.refused(&permit, None),
                            Err(Paused { wait }) => return (refused, wait),
                        };
                        refused += 1;
                    }
                })
            })
            .collect();
        let mut refused = 0;
        for task in tasks {
            let (times, wait) = task.await.unwrap();
            refused += times;
            assert!(wait > Duration::from_secs(25), "{wait:?}");
        }
        assert!(refused <= SMALL.most + 5, "{refused}");
        assert!(start.elapsed() < Duration::from_secs(60));
    }

    #[tokio::test(start_paused = true)]
    async fn the_rates_of_a_profile_space_requests_evenly() {
        let limiter = known("123456789012.dkr.ecr.eu-west-1.amazonaws.com").await;
        let start = Instant::now();
        for _ in 0..9 {
            limiter.admit(Class::ManifestWrite).await.unwrap();
        }
        assert_eq!(start.elapsed().as_millis(), 1_000);
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_others_depend_on_does_not_wait_long_for_a_place() {
        let limiter = known("example.com").await;
        let mut permits = permits(&limiter);
        assert!(limiter.admit(CLASS).now_or_never().is_none());
        let start = Instant::now();
        limiter.admit_soon(CLASS).await.unwrap();
        assert_eq!(start.elapsed(), SOON);
        permits.pop();
        limiter.admit_soon(CLASS).await.unwrap();
        assert_eq!(start.elapsed(), SOON);
        assert_eq!(places(&limiter), 1, "it gave its place back");
    }

    #[tokio::test(start_paused = true)]
    async fn a_window_is_halved_once_for_what_left_together() {
        let limiter = known("example.com").await;
        let permits = [
            limiter.admit(CLASS).await.unwrap(),
            limiter.admit(CLASS).await.unwrap(),
        ];
        advance(Duration::from_secs(1)).await;
        for permit in &permits {
            permit.congested();
        }
        drop(permits);
        assert_eq!(places(&limiter), SMALL.start / 2);
    }
}
