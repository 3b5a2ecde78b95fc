// SPDX-License-Identifier: Apache-2.0

//! What events hint at, mirror by mirror. A hint only ever leads to a look.

mod interests;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use kube::ResourceExt;
use kube::runtime::reflector::{ObjectRef, Store};
use tokio::sync::mpsc::UnboundedSender;

use self::interests::Interests;
use super::lookers::Lookers;
use super::memory::name_of;
use super::objects::Guarded;
use crate::api::ImageMirror;
use crate::events::Hint;
use crate::events::pending::{DueHints, Pending, Spot, Taken};
use crate::plan::Mirror;

/// Most tags that wait of all mirrors together. For one more, those of a mirror become a look at all of it, in the
/// namespace of which most wait.
const MOST: usize = 50_000;
/// How long ago an event may say that something was pushed. What it says beyond is not taken for a measurement.
const LONGEST_AGO: Duration = Duration::from_secs(60 * 60);

/// A mirror to look at again.
type MirrorRef = ObjectRef<Guarded<ImageMirror>>;

/// What waits in a namespace.
#[derive(Default)]
struct Waiting {
    mirrors: HashMap<String, Pending>,
    /// How many tags wait of all of them.
    tags: usize,
}

/// What waits for a look.
pub(super) struct Hinted(Mutex<State>);

#[derive(Default)]
struct State {
    /// What mirrors may want.
    interests: Interests,
    /// What waits of mirrors, by their namespaces.
    pending: HashMap<String, Waiting>,
    /// How many tags wait of all mirrors.
    waiting: usize,
    /// Mirrors for which nothing is looked at. What makes them go on is a whole round.
    halted: HashSet<String>,
    /// Those who look at the mirrors of a namespace, or of all.
    lookers: Lookers<MirrorRef>,
}

impl Hinted {
    /// Nothing waits. Events may come of all namespaces where there is a listener.
    pub(super) fn new(is_listening: bool) -> Self {
        Self(Mutex::new(State {
            interests: Interests::new(is_listening),
            ..State::default()
        }))
    }

    /// Takes note of who looks at the mirrors of a namespace, or of all.
    pub(super) fn look_through(&self, namespace: Option<&str>, looker: UnboundedSender<MirrorRef>) {
        self.lock().lookers.add(namespace, looker);
    }

    /// Takes note of a receiver that takes events from a queue: what mirrors of its namespace want is kept from now on.
    pub(super) fn hear(&self, namespace: &str, receiver: &str) {
        self.lock().interests.hear(namespace, receiver);
    }

    /// A receiver takes no events from a queue, or not any more.
    pub(super) fn unhear(&self, namespace: &str, receiver: &str) {
        self.lock().interests.unhear(namespace, receiver);
    }

    /// Takes note of what mirrors want that were there before events of their namespace were. What is known already is as
    /// new at least.
    pub(super) fn complete(
        &self,
        namespace: &str,
        mirrors: &Store<Guarded<ImageMirror>>,
        read: fn(&ImageMirror) -> Option<Mirror>,
    ) {
        if self.lock().interests.is_complete(namespace) {
            return;
        }
        for mirror in mirrors.state() {
            if mirror.namespace().as_deref() != Some(namespace) {
                continue;
            }
            let mut state = self.lock();
            // One that is gone is gone from the store before it is forgotten here.
            let current = mirrors.get(&ObjectRef::from_obj(&*mirror));
            if let Some(Ok(mirror)) = current.as_ref().map(|current| &current.0)
                && !state.interests.knows(&name_of(mirror))
            {
                let wanting = read(mirror);
                state.interests.observe(mirror, wanting.as_ref());
            }
        }
        self.lock().interests.complete(namespace);
    }

    /// Takes note of what a mirror may want, where events may tell of it; nothing where its spec is not valid.
    pub(super) fn observe(&self, object: &ImageMirror, mirror: Option<&Mirror>) {
        self.lock().interests.observe(object, mirror);
    }

    /// Nothing is looked at of a mirror, which is suspended or cannot be understood: nothing waits of it.
    pub(super) fn halt(&self, name: &str) {
        let mut state = self.lock();
        state.halted.insert(name.to_owned());
        state.change(name, |pending| *pending = Pending::default());
    }

    /// A mirror goes on.
    pub(super) fn go_on(&self, name: &str) {
        self.lock().halted.remove(name);
    }

    /// Forgets what waits of a mirror that is no more, and what it wanted. What another one of its name wants stays, and
    /// that one begins with a round.
    pub(super) fn forget(&self, object: &ImageMirror) {
        let name = name_of(object);
        let mut state = self.lock();
        state.interests.forget(object);
        state.halted.remove(&name);
        state.change(&name, |pending| *pending = Pending::default());
    }

    /// Takes note of what an event in a namespace hints at, and has it looked at. Says how many mirrors are going to look.
    pub(super) fn note(&self, namespace: &str, hint: &Hint, now: Timestamp) -> usize {
        let since = hint.pushed.unwrap_or(now);
        let is_likely = since <= now && now.duration_since(since).unsigned_abs() <= LONGEST_AGO;
        let since = if is_likely { since } else { now };
        let mut state = self.lock();
        let wanting = state.interests.of(namespace, hint);
        let wanting = wanting.filter(|name| !state.halted.contains(*name));
        let wanting: Vec<String> = wanting.cloned().collect();
        for name in &wanting {
            let may_wait = state.make_room(namespace);
            if state.change(name, |pending| pending.note(hint, since, may_wait)) {
                state.look_at(namespace, name);
            }
        }
        wanting.len()
    }

    /// What is to be looked at of a mirror now.
    pub(super) fn take(&self, name: &str) -> DueHints {
        let mut state = self.lock();
        state.change(name, |pending| pending.take(Instant::now()))
    }

    /// Everything that waits of a mirror: all of it is looked at now.
    pub(super) fn take_all(&self, name: &str) -> Taken {
        let mut state = self.lock();
        state.change(name, |pending| pending.take_all(Instant::now()))
    }

    /// What was taken was not looked at.
    pub(super) fn put_back(&self, name: &str, taken: Taken) {
        let mut state = self.lock();
        state.change(name, |pending| pending.put_back(taken));
    }

    /// When it is to be asked again what is to be looked at of a mirror, after a look.
    pub(super) fn next(&self, name: &str) -> Option<Duration> {
        let state = self.lock();
        let waiting = state.pending.get(namespace_of(name))?;
        waiting.mirrors.get(name)?.next()
    }

    /// What was taken is where it belongs, or the status tells that it is not.
    pub(super) fn settle(&self, name: &str) {
        self.lock().change(name, Pending::settle);
    }

    /// These tags are not there yet.
    pub(super) fn look_again(&self, name: &str, absent: BTreeMap<Spot, Timestamp>) {
        let mut state = self.lock();
        state.change(name, |pending| pending.look_again(absent));
    }

    /// What was taken could not be copied: a round comes next.
    pub(super) fn fail(&self, name: &str) {
        self.lock().change(name, Pending::fail);
    }

    /// Since when the one waits that waits longest of a mirror.
    pub(super) fn oldest(&self, name: &str) -> Option<Timestamp> {
        let state = self.lock();
        let waiting = state.pending.get(namespace_of(name))?;
        waiting.mirrors.get(name)?.oldest()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Changes what waits of a mirror. Nothing is kept of those of which nothing waits.
    fn change<T>(&mut self, name: &str, change: impl FnOnce(&mut Pending) -> T) -> T {
        let namespace = namespace_of(name);
        let mut waiting = self.pending.remove(namespace).unwrap_or_default();
        let mut pending = waiting.mirrors.remove(name).unwrap_or_default();
        let before = pending.len();
        let changed = change(&mut pending);
        self.waiting = (self.waiting + pending.len()).saturating_sub(before);
        waiting.tags = (waiting.tags + pending.len()).saturating_sub(before);
        if !pending.is_empty() {
            waiting.mirrors.insert(name.to_owned(), pending);
        }
        if !waiting.mirrors.is_empty() {
            self.pending.insert(namespace.to_owned(), waiting);
        }
        changed
    }

    /// Makes room for one more tag of a namespace. False: it is the one of which most wait, and nothing more may.
    fn make_room(&mut self, namespace: &str) -> bool {
        if self.waiting < MOST {
            return true;
        }
        let most = self.pending.iter().max_by_key(|(_, waiting)| waiting.tags);
        let own = self.pending.get(namespace);
        let own = own.map_or(0, |waiting| waiting.tags);
        let Some((other, waiting)) = most.filter(|(_, waiting)| waiting.tags > own) else {
            return false;
        };
        let mirrors = waiting.mirrors.iter();
        let most = mirrors.max_by_key(|(_, pending)| pending.len());
        if let Some((name, _)) = most {
            let (other, name) = (other.clone(), name.clone());
            self.change(&name, Pending::give_way);
            self.look_at(&other, &name);
        }
        true
    }

    fn look_at(&self, namespace: &str, name: &str) {
        let name = name.strip_prefix(namespace).unwrap_or(name);
        let name = name.trim_start_matches('/');
        if let Some(looker) = self.lookers.of(namespace) {
            // The receiver ends with the process only.
            let _ = looker.send(ObjectRef::new(name).within(namespace));
        }
    }
}

/// The namespace in `namespace/name`.
fn namespace_of(name: &str) -> &str {
    name.split_once('/').map_or("", |(namespace, _)| namespace)
}

#[cfg(test)]
mod tests;
