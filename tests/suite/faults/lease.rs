// SPDX-License-Identifier: Apache-2.0

//! A process that loses its lease: from that moment on another one may write, and this one must not.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use bytes::Bytes;
use futures::{StreamExt as _, stream};
use transship::copy::{Engine, Progress};
use transship::oci::Digest;
use transship::registry::{Credential, Kind, Pool, Settings, Upload};

use super::AGENT;
use super::lab::{Lab, assert_complete};
use crate::support::faults::FaultRegistry;
use crate::support::http::script::{Action, Gate};

/// A lease that is held for so many looks at it.
#[derive(Clone)]
struct Lease(Arc<AtomicUsize>);

impl Lease {
    fn for_looks(looks: usize) -> Self {
        Self(Arc::new(AtomicUsize::new(looks)))
    }

    fn lose(&self) {
        self.0.store(0, SeqCst);
    }

    fn is_lost(&self) -> bool {
        self.0.load(SeqCst) == 0
    }

    /// The clients of the process that holds it.
    fn pool(&self) -> Pool {
        let Self(looks) = self.clone();
        let look = move || {
            looks
                .fetch_update(SeqCst, SeqCst, |looks| looks.checked_sub(1))
                .is_ok()
        };
        Pool::builder(AGENT).write_guard(Arc::new(look)).build()
    }
}

fn writes(registry: &FaultRegistry) -> usize {
    let requests = registry.requests();
    let writes = requests
        .iter()
        .filter(|request| !matches!(request.method.as_str(), "GET" | "HEAD"));
    writes.count()
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_written_after_the_lease_is_lost_whenever_that_is() {
    for looks in 0.. {
        let (lab, lease) = (Lab::new(), Lease::for_looks(looks));
        let pool = lease.pool();
        let engine = Engine::new(Progress::none());
        let outcome = engine.copy(&lab.job(&pool)).await.remove(0);
        lab.assert_quiet("a lease").await;
        assert!(writes(&lab.destination) <= looks, "{looks} looks");
        let Err(error) = outcome else {
            assert_complete(&lab.destination, "team/app", &lab.image).await;
            assert!(looks > 10, "a copy looks often: {looks}");
            return;
        };
        let text = error.to_string();
        assert!(lease.is_lost(), "{looks} looks: {text}");
        assert!(text.ends_with("no longer holds the lease"), "{text}");
        assert!(lab.destination.tags("team/app").is_empty(), "{text}");
    }
}

#[tokio::test]
async fn a_lease_that_is_lost_in_the_middle_of_an_upload_ends_it() {
    let registry = FaultRegistry::start();
    let lease = Lease::for_looks(usize::MAX);
    let settings = Settings {
        credential: Credential::Anonymous,
        insecure: true,
        ..Settings::default()
    };
    let client = lease
        .pool()
        .client(&registry.host().parse().unwrap(), &settings);
    let (client, repository) = (client.unwrap(), "team/app".parse().unwrap());
    let content = Bytes::from(vec![7; 300_000]);
    let (digest, size) = (Digest::sha256(&content), content.len() as u64);
    let started = client.start_upload(&repository, &digest, None).await;
    let Upload::Session(session) = started.unwrap() else {
        panic!("nothing to mount");
    };
    let gate = Gate::closed();
    registry
        .on("PUT", "/uploads/")
        .does(Action::HoldUpload(gate.clone()));
    let (begun, rest) = (content.slice(..100_000), content.slice(100_000..));
    let body = stream::once(async { Ok(begun) }).chain(stream::once({
        let gate = gate.clone();
        async move {
            gate.reached().await;
            lease.lose();
            Ok(rest)
        }
    }));
    let sent = client
        .upload(&repository, session, &digest, size, body)
        .await;
    let error = sent.unwrap_err();
    assert_eq!(
        (error.kind(), error.is_transient()),
        (Kind::Interrupted, false),
        "{error}"
    );
    gate.open();
    registry.quiet().await;
    assert_eq!(writes(&registry), 2, "an upload is begun and not cancelled");
    assert!(!registry.has_blob("team/app", digest.as_str()));
    assert!(client.list_tags(&repository).await.is_ok(), "it may read");
}
