// SPDX-License-Identifier: Apache-2.0

//! The paths of receivers. A process that does not lead knows none.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use secrecy::SecretString;
use tokio::sync::Semaphore;

use crate::events::bucket::Bucket;
use crate::events::{Sender, path};

/// Hints of one receiver that are taken at once, and the time in which one more is.
const OWN: (u32, Duration) = (1_000, Duration::from_millis(10));
/// The same for all receivers together.
const ALL: (u32, Duration) = (4_000, Duration::from_millis(2));
/// Most bodies of one receiver that are read at once.
const OWN_BODIES: usize = 8;

/// What the listener knows of receivers.
pub(in crate::controller) struct Doors {
    /// Whether there is a listener at all.
    is_listening: bool,
    state: Mutex<State>,
}

struct State {
    /// Watches that have not told of all receivers yet; None before this process leads.
    unlisted: Option<usize>,
    /// Receivers that nobody has looked at yet.
    unseen: HashSet<String>,
    by_path: HashMap<String, Arc<Door>>,
    /// The paths of receivers, by `namespace/name`.
    paths: HashMap<String, String>,
    pace: Bucket,
}

/// A receiver that has a path.
pub(in crate::controller) struct Door {
    pub(in crate::controller) namespace: String,
    pub(in crate::controller) sender: Sender,
    pub(in crate::controller) token: SecretString,
    pub(in crate::controller) is_suspended: bool,
    pace: Mutex<Bucket>,
    pub(super) bodies: Semaphore,
}

/// What is behind a path.
pub(super) enum Found {
    /// A receiver.
    Door(Arc<Door>),
    /// Nothing.
    Nothing,
    /// That is not known yet, or not here.
    Unknown,
}

// === impl Door ===

impl Door {
    /// A receiver with a full measure of events.
    pub(in crate::controller) fn new(
        namespace: String,
        sender: Sender,
        token: SecretString,
        is_suspended: bool,
    ) -> Self {
        let (places, every) = OWN;
        Self {
            namespace,
            sender,
            token,
            is_suspended,
            pace: Mutex::new(Bucket::new(places, every, Instant::now())),
            bodies: Semaphore::new(OWN_BODIES),
        }
    }

    fn take(&self, count: u32) -> bool {
        let mut pace = self.pace.lock().unwrap_or_else(PoisonError::into_inner);
        pace.take(count, Instant::now())
    }
}

// === impl Doors ===

impl Doors {
    /// No receivers yet, and whether there is a listener for any.
    pub(in crate::controller) fn new(is_listening: bool) -> Self {
        let (places, every) = ALL;
        Self {
            is_listening,
            state: Mutex::new(State {
                unlisted: None,
                unseen: HashSet::new(),
                by_path: HashMap::new(),
                paths: HashMap::new(),
                pace: Bucket::new(places, every, Instant::now()),
            }),
        }
    }

    /// Whether there is a listener.
    pub(in crate::controller) fn is_listening(&self) -> bool {
        self.is_listening
    }

    /// This process leads: so many watches are going to tell of all receivers.
    pub(in crate::controller) fn lead(&self, watches: usize) {
        self.lock().unlisted = Some(watches);
    }

    /// One watch has told of all of its receivers.
    pub(in crate::controller) fn listed(&self) {
        let mut state = self.lock();
        state.unlisted = state.unlisted.map(|watches| watches.saturating_sub(1));
    }

    /// Takes note of a receiver, which is looked at next.
    pub(in crate::controller) fn expect(&self, name: &str) {
        let mut state = self.lock();
        if !state.paths.contains_key(name) {
            state.unseen.insert(name.to_owned());
        }
    }

    /// Takes note of what a receiver is: its door and its path, or nothing where it takes no events. Says the path.
    pub(in crate::controller) fn place(&self, name: &str, door: Option<Door>) -> Option<String> {
        let mut state = self.lock();
        state.unseen.remove(name);
        let (namespace, own) = name.split_once('/').unwrap_or_default();
        let path = door
            .as_ref()
            .map(|door| path::path(&door.token, namespace, own));
        let before = match &path {
            Some(path) => state.paths.insert(name.to_owned(), path.clone()),
            None => state.paths.remove(name),
        };
        let before = before.and_then(|before| state.by_path.remove(&before));
        if let (Some(mut door), Some(path)) = (door, &path) {
            // Its measure is not filled up by another look at it.
            if let Some(before) = before {
                let pace = before.pace.lock().unwrap_or_else(PoisonError::into_inner);
                door.pace = Mutex::new(pace.clone());
            }
            state.by_path.insert(path.clone(), Arc::new(door));
        }
        path
    }

    /// Forgets a receiver that is no more.
    pub(in crate::controller) fn forget(&self, name: &str) {
        self.place(name, None);
    }

    /// What is behind a path.
    pub(super) fn find(&self, path: &str) -> Found {
        let state = self.lock();
        match state.by_path.get(path) {
            Some(door) => Found::Door(Arc::clone(door)),
            None if state.unlisted == Some(0) && state.unseen.is_empty() => Found::Nothing,
            None => Found::Unknown,
        }
    }

    /// Takes so many hints of a receiver. False: they are too many for now.
    pub(super) fn take(&self, door: &Door, count: usize) -> bool {
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        door.take(count) && self.lock().pace.take(count, Instant::now())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
