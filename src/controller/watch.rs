//! What the API server tells: which mirrors and policies there are, and what became of them.

use std::fmt::Debug;
use std::sync::Arc;

use futures::stream::BoxStream;
use futures::{Stream, StreamExt};
use kube::runtime::reflector::ObjectRef;
use kube::runtime::reflector::store::Writer;
use kube::runtime::watcher::Event;
use kube::runtime::{Predicate, PredicateConfig, WatchStreamExt, predicates, watcher};
use kube::{Api, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::watch;

use super::context::Guarded;

/// The annotation in which kubectl keeps a copy of what was applied; nobody here needs it.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Objects that changed in a way that matters.
pub(super) type Changes<K> = BoxStream<'static, Result<Guarded<K>, watcher::Error>>;

/// Says when everything that was there at first is in the store.
///
/// A store of kube says so too, but wakes only one of those who wait for it.
#[derive(Clone, Debug)]
pub(super) struct Listed(watch::Receiver<bool>);

/// Somebody who wants to know of every object that comes, changes or goes.
pub(super) trait Look<K>: Send + Sync + 'static {
    /// It is there, like this.
    fn observe(&self, object: &K);

    /// It is gone; it was like this.
    fn remove(&self, object: &K);
}

impl Listed {
    /// Nothing is in the store yet; the sender says when it is.
    pub(super) fn not_yet() -> (watch::Sender<bool>, Self) {
        let (sender, receiver) = watch::channel(false);
        (sender, Self(receiver))
    }

    /// Waits until it is; false where that is not to be expected any more.
    pub(super) async fn wait(&self) -> bool {
        let Self(receiver) = self;
        receiver.clone().wait_for(|listed| *listed).await.is_ok()
    }
}

/// Watches the objects of one kind, keeps them in a store, and tells `look` of each event before
/// anybody else, and `listed` when the store is complete.
pub(super) fn watch<K>(
    api: Api<Guarded<K>>,
    writer: Writer<Guarded<K>>,
    look: Arc<dyn Look<K>>,
    listed: watch::Sender<bool>,
) -> Changes<K>
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
{
    watcher(api, watcher::Config::default())
        .default_backoff()
        .modify(strip)
        .inspect(move |event| tell(event, &*look))
        .reflect(writer)
        .inspect(move |event| {
            if matches!(event, Ok(Event::InitDone)) {
                listed.send_replace(true);
            }
        })
        .applied_objects()
        .predicate_filter(
            predicates::generation.combine(predicates::annotations),
            PredicateConfig::default(),
        )
        .boxed()
}

/// References that come through a channel.
pub(super) fn receive<K>(
    mut receiver: UnboundedReceiver<ObjectRef<Guarded<K>>>,
) -> impl Stream<Item = ObjectRef<Guarded<K>>> + Send
where
    K: Resource<DynamicType = ()> + Send + 'static,
{
    futures::stream::poll_fn(move |context| receiver.poll_recv(context))
}

/// Keeps what ten thousand objects do not need out of memory.
fn strip<K: Resource>(object: &mut Guarded<K>) {
    object.managed_fields_mut().clear();
    object.annotations_mut().remove(LAST_APPLIED);
}

fn tell<K: 'static>(event: &Result<Event<Guarded<K>>, watcher::Error>, look: &dyn Look<K>) {
    match event {
        Ok(Event::Apply(object) | Event::InitApply(object)) => {
            if let Ok(object) = &object.0 {
                look.observe(object);
            }
        }
        Ok(Event::Delete(object)) => {
            if let Ok(object) = &object.0 {
                look.remove(object);
            }
        }
        Ok(Event::Init | Event::InitDone) => {}
        Err(error) => tracing::warn!(%error, "a watch failed, trying again"),
    }
}
