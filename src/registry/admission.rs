// SPDX-License-Identifier: Apache-2.0

//! Leave to ask a host, and what its answer says about the next request.

use std::time::Duration;

use tokio::time::timeout;

use super::answer::Exchanged;
use super::auth;
use super::cause::Cause;
use super::connection::Connection;
use super::limiter::{Permit, SOON};
use super::request::Request;
use super::turnstile::{Passage, Paused};
use super::way::Share;
use super::{origin, retry};

/// Leave to send one request.
#[derive(Debug)]
pub(super) struct Admission {
    permit: Permit,
    share: Share,
    /// What comes of it on the way to the host.
    way: Passage,
}

impl Admission {
    /// Something is asked before the request, which must not wait for what comes of the request.
    pub(super) fn stand_aside(&mut self) {
        self.permit.passage().stand_aside();
        self.way.stand_aside();
    }

    /// The request leaves only now.
    pub(super) fn leave(&mut self) {
        self.permit.passage().leave();
        self.way.leave();
    }

    /// The places among our requests and everybody's, to be kept until the answer has been read.
    pub(super) fn into_places(self) -> (Permit, Share) {
        (self.permit, self.share)
    }
}

impl Connection {
    /// Waits for leave to ask. The work is given back where that would take long.
    pub(super) async fn admit(&self, request: &Request) -> Result<Admission, Cause> {
        let limiter = &self.host.limiter;
        let permit = if request.is_urgent {
            limiter.admit_soon(request.class).await
        } else {
            limiter.admit(request.class).await
        };
        let permit = permit.map_err(|Paused { wait }| Cause::Paused(retry::time_after(wait)))?;
        let share = self.way.enter(request.class);
        let share = if request.is_urgent {
            timeout(SOON, share).await.unwrap_or_else(|_| Share::none())
        } else {
            share.await
        };
        self.way.wait_for_slot().await;
        let way = self.way.turnstile.pass().await;
        let way = way.map_err(|Paused { wait }| Cause::Silent {
            host: origin::of(&self.base),
            until: retry::time_after(wait),
        })?;
        Ok(Admission { permit, share, way })
    }

    /// Lets the limits of the host know how the request went.
    pub(super) fn learn(&self, admission: &Admission, outcome: &Result<Exchanged, Cause>) {
        let Admission {
            permit,
            share: _,
            way,
        } = admission;
        match outcome {
            Ok(Exchanged { response, .. }) => {
                way.answered();
                match retry::is_refusal(response.status()) {
                    true if origin::is_same(response.url(), &self.base) => {
                        let asked = retry::retry_after(response.headers(), retry::now());
                        self.rest(self.host.limiter.refused(permit, asked));
                    }
                    // What the registry leads to is asked too much.
                    true => permit.congested(),
                    false => self.host.limiter.answered(permit),
                }
            }
            Err(Cause::Unreachable { host, .. } | Cause::NoAnswer { host })
                if *host == origin::of(&self.base) =>
            {
                permit.congested();
                way.failed(None);
            }
            Err(Cause::Proxy(fault)) if fault.is_transient() => {
                way.failed(None);
            }
            Err(Cause::NoAnswer { .. }) => permit.congested(),
            // A token server that is the registry itself counts its requests together with the others.
            Err(Cause::Auth { error, .. }) => {
                if let auth::Error::RateLimited {
                    server,
                    retry_after,
                    ..
                } = error.as_ref()
                    && *server == origin::authority(&self.base)
                {
                    self.rest(self.host.limiter.refused(permit, *retry_after));
                }
            }
            Err(_) => {}
        }
    }

    /// Tells who looks on how much longer the host is left alone.
    fn rest(&self, longer: Duration) {
        if !longer.is_zero() {
            self.observer.throttled(&self.registry, longer);
        }
    }
}
