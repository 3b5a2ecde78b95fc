// SPDX-License-Identifier: Apache-2.0

//! When tags arrived at a registry, by its notifications.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use serde_json::Value;

use crate::support::http::server::{Handler, Server};
use crate::support::http::{Reply, Request};

/// A repository and a tag.
pub(crate) type Place = (String, String);

/// Takes the notifications of a registry. It ends when dropped.
pub(crate) struct Arrivals {
    server: Server,
    seen: Arc<Seen>,
}

#[derive(Default)]
struct Seen(Mutex<HashMap<Place, Instant>>);

impl Arrivals {
    /// Nothing has arrived.
    pub(crate) fn start() -> Self {
        let seen = Arc::new(Seen::default());
        Self {
            server: Server::start(seen.clone(), None),
            seen,
        }
    }

    /// Where notifications go.
    pub(crate) fn url(&self) -> String {
        self.server.url()
    }

    /// When each tag arrived first.
    pub(crate) fn all(&self) -> HashMap<Place, Instant> {
        self.seen.lock().clone()
    }

    /// How many arrived.
    pub(crate) fn count(&self) -> usize {
        self.seen.lock().len()
    }
}

impl Seen {
    fn lock(&self) -> MutexGuard<'_, HashMap<Place, Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Handler for Seen {
    fn answer(&self, request: &Request) -> Reply {
        let now = Instant::now();
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let events = body["events"].as_array().into_iter().flatten();
        for event in events.filter(|event| event["action"] == "push") {
            let target = &event["target"];
            let text = |field: &str| target[field].as_str().map(str::to_owned);
            if let (Some(repository), Some(tag)) = (text("repository"), text("tag")) {
                self.lock().entry((repository, tag)).or_insert(now);
            }
        }
        Reply::new(200)
    }

    fn rehearse(&self, request: &Request) -> Reply {
        self.answer(request)
    }
}
