// SPDX-License-Identifier: Apache-2.0

//! What the API server tells: which mirrors and policies there are, and what became of them.

use std::collections::HashSet;
use std::fmt::Debug;
use std::sync::Arc;

use futures::stream::BoxStream;
use futures::{Stream, StreamExt};
use kube::runtime::reflector::store::Writer;
use kube::runtime::reflector::{self, ObjectRef, Store};
use kube::runtime::watcher::Event;
use kube::runtime::{Predicate, PredicateConfig, WatchStreamExt, predicates, watcher};
use kube::{Api, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::watch::{Receiver, Sender, channel};

use super::objects::Guarded;

/// The annotation in which kubectl keeps a copy of what was applied; nobody here needs it.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Objects that changed in a way that matters.
pub(super) type Changes<K> = BoxStream<'static, Result<Guarded<K>, watcher::Error>>;

/// Somebody who wants to know of every object that comes, changes or goes.
pub(super) trait Look<K>: Send + Sync + 'static {
    /// It is there, like this; and it was like that, where it was known and understood.
    fn observe(&self, object: &K, before: Option<&K>);

    /// It is gone, from the store, too; it was like this.
    fn remove(&self, object: &K);
}

/// Whether a watch has told of every object that there was when it began.
///
/// The store of the watch knows it too, but wakes only one of those who wait for it.
#[derive(Clone, Debug)]
pub(super) struct Listed(Receiver<bool>);

/// Where the objects of a watch are kept.
pub(super) struct Kept<K: Resource<DynamicType = ()> + Clone + 'static> {
    pub(super) store: Store<Guarded<K>>,
    writer: Writer<Guarded<K>>,
    listed: Sender<bool>,
}

/// Tells of each event, before anybody else knows.
struct Teller<K: Resource<DynamicType = ()> + Clone + 'static> {
    store: Store<Guarded<K>>,
    look: Arc<dyn Look<K>>,
    /// What a watch that begins anew has told of so far.
    relisted: HashSet<ObjectRef<Guarded<K>>>,
}

// === impl Listed ===

impl Listed {
    /// Not yet; the sender says when.
    pub(super) fn not_yet() -> (Sender<bool>, Self) {
        let (sender, receiver) = channel(false);
        (sender, Self(receiver))
    }

    /// Whether it has by now.
    pub(super) fn is_so(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits for it. False: the watch ended before.
    pub(super) async fn wait(&self) -> bool {
        self.0.clone().wait_for(|listed| *listed).await.is_ok()
    }
}

// === impl Kept ===

impl<K> Kept<K>
where
    K: Resource<DynamicType = ()> + Clone + 'static,
{
    /// Room for the objects of a watch, and who waits until they are there.
    pub(super) fn empty() -> (Self, Listed) {
        let (store, writer) = reflector::store();
        let (listed, waiting) = Listed::not_yet();
        let kept = Self {
            store,
            writer,
            listed,
        };
        (kept, waiting)
    }
}

/// Watches the objects of one kind, keeps them in a store, says when that is complete, and tells
/// `look` of each event before anybody else.
pub(super) fn watch<K>(api: Api<Guarded<K>>, kept: Kept<K>, look: Arc<dyn Look<K>>) -> Changes<K>
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
{
    let Kept {
        store,
        mut writer,
        listed,
    } = kept;
    let mut teller = Teller {
        store,
        look,
        relisted: HashSet::new(),
    };
    watcher(api, watcher::Config::default())
        .default_backoff()
        .modify(strip)
        .inspect(move |event| {
            // Who is told that an object is gone does not find it in the store any more.
            let gone = teller.tell(event);
            if let Ok(event) = event {
                writer.apply_watcher_event(event);
            }
            for object in &gone {
                teller.remove(object);
            }
            if let Ok(Event::InitDone) = event {
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

// === impl Teller ===

impl<K> Teller<K>
where
    K: Resource<DynamicType = ()> + Clone + 'static,
{
    /// Tells of what is there, and says what is gone. The store still has what there was before the event.
    fn tell(&mut self, event: &Result<Event<Guarded<K>>, watcher::Error>) -> Vec<Arc<Guarded<K>>> {
        match event {
            Ok(Event::Init) => self.relisted.clear(),
            Ok(Event::InitApply(object)) => {
                self.relisted.insert(ObjectRef::from_obj(object));
                self.observe(object);
            }
            Ok(Event::InitDone) => return self.missing(),
            Ok(Event::Apply(object)) => self.observe(object),
            Ok(Event::Delete(object)) => return vec![Arc::new(object.clone())],
            Err(error) => {
                let kind = K::kind(&());
                tracing::warn!(%kind, %error, "a watch failed, trying again");
            }
        }
        Vec::new()
    }

    fn observe(&self, object: &Guarded<K>) {
        let before = self.store.get(&ObjectRef::from_obj(object));
        let before = before.as_ref().and_then(|before| before.0.as_ref().ok());
        if let Ok(object) = &object.0 {
            self.look.observe(object, before);
        }
    }

    fn remove(&self, object: &Guarded<K>) {
        if let Ok(object) = &object.0 {
            self.look.remove(object);
        }
    }

    /// What went away while there was no watch: nobody tells of it.
    fn missing(&mut self) -> Vec<Arc<Guarded<K>>> {
        let relisted = std::mem::take(&mut self.relisted);
        let known = self.store.state().into_iter();
        known
            .filter(|object| !relisted.contains(&ObjectRef::from_obj(&**object)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use futures::future::join_all;

    use super::*;

    #[tokio::test]
    async fn everybody_who_waits_is_told() {
        let (sender, listed) = Listed::not_yet();
        let waiting: Vec<_> = (0..10)
            .map(|_| listed.clone())
            .map(|listed| tokio::spawn(async move { listed.wait().await }))
            .collect();
        tokio::task::yield_now().await;
        sender.send_replace(true);
        let told = join_all(waiting).await;
        assert!(told.into_iter().all(Result::unwrap));
        drop(sender);
        assert!(listed.wait().await, "it stays so");
    }

    #[tokio::test]
    async fn who_waits_for_a_watch_that_ends_is_told_too() {
        let (sender, listed) = Listed::not_yet();
        drop(sender);
        assert!(!listed.wait().await);
    }
}
