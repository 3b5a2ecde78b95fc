// SPDX-License-Identifier: Apache-2.0

//! One exchange with a registry: say who we are when asked, go where we are sent if that is safe.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{HeaderMap, LOCATION, WWW_AUTHENTICATE};
use reqwest::{Method, Response, StatusCode};
use tokio::time::timeout;
use tracing::debug;
use url::Url;

use super::answer::Exchanged;
use super::auth::{Authorization, Scope};
use super::cause::Cause;
use super::class::Class;
use super::connection::Connection;
use super::drain::{drain, words};
use super::elsewhere::Visit;
use super::hint::Hint;
use super::http::{self, HttpError};
use super::origin::{self, UnsafeUrl};
use super::outgoing::{BodyError, Ended, Outgoing, guarded};
use super::redact::SafeUrl;
use super::request::{Direct, Request};
use super::said::Said;
use crate::oci::limits;

/// The most challenges that one request answers: an expired token, and one change of mind.
const CHALLENGES: u32 = 3;

impl Connection {
    /// Sends the request with what the registry wants to see, which it may have to say first.
    pub(super) async fn exchange(
        &self,
        request: &Request,
        mut body: Option<Outgoing>,
    ) -> Result<Exchanged, Cause> {
        if let Some(direct) = &request.direct {
            return self.exchange_directly(request, direct).await;
        }
        let is_unique = body.is_some();
        let scope = &request.scope;
        // A token that ends under way is told at the end by some registries (Katello#11485).
        let lasting = body.as_ref().map_or(Duration::ZERO, Outgoing::lasting);
        let authorization = self.authenticator.authorization_lasting(scope, lasting);
        let mut sent = authorization.await?;
        let mut challenges = 0;
        loop {
            let exchanged = self.follow(request, body.take(), sent.as_ref()).await?;
            match exchanged.response.status() {
                StatusCode::UNAUTHORIZED if challenges < CHALLENGES => {}
                StatusCode::FORBIDDEN
                    if !is_unique
                        && self
                            .is_guess(&exchanged.response, scope, sent.as_ref())
                            .await =>
                {
                    drain(exchanged.response).await;
                    self.host.limiter.spend(request.class);
                    sent = None;
                    continue;
                }
                _ => return Ok(exchanged),
            }
            challenges += 1;
            let (challenge, said) = self.challenge(request, exchanged).await?;
            // An error where there is nothing better to say.
            let renewed = self
                .authenticator
                .challenged(&challenge, scope, sent.as_ref())
                .await
                .map_err(|error| Cause::refused(error, said))?;
            if is_unique {
                return Err(Cause::LateChallenge);
            }
            self.host.limiter.spend(request.class);
            sent = Some(renewed);
        }
    }

    /// Asks another server of the registry's owner, once. What it answers is the answer: no redirect, no challenge.
    async fn exchange_directly(
        &self,
        request: &Request,
        direct: &Direct,
    ) -> Result<Exchanged, Cause> {
        let sent = direct.authorization.clone();
        let built = request.build(&self.http, request.url.clone(), None, sent.as_ref());
        self.counters.count_written(request.body_length());
        let response = self.dispatch(request.class, built, None).await?;
        Ok(Exchanged { response, sent })
    }

    /// Sends a request of which nobody needs the answer: once, with what is known of who we are.
    pub(super) async fn tell(&self, request: &Request) -> Result<(), Cause> {
        let sent = self.authenticator.authorization(&request.scope).await?;
        let exchanged = self.follow(request, None, sent.as_ref()).await?;
        drain(exchanged.response).await;
        Ok(())
    }

    /// Whether the registry itself refuses a token for a scope of which it never said what it wants
    /// (cgr.dev answers 403 to a token for something else).
    async fn is_guess(
        &self,
        response: &Response,
        scope: &Scope,
        sent: Option<&Authorization>,
    ) -> bool {
        match sent {
            Some(sent) if origin::is_same(response.url(), &self.base) => {
                self.authenticator.is_guess(scope, sent).await
            }
            Some(_) | None => false,
        }
    }

    /// The headers that say how to authenticate, and the words with them. Some registries say it only
    /// at `/v2/`, some only to a GET.
    async fn challenge(
        &self,
        request: &Request,
        exchanged: Exchanged,
    ) -> Result<(HeaderMap, Option<Said>), Cause> {
        let Exchanged { response, sent } = exchanged;
        let headers = response.headers().clone();
        let said = words(response, &self.secrets.with(sent.as_ref())).await;
        if headers.contains_key(WWW_AUTHENTICATE) {
            return Ok((headers, said));
        }
        let headers = self.ask_for_challenge(self.url(&[""])).await?;
        if request.method != Method::HEAD || headers.contains_key(WWW_AUTHENTICATE) {
            return Ok((headers, said));
        }
        let headers = self.ask_for_challenge(request.url.clone()).await?;
        Ok((headers, said))
    }

    /// What a GET by nobody is answered with: only its headers are wanted.
    pub(super) async fn ask_for_challenge(&self, url: Url) -> Result<HeaderMap, Cause> {
        self.host.limiter.spend(Class::Lookup);
        let request = self.http.request(Method::GET, url).build();
        let response = self.dispatch(Class::Lookup, request, None).await?;
        let headers = response.headers().clone();
        drain(response).await;
        Ok(headers)
    }

    /// Follows redirects by hand: the credential stays where it belongs.
    async fn follow(
        &self,
        request: &Request,
        mut body: Option<Outgoing>,
        authorization: Option<&Authorization>,
    ) -> Result<Exchanged, Cause> {
        let is_unique = body.is_some();
        let mut url = request.url.clone();
        let is_ours = |url: &Url| origin::is_same(url, &self.base);
        let mut sent = authorization.filter(|_| is_ours(&url)).cloned();
        let mut visit = None;
        for _ in 0..=limits::REDIRECTS {
            let built = request.build(&self.http, url.clone(), body.as_ref(), sent.as_ref());
            self.counters.count_written(request.body_length());
            let response = self.dispatch(request.class, built, body.take()).await?;
            if response.status() == StatusCode::UNAUTHORIZED && !is_ours(&url) {
                let answer = self.answer_elsewhere(visit.as_ref(), response, sent);
                sent = Some(answer.await?);
                continue;
            }
            if !origin::is_redirect(response.status()) || !request.follows_redirects {
                let sent = sent.or_else(|| authorization.cloned());
                return Ok(Exchanged { response, sent });
            }
            let next = next_hop(&request.method, &response, &url, is_unique);
            let next = next.map_err(|error| self.refuse(error))?;
            drain(response).await;
            if is_ours(&next) {
                self.host.limiter.spend(request.class);
            }
            if is_ours(&next) && is_ours(&url) {
                url = next;
                continue;
            }
            // What led away does not lead back: from here on nobody hears who we are at the registry.
            visit = if is_ours(&next) {
                None
            } else {
                self.elsewhere.visit(&request.url, &next).await?
            };
            sent = match &visit {
                Some(visit) => visit.authorization().await?,
                None => None,
            };
            url = next;
        }
        Err(UnsafeUrl::TooManyRedirects.into())
    }

    /// What to say to a server behind a redirect that answered 401.
    async fn answer_elsewhere(
        &self,
        visit: Option<&Visit>,
        response: Response,
        sent: Option<Authorization>,
    ) -> Result<Authorization, Cause> {
        let (url, headers) = (response.url().clone(), response.headers().clone());
        drain(response).await;
        if let Some(visit) = visit {
            return visit.challenged(&headers, sent.as_ref()).await;
        }
        let origin = origin::of(&url);
        Err(self.refuse(UnsafeUrl::AsksForCredential { origin }))
    }

    /// Why a redirect is not followed: it may say that the registry speaks HTTPS.
    fn refuse(&self, error: UnsafeUrl) -> Cause {
        if let UnsafeUrl::RedirectedWrite { origin } | UnsafeUrl::AsksForCredential { origin } =
            &error
            && Url::parse(origin).is_ok_and(|target| origin::is_encrypted(&self.base, &target))
        {
            let host = origin::of(&self.base);
            return Cause::Encrypted { host, side: None };
        }
        error.into()
    }

    /// Sends one request and waits for the headers of the answer.
    async fn dispatch(
        &self,
        class: Class,
        request: reqwest::Result<reqwest::Request>,
        body: Option<Outgoing>,
    ) -> Result<Response, Cause> {
        let request = request.map_err(|error| Cause::Protocol(http::root(&error)))?;
        let (method, url) = (request.method().clone(), request.url().clone());
        if !method.is_safe() {
            self.write_guard.check()?;
        }
        self.counters.count_request(class);
        let sent = self.transmit(class, request, body, &url).await;
        self.report(class, &sent);
        let response = sent?;
        if !self.has_answered.load(Relaxed) && origin::is_same(response.url(), &self.base) {
            self.has_answered.store(true, Relaxed);
        }
        let status = response.status();
        debug!(%method, url = %SafeUrl::from(url), status = status.as_u16(), "request");
        Ok(response)
    }

    async fn transmit(
        &self,
        class: Class,
        mut request: reqwest::Request,
        body: Option<Outgoing>,
        url: &Url,
    ) -> Result<Response, Cause> {
        let host = || origin::of(url);
        let whole = request.body().and_then(reqwest::Body::as_bytes);
        if let Some(whole) = whole.filter(|_| !request.method().is_safe()) {
            // It may have to wait for a connection.
            let whole = Bytes::copy_from_slice(whole);
            *request.body_mut() = Some(guarded(whole, self.write_guard.clone()));
        }
        let sent = match body {
            // What closes an upload: everything was sent before.
            None if class == Class::Upload => {
                timeout(limits::COMMIT_TIMEOUT, self.http.execute(request))
                    .await
                    .map_err(|_| Cause::Unconfirmed { host: host() })
            }
            None if class.asks_for_little() => {
                timeout(limits::HEADER_TIMEOUT, self.http.look_up(request))
                    .await
                    .map_err(|_| Cause::NoAnswer { host: host() })
            }
            None => timeout(limits::HEADER_TIMEOUT, self.http.execute(request))
                .await
                .map_err(|_| Cause::NoAnswer { host: host() }),
            Some(body) => {
                let (body, progress) = body.into_parts();
                *request.body_mut() = Some(body);
                tokio::select! {
                    biased;
                    sent = self.http.execute(request) => Ok(sent),
                    () = progress.clone().stalled() => Err(if progress.is_sent() {
                        Cause::Unconfirmed { host: host() }
                    } else {
                        Cause::NoAnswer { host: host() }
                    }),
                }
            }
        };
        sent?.map_err(|error| match error {
            HttpError::OutOfBounds(refused) => refused.into(),
            HttpError::Proxy(fault) => fault.into(),
            HttpError::Broken(error) => broken(&error, url, self.hint(url)),
        })
    }

    /// What suggests itself where the host of a URL closes a connection: nothing once the registry has answered.
    fn hint(&self, url: &Url) -> Hint {
        let is_mute = !self.has_answered.load(Relaxed) && origin::is_same(url, &self.base);
        if is_mute {
            Hint::other_than(url.scheme())
        } else {
            Hint::NONE
        }
    }

    /// Tells who looks on what came of a request.
    fn report(&self, class: Class, sent: &Result<Response, Cause>) {
        let status = match sent {
            Ok(response) => Some(response.status()),
            // It was not sent.
            Err(Cause::OutOfBounds(_)) => return,
            Err(_) => None,
        };
        let (observer, registry) = (&self.observer, &self.registry);
        observer.requested(registry, class, status.map(|status| status.as_u16()));
        if class == Class::ManifestRead && status.is_some_and(|status| status.is_success()) {
            self.counters.count_pull();
            observer.pulled(registry);
        }
    }
}

/// Where a redirect leads. One that writes is repeated only as it is, at the registry itself, where its body still exists.
fn next_hop(
    method: &Method,
    response: &Response,
    url: &Url,
    is_unique: bool,
) -> Result<Url, UnsafeUrl> {
    let next = origin::redirect_target(response.headers().get(LOCATION), url)?;
    let status = response.status().as_u16();
    let origin = origin::of(&next);
    match *method {
        Method::GET | Method::HEAD => Ok(next),
        _ if !origin::is_same(&next, url) => Err(UnsafeUrl::RedirectedWrite { origin }),
        Method::POST | Method::PUT | Method::PATCH if !is_unique && matches!(status, 307 | 308) => {
            Ok(next)
        }
        _ => Err(UnsafeUrl::MovedWrite { status }),
    }
}

/// What it means that no answer came from a host.
///
/// `hint` is what suggests itself where they close the connection before anything is said.
fn broken(error: &reqwest::Error, url: &Url, hint: Hint) -> Cause {
    let ended = http::causes(error).find_map(|cause| cause.downcast_ref::<Ended>());
    match ended {
        Some(Ended::Source(BodyError(reason))) => return Cause::Body(reason.clone()),
        Some(Ended::Lapsed(lapsed)) => return (*lapsed).into(),
        None => {}
    }
    let (host, side) = (origin::of(url), None);
    let detail = http::reason(error);
    match () {
        () if http::is_plain(error) => Cause::Plain { host, side },
        () if http::is_tls(error) => Cause::Tls {
            host,
            detail,
            is_stranger: http::is_stranger(error),
        },
        () if error.is_connect() => {
            let is_closed = url.scheme() == "https" && http::is_closed(error);
            let hint = if is_closed { hint } else { Hint::NONE };
            Cause::Unreachable { host, detail, hint }
        }
        () if url.scheme() == "http" && http::is_no_http(error) => Cause::NotHttp { host, side },
        () => {
            // Encryption stood: how the host speaks is not in doubt.
            let hint = if url.scheme() == "https" {
                Hint::NONE
            } else {
                hint
            };
            Cause::Interrupted { host, detail, hint }
        }
    }
}
