// SPDX-License-Identifier: Apache-2.0

//! The one path that every request takes: a place in the window of the host, a try, another try.

use std::convert::Infallible;
use std::ops::ControlFlow;
use std::sync::Arc;

use futures::FutureExt;
use reqwest::Method;
use tokio::time::Instant;
use tracing::debug;

use super::admission::Admission;
use super::answer::{Answer, Reply};
use super::auth::IssueError;
use super::cause::Cause;
use super::class::Class;
use super::connection::Connection;
use super::outgoing::Outgoing;
use super::request::Request;
use super::retry::{self, FirstSent, Tries};

impl Connection {
    /// Asks, repeatedly where that may help, and reads the whole answer.
    pub(super) async fn ask(&self, request: &Request) -> Result<Reply, Cause> {
        repeat(|first| async move {
            let answer = self.attempt(request, None, &first).await?;
            Reply::read(answer, request.limit).await
        })
        .await
    }

    /// Asks once: where no answer leads to another way, or is as good as any.
    pub(super) async fn ask_once(&self, request: &Request) -> Result<Reply, Cause> {
        let answer = self.attempt(request, None, &FirstSent::default()).await?;
        Reply::read(answer, request.limit).await
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
        let check = &check;
        repeat(|first| async move {
            let mut admission = self.admit(request).await?;
            admission.stand_aside();
            if let ControlFlow::Break(unwanted) = check().await? {
                return Ok(ControlFlow::Break(unwanted));
            }
            admission.leave();
            first.sent(Instant::now());
            let answer = self.attempt_with(admission, request, None).await?;
            Reply::read(answer, request.limit)
                .await
                .map(ControlFlow::Continue)
        })
        .await
    }

    /// Has somebody else do something for us, repeatedly where that may help; `check` is as for
    /// [`ask_checked`](Self::ask_checked).
    pub(super) async fn act_checked<T, R, F, A>(
        &self,
        class: Class,
        check: impl Fn() -> F,
        act: impl Fn() -> A,
    ) -> Result<ControlFlow<T, R>, Cause>
    where
        F: Future<Output = Result<ControlFlow<T>, Cause>>,
        A: Future<Output = Result<R, IssueError>>,
    {
        let (check, act) = (&check, &act);
        repeat(|first| async move {
            if let ControlFlow::Break(unwanted) = check().await? {
                return Ok(ControlFlow::Break(unwanted));
            }
            self.write_guard.check()?;
            self.counters.count_request(class);
            first.sent(Instant::now());
            let done = act().await.map_err(Cause::Own)?;
            Ok(ControlFlow::Continue(done))
        })
        .await
    }

    /// Has somebody else do something for us, repeatedly where that may help.
    pub(super) async fn act<R, A>(&self, class: Class, act: impl Fn() -> A) -> Result<R, Cause>
    where
        A: Future<Output = Result<R, IssueError>>,
    {
        let wanted = || async { Ok(ControlFlow::<Infallible>::Continue(())) };
        match self.act_checked(class, wanted, act).await? {
            ControlFlow::Continue(done) => Ok(done),
            ControlFlow::Break(never) => match never {},
        }
    }

    /// Asks, repeatedly where that may help, and leaves the body of the answer to be read.
    pub(super) async fn open(&self, request: &Request) -> Result<Answer, Cause> {
        repeat(|first| async move { self.attempt(request, None, &first).await }).await
    }

    /// Sends a body that exists only once, and reads the answer.
    pub(super) async fn send(&self, request: &Request, body: Outgoing) -> Result<Reply, Cause> {
        let first = FirstSent::default();
        let answer = self.attempt(request, Some(body), &first).await?;
        Reply::read(answer, request.limit).await
    }

    /// One try, and another one where the storage behind a redirect refuses what the registry signed: that may
    /// have expired on the way, and the registry signs anew when it is asked again.
    async fn attempt(
        &self,
        request: &Request,
        body: Option<Outgoing>,
        first: &FirstSent,
    ) -> Result<Answer, Cause> {
        let answer = self.attempt_once(request, body, first).await?;
        if request.method != Method::GET || !answer.is_refused_by_storage() {
            return Ok(answer);
        }
        drop(answer);
        self.attempt_once(request, None, first).await
    }

    /// One try. Statuses that may pass are errors, all others are answers.
    async fn attempt_once(
        &self,
        request: &Request,
        body: Option<Outgoing>,
        first: &FirstSent,
    ) -> Result<Answer, Cause> {
        let admission = self.admit(request).await?;
        first.sent(Instant::now());
        self.attempt_with(admission, request, body).await
    }

    async fn attempt_with(
        &self,
        mut admission: Admission,
        request: &Request,
        body: Option<Outgoing>,
    ) -> Result<Answer, Cause> {
        // On the heap: what waits for a registry is deep enough without what says who we are.
        let answer = self.exchange(request, body).boxed();
        let outcome = match request.class {
            // It takes as long as its body, and as the registry needs to store that.
            Class::Upload => answer.await,
            Class::Lookup
            | Class::ManifestRead
            | Class::ManifestWrite
            | Class::ManifestDelete
            | Class::BlobRead
            | Class::UploadStart => admission.wait_for(&self.way.silence, answer).await,
        };
        self.learn(&admission, &outcome);
        let places = admission.into_places();
        let answer = Answer::new(outcome?, request, places, self);
        let status = answer.status();
        if retry::is_transient(status) && request.handed_back != Some(status) {
            return Err(answer.into_cause().await);
        }
        Ok(answer)
    }
}

/// Tries a request until it succeeds, fails for good, has been tried often or long enough, or is not to
/// be tried for a while.
async fn repeat<T, F>(attempt: impl Fn(Arc<FirstSent>) -> F) -> Result<T, Cause>
where
    F: Future<Output = Result<T, Cause>>,
{
    let first = Arc::new(FirstSent::default());
    let mut tries = Tries::new(&first);
    let mut earlier: Option<Cause> = None;
    loop {
        let cause = match (attempt(Arc::clone(&first)).await, earlier.take()) {
            (Ok(outcome), _) => return Ok(outcome),
            // What went wrong before says more than that it is not tried again now.
            (Err(Cause::Paused(until) | Cause::Silent { until, .. }), Some(earlier)) => {
                return Err(earlier.put_off(until));
            }
            (Err(cause), _) => cause,
        };
        let asked = cause.retry_at().map(retry::wait_until);
        let delay = cause
            .trouble()
            .and_then(|trouble| tries.failed(Instant::now(), trouble, asked));
        let Some(delay) = delay else {
            return Err(cause);
        };
        debug!(%cause, ?delay, "trying again");
        tokio::time::sleep(delay).await;
        earlier = Some(cause);
    }
}
