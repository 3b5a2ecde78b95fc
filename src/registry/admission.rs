// SPDX-License-Identifier: Apache-2.0

//! Leave to ask a host, and what its answer says about the next request.

use std::time::Duration;

use futures::FutureExt;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;

use super::answer::Exchanged;
use super::auth;
use super::cause::Cause;
use super::connection::Connection;
use super::limiter::{Permit, SOON};
use super::request::Request;
use super::silence::{InLine, PATIENCE, Silence};
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
    /// What comes of it among those that ask for the same.
    line: InLine,
    /// Kept while the places are somebody else's.
    lent: Option<OwnedSemaphorePermit>,
}

impl Admission {
    /// Something is asked before the request, which must not wait for what comes of the request.
    pub(super) fn stand_aside(&mut self) {
        self.permit.passage().stand_aside();
        self.way.stand_aside();
        self.line.stand_aside();
    }

    /// The request leaves only now.
    pub(super) fn leave(&mut self) {
        self.permit.passage().leave();
        self.way.leave();
        self.line.leave();
    }

    /// Waits for an answer. Where that takes long, others have the places meanwhile.
    pub(super) async fn wait_for<F: Future + Unpin>(
        &mut self,
        silence: &Silence,
        mut answer: F,
    ) -> F::Output {
        loop {
            if let Ok(answer) = timeout(PATIENCE, &mut answer).await {
                return answer;
            }
            if self.line.doubt() {
                break;
            }
        }
        // Others may find out sooner whether it is the host.
        self.way.stand_aside();
        self.lent = silence.lend();
        if self.lent.is_some() {
            self.permit.give_back();
            self.share.give_back();
        }
        answer.await
    }

    /// The places among our requests and everybody's, to be kept until the answer has been read.
    pub(super) fn into_places(self) -> (Permit, Share) {
        (self.permit, self.share)
    }
}

impl Connection {
    /// Waits for leave to ask. The work is given back where that would take long.
    pub(super) async fn admit(&self, request: &Request) -> Result<Admission, Cause> {
        let is_urgent = request.is_urgent;
        let mut line = self.way.silence.lines.join(request);
        let (permit, share) = loop {
            let passed = line.pass(is_urgent).await;
            passed.map_err(|paused| self.silent(line.repository(), paused))?;
            let places = self.places(request).await?;
            if line.may_go(is_urgent) {
                break places;
            }
        };
        self.way.wait_for_slot().await;
        let way = self.pass_host().await?;
        Ok(Admission {
            permit,
            share,
            way,
            line,
            lent: None,
        })
    }

    /// Waits for a place among our requests, and one among everybody's.
    async fn places(&self, request: &Request) -> Result<(Permit, Share), Cause> {
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
        Ok((permit, share))
    }

    /// Waits until the host is not left alone. Whoever finds out whether it answers again asks for something that
    /// is of no repository.
    async fn pass_host(&self) -> Result<Passage, Cause> {
        let silence = &self.way.silence;
        let passed = silence.pass().await;
        let (way, asks_host) = passed.map_err(|paused| self.silent(None, paused))?;
        if !asks_host {
            return Ok(way);
        }
        // On the heap, as every request.
        match self.ask_for_challenge(self.url(&[""])).boxed().await {
            Ok(_) => silence.answered(&way),
            Err(cause) => {
                if cause.is_silence() {
                    silence.failed(&way, cause.detail());
                }
                return Err(cause);
            }
        }
        drop(way);
        // Whoever comes now is one of many.
        let passed = silence.pass().await;
        let (way, _) = passed.map_err(|paused| self.silent(None, paused))?;
        Ok(way)
    }

    fn silent(&self, repository: Option<&str>, Paused { wait }: Paused) -> Cause {
        Cause::Silent {
            host: origin::of(&self.base),
            repository: repository.map(str::to_owned),
            // Of a repository that is asked in vain nothing else is known.
            why: match repository {
                Some(_) => None,
                None => self.way.silence.why(),
            },
            until: retry::time_after(wait),
        }
    }

    /// Lets the limits of the host know how the request went.
    pub(super) fn learn(&self, admission: &Admission, outcome: &Result<Exchanged, Cause>) {
        let Admission {
            permit, way, line, ..
        } = admission;
        let silence = &self.way.silence;
        match outcome {
            Ok(Exchanged { response, .. }) => {
                silence.answered(way);
                line.answered();
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
            Err(cause @ Cause::Unreachable { host, .. }) if *host == origin::of(&self.base) => {
                permit.congested();
                silence.failed(way, cause.detail());
            }
            Err(Cause::NoAnswer { host }) if *host == origin::of(&self.base) => {
                if silence.hung(way, line) {
                    permit.congested();
                }
            }
            Err(Cause::Proxy(fault)) if fault.is_transient() => {
                silence.failed(way, fault);
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
