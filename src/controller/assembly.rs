// SPDX-License-Identifier: Apache-2.0

//! What all that is done works with, put together from the settings.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::cluster::Cluster;
use super::connect::Connector;
use super::context::Shared;
use super::identities::OwnIdentities;
use super::listeners::Listeners;
use super::metrics::ControllerMetrics;
use super::notifications::Notifier;
use super::onlooker::Onlooker;
use super::portion::Portion;
use super::pulls::Pulls;
use super::records::Records;
use super::rounds::Rounds;
use super::settings::Settings;
use super::turns::Turns;
use super::workloads::{ClusterWorkloads, UnseenWorkloads};
use super::{memory, usage, users};
use crate::copy;
use crate::plan::prune::Stop;
use crate::registry::Pool;
use crate::runtime::kubernetes::Clients;
use crate::runtime::lease::{Claim, Identity};
use crate::runtime::memory::{Bounds, ReadMemory, container_limit};
use crate::sync::prune::Pruner;
use crate::sync::workloads::Workloads;
use crate::sync::{Allowance, Ledger, State};

/// How the program names itself to registries.
const USER_AGENT: &str = concat!("transship/", env!("CARGO_PKG_VERSION"));

/// The right to act: until when, in whose name, and on what.
pub(super) struct Right<'a> {
    pub(super) claim: &'a Claim,
    pub(super) identity: &'a Identity,
    pub(super) portion: Portion,
}

/// What all that is done works with, and what is remembered.
pub(super) fn share(
    settings: &Settings,
    clients: &Clients,
    Right {
        claim,
        identity,
        portion,
    }: Right<'_>,
    (metrics, reception): (Arc<ControllerMetrics>, Listeners),
    end: &CancellationToken,
) -> (Arc<Shared>, Arc<Ledger>) {
    let Listeners {
        doors,
        hinted,
        watched,
    } = reception;
    let cluster = Cluster::new(clients.call.clone(), claim.clone(), identity.to_string());
    let records = Records::new(cluster.clone());
    let ledger = Arc::new(Ledger::kept_by(Arc::new(records.clone())));
    let turns = Turns::new(settings.concurrent_rounds, settings.rounds_per_namespace);
    let onlooker = Onlooker {
        metrics: metrics.clone(),
        tallies: watched.tallies.clone(),
        turns: turns.clone(),
    };
    let pool = pool(settings, claim, onlooker);
    let connector = Connector::new(
        pool,
        settings.ca_pem.clone(),
        settings.trusted_realms.clone(),
    );
    let progress = copy::Progress::none().with(metrics.clone());
    let state = state(
        settings,
        clients,
        &portion,
        State::new(ledger.clone(), progress),
    );
    let shared = Arc::new(Shared {
        client: clients.call.clone(),
        cluster,
        portion,
        state,
        connector: Arc::new(connector),
        identities: OwnIdentities::new(
            settings.identities.clone(),
            settings.identity_namespaces.clone(),
        ),
        records,
        rounds: Rounds::new(end.clone()),
        turns,
        longest_round: settings.longest_round,
        memory: memory::Memory::default(),
        usage: usage::Usage::default(),
        users: users::Users::default(),
        notifier: Arc::new(Notifier::new(metrics.clone(), end.clone())),
        pulls: Pulls::new(
            hinted.clone(),
            doors.clone(),
            metrics.clone(),
            end.clone(),
            claim.guard(),
        ),
        hinted,
        doors,
        watched,
        metrics,
    });
    (shared, ledger)
}

/// The clients of registries, which write as long as the claim lasts.
fn pool(settings: &Settings, claim: &Claim, onlooker: Onlooker) -> Pool {
    Pool::builder(USER_AGENT)
        .boundaries(settings.boundaries.clone())
        .write_guard(claim.guard())
        .observer(Arc::new(onlooker))
        .build()
}

/// What rounds share: what they may do, and who works besides.
fn state(settings: &Settings, clients: &Clients, portion: &Portion, state: State) -> State {
    let state = state
        .with_pruner(pruner(settings, clients))
        .with_allowance(allowance(settings));
    match portion {
        Portion::Everything => state,
        Portion::Shards { others, .. } => state.with_neighbours(others.clone()),
    }
}

/// What mirrors may take. Nobody reads why tags are not selected.
fn allowance(settings: &Settings) -> Allowance {
    let total = settings.read_memory;
    let total = total.unwrap_or_else(|| Bounds::total_within(container_limit()));
    let bounds = Bounds::of(total, settings.concurrent_rounds);
    tracing::info!(
        bytes = total,
        mirror = bounds.share,
        "memory for what is read from registries"
    );
    Allowance {
        memory: ReadMemory::new(bounds),
        tags: Some(settings.tags_per_mirror),
        tells_excluded: false,
    }
}

/// What pruning may do, and how it sees what workloads use.
fn pruner(settings: &Settings, clients: &Clients) -> Pruner {
    let workloads: Arc<dyn Workloads> = if settings.looks_at_workloads {
        let workloads = ClusterWorkloads::new(clients.call.clone());
        Arc::new(workloads.with_extra(settings.in_use_extra.clone()))
    } else {
        Arc::new(UnseenWorkloads)
    };
    if settings.prunes {
        Pruner::deleting(Some(workloads))
    } else {
        Pruner::held(Stop::by_operator()).with_workloads(workloads)
    }
}
