// SPDX-License-Identifier: Apache-2.0

//! The listener for events: a port of its own, on which whoever knows a path may say that something was pushed.
//!
//! ```text
//! doors    which paths there are, of which receivers
//! room     how much is taken, of a receiver, of a namespace, and of all
//! vouched  whether Google vouches for a push
//! answer   one request: who may say it, what it says, what the sender is told
//! ```

mod answer;
mod doors;
mod listener;
mod room;
mod told;
mod vouched;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio_util::sync::CancellationToken;

pub(super) use self::answer::Outcome;
pub(super) use self::doors::{Door, Doors, Measure};
pub(super) use self::listener::Hooks;
use crate::runtime::server::{Limits, Server};

/// What its connections may take. Senders open one for each event, or keep one for some.
pub(super) const LIMITS: Limits = Limits {
    most: 256,
    silence: Duration::from_secs(15),
    life: Duration::from_secs(120),
};

/// Takes events until `stop`.
pub(super) async fn serve(hooks: Hooks, server: Server, stop: CancellationToken) {
    let pages = Router::new()
        .fallback(answer::answer)
        .with_state(Arc::new(hooks));
    server.serve(pages, stop).await;
}
