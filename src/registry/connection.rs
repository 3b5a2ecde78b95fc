//! The one path that every request takes: a place in the window of the host, a try, another try.

use std::ops::ControlFlow;
use std::sync::Arc;

use bytes::Bytes;
use futures::{FutureExt, Stream};
use reqwest::StatusCode;
use tracing::debug;
use url::Url;

use super::answer::{Answer, Reply};
use super::auth::Authenticator;
use super::cause::Cause;
use super::elsewhere::Elsewhere;
use super::exchange::Exchanged;
use super::guard::WriteGuard;
use super::host::Host;
use super::http::Http;
use super::limiter::{Paused, Permit};
use super::observer::Observer;
use super::outgoing::{BodyError, Outgoing};
use super::request::Request;
use super::retry;
use super::secrets::Secrets;
use super::traffic::Counters;
use crate::oci::Registry;

/// A registry, the way to it and who we are there.
pub(super) struct Connection {
    pub(super) registry: Registry,
    /// Scheme, host and port of the API.
    pub(super) base: Url,
    pub(super) http: Http,
    pub(super) authenticator: Authenticator,
    pub(super) elsewhere: Elsewhere,
    pub(super) host: Arc<Host>,
    pub(super) counters: Arc<Counters>,
    /// What must not be seen again in what the registry says.
    pub(super) secrets: Arc<Secrets>,
    pub(super) write_guard: WriteGuard,
    pub(super) observer: Arc<dyn Observer>,
}

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

    /// The body of an upload: exactly `size` bytes.
    pub(super) fn outgoing<S>(&self, size: u64, source: S) -> Outgoing
    where
        S: Stream<Item = Result<Bytes, BodyError>> + Send + 'static,
    {
        let counters = Arc::clone(&self.counters);
        Outgoing::new(size, source, counters, self.write_guard.clone())
    }

    /// Asks, repeatedly where that may help, and reads the whole answer.
    pub(super) async fn ask(&self, request: &Request) -> Result<Reply, Cause> {
        repeat(move || async move {
            let answer = self.attempt(request, None).await?;
            Reply::read(answer, request.limit).await
        })
        .await
    }

    /// Asks like [`ask`](Self::ask). Before each try, when there is a place for it, `check` says
    /// whether it is still wanted: nothing is waited for between its word and the request.
    pub(super) async fn ask_checked<T, F>(
        &self,
        request: &Request,
        check: impl Fn() -> F,
    ) -> Result<ControlFlow<T, Reply>, Cause>
    where
        F: Future<Output = Result<ControlFlow<T>, Cause>>,
    {
        repeat(|| async {
            let permit = self.admit(request).await?;
            if let ControlFlow::Break(unwanted) = check().await? {
                return Ok(ControlFlow::Break(unwanted));
            }
            let answer = self.attempt_with(permit, request, None).await?;
            Reply::read(answer, request.limit)
                .await
                .map(ControlFlow::Continue)
        })
        .await
    }

    /// Asks, repeatedly where that may help, and leaves the body of the answer to be read.
    pub(super) async fn open(&self, request: &Request) -> Result<Answer, Cause> {
        repeat(move || self.attempt(request, None)).await
    }

    /// Sends a body that exists only once, and reads the answer.
    pub(super) async fn send(&self, request: &Request, body: Outgoing) -> Result<Reply, Cause> {
        let answer = self.attempt(request, Some(body)).await?;
        Reply::read(answer, request.limit).await
    }

    /// One try. Statuses that may pass are errors, all others are answers.
    async fn attempt(&self, request: &Request, body: Option<Outgoing>) -> Result<Answer, Cause> {
        let permit = self.admit(request).await?;
        self.attempt_with(permit, request, body).await
    }

    async fn attempt_with(
        &self,
        permit: Permit,
        request: &Request,
        body: Option<Outgoing>,
    ) -> Result<Answer, Cause> {
        // On the heap: what waits for a registry is deep enough without what says who we are.
        let outcome = self.exchange(request, body).boxed().await;
        self.learn(request, &permit, &outcome);
        let answer = Answer::new(outcome?, request.class, permit, self);
        let status = answer.status();
        if retry::is_transient(status) {
            return Err(answer.into_cause().await);
        }
        Ok(answer)
    }

    async fn admit(&self, request: &Request) -> Result<Permit, Cause> {
        let limiter = &self.host.limiter;
        let admitted = if request.is_urgent {
            limiter.admit_soon(request.class).await
        } else {
            limiter.admit(request.class).await
        };
        admitted.map_err(|Paused { wait }| Cause::Paused(retry::time_after(wait)))
    }

    /// Lets the window of the host know how the request went.
    fn learn(&self, request: &Request, permit: &Permit, outcome: &Result<Exchanged, Cause>) {
        match outcome {
            Ok(Exchanged { response, .. }) if is_congestion(response.status()) => {
                permit.congested();
                if let Some(wait) = retry::retry_after(response.headers(), retry::now()) {
                    let longer = self.host.limiter.pause(request.class, wait);
                    if !longer.is_zero() {
                        self.observer.throttled(&self.registry, longer);
                    }
                }
            }
            Ok(_) => permit.succeeded(),
            Err(Cause::NoAnswer { .. }) => permit.congested(),
            Err(_) => {}
        }
    }
}

/// Tries a request until it succeeds, fails for good, or has been tried often enough.
async fn repeat<T, F>(attempt: impl Fn() -> F) -> Result<T, Cause>
where
    F: Future<Output = Result<T, Cause>>,
{
    let mut tries = 1;
    loop {
        match attempt().await {
            Err(cause) if cause.is_worth_repeating() && tries < retry::TRIES => {
                debug!(%cause, tries, "trying again");
                tokio::time::sleep(retry::delay(tries)).await;
                tries += 1;
            }
            outcome => return outcome,
        }
    }
}

/// Whether the answer says that the host is asked too much.
fn is_congestion(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE
    )
}
