//! What the API server tells: which mirrors and policies there are, and what became of them.

use std::fmt::Debug;
use std::sync::Arc;

use futures::stream::BoxStream;
use futures::{Stream, StreamExt};
use kube::runtime::reflector::store::Writer;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::watcher::Event;
use kube::runtime::{Predicate, PredicateConfig, WatchStreamExt, predicates, watcher};
use kube::{Api, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use tokio::sync::mpsc::UnboundedReceiver;

use super::context::Guarded;

/// The annotation in which kubectl keeps a copy of what was applied; nobody here needs it.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Objects that changed in a way that matters.
pub(super) type Changes<K> = BoxStream<'static, Result<Guarded<K>, watcher::Error>>;

/// Somebody who wants to know of every object that comes, changes or goes.
pub(super) trait Look<K>: Send + Sync + 'static {
    /// It is there, like this; and it was like that, where it was known and understood.
    fn observe(&self, object: &K, before: Option<&K>);

    /// It is gone; it was like this.
    fn remove(&self, object: &K);
}

/// Watches the objects of one kind, keeps them in a store, and tells `look` of each event before
/// anybody else.
pub(super) fn watch<K>(
    api: Api<Guarded<K>>,
    (store, writer): (Store<Guarded<K>>, Writer<Guarded<K>>),
    look: Arc<dyn Look<K>>,
) -> Changes<K>
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
{
    watcher(api, watcher::Config::default())
        .default_backoff()
        .modify(strip)
        .inspect(move |event| tell(event, &store, &*look))
        .reflect(writer)
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

/// The store still has what there was before the event.
fn tell<K>(
    event: &Result<Event<Guarded<K>>, watcher::Error>,
    store: &Store<Guarded<K>>,
    look: &dyn Look<K>,
) where
    K: Resource<DynamicType = ()> + Clone + 'static,
{
    match event {
        Ok(Event::Apply(object) | Event::InitApply(object)) => {
            let before = store.get(&ObjectRef::from_obj(object));
            let before = before.as_ref().and_then(|before| before.0.as_ref().ok());
            if let Ok(object) = &object.0 {
                look.observe(object, before);
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
