//! One exchange with a registry: say who we are when asked, go where we are sent if that is safe.

use std::time::Duration;

use reqwest::header::{HeaderMap, LOCATION, WWW_AUTHENTICATE};
use reqwest::{Method, Response, StatusCode};
use tokio::time::timeout;
use tracing::debug;
use url::Url;

use super::answer;
use super::auth::Authorization;
use super::cause::Cause;
use super::class::Class;
use super::connection::Connection;
use super::http::{self, HttpError};
use super::origin::{self, UnsafeUrl};
use super::outgoing::{BodyError, Ended, Outgoing};
use super::redact::SafeUrl;
use super::request::Request;
use super::said::Said;
use crate::oci::limits;

/// The most challenges that one request answers: an expired token, and one change of mind.
const CHALLENGES: u32 = 3;

/// What came of an exchange.
pub(super) struct Exchanged {
    pub(super) response: Response,
    /// What the request carried in the end.
    pub(super) sent: Option<Authorization>,
}

impl Connection {
    /// Sends the request with what the registry wants to see, which it may have to say first.
    pub(super) async fn exchange(
        &self,
        request: &Request,
        mut body: Option<Outgoing>,
    ) -> Result<Exchanged, Cause> {
        let is_unique = body.is_some();
        let scope = &request.scope;
        // A token that ends under way is told at the end by some registries (Katello#11485).
        let lasting = body.as_ref().map_or(Duration::ZERO, Outgoing::lasting);
        let authorization = self.authenticator.authorization_lasting(scope, lasting);
        let mut sent = authorization.await?;
        let mut challenges = 0;
        loop {
            let response = self.follow(request, body.take(), sent.as_ref()).await?;
            if response.status() != StatusCode::UNAUTHORIZED || challenges == CHALLENGES {
                return Ok(Exchanged { response, sent });
            }
            challenges += 1;
            let (challenge, said) = self.challenge(response, sent.as_ref()).await?;
            // An error where there is nothing better to say.
            let renewed = self
                .authenticator
                .challenged(&challenge, scope, sent.as_ref())
                .await
                .map_err(|error| Cause::refused(error, said))?;
            if is_unique {
                return Err(Cause::LateChallenge);
            }
            sent = Some(renewed);
        }
    }

    /// Sends a request of which nobody needs the answer: once, with what is known of who we are.
    pub(super) async fn tell(&self, request: &Request) -> Result<(), Cause> {
        let sent = self.authenticator.authorization(&request.scope).await?;
        let response = self.follow(request, None, sent.as_ref()).await?;
        answer::drain(response).await;
        Ok(())
    }

    /// The headers that say how to authenticate, and the words with them. Some registries say it only
    /// at `/v2/`.
    async fn challenge(
        &self,
        response: Response,
        sent: Option<&Authorization>,
    ) -> Result<(HeaderMap, Option<Said>), Cause> {
        let headers = response.headers().clone();
        let said = answer::words(response, &self.secrets.with(sent)).await;
        if headers.contains_key(WWW_AUTHENTICATE) {
            return Ok((headers, said));
        }
        let ping = self.http.request(Method::GET, self.url(&[""])).build();
        let response = self.dispatch(Class::Lookup, ping, None).await?;
        let headers = response.headers().clone();
        answer::drain(response).await;
        Ok((headers, said))
    }

    /// Follows redirects by hand: the credential stays where it belongs.
    async fn follow(
        &self,
        request: &Request,
        mut body: Option<Outgoing>,
        mut authorization: Option<&Authorization>,
    ) -> Result<Response, Cause> {
        let mut url = request.url.clone();
        for _ in 0..=limits::REDIRECTS {
            let built = request.build(&self.http, url.clone(), body.as_ref(), authorization);
            self.counters.count_written(request.body_length());
            let response = self.dispatch(request.class, built, body.take()).await?;
            let is_ours = origin::is_same(&url, &self.base);
            if response.status() == StatusCode::UNAUTHORIZED && !is_ours {
                let origin = origin::of(&url);
                return Err(self.refuse(UnsafeUrl::AsksForCredential { origin }));
            }
            if !is_redirect(response.status()) || !request.follows_redirects {
                return Ok(response);
            }
            url = next_hop(&request.method, &response, &url).map_err(|error| self.refuse(error))?;
            if !origin::is_same(&url, &self.base) {
                authorization = None;
            }
            answer::drain(response).await;
        }
        Err(UnsafeUrl::TooManyRedirects.into())
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
        let sent = match body {
            // What closes an upload: everything was sent before.
            None if class == Class::Upload => {
                timeout(limits::COMMIT_TIMEOUT, self.http.execute(request))
                    .await
                    .map_err(|_| Cause::Unconfirmed { host: host() })
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
            HttpError::Broken(error) => broken(&error, url),
        })
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

fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

fn next_hop(method: &Method, response: &Response, url: &Url) -> Result<Url, UnsafeUrl> {
    let next = origin::redirect_target(response.headers().get(LOCATION), url)?;
    if matches!(*method, Method::GET | Method::HEAD) {
        return Ok(next);
    }
    Err(UnsafeUrl::RedirectedWrite {
        origin: origin::of(&next),
    })
}

/// What it means that no answer came from a host.
fn broken(error: &reqwest::Error, url: &Url) -> Cause {
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
        () if http::is_tls(error) => Cause::Tls { host, detail },
        () if error.is_connect() => Cause::Unreachable { host, detail },
        () if url.scheme() == "http" && http::is_no_http(error) => Cause::NotHttp { host, side },
        () => Cause::Interrupted { host, detail },
    }
}
