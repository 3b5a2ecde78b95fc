// SPDX-License-Identifier: Apache-2.0

//! The way to a host, which all take who reach it alike: whether it answers there, and how much is asked of it at
//! once over all who ask. What it says to one of them is that one's own.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::sleep_until;

use super::class::{Class, PerClass};
use super::limiter;
use super::profile::Profile;
use super::request_limits::{RequestLimits, Slots};
use super::settings::Settings;
use super::sharers::RequestSharers;
use super::silence::Silence;
use crate::oci::Digest;

/// How a host is reached: what a proxy of somebody's own answers, or a server that somebody's own authority vouches
/// for, need not be what others find there.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Route {
    /// Scheme, host and port.
    pub(super) origin: String,
    /// The proxy and the authorities. It may stand for a password, so it is never shown.
    settings: Digest,
}

/// A way to a host.
#[derive(Debug)]
pub(super) struct Way {
    /// What of it does not answer.
    pub(super) silence: Arc<Silence>,
    /// So many requests of each class at once.
    shares: PerClass<Arc<Semaphore>>,
    /// The most of each class, of all processes.
    most: PerClass<usize>,
    /// How many of them are asked here.
    granted: Mutex<PerClass<usize>>,
    sharers: RequestSharers,
    /// When requests may leave, where a person says how many.
    slots: Option<Slots>,
}

/// One of the requests that are on their way at once.
#[derive(Debug)]
pub(super) struct Share {
    /// Given back with it. None where the request could not wait, or did not wait for its answer any longer.
    permit: Option<OwnedSemaphorePermit>,
}

// === impl Route ===

impl Route {
    pub(super) fn new(origin: String, settings: &Settings) -> Self {
        Self {
            origin,
            settings: settings.route_fingerprint(),
        }
    }
}

// === impl Way ===

impl Way {
    /// A way to a host of this profile.
    pub(super) fn new(profile: &Profile, limits: &RequestLimits, sharers: &RequestSharers) -> Self {
        let RequestLimits { concurrency, rate } = limits;
        let allowed = concurrency.map_or(usize::MAX, |most| most.get() as usize);
        let most = PerClass::new(|class| limiter::most(profile, class).min(allowed));
        let granted = PerClass::new(|class| sharers.part(*most.of(class)));
        Self {
            silence: Arc::new(Silence::new()),
            shares: PerClass::new(|class| Arc::new(Semaphore::new(*granted.of(class)))),
            most,
            granted: Mutex::new(granted),
            sharers: sharers.clone(),
            slots: rate.map(|rate| Slots::every(rate.spacing(), sharers)),
        }
    }

    /// Asks for this process's part of what the host bears, as it is by now. What is on its way ends first.
    pub(super) fn share_out(&self) {
        let mut granted = self.granted.lock().unwrap_or_else(PoisonError::into_inner);
        let parts = PerClass::new(|class| self.sharers.part(*self.most.of(class)));
        for class in Class::ALL {
            let (before, part, places) =
                (*granted.of(class), *parts.of(class), self.shares.of(class));
            places.add_permits(part.saturating_sub(before));
            let surplus = before.saturating_sub(part);
            let left = surplus - places.forget_permits(surplus);
            let Ok(left @ 1..) = u32::try_from(left) else {
                continue;
            };
            let taken = Arc::clone(places).acquire_many_owned(left);
            tokio::spawn(async move {
                if let Ok(taken) = taken.await {
                    taken.forget();
                }
            });
        }
        *granted = parts;
    }

    /// Waits until a person's limits let the next request leave.
    pub(super) async fn wait_for_slot(&self) {
        if let Some(slots) = &self.slots {
            sleep_until(slots.take()).await;
        }
    }

    /// Waits until not too many others ask, in the order of asking.
    pub(super) async fn enter(&self, class: Class) -> Share {
        let places = Arc::clone(self.shares.of(class));
        Share {
            // The semaphore is never closed.
            permit: places.acquire_owned().await.ok(),
        }
    }
}

// === impl Share ===

impl Share {
    /// Goes ahead of all others.
    pub(super) fn none() -> Self {
        Self { permit: None }
    }

    /// Lets somebody else have it.
    pub(super) fn give_back(&mut self) {
        self.permit = None;
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use tokio::time::Instant;

    use super::*;

    fn way(limits: &RequestLimits) -> Way {
        Way::new(
            Profile::of("registry.test"),
            limits,
            &RequestSharers::default(),
        )
    }

    /// How many may ask for something of a class at once.
    fn places(way: &Way, class: Class) -> usize {
        let mut shares = Vec::new();
        while let Some(share) = tokio::task::unconstrained(way.enter(class)).now_or_never() {
            shares.push(share);
        }
        shares.len()
    }

    #[test]
    fn a_person_may_allow_less_at_once_and_never_more() {
        for (allowed, lookups, bodies) in [(None, 64, 32), (Some(3), 3, 3), (Some(1_000), 64, 32)] {
            let way = way(&RequestLimits {
                concurrency: allowed.and_then(std::num::NonZeroU32::new),
                rate: None,
            });
            assert_eq!(places(&way, Class::Lookup), lookups, "{allowed:?}");
            assert_eq!(places(&way, Class::BlobRead), bodies, "{allowed:?}");
        }
    }

    #[tokio::test]
    async fn processes_that_share_the_work_share_what_a_host_bears() {
        let sharers = RequestSharers::default();
        let way = Way::new(
            Profile::of("registry.test"),
            &RequestLimits::default(),
            &sharers,
        );
        for (processes, lookups, bodies) in [(3, 21, 10), (100, 1, 1), (2, 32, 16), (1, 64, 32)] {
            sharers.set(processes);
            way.share_out();
            assert_eq!(places(&way, Class::Lookup), lookups, "{processes}");
            assert_eq!(places(&way, Class::BlobRead), bodies, "{processes}");
        }
    }

    #[tokio::test]
    async fn what_is_on_its_way_ends_before_its_place_is_anothers() {
        let sharers = RequestSharers::default();
        let way = Way::new(
            Profile::of("registry.test"),
            &RequestLimits::default(),
            &sharers,
        );
        let mut running = Vec::new();
        for _ in 0..64 {
            running.push(way.enter(Class::Lookup).await);
        }
        sharers.set(2);
        way.share_out();
        tokio::task::yield_now().await;
        running.truncate(32);
        tokio::task::yield_now().await;
        assert_eq!(places(&way, Class::Lookup), 0);
        running.truncate(31);
        tokio::task::yield_now().await;
        assert_eq!(places(&way, Class::Lookup), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn requests_of_all_classes_leave_in_the_rate_that_a_person_allows() {
        let way = way(&RequestLimits {
            concurrency: None,
            rate: Some("120/m".parse().unwrap()),
        });
        let start = Instant::now();
        for _ in 0..5 {
            way.wait_for_slot().await;
        }
        assert_eq!(start.elapsed().as_secs(), 2);
    }
}
