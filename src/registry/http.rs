// SPDX-License-Identifier: Apache-2.0

//! The one way out, and what its errors mean: nothing goes where it must not.

mod build;
mod causes;
mod encryption;
mod lookups;
mod proxy;
mod reason;

use std::sync::Arc;

use futures::future::BoxFuture;
use reqwest::{Method, Request, RequestBuilder, Response};
use url::Url;

use super::boundaries::{Boundaries, OutOfBounds};
use super::cause::Cause;
use super::settings::Settings;
use super::{origin, owner};
use crate::oci::Registry;
use build::Clients;
pub use build::check_authorities;
pub(super) use causes::{causes, root};
use proxy::Proxies;
pub(super) use proxy::ProxyFault;
pub(super) use reason::{CERTIFICATE_NAMES, is_stranger, reason};

/// The only way out: what it sends has passed the boundaries, where there are any.
///
/// Our certificate is shown to one host only, and the authorities that are trusted for it vouch for no stranger.
#[derive(Clone)]
pub(super) struct Http {
    clients: Clients,
    /// The host that the settings are for.
    base: Url,
    boundaries: Option<Arc<Boundaries>>,
    proxies: Arc<Proxies>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum HttpError {
    /// The request was not sent.
    #[error(transparent)]
    OutOfBounds(#[from] OutOfBounds),
    /// The proxy on the way does not let it through.
    #[error(transparent)]
    Proxy(#[from] ProxyFault),
    /// The connection, or one of both sides, failed.
    #[error(transparent)]
    Broken(#[from] reqwest::Error),
}

// === impl Http ===

impl Http {
    /// A client for the registry at `base` with these settings, within these boundaries.
    pub(super) fn new(
        user_agent: &str,
        base: Url,
        settings: &Settings,
        boundaries: Option<Arc<Boundaries>>,
    ) -> Result<Self, Cause> {
        let (clients, proxies) = build::clients(user_agent, settings, boundaries.as_ref())?;
        Ok(Self {
            clients,
            base,
            boundaries,
            proxies: Arc::new(proxies),
        })
    }

    /// The same for another host that is as good as the registry.
    pub(super) fn at(&self, base: Url) -> Self {
        let same = self.clone();
        Self { base, ..same }
    }

    /// The same for another registry, for which the certificates are not meant.
    pub(super) fn elsewhere(&self, base: Url) -> Self {
        let others = &self.clients.others;
        let clients = Clients {
            registry: others.clone(),
            owner: others.clone(),
            others: others.clone(),
            // It is asked too little for a connection of its own.
            lookups: None,
        };
        let same = self.at(base);
        Self { clients, ..same }
    }

    /// The client for a URL.
    fn client(&self, url: &Url) -> &reqwest::Client {
        if origin::is_same(url, &self.base) || origin::is_encrypted(&self.base, url) {
            &self.clients.registry
        } else if owner::is_same(url, &self.base) {
            &self.clients.owner
        } else {
            &self.clients.others
        }
    }

    /// Begins a request, which is sent with [`execute`](Self::execute).
    pub(super) fn request(&self, method: Method, url: Url) -> RequestBuilder {
        self.client(&url).request(method, url)
    }

    /// Whether a registry may be used to which another one redirects.
    pub(super) fn check_registry(
        &self,
        registry: &Registry,
        base: &Url,
    ) -> Result<(), OutOfBounds> {
        match &self.boundaries {
            Some(boundaries) => boundaries.check_registry(registry, base),
            None => Ok(()),
        }
    }

    /// Sends a request, if it may go where it goes, and waits for the head of the answer.
    pub(super) async fn execute(&self, request: Request) -> Result<Response, HttpError> {
        self.check(&request)?;
        // Boxed, so that the types of everything that waits for it do not grow with what is in it.
        let url = request.url().clone();
        let sent: BoxFuture<'_, _> = Box::pin(self.client(&url).execute(request));
        self.judge(&url, sent.await)
    }

    /// The same for one that asks for little: those to the registry share a connection where it can be shared.
    pub(super) async fn look_up(&self, request: Request) -> Result<Response, HttpError> {
        let lookups = self.clients.lookups.as_deref();
        let Some(lookups) = lookups.filter(|_| origin::is_same(request.url(), &self.base)) else {
            return self.execute(request).await;
        };
        self.check(&request)?;
        let url = request.url().clone();
        let sent: BoxFuture<'_, _> = Box::pin(lookups.execute(request, self.client(&url)));
        self.judge(&url, sent.await)
    }

    /// Whether a request may go where it goes.
    fn check(&self, request: &Request) -> Result<(), OutOfBounds> {
        let Some(boundaries) = &self.boundaries else {
            return Ok(());
        };
        boundaries.check_url(request.url())?;
        match self.proxies.of(request.url()) {
            Some(proxy) => boundaries.check_way(request.url(), proxy),
            None => Ok(()),
        }
    }

    /// What came of a request, and who is to blame where that is nothing.
    fn judge(&self, url: &Url, sent: reqwest::Result<Response>) -> Result<Response, HttpError> {
        match sent {
            Ok(response) => match self.proxies.answer(url, &response) {
                Some(fault) => Err(fault.into()),
                None => Ok(response),
            },
            Err(error) => Err(self.explain(url, error)),
        }
    }

    /// Who is to blame for an error.
    fn explain(&self, url: &Url, error: reqwest::Error) -> HttpError {
        let refused = causes(&error).find_map(|cause| cause.downcast_ref::<OutOfBounds>());
        match (refused, self.proxies.fault(url, &error)) {
            (Some(refused), _) => HttpError::OutOfBounds(refused.clone()),
            (None, Some(fault)) => fault.into(),
            (None, None) => HttpError::Broken(error),
        }
    }
}

/// Whether the encryption failed, rather than the network below it.
pub(super) fn is_tls(error: &(dyn std::error::Error + 'static)) -> bool {
    causes(error).any(<dyn std::error::Error>::is::<rustls::Error>)
}

/// Whether the other side does not know encryption at all.
pub(super) fn is_plain(error: &(dyn std::error::Error + 'static)) -> bool {
    let wrong_type = rustls::Error::InvalidMessage(rustls::InvalidMessage::InvalidContentType);
    causes(error)
        .filter_map(|cause| cause.downcast_ref::<rustls::Error>())
        .any(|cause| *cause == wrong_type)
}

/// Whether the other side closed a connection that had come about.
pub(super) fn is_closed(error: &(dyn std::error::Error + 'static)) -> bool {
    use std::io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    causes(error)
        .filter_map(|cause| cause.downcast_ref::<std::io::Error>())
        .any(|cause| {
            let kind = cause.kind();
            matches!(
                kind,
                BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof
            )
        })
}

/// Whether the other side answers with something that is not HTTP, such as an alert of TLS.
pub(super) fn is_no_http(error: &(dyn std::error::Error + 'static)) -> bool {
    // The error of the parser has no type that is public here.
    root(error).starts_with("invalid HTTP")
}
