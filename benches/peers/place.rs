// SPDX-License-Identifier: Apache-2.0

//! The registries a tool works with, and how far away they are.

use std::time::Duration;

use serde::Serialize;

use crate::support::access_log::Request;
use crate::support::nginx::{Limit, Nginx};
use crate::support::proxy::DelayProxy;
use crate::support::registries::{Kind, Registry, Security};

/// What [`Mode::Delay`] adds to every byte in each direction.
const DELAY: Duration = Duration::from_millis(10);

/// What [`Mode::Limited`] lets through, as nginx does by itself: twenty requests a second and five more,
/// which are held back.
const LIMIT: Limit = Limit {
    rate: 20,
    burst: 5,
    delays: true,
    status: 429,
};

/// How far away the registries are, and what is in between.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Mode {
    /// On this machine.
    Loopback,
    /// 20 ms round trip.
    Delay,
    /// On this machine, the destinations behind a limit that says nothing of itself.
    Limited,
    /// On this machine, over TLS.
    Tls,
    /// 20 ms round trip, over TLS.
    TlsDelay,
}

/// A registry at some distance. The harness itself always goes the short way.
pub(crate) struct Place {
    registry: Registry,
    between: Between,
}

/// What is between a tool and a registry.
enum Between {
    Nothing,
    Delay(DelayProxy),
    Limit(Nginx),
}

impl Mode {
    /// All of them.
    pub(crate) const ALL: [Self; 5] = [
        Self::Loopback,
        Self::Delay,
        Self::Limited,
        Self::Tls,
        Self::TlsDelay,
    ];

    /// Its name in arguments and reports.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Loopback => "loopback",
            Self::Delay => "delay",
            Self::Limited => "limited",
            Self::Tls => "tls",
            Self::TlsDelay => "tls-delay",
        }
    }

    /// How the registries are reached.
    pub(crate) fn security(self) -> Security {
        match self {
            Self::Loopback | Self::Delay | Self::Limited => Security::Plain,
            Self::Tls | Self::TlsDelay => Security::Tls,
        }
    }
}

impl Place {
    /// Starts an empty registry: distribution 3, content on disk.
    pub(crate) async fn start(mode: Mode) -> Self {
        let registry = Registry::start(Kind::Distribution3, mode.security()).await;
        let between = match mode {
            Mode::Limited => Between::Limit(Nginx::limiting(registry.address(), LIMIT).await),
            Mode::Loopback | Mode::Delay | Mode::Tls | Mode::TlsDelay => Between::Nothing,
        };
        let mut place = Self { registry, between };
        if mode != Mode::Limited {
            place.move_to(mode);
        }
        place
    }

    /// Puts the registry, with all its content, at another distance. Only what is new is limited.
    pub(crate) fn move_to(&mut self, mode: Mode) {
        self.between = match mode {
            Mode::Loopback | Mode::Limited | Mode::Tls => Between::Nothing,
            Mode::Delay | Mode::TlsDelay => {
                Between::Delay(DelayProxy::start(self.registry.address(), DELAY))
            }
        };
    }

    /// `127.0.0.1:PORT`, as tools are told it.
    pub(crate) fn host(&self) -> String {
        match &self.between {
            Between::Nothing => self.registry.host(),
            Between::Delay(proxy) => proxy.host(),
            Between::Limit(nginx) => nginx.host(),
        }
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
