// SPDX-License-Identifier: Apache-2.0

//! What a round needs around it that no test of it is about.

use std::sync::{Arc, Mutex};

use transship::copy::Endpoint;
use transship::oci::{Registry, Repository};
use transship::plan::report::TagReport;
use transship::plan::{Destination, Mirror};
use transship::registry::{Pool, Settings};
use transship::sync::trust::Authorities;
use transship::sync::{Connect, ConnectError, Observer};

/// Registries over plain HTTP without credentials, and whom the policies trust.
pub(super) struct Plain {
    pool: Pool,
    trusted: Trusted,
}

/// Whom the policies trust, which a test can change: nobody at first.
pub(super) type Trusted = Arc<Mutex<Arc<Authorities>>>;

/// Nobody watches.
pub(super) struct Unwatched;

impl Plain {
    pub(super) fn new(pool: Pool, trusted: Trusted) -> Self {
        Self { pool, trusted }
    }

    fn endpoint(&self, registry: &Registry) -> Endpoint {
        let settings = Settings {
            insecure: true,
            ..Settings::default()
        };
        Endpoint::Registry(self.pool.client(registry, &settings).unwrap())
    }
}

impl Connect for Plain {
    async fn source(
        &self,
        mirror: &Mirror,
        _: Option<&Repository>,
    ) -> Result<Endpoint, ConnectError> {
        Ok(self.endpoint(&mirror.source.registry))
    }

    async fn destination(
        &self,
        _: &Mirror,
        destination: &Destination,
        _: &Repository,
    ) -> Result<Endpoint, ConnectError> {
        Ok(self.endpoint(&destination.registry))
    }

    fn authorities(&self, _: &Mirror) -> Result<Arc<Authorities>, ConnectError> {
        Ok(self.trusted.lock().unwrap().clone())
    }
}

impl Observer for Unwatched {
    fn planned(&self, _: Vec<TagReport>) {}

    fn finished(&self, _: &str, _: &TagReport) {}
}
