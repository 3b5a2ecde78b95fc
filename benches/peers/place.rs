//! The registries a tool works with, and how far away they are.

use std::time::Duration;

use serde::Serialize;

use crate::support::access_log::Request;
use crate::support::proxy::DelayProxy;
use crate::support::registries::{Kind, Registry, Security};

/// What [`Mode::Delay`] adds to every byte in each direction.
const DELAY: Duration = Duration::from_millis(10);

/// How far away the registries are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Mode {
    /// On this machine.
    Loopback,
    /// 20 ms round trip.
    Delay,
}

/// A registry at some distance. The harness itself always goes the short way.
pub(crate) struct Place {
    registry: Registry,
    proxy: Option<DelayProxy>,
}

impl Mode {
    /// Both of them.
    pub(crate) const ALL: [Self; 2] = [Self::Loopback, Self::Delay];

    /// Its name in arguments and reports.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Loopback => "loopback",
            Self::Delay => "delay",
        }
    }
}

impl Place {
    /// Starts an empty registry: distribution 3, plain HTTP, content on disk.
    pub(crate) async fn start(mode: Mode) -> Self {
        let registry = Registry::start(Kind::Distribution3, Security::Plain).await;
        let mut place = Self {
            registry,
            proxy: None,
        };
        place.move_to(mode);
        place
    }

    /// Puts the registry, with all its content, at another distance.
    pub(crate) fn move_to(&mut self, mode: Mode) {
        self.proxy = match mode {
            Mode::Loopback => None,
            Mode::Delay => Some(DelayProxy::start(self.registry.address(), DELAY)),
        };
    }

    /// `127.0.0.1:PORT`, as tools are told it.
    pub(crate) fn host(&self) -> String {
        self.proxy
            .as_ref()
            .map_or_else(|| self.registry.host(), DelayProxy::host)
    }

    /// The registry itself.
    pub(crate) fn registry(&self) -> &Registry {
        &self.registry
    }

    /// What tools asked since the last call.
    pub(crate) async fn take_requests(&self) -> Vec<Request> {
        let requests = self.registry.requests().await;
        self.registry.forget_requests().await;
        requests
    }
}
