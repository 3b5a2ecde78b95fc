//! The way to a host, which all take who reach it alike: whether it answers there, and how much is asked of it at
//! once over all who ask. What it says to one of them is that one's own.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::class::{Class, PerClass};
use super::limiter;
use super::profile::Profile;
use super::settings::Settings;
use super::turnstile::Turnstile;
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
    /// Whether it answers.
    pub(super) turnstile: Arc<Turnstile>,
    /// So many requests of each class at once.
    shares: PerClass<Arc<Semaphore>>,
}

/// One of the requests that are on their way at once.
#[derive(Debug)]
pub(super) struct Share {
    /// Given back with it. None where the request could not wait.
    _permit: Option<OwnedSemaphorePermit>,
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
    pub(super) fn new(profile: &Profile) -> Self {
        let places = |class| Arc::new(Semaphore::new(limiter::most(profile, class)));
        Self {
            turnstile: Arc::new(Turnstile::unpaced()),
            shares: PerClass::new(places),
        }
    }

    /// Waits until not too many others ask, in the order of asking.
    pub(super) async fn enter(&self, class: Class) -> Share {
        let places = Arc::clone(self.shares.of(class));
        Share {
            // The semaphore is never closed.
            _permit: places.acquire_owned().await.ok(),
        }
    }
}

// === impl Share ===

impl Share {
    /// Goes ahead of all others.
    pub(super) fn none() -> Self {
        Self { _permit: None }
    }
}
