// SPDX-License-Identifier: Apache-2.0

//! Who is told of what becomes of mirrors: one courier for each notification, for as long as this process leads.
//! Nobody who tells waits for anybody who is told.

mod channel;
pub(super) mod courier;
mod place;
mod seen;

use std::collections::{HashMap, HashSet};
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
use super::shares::{Room, Shares};
use crate::api::{ImageMirror, ImageNotification};
use crate::plan::news::News;
use crate::plan::notification::Notification;
use crate::plan::outbox::{Bulletin, DueNews, Outbox};
use crate::runtime::clock;

/// Notifications that are followed.
const SHARES: Shares = Shares {
    most: 256,
    most_of_namespace: 16,
};
/// Messages that wait. The more namespaces have notifications, the fewer each of them may have, so that none takes the
/// room of another one; what waited before another one came stays, so that there may be twice as many for a while.
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
    /// What is wrong with its template, as a message showed. Only another template disproves it.
    misfit: Option<String>,
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
            if known.notification.form != notification.form {
                known.misfit = None;
            }
            known.notification = notification;
        } else if state.make_room(&target.namespace) {
            let followed = Followed {
                notification,
                misfit: None,
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

    /// Takes note that the template of a notification does not do for a message, unless it has another one by now;
    /// says whether that is news.
    fn misfits(&self, target: &Target, notification: &Notification, why: String) -> bool {
        let mut state = self.lock();
        let followed = state.targets.get_mut(target);
        let Some(followed) = followed.filter(|one| one.notification.form == notification.form)
        else {
            return false;
        };
        let is_news = followed.misfit.as_ref() != Some(&why);
        followed.misfit = Some(why);
        is_news
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Whether one more notification of a namespace can be followed, which may take the place of one of another
    /// namespace.
    fn make_room(&mut self, namespace: &str) -> bool {
        let taken = self.targets.keys().map(|target| target.namespace.as_str());
        let giver = match SHARES.room(namespace, taken) {
            Room::Free => return true,
            Room::None => return false,
            Room::InPlaceOf(giver) => giver,
        };
        let targets = self.targets.keys();
        let last = targets.filter(|target| target.namespace == giver);
        let Some(last) = last.max_by(|one, other| one.name.cmp(&other.name)).cloned() else {
            return false;
        };
        self.targets.remove(&last);
        // Its owner is told why.
        if let Some(looker) = self.lookers.of(&giver) {
            // The receiver ends with the process only.
            let _ = looker.send(NotificationRef::new(&last.name).within(&giver));
        }
        true
    }

    /// How many more messages of a namespace may wait.
    fn room(&self, namespace: &str) -> usize {
        let namespaces = self.targets.keys().map(|target| &target.namespace);
        let namespaces = namespaces.collect::<HashSet<_>>().len();
        let share = MOST_WAITING.checked_div(namespaces).unwrap_or(MOST_WAITING);
        let targets = self.targets.iter();
        let own = targets.filter(|(target, _)| target.namespace == namespace);
        let waiting: usize = own.map(|(_, followed)| followed.outbox.len()).sum();
        share.min(MOST_WAITING_OF_NAMESPACE).saturating_sub(waiting)
    }
}

impl Running {
    fn seen(&self) -> Seen {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.clone()
    }
}

#[cfg(test)]
mod tests;
