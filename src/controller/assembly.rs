// SPDX-License-Identifier: Apache-2.0

//! What all that is done works with, put together from the settings.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::cluster::Cluster;
use super::connect::{Connector, USER_AGENT};
use super::context::Shared;
use super::identities::OwnIdentities;
use super::jobs::FollowedJobs;
use super::metrics::ControllerMetrics;
use super::notifications::Notifier;
use super::onlooker::Onlooker;
use super::portion::Portion;
use super::pulls::Pulls;
use super::reception::Reception;
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
use crate::runtime::memory::Bounds;
use crate::sync::prune::Pruner;
use crate::sync::workloads::Workloads;
use crate::sync::{Allowance, Ledger, State};

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
    (metrics, reception): (Arc<ControllerMetrics>, Reception),
    end: &CancellationToken,
) -> (Arc<Shared>, Arc<Ledger>) {
    let Reception {
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
    let progress = copy::Progress::none().with(metrics.clone());
    let state = state(
        settings,
        clients,
        &portion,
        State::new(ledger.clone(), progress),
    );
    let shared = Arc::new(Shared {
        client: clients.call.clone(),
        followed: FollowedJobs::new(clients.watch.clone()),
        cluster,
        portion,
        ledger: ledger.clone(),
        jobs: settings.jobs.clone(),
        state,
        connector: Arc::new(connector(settings, claim, onlooker)),
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

/// The way to registries, for as long as the claim holds.
fn connector(settings: &Settings, claim: &Claim, onlooker: Onlooker) -> Connector {
    let pool = Pool::builder(USER_AGENT)
        .boundaries(settings.boundaries.clone())
        .write_guard(claim.guard())
        .observer(Arc::new(onlooker))
        .build();
    Connector::new(
        pool,
        settings.ca_pem.clone(),
        settings.trusted_realms.clone(),
    )
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

/// What mirrors may take.
fn allowance(settings: &Settings) -> Allowance {
    let total = Bounds::total(settings.read_memory);
    let bounds = Bounds::of(total, settings.concurrent_rounds);
    tracing::info!(
        bytes = total,
        mirror = bounds.share,
        "memory for what is read from registries"
    );
    Allowance::within(bounds, settings.tags_per_mirror)
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
