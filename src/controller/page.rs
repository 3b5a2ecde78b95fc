// SPDX-License-Identifier: Apache-2.0

//! The page for people, of a cluster or of files: read only, made of what this process has in memory. A view asks no registry and no API server;
//! only who it is that looks is asked for, where that matters, and not again for a while.
//!
//! ```text
//! settings     where it is served, and whether everybody there sees everything
//! collected    what there is to show, and where it comes from: of a cluster from watched, of files from the command line
//! watched      what the watches have told, of which somebody may see some
//! on_record    what is on record of mirrors, as people read it
//! sharing      who works on which mirrors
//! tallies      how registries behaved
//! visitors     who looks, and which namespaces they may see (token, review)
//! answer       one request
//! ```

mod answer;
mod collected;
mod on_record;
mod settings;
mod sharing;
mod tallies;
mod token;
mod visitors;
mod watched;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio_util::sync::CancellationToken;

pub use self::settings::{PageSettings, UnguardedPage};

pub(crate) use self::answer::PageServer;
pub(crate) use self::collected::{Collected, NotShown, PageSource, Visible};
pub(crate) use self::on_record::{concerning, leaving};
pub(crate) use self::tallies::RegistryTallies;
pub(super) use self::visitors::Visitors;
pub(super) use self::watched::{WatchedObjects, WatchedScope};
use crate::runtime::server::{Limits, ListenError, Server};

/// What its connections may take: each may hold a whole page that nobody reads.
const LIMITS: Limits = Limits {
    most: 32,
    silence: Duration::from_secs(60),
    life: Duration::from_secs(5 * 60),
};

/// Listens where the page is to be served, as this flag says.
pub(crate) async fn bind(
    settings: PageSettings,
    flag: &'static str,
) -> Result<Server, ListenError> {
    let server = Server::bind(settings.address(), flag, LIMITS).await?;
    tracing::info!(address = %server.address(), "serving the page");
    Ok(server)
}

/// Shows the page until `stop`.
pub(crate) async fn serve(page: PageServer, server: Server, stop: CancellationToken) {
    let pages = Router::new()
        .fallback(answer::answer)
        .with_state(Arc::new(page));
    server.serve(pages, stop).await;
}
