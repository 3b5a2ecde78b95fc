// SPDX-License-Identifier: Apache-2.0

//! A registry that has every image anybody asks for, and keeps nothing.
//!
//! The manifest of a tag follows from its name, so two of these registries are always in sync.

use std::net::{Ipv4Addr, SocketAddr};
use std::ops::Sub;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{Method, Request, Response, StatusCode, header};
use serde::Serialize;
use serde_json::json;
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;

use crate::fleet::tags;
use crate::support::digest::sha256;

/// What the manifests are.
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// The header with the digest of a manifest.
const DIGEST: &str = "docker-content-digest";

/// A running registry. It ends when dropped.
pub(crate) struct Registry {
    address: SocketAddr,
    record: Arc<Record>,
    _serving: AbortOnDropHandle<()>,
}

/// What a registry was asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Requests {
    /// Whether there is a tag, and what it names.
    pub(crate) heads: usize,
    /// Manifests that were fetched: what pull limits count.
    pub(crate) pulls: usize,
    /// Anything else; nothing of it is answered with success.
    pub(crate) others: usize,
}

#[derive(Default)]
struct Record {
    heads: AtomicUsize,
    pulls: AtomicUsize,
    others: AtomicUsize,
    last: Mutex<Option<Instant>>,
}

impl Registry {
    /// Starts one on a port of its own.
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let listener = listener.unwrap_or_else(|error| panic!("no free port: {error}"));
        let address = listener.local_addr();
        let address = address.unwrap_or_else(|error| panic!("no address: {error}"));
        let record = Arc::new(Record::default());
        let router = Router::new().fallback(answer).with_state(record.clone());
        let serving = tokio::spawn(async move {
            // It ends with the task only.
            let _ = axum::serve(listener, router).await;
        });
        Self {
            address,
            record,
            _serving: AbortOnDropHandle::new(serving),
        }
    }

    /// `HOST:PORT`.
    pub(crate) fn host(&self) -> String {
        self.address.to_string()
    }

    /// Everything it was asked so far.
    pub(crate) fn requests(&self) -> Requests {
        let count = |counter: &AtomicUsize| counter.load(Ordering::Relaxed);
        let Record {
            heads,
            pulls,
            others,
            last: _,
        } = &*self.record;
        Requests {
            heads: count(heads),
            pulls: count(pulls),
            others: count(others),
        }
    }

    /// When it was asked last.
    pub(crate) fn last_request(&self) -> Option<Instant> {
        let last = self.record.last.lock();
        *last.unwrap_or_else(PoisonError::into_inner)
    }
}

impl Requests {
    /// All of them.
    pub(crate) fn total(self) -> usize {
        let Self {
            heads,
            pulls,
            others,
        } = self;
        heads + pulls + others
    }
}

impl Sub for Requests {
    type Output = Self;

    fn sub(self, earlier: Self) -> Self {
        Self {
            heads: self.heads - earlier.heads,
            pulls: self.pulls - earlier.pulls,
            others: self.others - earlier.others,
        }
    }
}

impl Record {
    fn count(&self, counter: &AtomicUsize) {
        counter.fetch_add(1, Ordering::Relaxed);
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        *last = Some(Instant::now());
    }
}

async fn answer(State(record): State<Arc<Record>>, request: Request<Body>) -> Response<Body> {
    let path = request.uri().path();
    // Nothing refers to any image, and there is no API that says so.
    let is_manifest = path.contains("/manifests/") && !path.contains("/manifests/sha256-");
    match *request.method() {
        Method::HEAD if is_manifest => {
            record.count(&record.heads);
            serve(path, |_| Body::empty())
        }
        Method::GET if is_manifest => {
            record.count(&record.pulls);
            serve(path, Body::from)
        }
        Method::GET if path.ends_with("/tags/list") => {
            record.count(&record.others);
            Response::new(Body::from(
                json!({"tags": tags().collect::<Vec<_>>()}).to_string(),
            ))
        }
        _ => {
            record.count(&record.others);
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::NOT_FOUND;
            response
        }
    }
}

fn serve(path: &str, body: impl FnOnce(String) -> Body) -> Response<Body> {
    let manifest = manifest(path);
    let response = Response::builder()
        .header(header::CONTENT_TYPE, MANIFEST)
        .header(header::CONTENT_LENGTH, manifest.len())
        .header(DIGEST, sha256(manifest.as_bytes()))
        .body(body(manifest));
    response.unwrap_or_else(|error| panic!("not a response: {error}"))
}

fn manifest(path: &str) -> String {
    let config = b"{}";
    json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": {
            "mediaType": "application/vnd.oci.empty.v1+json",
            "digest": sha256(config),
            "size": config.len(),
        },
        "layers": [],
        "annotations": {"org.opencontainers.image.ref.name": path},
    })
    .to_string()
}
