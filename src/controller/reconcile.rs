// SPDX-License-Identifier: Apache-2.0

//! Wires watches to reconcilers.

use std::collections::HashSet;
use std::fmt::Debug;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt};
use kube::core::{NamespaceResourceScope, PartialObjectMeta};
use kube::runtime::controller::{Action, Config};
use kube::runtime::reflector::ObjectRef;
use kube::runtime::watcher::Event;
use kube::runtime::{Controller, WatchStreamExt, watcher};
use kube::{Client, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::watch::Sender;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use super::cluster::WriteError;
use super::context::{Context, Shared};
use super::image_notification::NotificationLook;
use super::image_receiver::ReceiverLook;
use super::looks::{MirrorLook, PolicyLook};
use super::objects::{Guarded, api};
use super::page::WatchedScope;
use super::watch::{Kept, Listed, Look, receive, watch};
use super::{handover, image_mirror, image_notification, image_policy, image_receiver};
use crate::api::{ImageMirror, ImageNotification, ImagePolicy, ImageReceiver, MirroredRepository};
use crate::sync::Ledger;

/// What comes in quick succession about one object is one look at it.
const DEBOUNCE: Duration = Duration::from_millis(100);
/// Time until a status that could not be written is tried again.
const RETRY: Duration = Duration::from_secs(10);
/// Time until it is looked again whether this process leads by now.
const LOOK_FOR_LEAD: Duration = Duration::from_secs(30);
/// Longest time for which mirrors wait until it is known who is to be told of them.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why an object was not reconciled.
#[derive(Debug, thiserror::Error)]
enum ReconcileError {
    /// Its status could not be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// A defect: this object is tried again, all others go on.
    #[error("the reconciler panicked")]
    Panicked,
}

/// The objects of one kind: where they are kept, and those that are to be looked at again.
struct Watched<K: Resource<DynamicType = ()> + Clone + 'static> {
    kept: Kept<K>,
    again: UnboundedReceiver<ObjectRef<Guarded<K>>>,
}

/// The objects of all kinds that are reconciled, and what is waited for of them.
struct Kinds {
    mirrors: Watched<ImageMirror>,
    policies: Watched<ImagePolicy>,
    receivers: Watched<ImageReceiver>,
    notifications: Watched<ImageNotification>,
    receivers_listed: Listed,
    notifications_listed: Listed,
    /// Says that mirrors need not wait for notifications any more.
    go_on: Sender<bool>,
}

/// Where objects are looked at, and until when.
struct Scope<'a> {
    watches: &'a Client,
    namespace: Option<&'a str>,
    end: &'a CancellationToken,
}

/// Reconciles the objects of a namespace, or of all, until told to end.
pub(super) async fn run(
    shared: Arc<Shared>,
    watches: &Client,
    namespace: Option<&str>,
    ledger: &Ledger,
    end: &CancellationToken,
) {
    let (kinds, context) = Kinds::open(shared, namespace);
    let Kinds {
        mirrors,
        policies,
        receivers,
        notifications,
        receivers_listed,
        notifications_listed,
        go_on,
    } = kinds;
    let scope = Scope {
        watches,
        namespace,
        end,
    };
    let mirrors = mirrors
        .controller(&scope, MirrorLook(context.clone()))
        .run(reconcile_on_heap, retry, context.clone())
        .for_each(async |_| {});
    let policies = policies
        .controller(&scope, PolicyLook(context.clone()))
        .run(reconcile_policy, retry, context.clone())
        .for_each(async |_| {});
    let receivers = receivers
        .controller(&scope, ReceiverLook(context.clone()))
        .run(reconcile_receiver, retry, context.clone())
        .for_each(async |_| {});
    let notifications = notifications
        .controller(&scope, NotificationLook(context.clone()))
        .run(reconcile_notification, retry, context.clone())
        .for_each(async |_| {});
    let open_doors = async {
        if receivers_listed.wait().await {
            context.shared.doors.listed();
        }
    };
    // Mirrors do not stand still because nobody says who is to be told.
    let find_notifications = async {
        let _ = tokio::time::timeout(PATIENCE, notifications_listed.wait()).await;
        go_on.send_replace(true);
    };
    let watch_records =
        end.run_until_cancelled(watch_records(watches, namespace, &context.shared, ledger));
    tokio::join!(
        mirrors,
        policies,
        receivers,
        notifications,
        open_doors,
        find_notifications,
        watch_records,
        handover::follow(&context, ledger, namespace, end)
    );
}

// === impl Kinds ===

impl Kinds {
    /// Room for the objects of a namespace, or of all, and what reconcilers work with.
    fn open(shared: Arc<Shared>, namespace: Option<&str>) -> (Self, Arc<Context>) {
        let (mirrors, mirrors_listed, changed_mirrors) = Watched::empty();
        let (policies, policies_listed, used_policies) = Watched::empty();
        let (receivers, receivers_listed, changed_receivers) = Watched::empty();
        let (notifications, notifications_listed, changed_notifications) = Watched::empty();
        let hinted = &shared.hinted;
        hinted.look_through(namespace, changed_mirrors.clone());
        shared.pulls.look_through(namespace, changed_receivers);
        let notifier = &shared.notifier;
        notifier.look_through(namespace, changed_notifications);
        shared.watched.add(WatchedScope {
            mirrors: mirrors.kept.store.clone(),
            policies: policies.kept.store.clone(),
            listed: [mirrors_listed.clone(), policies_listed.clone()],
        });
        let (go_on, notifications_found) = Listed::not_yet();
        let context = Context {
            shared,
            mirrors: mirrors.kept.store.clone(),
            policies: policies.kept.store.clone(),
            receivers: receivers.kept.store.clone(),
            notifications: notifications.kept.store.clone(),
            mirrors_listed,
            policies_listed,
            notifications_found,
            changed_mirrors,
            used_policies,
        };
        let kinds = Self {
            mirrors,
            policies,
            receivers,
            notifications,
            receivers_listed,
            notifications_listed,
            go_on,
        };
        (kinds, Arc::new(context))
    }
}

// === impl Watched ===

impl<K> Watched<K>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Clone
        + Debug
        + DeserializeOwned
        + Send
        + Sync
        + 'static,
{
    /// Room for objects, who waits until they are there, and who asks for another look at one.
    fn empty() -> (Self, Listed, UnboundedSender<ObjectRef<Guarded<K>>>) {
        let (kept, listed) = Kept::empty();
        let (asks, again) = unbounded_channel();
        (Self { kept, again }, listed, asks)
    }

    /// What looks at objects that changed, or that are to be looked at again.
    fn controller(self, scope: &Scope<'_>, look: impl Look<K>) -> Controller<Guarded<K>> {
        let store = self.kept.store.clone();
        let objects = api(scope.watches, scope.namespace);
        let changes = watch(objects, self.kept, Arc::new(look));
        Controller::for_stream(changes, store)
            .with_config(Config::default().debounce(DEBOUNCE))
            .reconcile_on(receive(self.again))
            .graceful_shutdown_on(scope.end.clone().cancelled_owned())
    }
}

/// On the heap, so that thousands that wait are small: whoever runs it moves it from one place to the next.
fn reconcile_on_heap(
    object: Arc<Guarded<ImageMirror>>,
    context: Arc<Context>,
) -> BoxFuture<'static, Result<Action, ReconcileError>> {
    reconcile_mirror(object, context).boxed()
}

async fn reconcile_mirror(
    object: Arc<Guarded<ImageMirror>>,
    context: Arc<Context>,
) -> Result<Action, ReconcileError> {
    // Before its policies are known, a mirror would seem to lack them.
    if !context.policies_listed.wait().await || !context.notifications_found.wait().await {
        return Ok(Action::await_change());
    }
    let (namespace, name) = (object.namespace().unwrap_or_default(), object.name_any());
    let Some(leave) = context.shared.portion.enter(&namespace, &name) else {
        // Another member works on it. When that changes, it is looked at again.
        return Ok(Action::await_change());
    };
    let span = match leave.shard() {
        Some(shard) => tracing::info_span!("shard", %shard),
        None => tracing::Span::none(),
    };
    let work = Box::pin(async {
        match &object.0 {
            Ok(mirror) => image_mirror::reconcile(mirror, &context).await,
            Err(invalid) => Box::pin(image_mirror::refuse(invalid, &context)).await,
        }
    });
    contain(work.instrument(span)).await
}

async fn reconcile_policy(
    object: Arc<Guarded<ImagePolicy>>,
    context: Arc<Context>,
) -> Result<Action, ReconcileError> {
    if !context.mirrors_listed.wait().await || !context.shared.portion.leads() {
        return Ok(Action::await_change());
    }
    contain(async {
        match &object.0 {
            Ok(policy) => image_policy::reconcile(policy, &context).await,
            Err(invalid) => image_policy::refuse(invalid, &context).await,
        }
    })
    .await
}

async fn reconcile_receiver(
    object: Arc<Guarded<ImageReceiver>>,
    context: Arc<Context>,
) -> Result<Action, ReconcileError> {
    // Before mirrors are known, none would seem to want what an event tells of.
    if !context.mirrors_listed.wait().await {
        return Ok(Action::await_change());
    }
    if !context.shared.portion.leads() {
        return Ok(Action::requeue(LOOK_FOR_LEAD));
    }
    contain(async {
        match &object.0 {
            Ok(receiver) => image_receiver::reconcile(receiver, &context).await,
            Err(invalid) => image_receiver::refuse(invalid, &context.shared).await,
        }
    })
    .await
}

async fn reconcile_notification(
    object: Arc<Guarded<ImageNotification>>,
    context: Arc<Context>,
) -> Result<Action, ReconcileError> {
    contain(async {
        match &object.0 {
            Ok(notification) => image_notification::reconcile(notification, &context).await,
            Err(invalid) => image_notification::refuse(invalid, &context.shared).await,
        }
    })
    .await
}

/// A panic is of one object, not of the process.
async fn contain(
    work: impl Future<Output = Result<Action, WriteError>>,
) -> Result<Action, ReconcileError> {
    match AssertUnwindSafe(work).catch_unwind().await {
        Ok(outcome) => Ok(outcome?),
        Err(_) => Err(ReconcileError::Panicked),
    }
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "the signature is that of kube's error policies"
)]
fn retry<K>(object: Arc<K>, error: &ReconcileError, _context: Arc<Context>) -> Action
where
    K: Resource<DynamicType = ()> + Debug,
{
    let (kind, name, namespace) = (K::kind(&()), object.name_any(), object.namespace());
    tracing::warn!(%kind, namespace, name, %error, "not reconciled, trying again");
    Action::requeue(RETRY.mul_f64(1.0 + fastrand::f64()))
}

/// Takes note of records that somebody deletes: they are written again by the next round. What is no record
/// of ours protects nothing any more when it is gone.
async fn watch_records(client: &Client, namespace: Option<&str>, shared: &Shared, ledger: &Ledger) {
    let objects = api::<PartialObjectMeta<MirroredRepository>>(client, namespace);
    let mut events = watcher(objects, watcher::Config::default())
        .default_backoff()
        .boxed();
    let mut listed = HashSet::new();
    let name_of = |object: &PartialObjectMeta<MirroredRepository>| {
        let name = ObjectRef::new(&object.name_any());
        name.within(&object.namespace().unwrap_or_default())
    };
    let forget = |is_gone: &dyn Fn(&ObjectRef<MirroredRepository>) -> bool| {
        for holder in shared.records.take_strange(is_gone) {
            ledger.forget(&holder);
        }
    };
    while let Some(event) = events.next().await {
        match event {
            Ok(Event::InitApply(object)) => {
                listed.insert(name_of(&object));
            }
            Ok(Event::InitDone) => {
                let is_here = |object: &ObjectRef<_>| {
                    namespace.is_none() || object.namespace.as_deref() == namespace
                };
                forget(&|object| is_here(object) && !listed.contains(object));
                listed = HashSet::new();
            }
            Ok(Event::Delete(object)) => {
                let gone = name_of(&object);
                forget(&|object| *object == gone);
                if let Some(page) = shared.records.lose(&object.name_any()) {
                    ledger.lose(page);
                }
            }
            Ok(Event::Init | Event::Apply(_)) | Err(_) => {}
        }
    }
}
