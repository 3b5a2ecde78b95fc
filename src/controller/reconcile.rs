// SPDX-License-Identifier: Apache-2.0

//! Wires watches to reconcilers.

use std::collections::HashSet;
use std::fmt::Debug;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::{FutureExt, StreamExt};
use kube::core::PartialObjectMeta;
use kube::runtime::controller::{Action, Config};
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::watcher::Event;
use kube::runtime::{Controller, WatchStreamExt, watcher};
use kube::{Client, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio_util::sync::CancellationToken;

use super::cluster::WriteError;
use super::context::{Context, Shared};
use super::image_receiver::ReceiverLook;
use super::looks::{MirrorLook, PolicyLook};
use super::objects::{Guarded, api};
use super::page::WatchedScope;
use super::watch::{Changes, Kept, receive, watch};
use super::{image_mirror, image_policy, image_receiver};
use crate::api::{ImageMirror, ImagePolicy, ImageReceiver, MirroredRepository};
use crate::sync::Ledger;

/// What comes in quick succession about one object is one look at it.
const DEBOUNCE: Duration = Duration::from_millis(100);
/// Time until a status that could not be written is tried again.
const RETRY: Duration = Duration::from_secs(10);

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

/// Reconciles the objects of a namespace, or of all, until told to end.
pub(super) async fn run(
    shared: Arc<Shared>,
    watches: &Client,
    namespace: Option<&str>,
    ledger: &Ledger,
    end: &CancellationToken,
) {
    let (kept_mirrors, mirrors_listed) = Kept::empty();
    let (kept_policies, policies_listed) = Kept::empty();
    let (mirrors, policies) = (kept_mirrors.store.clone(), kept_policies.store.clone());
    let (kept_receivers, receivers_listed) = Kept::empty();
    let receivers = kept_receivers.store.clone();
    let (changed_mirrors, mirror_receiver) = unbounded_channel();
    shared
        .hinted
        .look_through(namespace, changed_mirrors.clone());
    let (changed_receivers, receiver_receiver) = unbounded_channel();
    shared.pulls.look_through(namespace, changed_receivers);
    let (used_policies, policy_receiver) = unbounded_channel();
    shared.watched.add(WatchedScope {
        mirrors: mirrors.clone(),
        policies: policies.clone(),
        listed: [mirrors_listed.clone(), policies_listed.clone()],
    });
    let context = Arc::new(Context {
        shared,
        mirrors: mirrors.clone(),
        policies: policies.clone(),
        receivers: receivers.clone(),
        mirrors_listed,
        policies_listed,
        changed_mirrors,
        used_policies,
    });

    let look = Arc::new(MirrorLook(context.clone()));
    let mirror_changes = watch(api(watches, namespace), kept_mirrors, look);
    let look = Arc::new(PolicyLook(context.clone()));
    let policy_changes = watch(api(watches, namespace), kept_policies, look);

    let reconcile_mirrors = controller(mirror_changes, mirrors, mirror_receiver, end)
        .run(reconcile_mirror, retry, context.clone())
        .for_each(async |_| {});
    let reconcile_policies = controller(policy_changes, policies, policy_receiver, end)
        .run(reconcile_policy, retry, context.clone())
        .for_each(async |_| {});
    let look = Arc::new(ReceiverLook(context.clone()));
    let receiver_changes = watch(api(watches, namespace), kept_receivers, look);
    let reconcile_receivers = controller(receiver_changes, receivers, receiver_receiver, end)
        .run(reconcile_receiver, retry, context.clone())
        .for_each(async |_| {});
    let open_doors = async {
        if receivers_listed.wait().await {
            context.shared.doors.listed();
        }
    };
    let watch_records =
        end.run_until_cancelled(watch_records(watches, namespace, &context.shared, ledger));
    tokio::join!(
        reconcile_mirrors,
        reconcile_policies,
        reconcile_receivers,
        open_doors,
        watch_records
    );
}

/// What looks at objects that changed, or that are to be looked at again.
fn controller<K>(
    changes: Changes<K>,
    store: Store<Guarded<K>>,
    again: UnboundedReceiver<ObjectRef<Guarded<K>>>,
    end: &CancellationToken,
) -> Controller<Guarded<K>>
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
{
    Controller::for_stream(changes, store)
        .with_config(Config::default().debounce(DEBOUNCE))
        .reconcile_on(receive(again))
        .graceful_shutdown_on(end.clone().cancelled_owned())
}

async fn reconcile_mirror(
    object: Arc<Guarded<ImageMirror>>,
    context: Arc<Context>,
) -> Result<Action, ReconcileError> {
    // Before its policies are known, a mirror would seem to lack them.
    if !context.policies_listed.wait().await {
        return Ok(Action::await_change());
    }
    // On the heap, so that thousands that wait are small.
    contain(Box::pin(async {
        match &object.0 {
            Ok(mirror) => image_mirror::reconcile(mirror, &context).await,
            Err(invalid) => image_mirror::refuse(invalid, &context).await,
        }
    }))
    .await
}

async fn reconcile_policy(
    object: Arc<Guarded<ImagePolicy>>,
    context: Arc<Context>,
) -> Result<Action, ReconcileError> {
    if !context.mirrors_listed.wait().await {
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
    contain(async {
        match &object.0 {
            Ok(receiver) => image_receiver::reconcile(receiver, &context).await,
            Err(invalid) => image_receiver::refuse(invalid, &context.shared).await,
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
