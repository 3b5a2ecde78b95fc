// SPDX-License-Identifier: Apache-2.0

//! Who may run a round now.
//!
//! Rounds wait in one queue for each namespace, and the queues take turns. Some turns are kept for namespaces of
//! which no round runs: a namespace with thousands of mirrors, or several with mirrors of a slow registry, do not hold
//! up the others. Of a registry that has not answered lately few rounds run until it does, and whoever waits behind
//! them for another one goes ahead: one that hangs costs those few turns, however many mirrors name it.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::oci::Registry;

/// So many rounds run of a registry that has not answered lately: they find out whether it does.
const PROBES: usize = 2;
/// How long an answer says that a registry answers.
const LATELY: Duration = Duration::from_secs(60);
/// One in so many turns is for namespaces of which no round runs.
const KEPT: usize = 4;
/// From so many registries on, those that say nothing any more are forgotten.
const REGISTRIES: usize = 1_024;

/// Hands out turns.
#[derive(Clone, Debug)]
pub(super) struct Turns(Arc<Shared>);

/// The right to run a round. The next in line has it when this is dropped.
#[derive(Debug)]
pub(super) struct Turn {
    shared: Arc<Shared>,
    namespace: String,
    registries: Vec<Registry>,
}

#[derive(Debug)]
struct Shared {
    /// Most rounds at a time.
    most: usize,
    /// Most rounds of one namespace at a time.
    most_of_namespace: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    running: usize,
    namespaces: HashMap<String, Namespace>,
    registries: HashMap<Registry, Answers>,
    /// The namespaces in which somebody waits; the one in front is next.
    rotation: VecDeque<String>,
}

#[derive(Debug, Default)]
struct Namespace {
    running: usize,
    waiting: VecDeque<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    registries: Vec<Registry>,
    sender: oneshot::Sender<Turn>,
}

/// What is known of a registry.
#[derive(Debug, Default)]
struct Answers {
    running: usize,
    last: Option<Instant>,
}

// === impl Turns ===

impl Turns {
    /// Turns for so many rounds at a time, and so many of one namespace.
    pub(super) fn new(most: usize, most_of_namespace: usize) -> Self {
        Self(Arc::new(Shared {
            most: most.max(1),
            most_of_namespace: most_of_namespace.max(1),
            state: Mutex::default(),
        }))
    }

    /// Waits for a turn of a round that asks these registries, each named once. Who drops the future gives up its
    /// place.
    pub(super) async fn take(&self, namespace: &str, registries: &[Registry]) -> Turn {
        loop {
            let (sender, turn) = oneshot::channel();
            let waiting = Waiting {
                registries: registries.to_vec(),
                sender,
            };
            self.0.lock().enqueue(namespace, waiting);
            self.0.grant();
            // A sender is dropped only together with everything else.
            if let Ok(turn) = turn.await {
                return turn;
            }
        }
    }

    /// Takes note that a registry answered a request, whatever it said.
    pub(super) fn answered(&self, registry: &Registry) {
        if self.0.lock().answered(registry) {
            self.0.grant();
        }
    }
}

// === impl Shared ===

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives away every turn that is free.
    fn grant(self: &Arc<Self>) {
        loop {
            let Some((namespace, waiting)) = self.lock().next(self.most, self.most_of_namespace)
            else {
                return;
            };
            let turn = Turn {
                shared: Arc::clone(self),
                namespace,
                registries: waiting.registries,
            };
            if let Err(mut turn) = waiting.sender.send(turn) {
                // Dropping it as it is would come back to this function.
                let registries = std::mem::take(&mut turn.registries);
                self.lock().leave(&turn.namespace, &registries);
                std::mem::forget(turn);
            }
        }
    }
}

// === impl State ===

impl State {
    fn enqueue(&mut self, namespace: &str, waiting: Waiting) {
        let known = self.namespaces.entry(namespace.to_owned()).or_default();
        if known.waiting.is_empty() {
            self.rotation.push_back(namespace.to_owned());
        }
        known.waiting.push_back(waiting);
    }

    /// The next in line, who counts as running from now on.
    fn next(&mut self, most: usize, most_of_namespace: usize) -> Option<(String, Waiting)> {
        if self.running >= most {
            return None;
        }
        let has_room = self.running < most - most / KEPT;
        let mut turns = self.rotation.iter().enumerate();
        let (place, waiting) = turns.find_map(|(place, name)| {
            let namespace = self.namespaces.get(name)?;
            let is_among = namespace.running < most_of_namespace;
            let may_run = is_among && (has_room || namespace.running == 0);
            let mut waiting = namespace.waiting.iter();
            let first = waiting.position(|one| one.sender.is_closed() || self.may_ask(one));
            Some((place, first.filter(|_| may_run)?))
        })?;
        let name = self.rotation.remove(place)?;
        let namespace = self.namespaces.get_mut(&name)?;
        let waiting = namespace.waiting.remove(waiting)?;
        if !namespace.waiting.is_empty() {
            self.rotation.push_back(name.clone());
        }
        namespace.running += 1;
        self.running += 1;
        for registry in &waiting.registries {
            self.registries.entry(registry.clone()).or_default().running += 1;
        }
        Some((name, waiting))
    }

    /// Whether one more round may ask its registries.
    fn may_ask(&self, waiting: &Waiting) -> bool {
        let mut registries = waiting.registries.iter();
        registries.all(|registry| {
            let known = self.registries.get(registry);
            known.is_none_or(|known| known.running < PROBES || known.answer_lately())
        })
    }

    /// Whether that is news.
    fn answered(&mut self, registry: &Registry) -> bool {
        if self.registries.len() >= REGISTRIES {
            self.registries
                .retain(|_, known| known.running > 0 || known.answer_lately());
        }
        let known = self.registries.entry(registry.clone()).or_default();
        let is_news = !known.answer_lately();
        known.last = Some(Instant::now());
        is_news
    }

    fn leave(&mut self, name: &str, registries: &[Registry]) {
        for registry in registries {
            if let Some(known) = self.registries.get_mut(registry) {
                known.running = known.running.saturating_sub(1);
                if known.running == 0 && !known.answer_lately() {
                    self.registries.remove(registry);
                }
            }
        }
        self.running = self.running.saturating_sub(1);
        if let Some(namespace) = self.namespaces.get_mut(name) {
            namespace.running = namespace.running.saturating_sub(1);
            if namespace.running == 0 && namespace.waiting.is_empty() {
                self.namespaces.remove(name);
            }
        }
    }
}

// === impl Answers ===

impl Answers {
    fn answer_lately(&self) -> bool {
        self.last.is_some_and(|last| last.elapsed() <= LATELY)
    }
}

// === impl Turn ===

impl Drop for Turn {
    fn drop(&mut self) {
        self.shared.lock().leave(&self.namespace, &self.registries);
        self.shared.grant();
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use futures::future::BoxFuture;

    use super::*;

    fn asked(turns: &Turns, namespace: &'static str) -> BoxFuture<'static, Turn> {
        asked_of(turns, namespace, &[])
    }

    fn asked_of(
        turns: &Turns,
        namespace: &'static str,
        registries: &[&str],
    ) -> BoxFuture<'static, Turn> {
        let turns = turns.clone();
        let registries: Vec<Registry> = registries.iter().map(|name| registry(name)).collect();
        async move { turns.take(namespace, &registries).await }.boxed()
    }

    fn registry(name: &str) -> Registry {
        name.parse().unwrap()
    }

    /// The turn that a future has, without waiting for it.
    fn ready(future: &mut BoxFuture<'_, Turn>) -> Option<Turn> {
        future.now_or_never()
    }

    #[test]
    fn a_large_namespace_leaves_room_and_turns_to_a_small_one() {
        let turns = Turns::new(3, 2);
        let mut large: Vec<_> = (0..4).map(|_| asked(&turns, "large")).collect();
        let mut running: Vec<Turn> = large.iter_mut().filter_map(ready).collect();
        assert_eq!(running.len(), 2, "no namespace has more than its share");

        let mut small: Vec<_> = (0..2).map(|_| asked(&turns, "small")).collect();
        running.extend(small.iter_mut().take(1).filter_map(ready));
        assert_eq!(running.len(), 3, "the rest is for others");
        assert!(
            small.iter_mut().skip(1).find_map(ready).is_none(),
            "all is taken"
        );

        running.remove(0);
        assert!(
            large
                .iter_mut()
                .skip(2)
                .find_map(ready)
                .is_some_and(|turn| {
                    drop(turn);
                    true
                })
        );
        assert!(small.iter_mut().skip(1).find_map(ready).is_some());
    }

    #[test]
    fn who_gives_up_is_passed_over() {
        let turns = Turns::new(1, 1);
        let first = asked(&turns, "a").now_or_never().unwrap();
        let mut waiting: Vec<_> = (0..1000).map(|_| asked(&turns, "a")).collect();
        assert!(waiting.iter_mut().find_map(ready).is_none());
        let mut last = waiting.pop().unwrap();
        drop(waiting);
        drop(first);
        assert!(ready(&mut last).is_some());
        assert!(turns.0.lock().namespaces.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_registry_that_hangs_costs_two_turns_until_it_answers() {
        let turns = Turns::new(32, 8);
        let mut hanging: Vec<_> = (0..40)
            .map(|_| asked_of(&turns, "a", &["hangs.test", "good.test"]))
            .collect();
        let mut running: Vec<Turn> = hanging.iter_mut().filter_map(ready).collect();
        assert_eq!(running.len(), 2);
        let mut good = asked_of(&turns, "a", &["other.test", "third.test"]);
        running.extend(ready(&mut good));
        assert_eq!(running.len(), 3, "another registry, in the same namespace");

        turns.answered(&registry("good.test"));
        assert!(hanging.iter_mut().skip(2).find_map(ready).is_none());
        turns.answered(&registry("hangs.test"));
        running.extend(hanging.iter_mut().skip(2).filter_map(ready));
        assert_eq!(running.len(), 8, "it answers");

        running.clear();
        let running: Vec<Turn> = hanging.iter_mut().skip(7).filter_map(ready).collect();
        assert_eq!(running.len(), 8, "it has answered lately");
        tokio::time::advance(LATELY + Duration::from_secs(1)).await;
        drop(running);
        let running: Vec<Turn> = hanging.iter_mut().skip(15).filter_map(ready).collect();
        assert_eq!(running.len(), 2, "it is silent again");
    }

    #[test]
    fn a_turn_is_kept_for_who_has_none() {
        let turns = Turns::new(32, 8);
        let names = ["a", "b", "c", "d"];
        let mut slow: Vec<_> = names
            .iter()
            .flat_map(|name| (0..8).map(|_| asked(&turns, name)))
            .collect();
        let running: Vec<Turn> = slow.iter_mut().filter_map(ready).collect();
        assert_eq!(running.len(), 25);
        let mut others: Vec<_> = ["e", "f", "g", "h", "i", "j", "k"]
            .iter()
            .map(|name| asked(&turns, name))
            .collect();
        let first: Vec<Turn> = others.iter_mut().filter_map(ready).collect();
        assert_eq!(first.len(), 7);
        assert!(ready(&mut asked(&turns, "l")).is_none(), "all is taken");
    }

    #[test]
    fn what_is_known_of_registries_is_bounded() {
        let turns = Turns::new(2, 2);
        let held = ready(&mut asked_of(&turns, "a", &["held.test"])).unwrap();
        for number in 0..3 * REGISTRIES {
            drop(ready(&mut asked_of(
                &turns,
                "a",
                &[&format!("r{number}.test")],
            )));
        }
        let count = || turns.0.lock().registries.len();
        assert!(count() <= REGISTRIES, "{}", count());
        assert!(
            turns
                .0
                .lock()
                .registries
                .contains_key(&registry("held.test"))
        );
        drop(held);
    }
}
