//! The one path that every request takes: limits, credential, redirects, repetition.

use std::sync::Arc;

use bytes::Bytes;
use reqwest::header::{
    AUTHORIZATION, CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue, LOCATION, WWW_AUTHENTICATE,
};
use reqwest::{Method, Response, StatusCode};
use tokio::time::timeout;
use tracing::debug;
use url::Url;

use super::answer::{Answer, Reply};
use super::auth::{Authenticator, Authorization, Scope};
use super::cause::Cause;
use super::class::Class;
use super::host::Host;
use super::limiter::{Paused, Permit};
use super::origin::{self, UnsafeUrl};
use super::outgoing::Outgoing;
use super::traffic::Counters;
use super::{http, retry};
use crate::oci::{Registry, limits};

/// A registry, the way to it and who we are there.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) registry: Registry,
    /// Scheme, host and port of the API.
    pub(super) base: Url,
    pub(super) http: reqwest::Client,
    pub(super) authenticator: Authenticator,
    pub(super) host: Arc<Host>,
    pub(super) counters: Arc<Counters>,
}

/// A request as the endpoints describe it.
#[derive(Debug)]
pub(super) struct Request {
    class: Class,
    method: Method,
    url: Url,
    scope: Scope,
    headers: HeaderMap,
    body: Option<Bytes>,
    /// The most bytes that a good answer may have; none where its body is of no interest.
    limit: Option<usize>,
    follows_redirects: bool,
    queues: bool,
}

// === impl Request ===

impl Request {
    pub(super) fn new(class: Class, method: Method, url: Url, scope: Scope) -> Self {
        Self {
            class,
            method,
            url,
            scope,
            headers: HeaderMap::new(),
            body: None,
            limit: None,
            follows_redirects: true,
            queues: true,
        }
    }

    pub(super) fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    pub(super) fn body(mut self, body: Bytes) -> Self {
        self.body = Some(body);
        self
    }

    /// Wants the body of a good answer, which has at most so many bytes.
    pub(super) fn limit(mut self, bytes: usize) -> Self {
        self.limit = Some(bytes);
        self
    }

    /// Hands redirects back instead of following them.
    pub(super) fn without_redirects(mut self) -> Self {
        self.follows_redirects = false;
        self
    }

    /// Takes no place in the window of its class.
    pub(super) fn without_queueing(mut self) -> Self {
        self.queues = false;
        self
    }
}

// === impl Connection ===

impl Connection {
    /// The URL of an endpoint below `/v2/`.
    pub(super) fn url(&self, parts: &[&str]) -> Url {
        let mut url = self.base.clone();
        // Only URLs such as `mailto:` have no path.
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.clear().push("v2");
            segments.extend(parts.iter().flat_map(|part| part.split('/')));
        }
        url
    }

    /// Asks, repeatedly where that may help, and reads the whole answer.
    pub(super) async fn ask(&self, request: &Request) -> Result<Reply, Cause> {
        let mut tries = Tries::default();
        loop {
            let outcome = match self.attempt(request, None).await {
                Ok(answer) => Reply::read(answer, request.limit).await,
                Err(cause) => Err(cause),
            };
            if !tries.again(&outcome).await {
                return outcome;
            }
        }
    }

    /// Asks, repeatedly where that may help, and leaves the body of the answer to be read.
    pub(super) async fn open(&self, request: &Request) -> Result<Answer, Cause> {
        let mut tries = Tries::default();
        loop {
            let outcome = self.attempt(request, None).await;
            if !tries.again(&outcome).await {
                return outcome;
            }
        }
    }

    /// Sends a body that exists only once, and reads the answer.
    pub(super) async fn send(&self, request: &Request, body: Outgoing) -> Result<Reply, Cause> {
        let answer = self.attempt(request, Some(body)).await?;
        Reply::read(answer, request.limit).await
    }

    /// One try. Statuses that may pass are errors, all others are answers.
    async fn attempt(&self, request: &Request, body: Option<Outgoing>) -> Result<Answer, Cause> {
        let permit = self.admit(request).await?;
        let response = match self.authorized(request, body).await {
            Ok(response) => response,
            Err(cause) => {
                if matches!(cause, Cause::NoAnswer { .. }) {
                    permit.congested();
                }
                return Err(cause);
            }
        };
        let status = response.status();
        if retry::is_congestion(status) {
            permit.congested();
            if let Some(wait) = retry::retry_after(response.headers(), retry::now()) {
                self.host.limiter.pause(request.class, wait);
            }
        } else {
            permit.succeeded();
        }
        let counters = Arc::clone(&self.counters);
        let answer = Answer::new(response, request.class, permit, counters);
        if retry::is_transient(status) {
            return Err(Reply::read(answer, request.limit).await?.into_cause());
        }
        Ok(answer)
    }

    async fn admit(&self, request: &Request) -> Result<Permit, Cause> {
        let limiter = &self.host.limiter;
        let admitted = if request.queues {
            limiter.admit(request.class).await
        } else {
            limiter.admit_at_once(request.class).await
        };
        admitted.map_err(|Paused { wait }| Cause::Paused(retry::time_after(wait)))
    }

    /// Sends the request with what the registry wants to see, which it may have to say first.
    async fn authorized(
        &self,
        request: &Request,
        body: Option<Outgoing>,
    ) -> Result<Response, Cause> {
        let is_unique = body.is_some();
        let sent = self.authenticator.authorization(&request.scope).await?;
        let response = self.follow(request, body, sent.as_ref()).await?;
        if response.status() != StatusCode::UNAUTHORIZED {
            return Ok(response);
        }
        let challenge = self.challenge(response).await?;
        let renewed = self
            .authenticator
            .challenged(&challenge, &request.scope, sent.as_ref())
            .await?;
        if is_unique {
            return Err(Cause::TokenExpired);
        }
        self.follow(request, None, Some(&renewed)).await
    }

    /// The headers that say how to authenticate. Some registries say it only at `/v2/`.
    async fn challenge(&self, response: Response) -> Result<HeaderMap, Cause> {
        let headers = response.headers().clone();
        drop(response);
        if headers.contains_key(WWW_AUTHENTICATE) {
            return Ok(headers);
        }
        let ping = self.http.get(self.url(&[""])).build();
        let response = self.dispatch(Class::Lookup, ping, None).await?;
        Ok(response.headers().clone())
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
            let built = self.build(request, url.clone(), body.as_ref(), authorization);
            let response = self.dispatch(request.class, built, body.take()).await?;
            if is_redirect(response.status()) && request.follows_redirects {
                let next = next_hop(request, &response, &url)?;
                if !origin::is_same(&next, &self.base) {
                    authorization = None;
                }
                url = next;
                continue;
            }
            if response.status() == StatusCode::UNAUTHORIZED && !origin::is_same(&url, &self.base) {
                let origin = origin::of(&url);
                return Err(UnsafeUrl::AsksForCredential { origin }.into());
            }
            return Ok(response);
        }
        Err(UnsafeUrl::TooManyRedirects.into())
    }

    fn build(
        &self,
        request: &Request,
        url: Url,
        body: Option<&Outgoing>,
        authorization: Option<&Authorization>,
    ) -> reqwest::Result<reqwest::Request> {
        let mut builder = self
            .http
            .request(request.method.clone(), url)
            .headers(request.headers.clone());
        if let Some(authorization) = authorization {
            builder = builder.header(AUTHORIZATION, authorization.header_value());
        }
        // Always a length: Nexus answers 411 to chunks, and a POST without one is not one to all proxies.
        let length = match (body, &request.body) {
            (Some(body), _) => Some(body.size()),
            (None, Some(body)) => Some(body.len() as u64),
            (None, None) => request.class.is_write().then_some(0),
        };
        if let Some(length) = length {
            builder = builder.header(CONTENT_LENGTH, length);
        }
        if let Some(body) = &request.body {
            self.counters.count_written(body.len());
            builder = builder.body(body.clone());
        }
        builder.build()
    }

    /// Sends one request and waits for the headers of the answer.
    async fn dispatch(
        &self,
        class: Class,
        request: reqwest::Result<reqwest::Request>,
        body: Option<Outgoing>,
    ) -> Result<Response, Cause> {
        let mut request = request.map_err(|error| Cause::Protocol(http::root(&error)))?;
        let (method, url) = (request.method().clone(), request.url().clone());
        self.counters.count_request(class);
        if class == Class::ManifestRead && origin::is_same(&url, &self.base) {
            self.counters.count_pull();
        }
        let no_answer = || Cause::NoAnswer {
            host: origin::of(&url),
        };
        let sent = match body {
            None => timeout(limits::HEADER_TIMEOUT, self.http.execute(request))
                .await
                .map_err(|_| no_answer())?,
            Some(body) => {
                let (body, progress) = body.into_parts();
                *request.body_mut() = Some(body);
                tokio::select! {
                    biased;
                    sent = self.http.execute(request) => sent,
                    () = progress.stalled() => return Err(no_answer()),
                }
            }
        };
        let response = sent.map_err(|error| transport(&error, &url))?;
        debug!(%method, host = origin::of(&url), path = url.path(), status = response.status().as_u16(), "request");
        Ok(response)
    }
}

/// How often a request was tried.
#[derive(Default)]
struct Tries(u32);

impl Tries {
    /// Waits until the next try; false where the outcome is final.
    async fn again<T>(&mut self, outcome: &Result<T, Cause>) -> bool {
        self.0 += 1;
        match outcome {
            Err(cause) if cause.is_worth_repeating() && self.0 < retry::TRIES => {
                debug!(%cause, tries = self.0, "trying again");
                tokio::time::sleep(retry::delay(self.0)).await;
                true
            }
            Ok(_) | Err(_) => false,
        }
    }
}

fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

fn next_hop(request: &Request, response: &Response, url: &Url) -> Result<Url, UnsafeUrl> {
    let location = response.headers().get(LOCATION);
    let next = origin::redirect_target(location, url)?;
    if matches!(request.method, Method::GET | Method::HEAD) {
        return Ok(next);
    }
    Err(UnsafeUrl::RedirectedWrite {
        origin: origin::of(&next),
    })
}

/// What an error of the connection means.
fn transport(error: &reqwest::Error, url: &Url) -> Cause {
    let host = origin::of(url);
    let detail = http::root(error);
    if let Some(body) =
        http::causes(error).find_map(|cause| cause.downcast_ref::<super::BodyError>())
    {
        return Cause::Body(body.to_string());
    }
    match () {
        () if http::is_tls(error) => Cause::Tls { host, detail },
        () if error.is_connect() => Cause::Unreachable { host, detail },
        () => Cause::Interrupted { host, detail },
    }
}
