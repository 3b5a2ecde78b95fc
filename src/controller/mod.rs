// SPDX-License-Identifier: Apache-2.0

//! The controller: mirrors and policies of a cluster, for as long as this process holds the lease, or shards of them.
//!
//! ```text
//! watch                     mirrors, policies, records: what there is
//! image_mirror              is a round due, what does it need, run it, say what came of it
//! image_policy              is it valid, who uses it, what does it do
//! image_receiver hooks pulls hinted lookers   where events are taken, what they are told, and what waits for a look because of them
//! image_notification notifications   who is told of what becomes of mirrors, and whether it arrives
//! records secrets identities connect   the edges of a round: what it remembers, and who it is at registries
//! jobs part          copies by pods of a Job: what the controller does, and what they do
//! rounds turns onlooker progress   rounds that run: their end, their order, who answers them, how far they are
//! portion handover          what this process works on, where several share the work
//! cluster                   every write, fenced by the lease
//! workloads                 what must not be deleted
//! memory usage users        what this process knows besides what the API server has
//! shares                    places of the process that namespaces share
//! events recorder metrics   what people and Prometheus are told
//! page                      what people see in a browser
//! ```

mod assembly;
mod bystanders;
mod cluster;
mod connect;
mod context;
mod error;
mod events;
mod gone;
mod handover;
mod hinted;
mod hooks;
mod identities;
mod image_mirror;
mod image_notification;
mod image_policy;
mod image_receiver;
mod jobs;
mod lookers;
mod looks;
mod memory;
mod metrics;
mod notifications;
mod objects;
mod onlooker;
pub mod page;
mod part;
mod portion;
mod progress;
mod pulls;
mod reception;
mod reconcile;
mod recorder;
mod records;
mod restore;
mod rounds;
mod secrets;
mod settings;
mod shares;
mod span;
mod turns;
mod usage;
mod users;
mod watch;
pub mod workloads;

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use kube::Client;
use kube::api::ListParams;
use tokio_util::sync::CancellationToken;

pub use self::error::Error;

use self::assembly::{Right, share};
use self::context::Shared;
use self::hooks::Hooks;
pub use self::jobs::{JobImage, JobSettings, PART_FAILED, PART_OVER, TERMINATION_LOG};
use self::metrics::ControllerMetrics;
use self::objects::api;
pub use self::part::{PartEnd, PartError, PartSettings, run_part};
use self::portion::Portion;
use self::reception::Reception;
use self::records::OtherShards;
pub use self::records::read_record;
pub use self::settings::Settings;
use crate::api::{ImageMirror, ImagePolicy};
use crate::runtime::admin::{Admin, Readiness};
use crate::runtime::kubernetes::{self, Clients};
use crate::runtime::lease::shards::{Division, Hands, Membership};
use crate::runtime::lease::{self, Lease};
use crate::runtime::metrics::Metrics;
use crate::runtime::server::Server;
use crate::sync::Ledger;

/// The namespace of the lease where this process runs in no pod.
const DEFAULT_NAMESPACE: &str = "transship-system";
/// Longest time for rounds to end after a signal.
const GRACE: Duration = Duration::from_secs(25);
/// Time until what failed at the start is tried again.
const RETRY: Duration = Duration::from_secs(2);

/// Runs until `stop` is cancelled, or until the lease is lost, which is an error.
pub async fn run(settings: Settings, stop: CancellationToken) -> Result<(), Error> {
    let clients =
        Clients::configure(settings.kubeconfig.as_deref(), settings.context.as_deref()).await?;
    let readiness = Readiness::waiting_for("the custom resources");
    let mut metrics = Metrics::new();
    let controller_metrics = Arc::new(ControllerMetrics::register(metrics.registry()));
    let admin = Admin::bind(
        settings.listen_address,
        readiness.clone(),
        Arc::new(metrics),
    )
    .await?;
    tell_settings(&settings);
    tracing::info!(address = %admin.address(), "listening");
    let serving = tokio::spawn(admin.serve(stop.clone()));
    let reception = Reception::new(&settings);
    let showing = reception.show(&settings, &clients, &stop).await?;
    let taking = match settings.events_address {
        None => None,
        Some(address) => {
            let server = Server::bind(address, "--events-address", hooks::LIMITS).await?;
            tracing::info!(address = %server.address(), "taking events");
            let Reception { doors, hinted, .. } = reception.clone();
            let identities = settings.identities.clone();
            let hooks = Hooks::new(doors, hinted, controller_metrics.clone(), identities);
            Some(tokio::spawn(hooks::serve(hooks, server, stop.clone())))
        }
    };

    let outcome = async {
        let found = stop.run_until_cancelled(find_resources(&clients.call, &settings.namespaces));
        if found.await.is_none() {
            return Ok(());
        }
        readiness.set_ready();
        lead(settings, &clients, (controller_metrics, reception), &stop).await
    }
    .await;
    stop.cancel();
    // They only end by being told to, which they were.
    let _ = serving.await;
    for listener in [taking, showing].into_iter().flatten() {
        let _ = listener.await;
    }
    outcome
}

/// Waits until the API server knows our kinds, and lets us see them.
async fn find_resources(client: &Client, namespaces: &[String]) {
    let failure = "cannot list ImageMirrors and ImagePolicies (are the CRDs installed? `transship crds | kubectl apply --server-side -f -` does that)";
    persist(failure, async || {
        look_for_resources(client, namespaces).await
    })
    .await;
}

/// Tries until it works. An API server that is down for an hour is one line in the log.
async fn persist<T>(failure: &str, mut attempt: impl AsyncFnMut() -> Result<T, kube::Error>) -> T {
    let mut complaint = None;
    loop {
        let error = match attempt().await {
            Ok(done) => return done,
            Err(error) => kubernetes::explain(&error),
        };
        if complaint.as_ref() != Some(&error) {
            tracing::warn!(error, "{failure}, trying again");
            complaint = Some(error);
        }
        tokio::time::sleep(RETRY).await;
    }
}

async fn look_for_resources(client: &Client, namespaces: &[String]) -> Result<(), kube::Error> {
    let one = ListParams::default().limit(1);
    for namespace in scopes(namespaces) {
        api::<ImageMirror>(client, namespace)
            .list_metadata(&one)
            .await?;
        api::<ImagePolicy>(client, namespace)
            .list_metadata(&one)
            .await?;
    }
    Ok(())
}

/// Waits for the lease and works for as long as it is held.
async fn lead(
    settings: Settings,
    clients: &Clients,
    (metrics, reception): (Arc<ControllerMetrics>, Reception),
    stop: &CancellationToken,
) -> Result<(), Error> {
    let namespace = settings.lease_namespace.clone();
    let namespace = namespace.or_else(|| clients.pod_namespace.clone());
    let lease = lease::Settings::new(
        namespace.unwrap_or_else(|| DEFAULT_NAMESPACE.to_owned()),
        settings.lease_name.clone(),
    );
    if let Some(division) = settings.division {
        let hands = Arc::new(Hands::empty(division));
        return take_part(&settings, clients, lease, hands, (metrics, reception), stop).await;
    }
    let identity = lease.identity.clone();
    let Some(held) = Lease::acquire(clients.lease.clone(), lease, stop).await else {
        return Ok(());
    };
    metrics.lead();
    let claim = held.claim();
    // Ends the work, whatever the reason.
    let end = stop.child_token();
    let right = Right {
        claim: &claim,
        identity: &identity,
        portion: Portion::Everything,
    };
    let shared = share(&settings, clients, right, (metrics, reception), &end);
    let work = work(&settings, clients, shared, &end);
    tokio::select! {
        () = work => {}
        () = claim.lost() => return Err(Error::LeaseLost),
    }
    held.release().await.map_err(Error::Release)
}

/// Shares the work with others, for as long as this process is one of the members.
async fn take_part(
    settings: &Settings,
    clients: &Clients,
    lease: lease::Settings,
    hands: Arc<Hands>,
    (metrics, reception): (Arc<ControllerMetrics>, Reception),
    stop: &CancellationToken,
) -> Result<(), Error> {
    let identity = lease.identity.clone();
    let client = clients.lease.clone();
    let Some(member) = Membership::join(client, lease, hands.clone(), stop).await else {
        return Ok(());
    };
    let claim = member.claim();
    let end = stop.child_token();
    let scopes = scopes(&settings.namespaces).into_iter();
    let scopes = scopes.map(|scope| scope.map(str::to_owned)).collect();
    let others = OtherShards::new(clients.call.clone(), scopes, hands.clone());
    let right = Right {
        claim: &claim,
        identity: &identity,
        portion: Portion::Shards {
            hands,
            others: Arc::new(others),
        },
    };
    let shared = share(settings, clients, right, (metrics, reception), &end);
    tokio::select! {
        () = work(settings, clients, shared, &end) => {}
        () = claim.lost() => return Err(Error::LeaseLost),
    }
    member.leave().await.map_err(Error::Release)
}

/// Restores what earlier processes knew, and reconciles until told to end.
async fn work(
    settings: &Settings,
    clients: &Clients,
    (shared, ledger): (Arc<Shared>, Arc<Ledger>),
    end: &CancellationToken,
) {
    let scopes = scopes(&settings.namespaces);
    // Of a shard it is read when it was taken.
    if !shared.portion.is_shared() {
        let restore = restore_all(&clients.call, &scopes, &shared, &ledger);
        if end.run_until_cancelled(restore).await.is_none() {
            return;
        }
    }
    shared.doors.lead(scopes.len());
    let hands = shared.portion.hands();
    shared.watched.lead(&ledger, scopes.len(), hands);
    let running = scopes
        .into_iter()
        .map(|namespace| reconcile::run(shared.clone(), &clients.watch, namespace, &ledger, end));
    until_ended(join_all(running), end).await;
}

/// Waits until everything has ended; of what was told to end, for a while only.
async fn until_ended(running: impl Future, end: &CancellationToken) {
    let mut running = std::pin::pin!(running);
    tokio::select! {
        _ = &mut running => {}
        () = end.cancelled() => {
            tracing::info!("stopping");
            if tokio::time::timeout(GRACE, running).await.is_err() {
                tracing::warn!("not everything ended in time: the next process goes on");
            }
        }
    }
}

/// What whoever reads the log of another cluster asks first.
fn tell_settings(settings: &Settings) {
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        namespaces = ?settings.namespaces,
        lease_name = settings.lease_name,
        shards = settings.division.map(Division::count),
        concurrent_rounds = settings.concurrent_rounds,
        rounds_per_namespace = settings.rounds_per_namespace,
        tags_per_mirror = settings.tags_per_mirror,
        prunes = settings.prunes,
        looks_at_workloads = settings.looks_at_workloads,
        "transship controller"
    );
}

/// Takes over all records. Without them nothing is pushed: a tag that moved could not be told from one that
/// somebody else wrote.
async fn restore_all(
    client: &Client,
    namespaces: &[Option<&str>],
    shared: &Shared,
    ledger: &Ledger,
) {
    let failure = "cannot read the MirroredRepositories";
    for namespace in namespaces {
        let attempt = async || {
            restore::restore(
                client,
                *namespace,
                restore::RestoredMirrors::All,
                shared,
                ledger,
            )
            .await
        };
        persist(failure, attempt).await;
    }
}

/// The namespaces to look at, one by one; None means all of them together.
fn scopes(namespaces: &[String]) -> Vec<Option<&str>> {
    if namespaces.is_empty() {
        return vec![None];
    }
    namespaces.iter().map(|name| Some(name.as_str())).collect()
}
