// SPDX-License-Identifier: Apache-2.0

//! Sends what waits for one notification, one message after the other, and tries again what may arrive later.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::sync::Notify;
use tokio::sync::mpsc::UnboundedSender;
use tokio::time::sleep;

use super::channel::Channel;
use super::seen::Seen;
use super::{NotificationRef, Notifier, Target};
use crate::api::Reason;
use crate::plan::message::MessageError;
use crate::plan::notification::Notification;
use crate::plan::outbox::{Bulletin, DueNews};
use crate::registry::PostError;
use crate::runtime::clock;

/// Time until a message is tried again, at first and at last.
const BACKOFF: Duration = Duration::from_secs(1);
const LONGEST_BACKOFF: Duration = Duration::from_secs(5 * 60);
/// News that are older are not tried any more: nobody needs them.
const LONGEST: Duration = Duration::from_secs(60 * 60);
/// Shortest time between two looks at a notification because messages arrived.
const TELL_EVERY: Duration = Duration::from_secs(60);

/// Sends to one notification.
pub(super) struct Courier {
    pub(super) notifier: Arc<Notifier>,
    pub(super) target: Target,
    pub(super) channel: Arc<Channel>,
    pub(super) seen: Arc<Mutex<Seen>>,
    pub(super) more: Arc<Notify>,
    pub(super) looker: Option<UnboundedSender<NotificationRef>>,
}

/// Why a message was not sent, or did not arrive.
#[derive(Debug, thiserror::Error)]
enum Undelivered {
    #[error("spec.template: {0}")]
    Unwritten(#[from] MessageError),
    #[error(transparent)]
    Unsent(#[from] PostError),
}

// === impl Courier ===

impl Courier {
    /// Sends until dropped, or until the notification is gone.
    pub(super) async fn run(self) {
        let (mut failures, mut told) = (0_u32, None);
        while let Some((notification, due)) = self.notifier.take(&self.target) {
            let bulletin = match due {
                DueNews::Now(bulletin) => bulletin,
                DueNews::NotBefore(instant) => {
                    let wait = instant.saturating_duration_since(Instant::now());
                    tokio::select! {
                        () = sleep(wait) => {}
                        () = self.more.notified() => {}
                    }
                    continue;
                }
                DueNews::Nothing => {
                    self.more.notified().await;
                    continue;
                }
            };
            match self.send(&notification, &bulletin).await {
                Ok(()) => {
                    failures = 0;
                    self.notifier.done(&self.target);
                    self.count(&notification, "delivered");
                    self.tell_arrival(&mut told);
                }
                Err(error) => {
                    failures = failures.saturating_add(1);
                    self.tell_failure(&error);
                    if error.may_pass() && age(bulletin.since) < LONGEST {
                        self.count(&notification, "retried");
                        sleep(backoff(failures, error.wait())).await;
                    } else {
                        failures = 0;
                        self.notifier.done(&self.target);
                        self.count(&notification, "failed");
                    }
                }
            }
        }
    }

    async fn send(
        &self,
        notification: &Notification,
        bulletin: &Bulletin,
    ) -> Result<(), Undelivered> {
        let Target { namespace, name } = &self.target;
        let body = notification.form.write(namespace, name, bulletin)?;
        Ok(self.channel.send(&body).await?)
    }

    fn count(&self, notification: &Notification, result: &'static str) {
        let form = notification.kind.as_str();
        self.notifier.metrics.count_notification(form, result);
    }

    /// Has the status say that a message arrived, at once where the one before did not, and else now and then.
    fn tell_arrival(&self, told: &mut Option<Instant>) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let was_failing = seen.failure.take().is_some();
        seen.last = Some(clock::now());
        drop(seen);
        if was_failing || told.is_none_or(|told| told.elapsed() >= TELL_EVERY) {
            *told = Some(Instant::now());
            self.look_again();
        }
    }

    /// Says why a message does not arrive, where that is news.
    fn tell_failure(&self, error: &Undelivered) {
        let failure = Some((error.reason(), error.to_string()));
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let is_news = seen.failure != failure;
        seen.failure = failure;
        drop(seen);
        if is_news {
            let Target { namespace, name } = &self.target;
            tracing::warn!(namespace, notification = name, %error, "a message does not arrive");
            self.look_again();
        }
    }

    fn look_again(&self) {
        if let Some(looker) = &self.looker {
            let Target { namespace, name } = &self.target;
            // The receiver ends with the process only.
            let _ = looker.send(NotificationRef::new(name).within(namespace));
        }
    }
}

// === impl Undelivered ===

impl Undelivered {
    fn may_pass(&self) -> bool {
        match self {
            Self::Unwritten(_) => false,
            Self::Unsent(error) => error.may_pass(),
        }
    }

    fn wait(&self) -> Option<Duration> {
        match self {
            Self::Unwritten(_) => None,
            Self::Unsent(error) => error.wait(),
        }
    }

    fn reason(&self) -> Reason {
        match self {
            Self::Unwritten(_) => Reason::InvalidSpec,
            Self::Unsent(error) => reason(error),
        }
    }
}

/// The category of a message that did not arrive.
pub(in crate::controller) fn reason(error: &PostError) -> Reason {
    match (error, error.status()) {
        (_, Some(401)) => Reason::AuthenticationFailed,
        (_, Some(403)) | (PostError::OutOfBounds(_), _) => Reason::AccessDenied,
        (_, Some(404 | 410)) => Reason::NotFound,
        (_, Some(429)) => Reason::RateLimited,
        (_, Some(300..=499)) | (PostError::Settings(_), _) => Reason::DependencyNotReady,
        (_, _) => Reason::Unreachable,
    }
}

fn age(since: Timestamp) -> Duration {
    let age = clock::now().duration_since(since);
    age.try_into().unwrap_or_default()
}

/// The time until a message is tried again that failed so often in a row, with some chance in it.
fn backoff(failures: u32, asked: Option<Duration>) -> Duration {
    let doubled = BACKOFF.saturating_mul(1 << failures.saturating_sub(1).min(16));
    let wait = doubled.mul_f64(0.75 + fastrand::f64() / 4.0);
    wait.max(asked.unwrap_or_default()).min(LONGEST_BACKOFF)
}
