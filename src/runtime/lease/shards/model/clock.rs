// SPDX-License-Identifier: Apache-2.0

//! Time that is made up, and tasks that wait for it. Nothing else runs them, so that a history is what its seed says.

use std::cell::{Cell, RefCell};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

type Task = Pin<Box<dyn Future<Output = ()>>>;

#[derive(Default)]
pub(super) struct Clock {
    now: Cell<Duration>,
    /// When which task goes on, in the order in which they asked.
    due: RefCell<BinaryHeap<Reverse<(Duration, u64, usize)>>>,
    asked: Cell<u64>,
    running: Cell<usize>,
    tasks: RefCell<Vec<Option<Task>>>,
}

impl Clock {
    pub(super) fn now(&self) -> Duration {
        self.now.get()
    }

    pub(super) fn spawn(&self, task: impl Future<Output = ()> + 'static) {
        let number = self.tasks.borrow().len();
        self.tasks.borrow_mut().push(Some(Box::pin(task)));
        self.wake(number, self.now());
    }

    /// Waits until then.
    pub(super) async fn sleep_until(&self, at: Duration) {
        let mut is_set = false;
        poll_fn(|_| {
            if self.now() >= at {
                return Poll::Ready(());
            }
            if !std::mem::replace(&mut is_set, true) {
                self.wake(self.running.get(), at);
            }
            Poll::Pending
        })
        .await;
    }

    /// Lets all tasks look whether something has changed for them.
    pub(super) fn wake_all(&self) {
        for number in 0..self.tasks.borrow().len() {
            self.wake(number, self.now());
        }
    }

    /// Lets time pass until `is_over` says so, but at most until then. Whether it was over.
    pub(super) fn run(&self, until: Duration, is_over: impl Fn() -> bool) -> bool {
        while !is_over() {
            let next = self.due.borrow().peek().copied();
            let Some(Reverse((at, _, number))) = next.filter(|Reverse((at, ..))| *at <= until)
            else {
                self.now.set(until);
                return is_over();
            };
            self.due.borrow_mut().pop();
            self.now.set(at);
            self.poll(number);
        }
        true
    }

    /// Ends all tasks.
    pub(super) fn end(&self) {
        let tasks = std::mem::take(&mut *self.tasks.borrow_mut());
        drop(tasks);
    }

    fn poll(&self, number: usize) {
        let task = self
            .tasks
            .borrow_mut()
            .get_mut(number)
            .and_then(Option::take);
        let Some(mut task) = task else { return };
        self.running.set(number);
        let context = &mut Context::from_waker(Waker::noop());
        if task.as_mut().poll(context).is_pending() {
            self.tasks.borrow_mut()[number] = Some(task);
        }
    }

    fn wake(&self, number: usize, at: Duration) {
        self.asked.set(self.asked.get() + 1);
        let asked = self.asked.get();
        self.due.borrow_mut().push(Reverse((at, asked, number)));
    }
}
