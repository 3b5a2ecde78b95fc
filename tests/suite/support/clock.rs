// SPDX-License-Identifier: Apache-2.0

//! The clock of a test that waits for nothing, beside servers that live in real time.

use std::sync::mpsc;
use std::time::Duration;

use tokio::time::advance;

/// So much faster than the real clock runs that of the test, while others are to answer and while nobody is.
const SPEED: u32 = 10;
const RUSH: u32 = 200;
const TICK: Duration = Duration::from_millis(1);

/// A clock that moves only when it is told. Needs a test with a paused clock.
pub struct Clock {
    /// While a thread of the runtime is busy, the clock does not move by itself.
    _stop: mpsc::Sender<()>,
}

impl Clock {
    /// Stops the clock of the runtime.
    pub fn stopped() -> Self {
        let (sender, receiver) = mpsc::channel::<()>();
        tokio::task::spawn_blocking(move || receiver.recv());
        Self { _stop: sender }
    }

    /// Lets time pass, faster than it does, until something has come true.
    pub async fn until<F: Future>(&self, what: F) -> F::Output {
        self.run(what, SPEED).await
    }

    /// Lets so much time pass in which no server has to answer.
    pub async fn pass(&self, time: Duration) {
        self.run(tokio::time::sleep(time), RUSH).await;
    }

    async fn run<F: Future>(&self, what: F, speed: u32) -> F::Output {
        tokio::pin!(what);
        loop {
            tokio::select! {
                biased;
                found = &mut what => return found,
                () = Self::tick(speed) => {}
            }
        }
    }

    async fn tick(speed: u32) {
        let pause = tokio::task::spawn_blocking(|| std::thread::sleep(TICK));
        pause.await.expect("no panic");
        advance(TICK * speed).await;
    }
}
