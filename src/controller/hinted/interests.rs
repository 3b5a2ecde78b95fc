// SPDX-License-Identifier: Apache-2.0

//! What mirrors may want, where events may tell of it: with thousands of mirrors, nothing is kept for nothing.

use std::collections::{BTreeMap, HashMap, HashSet};

use kube::ResourceExt;

use crate::api::ImageMirror;
use crate::controller::memory::name_of;
use crate::events::{Hint, Interest};
use crate::oci::Registry;
use crate::plan::Mirror;

/// A namespace and a registry.
type Place = (String, Registry);

/// What mirrors may want.
#[derive(Default)]
pub(super) struct Interests {
    /// Events may come of all namespaces.
    is_listening: bool,
    /// Receivers that take events from queues, by their namespaces.
    queues: HashMap<String, Queues>,
    /// What mirrors may want, by namespace and registry.
    wanted: HashMap<Place, BTreeMap<String, Interest>>,
    /// Of which object the interest of a mirror is, and where it stands.
    places: HashMap<String, (Option<String>, Place)>,
}

/// Receivers of a namespace that take events from queues.
#[derive(Default)]
struct Queues {
    receivers: HashSet<String>,
    /// What the mirrors want that were there before is known, too.
    is_complete: bool,
}

// === impl Interests ===

impl Interests {
    /// Nothing is wanted.
    pub(super) fn new(is_listening: bool) -> Self {
        Self {
            is_listening,
            ..Self::default()
        }
    }

    /// Events come of a namespace, from a queue.
    pub(super) fn hear(&mut self, namespace: &str, receiver: &str) {
        let queues = self.queues.entry(namespace.to_owned()).or_default();
        queues.receivers.insert(receiver.to_owned());
    }

    /// Nothing is kept of a namespace of which no more events come.
    pub(super) fn unhear(&mut self, namespace: &str, receiver: &str) {
        let Some(queues) = self.queues.get_mut(namespace) else {
            return;
        };
        queues.receivers.remove(receiver);
        if queues.receivers.is_empty() {
            self.queues.remove(namespace);
        }
        if !self.may_hear_of(namespace) {
            self.wanted.retain(|(own, _), _| own != namespace);
            self.places.retain(|_, (_, (own, _))| own != namespace);
        }
    }

    /// Whether it is known what all mirrors of a namespace want.
    pub(super) fn is_complete(&self, namespace: &str) -> bool {
        let queues = self.queues.get(namespace);
        self.is_listening || queues.is_some_and(|queues| queues.is_complete)
    }

    /// It is known now.
    pub(super) fn complete(&mut self, namespace: &str) {
        if let Some(queues) = self.queues.get_mut(namespace) {
            queues.is_complete = true;
        }
    }

    /// Whether it is known what a mirror wants.
    pub(super) fn knows(&self, name: &str) -> bool {
        self.places.contains_key(name)
    }

    /// Takes note of what a mirror may want; nothing where its spec is not valid, or where no events come.
    pub(super) fn observe(&mut self, object: &ImageMirror, mirror: Option<&Mirror>) {
        let name = name_of(object);
        self.lose(&name);
        let namespace = object.namespace().unwrap_or_default();
        let Some(mirror) = mirror.filter(|_| self.may_hear_of(&namespace)) else {
            return;
        };
        let interest = Interest::of(mirror);
        let place = (namespace, interest.registry().clone());
        let owner = (object.uid(), place.clone());
        self.places.insert(name.clone(), owner);
        let wanted = self.wanted.entry(place).or_default();
        wanted.insert(name, interest);
    }

    /// Forgets what a mirror wanted, unless another one of its name does.
    pub(super) fn forget(&mut self, object: &ImageMirror) {
        let name = name_of(object);
        let uid = object.uid();
        if self.places.get(&name).is_some_and(|(of, _)| *of == uid) {
            self.lose(&name);
        }
    }

    /// The mirrors of a namespace that may want what an event hints at.
    pub(super) fn of<'a>(
        &'a self,
        namespace: &str,
        hint: &'a Hint,
    ) -> impl Iterator<Item = &'a String> {
        let place = (namespace.to_owned(), hint.registry.stand_in());
        let wanted = self.wanted.get(&place).into_iter().flatten();
        let wanted = wanted.filter(|(_, interest)| interest.covers(hint));
        wanted.map(|(name, _)| name)
    }

    /// Whether nothing is wanted.
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.wanted.is_empty() && self.places.is_empty()
    }

    fn may_hear_of(&self, namespace: &str) -> bool {
        self.is_listening || self.queues.contains_key(namespace)
    }

    fn lose(&mut self, name: &str) {
        let Some((_, place)) = self.places.remove(name) else {
            return;
        };
        if let Some(wanted) = self.wanted.get_mut(&place) {
            wanted.remove(name);
            if wanted.is_empty() {
                self.wanted.remove(&place);
            }
        }
    }
}
