//! Who may run a round now.
//!
//! Rounds wait in one queue for each namespace, and the queues take turns: a namespace with thousands of
//! mirrors, or with mirrors of a registry that hangs, does not hold up the others.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

/// Hands out turns.
#[derive(Clone, Debug)]
pub(super) struct Turns(Arc<Shared>);

/// The right to run a round. The next in line has it when this is dropped.
#[derive(Debug)]
pub(super) struct Turn {
    shared: Arc<Shared>,
    namespace: String,
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
    /// The namespaces in which somebody waits; the one in front is next.
    rotation: VecDeque<String>,
}

#[derive(Debug, Default)]
struct Namespace {
    running: usize,
    waiting: VecDeque<oneshot::Sender<Turn>>,
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

    /// Waits for a turn. Who drops the future gives up its place.
    pub(super) async fn take(&self, namespace: &str) -> Turn {
        loop {
            let (sender, turn) = oneshot::channel();
            self.0.lock().enqueue(namespace, sender);
            self.0.grant();
            // A sender is dropped only together with everything else.
            if let Ok(turn) = turn.await {
                return turn;
            }
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
            let Some((namespace, sender)) = self.lock().next(self.most, self.most_of_namespace)
            else {
                return;
            };
            let turn = Turn {
                shared: Arc::clone(self),
                namespace,
            };
            if let Err(turn) = sender.send(turn) {
                // Dropping it here would come back to this function.
                self.lock().leave(&turn.namespace);
                std::mem::forget(turn);
            }
        }
    }
}

// === impl State ===

impl State {
    fn enqueue(&mut self, namespace: &str, sender: oneshot::Sender<Turn>) {
        let known = self.namespaces.entry(namespace.to_owned()).or_default();
        if known.waiting.is_empty() {
            self.rotation.push_back(namespace.to_owned());
        }
        known.waiting.push_back(sender);
    }

    /// The next in line, who counts as running from now on.
    fn next(
        &mut self,
        most: usize,
        most_of_namespace: usize,
    ) -> Option<(String, oneshot::Sender<Turn>)> {
        if self.running >= most {
            return None;
        }
        let place = self.rotation.iter().position(|name| {
            self.namespaces
                .get(name)
                .is_some_and(|namespace| namespace.running < most_of_namespace)
        })?;
        let name = self.rotation.remove(place)?;
        let namespace = self.namespaces.get_mut(&name)?;
        let sender = namespace.waiting.pop_front()?;
        if !namespace.waiting.is_empty() {
            self.rotation.push_back(name.clone());
        }
        namespace.running += 1;
        self.running += 1;
        Some((name, sender))
    }

    fn leave(&mut self, name: &str) {
        self.running = self.running.saturating_sub(1);
        if let Some(namespace) = self.namespaces.get_mut(name) {
            namespace.running = namespace.running.saturating_sub(1);
            if namespace.running == 0 && namespace.waiting.is_empty() {
                self.namespaces.remove(name);
            }
        }
    }
}

// === impl Turn ===

impl Drop for Turn {
    fn drop(&mut self) {
        self.shared.lock().leave(&self.namespace);
        self.shared.grant();
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use futures::future::BoxFuture;

    use super::*;

    fn asked(turns: &Turns, namespace: &'static str) -> BoxFuture<'static, Turn> {
        let turns = turns.clone();
        async move { turns.take(namespace).await }.boxed()
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
}
