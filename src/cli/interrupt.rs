//! Ctrl-C and the signal by which service managers stop a program.

use tokio::signal::unix::{SignalKind, signal};

/// Runs `work` until it is done or a signal comes. `None`: it was interrupted, and dropped.
pub(super) async fn until_interrupted<T>(work: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        // First, so that the handlers stand before the work does anything that shows.
        biased;
        () = interrupted() => None,
        done = work => Some(done),
    }
}

/// Waits for SIGINT or SIGTERM.
async fn interrupted() {
    let (Ok(mut interrupt), Ok(mut terminate)) = (
        signal(SignalKind::interrupt()),
        signal(SignalKind::terminate()),
    ) else {
        // Without handlers the signals keep their own effect, which is to end the program.
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}
