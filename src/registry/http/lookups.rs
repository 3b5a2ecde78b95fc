// SPDX-License-Identifier: Apache-2.0

//! Small requests to a registry, which share one connection where it speaks HTTP/2: one handshake, and not one for each
//! that is under way.

use std::sync::OnceLock;
use std::time::Duration;

use reqwest::{Request, Response, Version};
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// So many are sent before anything has come back. Each of them makes a connection, of which one is kept.
const AT_FIRST: usize = 4;
/// How long all others wait for what comes back.
const PATIENCE: Duration = Duration::from_secs(1);

/// The way out for small requests to one registry.
#[derive(Debug)]
pub(super) struct Lookups {
    /// Speaks HTTP/2 with who does.
    client: reqwest::Client,
    /// Closed as soon as something has come back, or nothing will.
    first: Semaphore,
    /// What the registry turned out to speak.
    spoken: OnceLock<Spoken>,
}

#[derive(Clone, Copy, Debug)]
enum Spoken {
    /// HTTP/2: all requests share a connection.
    Shared,
    /// HTTP/1: each request has a connection, as those with bodies have.
    Alone,
}

impl Lookups {
    /// Goes out by a client that speaks HTTP/2 with who does.
    pub(super) fn new(client: reqwest::Client) -> Self {
        Self {
            client,
            first: Semaphore::new(AT_FIRST),
            spoken: OnceLock::new(),
        }
    }

    /// Sends a request and waits for the head of the answer. A registry that speaks HTTP/1 is asked by `alone`.
    pub(super) async fn execute(
        &self,
        request: Request,
        alone: &reqwest::Client,
    ) -> reqwest::Result<Response> {
        let place = match self.spoken.get() {
            Some(_) => None,
            None => Some(timeout(PATIENCE, self.first.acquire()).await),
        };
        let client = match self.spoken.get() {
            Some(Spoken::Alone) => alone,
            Some(Spoken::Shared) | None => &self.client,
        };
        let sent = client.execute(request).await;
        if let Some(spoken) = Spoken::of(&sent) {
            self.spoken.get_or_init(|| spoken);
        }
        self.first.close();
        drop(place);
        sent
    }
}

impl Spoken {
    /// What an answer says. Whoever agrees to HTTP/2 and then breaks off is not asked in it again.
    fn of(sent: &reqwest::Result<Response>) -> Option<Self> {
        match sent {
            Ok(response) if response.version() == Version::HTTP_2 => Some(Self::Shared),
            Err(error) if error.is_connect() => None,
            Ok(_) | Err(_) => Some(Self::Alone),
        }
    }
}
