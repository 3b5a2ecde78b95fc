// SPDX-License-Identifier: Apache-2.0

//! A registry, the way to it and who we are there.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use bytes::Bytes;
use futures::Stream;
use url::Url;

use super::auth::Authenticator;
use super::elsewhere::Elsewhere;
use super::guard::WriteGuard;
use super::host::Host;
use super::http::Http;
use super::observer::Observer;
use super::outgoing::{BodyError, Outgoing};
use super::own::{Creation, Known};
use super::secrets::Secrets;
use super::traffic::Counters;
use super::way::Way;
use crate::oci::Registry;

/// A registry, the way to it and who we are there.
pub(super) struct Connection {
    pub(super) registry: Registry,
    /// Scheme, host and port of the API.
    pub(super) base: Url,
    pub(super) http: Http,
    pub(super) authenticator: Authenticator,
    pub(super) elsewhere: Elsewhere,
    pub(super) host: Arc<Host>,
    /// The way that we take to the host.
    pub(super) way: Arc<Way>,
    /// Whether the registry has answered anything: until then nobody knows how it speaks.
    pub(super) has_answered: AtomicBool,
    pub(super) counters: Arc<Counters>,
    /// What must not be seen again in what the registry says.
    pub(super) secrets: Arc<Secrets>,
    pub(super) write_guard: WriteGuard,
    pub(super) observer: Arc<dyn Observer>,
    /// What a repository is made like that is missing; none is made without it.
    pub(super) creation: Option<Arc<Creation>>,
    /// What is known of the registry's own API.
    pub(super) known: Known,
}

impl Connection {
    /// The URL of an endpoint below `/v2/`.
    pub(super) fn url(&self, parts: &[&str]) -> Url {
        let mut url = self.base.clone();
        // Only URLs such as `mailto:` have no path.
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.clear().push("v2");
            segments.extend(parts.iter().flat_map(|part| part.split('/')));
        }
        url
    }

    /// The body of an upload: exactly `size` bytes.
    pub(super) fn outgoing<S>(&self, size: u64, source: S) -> Outgoing
    where
        S: Stream<Item = Result<Bytes, BodyError>> + Send + 'static,
    {
        let counters = Arc::clone(&self.counters);
        Outgoing::new(size, source, counters, self.write_guard.clone())
    }
}
