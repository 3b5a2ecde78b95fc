// SPDX-License-Identifier: Apache-2.0

//! The paths of receivers. A process that does not lead knows none.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use secrecy::SecretString;
use tokio::sync::SemaphorePermit;

use super::room::{ALL, OWN, Room, SHARE, take};
use crate::events::{Sender, path};

/// What the listener knows of receivers.
pub(in crate::controller) struct Doors {
    /// Whether there is a listener at all.
    is_listening: bool,
    /// Room for all receivers.
    room: Room,
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
    /// Room for the receivers of each namespace, also of one that has none any more, until all of it is free.
    shares: HashMap<String, Arc<Room>>,
}

/// A receiver that has a path.
pub(in crate::controller) struct Door {
    pub(in crate::controller) namespace: String,
    /// The name of the receiver.
    pub(in crate::controller) name: String,
    pub(in crate::controller) sender: Sender,
    pub(in crate::controller) token: SecretString,
    pub(in crate::controller) is_suspended: bool,
    measure: Measure,
}

/// How much a receiver may take.
#[derive(Clone)]
pub(in crate::controller) struct Measure {
    own: Arc<Room>,
    /// That of all receivers of the namespace.
    share: Arc<Room>,
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
    /// A receiver; how much it may take is known when it is placed.
    pub(in crate::controller) fn new(
        (namespace, name): (String, String),
        sender: Sender,
        token: SecretString,
        is_suspended: bool,
    ) -> Self {
        Self {
            namespace,
            name,
            sender,
            token,
            is_suspended,
            measure: Measure {
                own: Arc::new(Room::new(OWN)),
                share: Arc::new(Room::new(SHARE)),
            },
        }
    }
}

// === impl Doors ===

impl Doors {
    /// No receivers yet, and whether there is a listener for any.
    pub(in crate::controller) fn new(is_listening: bool) -> Self {
        Self {
            is_listening,
            room: Room::new(ALL),
            state: Mutex::new(State {
                unlisted: None,
                unseen: HashSet::new(),
                by_path: HashMap::new(),
                paths: HashMap::new(),
                shares: HashMap::new(),
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
        let before = before.map(|before| Arc::clone(&before.measure.own));
        if let (Some(mut door), Some(path)) = (door, &path) {
            // What it took stays taken, whatever comes of another look at it, or of another object of its name.
            if let Some(before) = before {
                door.measure.own = before;
            }
            let share = state.shares.entry(namespace.to_owned());
            door.measure.share = share.or_insert(door.measure.share).clone();
            state.by_path.insert(path.clone(), Arc::new(door));
        }
        state
            .shares
            .retain(|_, share| Arc::strong_count(share) > 1 || !share.is_free());
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
    pub(super) fn take(&self, door: &Door, count: usize, now: Instant) -> bool {
        self.take_of(&door.measure, count, now)
    }

    /// The same for a receiver that takes events from a queue.
    pub(in crate::controller) fn take_of(
        &self,
        measure: &Measure,
        count: usize,
        now: Instant,
    ) -> bool {
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        take(&[&self.room, &measure.share, &measure.own], count, now)
    }

    /// How much a receiver of a namespace may take that has no path.
    pub(in crate::controller) fn measure(&self, namespace: &str) -> Measure {
        let mut state = self.lock();
        let share = state.shares.entry(namespace.to_owned());
        let share = share.or_insert_with(|| Arc::new(Room::new(SHARE)));
        Measure {
            own: Arc::new(Room::new(OWN)),
            share: share.clone(),
        }
    }

    /// Room for a body of a receiver.
    pub(super) fn body<'a>(&'a self, door: &'a Door) -> Option<[SemaphorePermit<'a>; 3]> {
        let Measure { own, share } = &door.measure;
        Some([own.body()?, share.body()?, self.room.body()?])
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;
    use crate::api::ImageReceiver;

    const TOKEN: &str = "a-token-of-some-length";

    fn door(namespace: &str) -> Door {
        let receiver = json!({
            "apiVersion": "transship.dev/v1alpha1", "kind": "ImageReceiver",
            "metadata": {"namespace": namespace, "name": "any"},
            "spec": {"type": "Quay", "secretRef": {"name": "events"}},
        });
        let receiver: ImageReceiver = serde_json::from_value(receiver).unwrap();
        let sender = Sender::of(&receiver).unwrap();
        Door::new(
            (namespace.to_owned(), "receiver".to_owned()),
            sender,
            SecretString::from(TOKEN),
            false,
        )
    }

    fn placed(doors: &Doors, name: &str) -> Arc<Door> {
        let (namespace, _) = name.split_once('/').unwrap();
        let path = doors.place(name, Some(door(namespace))).unwrap();
        match doors.find(&path) {
            Found::Door(door) => door,
            Found::Nothing | Found::Unknown => panic!("it has a door"),
        }
    }

    /// A time at which all of it is free that nothing was taken of.
    fn later() -> Instant {
        Instant::now() + Duration::from_secs(60 * 60)
    }

    /// Takes hints, a hundred at once, until there is no room.
    fn drain(doors: &Doors, door: &Door, now: Instant) -> usize {
        let taken = (0..1_000).take_while(|_| doors.take(door, 100, now));
        taken.count() * 100
    }

    /// Takes room for bodies until there is none.
    fn fill<'a>(doors: &'a Doors, door: &'a Door) -> Vec<[SemaphorePermit<'a>; 3]> {
        std::iter::from_fn(|| doors.body(door)).collect()
    }

    #[test]
    fn no_namespace_takes_the_room_of_another() {
        let (doors, now) = (Doors::new(true), later());
        let many = (0..20).map(|number| placed(&doors, &format!("many/{number}")));
        let many: Vec<_> = many.collect();
        let taken = many.iter().map(|door| drain(&doors, door, now));
        assert_eq!(taken.sum::<usize>(), 2_000);
        let few = placed(&doors, "few/one");
        assert_eq!(drain(&doors, &few, now), 1_000);
        let others: Vec<_> = (0..5)
            .map(|it| placed(&doors, &format!("n{it}/one")))
            .collect();
        let taken = others.iter().map(|door| drain(&doors, door, now));
        assert_eq!(taken.sum::<usize>(), 5_000, "what was refused took nothing");

        let bodies: Vec<_> = many.iter().flat_map(|door| fill(&doors, door)).collect();
        assert_eq!((bodies.len(), fill(&doors, &few).len()), (16, 8));
    }

    #[test]
    fn a_receiver_that_is_looked_at_or_made_again_has_no_more_room() {
        let (doors, now) = (Doors::new(true), later());
        let first = placed(&doors, "team/one");
        assert_eq!(drain(&doors, &first, now), 1_000);
        let bodies = fill(&doors, &first);
        let again = placed(&doors, "team/one");
        assert_eq!(drain(&doors, &again, now), 0);
        assert_eq!((bodies.len(), fill(&doors, &again).len()), (8, 0));
        let mut taken = 0;
        for _ in 0..10 {
            doors.forget("team/one");
            taken += drain(&doors, &placed(&doors, "team/one"), now);
        }
        assert_eq!(taken, 1_000, "the namespace keeps what it took");
        let (one, two) = (placed(&doors, "team/one"), placed(&doors, "team/two"));
        let others = fill(&doors, &one);
        assert_eq!((others.len(), fill(&doors, &two).len()), (8, 0));
    }

    #[test]
    fn nothing_stays_of_a_namespace_that_took_nothing() {
        let doors = Doors::new(true);
        drop(placed(&doors, "team/one"));
        doors.forget("team/one");
        assert!(doors.lock().shares.is_empty());
    }
}
