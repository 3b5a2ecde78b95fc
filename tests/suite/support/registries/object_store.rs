// SPDX-License-Identifier: Apache-2.0

//! moto as S3: where a registry keeps its content, and where it sends clients for blobs.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;

use super::super::access_log::HARNESS_AGENT;
use super::super::client::{Access, Client};
use super::super::front::{Additions, Door, Front};
use super::super::http::script::{Recorded, Script};
use super::super::moto::Moto;

/// The bucket.
pub(super) const BUCKET: &str = "registry";

/// Who asks for a bucket to be made; moto believes every signature.
const SIGNED: (&str, &str) = (
    "authorization",
    "AWS4-HMAC-SHA256 Credential=tests/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0",
);

/// An object store with one bucket. It ends when dropped.
pub struct ObjectStore {
    front: Front,
    script: Arc<Script>,
    _moto: Moto,
}

impl ObjectStore {
    /// Starts moto and makes the bucket.
    pub async fn start() -> Self {
        let moto = Moto::start().await;
        let address = moto.address();
        let script = Arc::new(Script::default());
        let additions = Additions {
            script: Some(Arc::clone(&script)),
            ..Additions::default()
        };
        let front = Door::open().serve(address, additions);
        let client = Client::new(Access {
            url: format!("http://{address}"),
            ca_pem: None,
            login: None,
        });
        let path = format!("/{BUCKET}");
        let made = client.send("PUT", &path, &[SIGNED], Bytes::new()).await;
        assert_eq!(made.expect("a store that answers").status, 200);
        Self {
            front,
            script,
            _moto: moto,
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.front.address()
    }

    /// Its rules, for faults between a client or registry and the store.
    pub fn script(&self) -> &Script {
        &self.script
    }

    /// What those asked that were sent here by a registry: the registry itself names an agent of Amazon's.
    pub fn redirected(&self) -> Vec<Recorded> {
        let mut requests = self.script.requests();
        requests.retain(|request| {
            let agent = request.headers.value("user-agent").unwrap_or_default();
            agent != HARNESS_AGENT && !agent.contains("aws-sdk")
        });
        requests
    }
}
