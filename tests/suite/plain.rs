// SPDX-License-Identifier: Apache-2.0

//! What a round needs around it that no test of it is about.

use std::sync::{Arc, Mutex};

use transship::copy::{Endpoint, Progress};
use transship::oci::{Registry, Repository};
use transship::plan::report::TagReport;
use transship::plan::{Destination, Mirror};
use transship::registry::{Pool, Settings};
use transship::sync::ledger::{Slot, Tombstone};
use transship::sync::prune::{PruneRun, Pruner, Restoration, RestoreError};
use transship::sync::trust::Authorities;
use transship::sync::{
    Connect, ConnectError, Ledger, Mode, Observer, Report, RoundInput, State, round,
};

/// A process that runs rounds between registries over plain HTTP without credentials.
pub(super) struct Process {
    state: State,
    registries: Plain,
}

/// Registries over plain HTTP without credentials, and whom the policies trust.
#[derive(Clone)]
pub(super) struct Plain {
    pool: Pool,
    trusted: Trusted,
}

/// The way to those of one mirror.
pub(super) struct Connection {
    registries: Plain,
    source: Registry,
}

/// Whom the policies trust, which a test can change: nobody at first.
pub(super) type Trusted = Arc<Mutex<Arc<Authorities>>>;

/// Nobody watches.
pub(super) struct Unwatched;

impl Process {
    pub(super) fn new(registries: Plain, ledger: Arc<Ledger>) -> Self {
        let state = State::new(ledger, Progress::none());
        Self { state, registries }
    }

    pub(super) fn with_pruner(self, pruner: Pruner) -> Self {
        let state = self.state.with_pruner(pruner);
        Self { state, ..self }
    }

    pub(super) async fn round(
        &self,
        mirrors: &[&Mirror],
        mode: Mode,
        observer: &dyn Observer,
    ) -> Report {
        let inputs = mirrors.iter().map(|mirror| self.input(mirror));
        round(&self.state, &inputs.collect::<Vec<_>>(), mode, observer).await
    }

    fn input(&self, mirror: &Mirror) -> RoundInput<Connection> {
        RoundInput {
            mirror: Arc::new(mirror.clone()),
            connection: self.registries.connect(mirror),
        }
    }

    pub(super) fn deleted_tags(&self, mirror: &Mirror) -> Vec<(Slot, Tombstone)> {
        self.state.deleted_tags(mirror)
    }

    pub(super) async fn restore_tags(
        &self,
        mirror: &Mirror,
        is_wanted: impl Fn(&Slot, &Tombstone) -> bool,
    ) -> Result<Vec<Restoration>, RestoreError> {
        let input = self.input(mirror);
        let pruning = PruneRun::new(&self.state, &input);
        pruning.restore_tags(is_wanted).await
    }
}

impl Plain {
    pub(super) fn new(pool: Pool, trusted: Trusted) -> Self {
        Self { pool, trusted }
    }

    fn connect(&self, mirror: &Mirror) -> Connection {
        Connection {
            registries: self.clone(),
            source: mirror.source.registry.clone(),
        }
    }

    fn endpoint(&self, registry: &Registry) -> Endpoint {
        let settings = Settings {
            insecure: true,
            ..Settings::default()
        };
        Endpoint::Registry(self.pool.client(registry, &settings).unwrap())
    }
}

impl Connect for Connection {
    async fn source(&self, _: Option<&Repository>) -> Result<Endpoint, ConnectError> {
        Ok(self.registries.endpoint(&self.source))
    }

    async fn destination(
        &self,
        destination: &Destination,
        _: &Repository,
    ) -> Result<Endpoint, ConnectError> {
        Ok(self.registries.endpoint(&destination.registry))
    }

    fn authorities(&self) -> Arc<Authorities> {
        self.registries.trusted.lock().unwrap().clone()
    }
}

impl Observer for Unwatched {
    fn planned(&self, _: Vec<TagReport>) {}

    fn finished(&self, _: &str, _: &TagReport) {}
}
