// SPDX-License-Identifier: Apache-2.0

//! Who is told of what becomes of mirrors: one courier for each notification, for as long as this process leads.
//! Nobody who tells waits for anybody who is told.

mod channel;
pub(super) mod courier;
mod place;
mod seen;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use kube::ResourceExt;
use kube::runtime::reflector::ObjectRef;
use tokio::sync::Notify;
use tokio::sync::mpsc::UnboundedSender;
use tokio_util::sync::{CancellationToken, DropGuard};

pub(super) use self::channel::Channel;
use self::seen::Seen;
use super::lookers::Lookers;
use super::metrics::ControllerMetrics;
use super::objects::Guarded;
use crate::api::{ImageMirror, ImageNotification};
use crate::plan::news::News;
use crate::plan::notification::Notification;
use crate::plan::outbox::{Bulletin, DueNews, Outbox};
use crate::runtime::clock;

/// Most notifications that are followed, of all namespaces and of one.
const MOST: usize = 256;
const MOST_OF_NAMESPACE: usize = 16;
/// Most messages that wait, of all namespaces and of one.
const MOST_WAITING: usize = 2_048;
const MOST_WAITING_OF_NAMESPACE: usize = 256;

/// A notification to look at again.
pub(super) type NotificationRef = ObjectRef<Guarded<ImageNotification>>;

/// Who is told.
pub(super) struct Notifier {
    metrics: Arc<ControllerMetrics>,
    end: CancellationToken,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    targets: HashMap<Target, Followed>,
    /// Those who look at the notifications of a namespace, or of all.
    lookers: Lookers<NotificationRef>,
}

/// The namespace and the name of a notification.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Target {
    pub(super) namespace: String,
    pub(super) name: String,
}

/// A notification, and what waits for it.
struct Followed {
    notification: Arc<Notification>,
    outbox: Outbox,
    /// What is being sent, until it has arrived or was given up: whoever sends it may be replaced meanwhile.
    in_hand: Option<Bulletin>,
    more: Arc<Notify>,
    courier: Option<Running>,
}

/// Somebody who sends, until this is dropped.
struct Running {
    channel: Arc<Channel>,
    seen: Arc<Mutex<Seen>>,
    _stop: DropGuard,
}

// === impl Target ===

impl Target {
    pub(super) fn of(object: &ImageNotification) -> Self {
        Self {
            namespace: object.namespace().unwrap_or_default(),
            name: object.name_any(),
        }
    }
}

// === impl Notifier ===

impl Notifier {
    /// Nobody is told, and nobody is any more from `end` on.
    pub(super) fn new(metrics: Arc<ControllerMetrics>, end: CancellationToken) -> Self {
        Self {
            metrics,
            end,
            state: Mutex::default(),
        }
    }

    /// Takes note of who looks at the notifications of a namespace, or of all.
    pub(super) fn look_through(
        &self,
        namespace: Option<&str>,
        looker: UnboundedSender<NotificationRef>,
    ) {
        self.lock().lookers.add(namespace, looker);
    }

    /// Follows a notification from now on: what happens waits until it is known where to send it. Nothing is kept for
    /// one that is suspended or invalid, or one too many.
    pub(super) fn follow(&self, object: &ImageNotification) {
        let target = Target::of(object);
        let notification = Notification::of(object).ok();
        let Some(notification) = notification.filter(|_| !object.spec.suspend) else {
            return self.forget(&target);
        };
        let notification = Arc::new(notification);
        let mut state = self.lock();
        if let Some(known) = state.targets.get_mut(&target) {
            known.notification = notification;
        } else if state.has_room(&target.namespace) {
            let followed = Followed {
                notification,
                outbox: Outbox::default(),
                in_hand: None,
                more: Arc::default(),
                courier: None,
            };
            state.targets.insert(target, followed);
        }
    }

    /// Forgets a notification, with what waits for it.
    pub(super) fn forget(&self, target: &Target) {
        self.lock().targets.remove(target);
    }

    /// Sends nothing to a notification for now; what happens waits.
    pub(super) fn halt(&self, target: &Target) {
        if let Some(followed) = self.lock().targets.get_mut(target) {
            followed.courier = None;
        }
    }

    /// Tells everybody who wants to know, in the mirror's own namespace, and waits for nobody.
    pub(super) fn tell(&self, mirror: &ImageMirror, news: &[News]) {
        if news.is_empty() {
            return;
        }
        let namespace = mirror.namespace().unwrap_or_default();
        let (name, labels) = (mirror.name_any(), mirror.labels());
        let now = clock::now();
        let mut state = self.lock();
        let mut room = state.room(&namespace);
        let targets = state.targets.iter_mut();
        for (_, followed) in targets.filter(|(target, _)| target.namespace == namespace) {
            let chosen = followed.notification.choose(&name, labels, news);
            if chosen.is_empty() {
                continue;
            }
            let before = followed.outbox.len();
            if followed.outbox.note(&name, chosen, now, room > 0) {
                room -= followed.outbox.len() - before;
                followed.more.notify_one();
            } else {
                let form = followed.notification.kind.as_str();
                self.metrics.count_notification(form, "dropped");
            }
        }
    }

    /// What a courier is to send now, as long as it is that of its target.
    fn take(&self, target: &Target) -> Option<(Arc<Notification>, DueNews)> {
        let mut state = self.lock();
        let followed = state.targets.get_mut(target)?;
        let due = match &followed.in_hand {
            Some(bulletin) => DueNews::Now(bulletin.clone()),
            None => followed.outbox.take(Instant::now()),
        };
        if let DueNews::Now(bulletin) = &due {
            followed.in_hand = Some(bulletin.clone());
        }
        Some((Arc::clone(&followed.notification), due))
    }

    /// Takes note that what was taken has arrived, or was given up.
    fn done(&self, target: &Target) {
        if let Some(followed) = self.lock().targets.get_mut(target) {
            followed.in_hand = None;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn has_room(&self, namespace: &str) -> bool {
        let targets = self.targets.keys();
        let own = targets.filter(|target| target.namespace == namespace);
        self.targets.len() < MOST && own.count() < MOST_OF_NAMESPACE
    }

    /// How many more messages of a namespace may wait.
    fn room(&self, namespace: &str) -> usize {
        let count = |is_counted: &dyn Fn(&Target) -> bool| {
            let targets = self.targets.iter();
            let counted = targets.filter(|(target, _)| is_counted(target));
            counted.map(|(_, followed)| followed.outbox.len()).sum()
        };
        let all: usize = count(&|_| true);
        let own: usize = count(&|target| target.namespace == namespace);
        let share = MOST_WAITING_OF_NAMESPACE.saturating_sub(own);
        share.min(MOST_WAITING.saturating_sub(all))
    }
}

impl Running {
    fn seen(&self) -> Seen {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.clone()
    }
}
