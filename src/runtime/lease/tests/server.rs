// SPDX-License-Identifier: Apache-2.0

//! As much of an API server as a lease needs: get, create, update, and resourceVersions that count.
//! It is called in the same process, so that time can stand still, and it fails as it is told.

use std::future::pending;
use std::sync::{Arc, Mutex, MutexGuard};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use k8s_openapi::api::coordination::v1::Lease;
use kube::Client;
use kube::core::Status;

const LEASES: &str = "/apis/coordination.k8s.io/v1/namespaces/system/leases";
const LEASE: &str = "/apis/coordination.k8s.io/v1/namespaces/system/leases/transship";

/// An API server with at most one lease.
#[derive(Clone, Default)]
pub(super) struct Server {
    stored: Arc<Mutex<Stored>>,
}

/// How one client is answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Fault {
    /// As it should be.
    #[default]
    Nothing,
    /// With 503.
    Down,
    /// Never.
    Silent,
    /// Never, but what was asked for is done.
    Deaf,
}

/// A client, and the way it is answered.
pub(super) struct Link {
    pub(super) client: Client,
    fault: Arc<Mutex<Fault>>,
}

#[derive(Default)]
struct Stored {
    lease: Option<Lease>,
    version: u64,
    writes: usize,
}

#[derive(Clone)]
struct Connection {
    server: Server,
    fault: Arc<Mutex<Fault>>,
}

/// The lease, or why not, in the words of Kubernetes.
type Answer = Result<Lease, (StatusCode, &'static str)>;

const MISSING: (StatusCode, &str) = (StatusCode::NOT_FOUND, "NotFound");
const EXISTS: (StatusCode, &str) = (StatusCode::CONFLICT, "AlreadyExists");
const CHANGED: (StatusCode, &str) = (StatusCode::CONFLICT, "Conflict");
const DOWN: (StatusCode, &str) = (StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable");

// === impl Server ===

impl Server {
    pub(super) fn connect(&self) -> Link {
        let fault = Arc::<Mutex<Fault>>::default();
        let connection = Connection {
            server: self.clone(),
            fault: Arc::clone(&fault),
        };
        let router = Router::new()
            .route(LEASES, post(create))
            .route(LEASE, get(read).put(update))
            .with_state(connection);
        Link {
            client: Client::new(router, "default"),
            fault,
        }
    }

    pub(super) fn lease(&self) -> Option<Lease> {
        self.stored().lease.clone()
    }

    pub(super) fn holder(&self) -> String {
        let spec = self.lease().and_then(|lease| lease.spec);
        spec.and_then(|spec| spec.holder_identity)
            .unwrap_or_default()
    }

    /// How often somebody wrote.
    pub(super) fn writes(&self) -> usize {
        self.stored().writes
    }

    pub(super) fn delete(&self) {
        self.stored().lease = None;
    }

    /// Keeps the lease, but no longer says which version it is.
    pub(super) fn forget_version(&self) {
        let mut stored = self.stored();
        stored.lease.as_mut().unwrap().metadata.resource_version = None;
    }

    /// Changes the lease behind everybody's back.
    pub(super) fn edit(&self, change: impl FnOnce(&mut Lease)) {
        let mut lease = self.lease().unwrap();
        change(&mut lease);
        self.stored().store(lease);
    }

    fn stored(&self) -> MutexGuard<'_, Stored> {
        self.stored.lock().unwrap()
    }
}

impl Stored {
    fn store(&mut self, mut lease: Lease) -> Lease {
        self.version += 1;
        self.writes += 1;
        lease.metadata.resource_version = Some(self.version.to_string());
        self.lease.insert(lease).clone()
    }

    fn create(&mut self, lease: Lease) -> Answer {
        match self.lease {
            Some(_) => Err(EXISTS),
            None => Ok(self.store(lease)),
        }
    }

    fn update(&mut self, lease: Lease) -> Answer {
        let current = self.lease.as_ref().ok_or(MISSING)?;
        let version = lease.metadata.resource_version.as_ref();
        assert!(
            version.is_some(),
            "an update that overwrites whatever is there"
        );
        if current.metadata.resource_version.as_ref() == version {
            Ok(self.store(lease))
        } else {
            Err(CHANGED)
        }
    }
}

// === impl Link ===

impl Link {
    pub(super) fn fail(&self, fault: Fault) {
        *self.fault.lock().unwrap() = fault;
    }
}

// === impl Connection ===

impl Connection {
    async fn answer(&self, serve: impl FnOnce(&mut Stored) -> Answer) -> Response {
        let fault = *self.fault.lock().unwrap();
        let answer = match fault {
            Fault::Nothing => serve(&mut self.server.stored()),
            Fault::Down => Err(DOWN),
            Fault::Silent => pending().await,
            Fault::Deaf => {
                let _ = serve(&mut self.server.stored());
                pending().await
            }
        };
        match answer {
            Ok(lease) => serde_json::to_string(&lease).unwrap().into_response(),
            Err((code, reason)) => {
                let mut status = Status::failure("not now", reason);
                status.code = code.as_u16();
                (code, serde_json::to_string(&status).unwrap()).into_response()
            }
        }
    }
}

async fn read(State(connection): State<Connection>) -> Response {
    let read = |stored: &mut Stored| stored.lease.clone().ok_or(MISSING);
    connection.answer(read).await
}

async fn create(State(connection): State<Connection>, body: Bytes) -> Response {
    let lease = serde_json::from_slice(&body).unwrap();
    connection.answer(|stored| stored.create(lease)).await
}

async fn update(State(connection): State<Connection>, body: Bytes) -> Response {
    let lease = serde_json::from_slice(&body).unwrap();
    connection.answer(|stored| stored.update(lease)).await
}
