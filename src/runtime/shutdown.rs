// SPDX-License-Identifier: Apache-2.0

//! Ctrl-C, and the signal by which service managers and Kubernetes stop a program.

use std::io;
use std::process;
use std::sync::mpsc;
use std::thread;

use tokio::runtime::Builder;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// What shells report after Ctrl-C.
const INTERRUPTED: i32 = 130;

/// SIGINT and SIGTERM.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

/// A token that the first SIGINT or SIGTERM from now on cancels. The second one ends the process at
/// once, whatever it is doing.
pub fn on_signal() -> CancellationToken {
    let token = CancellationToken::new();
    if let Err(error) = listen(token.clone()) {
        // Without handlers the signals keep their own effect, which is to end the program.
        tracing::warn!(%error, "cannot take signals");
    }
    token
}

/// Runs `work` until it is done or a signal comes. `None`: it was interrupted, and dropped.
pub async fn until_signal<T>(work: impl Future<Output = T>) -> Option<T> {
    // Before the work does anything that shows.
    let signal = on_signal();
    tokio::select! {
        biased;
        () = signal.cancelled() => None,
        done = work => Some(done),
    }
}

/// Waits for signals in a thread of its own: the second one must count while all others are busy,
/// or are being ended.
fn listen(token: CancellationToken) -> io::Result<()> {
    let (sender, handlers) = mpsc::channel();
    thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || {
            let runtime = match Builder::new_current_thread().enable_io().build() {
                Ok(runtime) => runtime,
                Err(error) => return drop(sender.send(Err(error))),
            };
            runtime.block_on(async {
                match Signals::new() {
                    Ok(mut signals) => {
                        drop(sender.send(Ok(())));
                        cancel(&token, async || signals.next().await).await;
                        process::exit(INTERRUPTED);
                    }
                    Err(error) => drop(sender.send(Err(error))),
                }
            });
        })?;
    handlers.recv().map_err(io::Error::other)?
}

/// Cancels the token at the first signal and returns at the second.
async fn cancel(token: &CancellationToken, mut signal: impl AsyncFnMut()) {
    signal().await;
    tracing::info!("stopping, a second signal ends it at once");
    token.cancel();
    signal().await;
}

// === impl Signals ===

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use tokio::sync::mpsc::unbounded_channel;

    use super::*;

    #[tokio::test]
    async fn a_signal_of_the_system_cancels_the_token() {
        let token = on_signal();
        assert!(!token.is_cancelled());
        let sent = Command::new("kill")
            .args(["-s", "TERM", &process::id().to_string()])
            .status();
        assert!(sent.unwrap().success());
        token.cancelled().await;
    }

    #[tokio::test]
    async fn the_first_signal_asks_and_the_second_ends() {
        let token = CancellationToken::new();
        let (sender, mut signals) = unbounded_channel();
        let next = async || signals.recv().await.unwrap();
        let listening = async {
            cancel(&token, next).await;
        };
        let sending = async {
            sender.send(()).unwrap();
            token.cancelled().await;
            sender.send(()).unwrap();
        };
        tokio::join!(listening, sending);
    }
}
