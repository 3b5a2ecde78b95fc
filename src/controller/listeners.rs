// SPDX-License-Identifier: Apache-2.0

//! What the listeners and the reconcilers share.

use std::sync::Arc;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::hinted::Hinted;
use super::hooks::Doors;
use super::page::{self, PageServer, Visitors, WatchedObjects};
use super::settings::Settings;
use crate::runtime::kubernetes::Clients;
use crate::runtime::server::ListenError;

/// What the listeners and the reconcilers share.
#[derive(Clone)]
pub(super) struct Listeners {
    pub(super) doors: Arc<Doors>,
    pub(super) hinted: Arc<Hinted>,
    pub(super) watched: Arc<WatchedObjects>,
}

impl Listeners {
    pub(super) fn new(settings: &Settings) -> Self {
        let is_listening = settings.events_address.is_some();
        let watched = WatchedObjects::new(&settings.namespaces, &settings.lease_name);
        Self {
            doors: Arc::new(Doors::new(is_listening)),
            hinted: Arc::new(Hinted::new(is_listening)),
            watched: Arc::new(watched),
        }
    }

    /// Shows the page, where it is to be shown.
    pub(super) async fn show(
        &self,
        settings: &Settings,
        clients: &Clients,
        stop: &CancellationToken,
    ) -> Result<Option<JoinHandle<()>>, ListenError> {
        let Some(page) = settings.page else {
            return Ok(None);
        };
        let server = page::bind(page).await?;
        let watched = self.watched.clone();
        let shown = if page.asks_who() {
            PageServer::for_visitors(watched, Visitors::new(clients.call.clone()))
        } else {
            PageServer::for_everybody(watched)
        };
        Ok(Some(tokio::spawn(page::serve(shown, server, stop.clone()))))
    }
}
