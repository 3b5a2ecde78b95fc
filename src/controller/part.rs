// SPDX-License-Identifier: Apache-2.0

//! A pod of a Job: copies its share of what the controller put on record, by the rights of its own ServiceAccount.
//!
//! It writes for as long as the status of its mirror names its Job and the spec is the one that the Job was made for:
//! both are asked for every few seconds, and [`Tenure`] ends by itself where there is no answer.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use kube::{Api, Client, ResourceExt};
use tokio_util::sync::CancellationToken;

use super::cluster::Cluster;
use super::connect::{Connector, USER_AGENT};
use super::identities::OwnIdentities;
use super::jobs::{PartFailure, PartResult};
use super::objects::policy_names;
use super::records::PodRecords;
use super::secrets::read_reach;
use crate::api::{ImageMirror, ImagePolicy, Reason};
use crate::copy;
use crate::identity::Identities;
use crate::plan::report::TagReport;
use crate::plan::{self, Mirror, RepositoryShare};
use crate::registry::{Boundaries, Pool};
use crate::runtime::kubernetes::{self, Clients, explain};
use crate::runtime::lease::tenure::{Permission, Tenure};
use crate::runtime::memory::Bounds;
use crate::sync::{self, Allowance, Ledger, Observer, RoundInput, State};

/// How long a mirror may take to name the Job of a pod.
const PATIENCE: Duration = Duration::from_secs(120);

/// What a pod copies, and how.
#[derive(Debug)]
pub struct PartSettings {
    /// The file that says where the cluster is; the usual places where absent.
    pub kubeconfig: Option<PathBuf>,
    /// The namespace of the mirror.
    pub namespace: String,
    /// The mirror.
    pub mirror: String,
    /// Its UID.
    pub mirror_uid: String,
    /// The generation of its spec.
    pub generation: i64,
    /// The UID of the Job.
    pub job_uid: String,
    /// Which repositories are copied.
    pub share: RepositoryShare,
    /// Where requests may go.
    pub boundaries: Boundaries,
    /// Hosts that may be asked for tokens although neither the registry's host nor its domain.
    pub trusted_realms: Vec<String>,
    /// Authorities that are trusted besides those of the system, as PEM.
    pub ca_pem: Option<Vec<u8>>,
    /// Namespaces whose mirrors may be in the clouds who the pod is; `*` is all of them.
    pub identity_namespaces: Vec<String>,
    /// The identities in the clouds.
    pub identities: Identities,
    /// Bytes of memory for what is read from registries; a part of the container's limit where absent.
    pub read_memory: Option<usize>,
    /// Most tags at destinations that the mirror may select.
    pub tags_per_mirror: usize,
}

/// How a part ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PartEnd {
    /// All of it was copied, and this is to be told.
    Done(String),
    /// Something failed, and this is to be told.
    Failed(String),
    /// The mirror does not name the Job, or wants something else by now.
    Over,
    /// A signal came, or it could not be seen any more whether it may go on: another pod may.
    Interrupted,
}

/// Why a part is not copied.
#[derive(Debug, thiserror::Error)]
pub enum PartError {
    /// There is no way to an API server.
    #[error(transparent)]
    Kubernetes(#[from] kubernetes::Error),
    /// The API server did not say.
    #[error("cannot read the {what}: {message}")]
    Unreadable {
        /// What was read.
        what: &'static str,
        /// Why.
        message: String,
    },
}

/// Copies a share, and says what to tell of it.
pub async fn run_part(
    settings: PartSettings,
    stop: CancellationToken,
) -> Result<PartEnd, PartError> {
    let work = Box::pin(copy_part(settings));
    match stop.run_until_cancelled(work).await {
        Some(end) => end,
        None => Ok(PartEnd::Interrupted),
    }
}

async fn copy_part(settings: PartSettings) -> Result<PartEnd, PartError> {
    let clients = Clients::configure(settings.kubeconfig.as_deref(), None).await?;
    let client = clients.call.clone();
    let api: Api<ImageMirror> = Api::namespaced(client.clone(), &settings.namespace);
    let object = match api.get(&settings.mirror).await {
        Ok(object) => object,
        Err(error) => return refused("ImageMirror", &error),
    };
    let named = Named {
        api,
        mirror: settings.mirror.clone(),
        mirror_uid: settings.mirror_uid.clone(),
        generation: settings.generation,
        job_uid: settings.job_uid.clone(),
    };
    let named = Arc::new(named);
    let asked = named.clone();
    let ask = move || {
        let named = asked.clone();
        async move { named.ask().await }
    };
    let Some(tenure) = Tenure::begin(ask, PATIENCE).await else {
        return Ok(PartEnd::Over);
    };
    let policies = match read_policies(&client, &object).await {
        Ok(policies) => policies,
        Err(error) => return refused("ImagePolicies", &error),
    };
    let policies: Vec<&ImagePolicy> = policies.iter().collect();
    let mirror = match plan::validate(&object, &policies) {
        Ok(mirror) => Arc::new(mirror),
        Err(invalid) => {
            let first = invalid.first().map(ToString::to_string);
            let message = first.unwrap_or_default();
            return Ok(failed(&object, Reason::DependencyNotReady, &message));
        }
    };
    let lost = tenure.claim();
    let copying = Box::pin(copy_share(&settings, &client, (&object, &mirror), &tenure));
    tokio::select! {
        end = copying => end,
        // Where there was no answer, another pod goes on.
        () = lost.lost() => Ok(match named.ask().await {
            Some(Permission::Over) => PartEnd::Over,
            Some(Permission::Granted | Permission::NotYet) | None => PartEnd::Interrupted,
        }),
    }
}

/// Copies the share by the way of a round.
async fn copy_share(
    settings: &PartSettings,
    client: &Client,
    (object, mirror): (&ImageMirror, &Arc<Mirror>),
    tenure: &Tenure,
) -> Result<PartEnd, PartError> {
    let identities = OwnIdentities::new(
        settings.identities.clone(),
        settings.identity_namespaces.clone(),
    );
    let reach = match read_reach(client, &identities, mirror).await {
        Ok(reach) => reach,
        Err(unreached) => return Ok(failed(object, unreached.reason, &unreached.message)),
    };
    let claim = tenure.claim();
    let cluster = Cluster::new(client.clone(), claim.clone(), settings.job_uid.clone());
    let records = Arc::new(PodRecords::new(cluster, &settings.job_uid));
    let ledger = Arc::new(Ledger::kept_by(records.clone()));
    let state =
        State::new(ledger.clone(), copy::Progress::none()).with_allowance(allowance(settings));
    let restored = match records.take_over(client, mirror, &ledger).await {
        Ok(restored) => restored,
        Err(error) => return refused("MirroredRepositories", &error),
    };
    state.restore_claims(mirror.seniority(), restored.claims);
    let pool = Pool::builder(USER_AGENT)
        .boundaries(settings.boundaries.clone())
        .write_guard(claim.guard())
        .build();
    let connector = Connector::new(
        pool,
        settings.ca_pem.clone(),
        settings.trusted_realms.clone(),
    );
    let input = RoundInput {
        mirror: mirror.clone(),
        connection: Arc::new(connector).connect(mirror, reach),
    };
    let report = sync::copy_share(&state, &input, &settings.share, &Lines).await;
    let result = PartResult::of(&report);
    let failures = result.failures.len();
    let (copied, bytes) = (result.copied, result.bytes);
    tracing::info!(copied, bytes, failures, "the part is done");
    for failure in &result.failures {
        let (subject, error) = (&failure.subject, &failure.message);
        tracing::warn!(subject, reason = %failure.reason, error, "failed");
    }
    Ok(if failures == 0 {
        PartEnd::Done(result.write())
    } else {
        PartEnd::Failed(result.write())
    })
}

/// What the API server does not let the ServiceAccount do is told to the mirror; everything else may pass.
fn refused(what: &'static str, error: &kube::Error) -> Result<PartEnd, PartError> {
    let message = explain(error);
    let is_forbidden = matches!(error, kube::Error::Api(status) if status.is_forbidden());
    if !is_forbidden {
        return Err(PartError::Unreadable { what, message });
    }
    let message = format!(
        "the service account of the Job's pods may not read the {what} of the namespace: bind the ClusterRole \
         transship-job to it there ({message})"
    );
    Ok(told("the Job", Reason::AccessDenied, &message))
}

fn failed(object: &ImageMirror, reason: Reason, message: &str) -> PartEnd {
    told(&object.name_any(), reason, message)
}

fn told(subject: &str, reason: Reason, message: &str) -> PartEnd {
    tracing::warn!(subject, %reason, error = message, "failed");
    let failure = PartFailure {
        subject: subject.to_owned(),
        reason,
        message: message.to_owned(),
        next_attempt_time: None,
    };
    let result = PartResult {
        failures: vec![failure],
        ..PartResult::default()
    };
    PartEnd::Failed(result.write())
}

/// The policies that the mirror names. One that is missing is found out by whoever validates the mirror.
async fn read_policies(
    client: &Client,
    object: &ImageMirror,
) -> Result<Vec<ImagePolicy>, kube::Error> {
    let namespace = object.namespace().unwrap_or_default();
    let api: Api<ImagePolicy> = Api::namespaced(client.clone(), &namespace);
    let mut names: Vec<&str> = policy_names(object).collect();
    names.sort_unstable();
    names.dedup();
    let mut policies = Vec::new();
    for name in names {
        policies.extend(api.get_opt(name).await?);
    }
    Ok(policies)
}

fn allowance(settings: &PartSettings) -> Allowance {
    let bounds = Bounds::of(Bounds::total(settings.read_memory), 1);
    Allowance::within(bounds, settings.tags_per_mirror)
}

/// Whether a mirror names a Job.
struct Named {
    api: Api<ImageMirror>,
    mirror: String,
    mirror_uid: String,
    generation: i64,
    job_uid: String,
}

impl Named {
    async fn ask(&self) -> Option<Permission> {
        match self.api.get_opt(&self.mirror).await {
            Ok(None) => Some(Permission::Over),
            Ok(Some(object)) => {
                let made_for = (&*self.mirror_uid, self.generation, &*self.job_uid);
                Some(judge(made_for, &object))
            }
            Err(error) => {
                let error = explain(&error);
                tracing::warn!(error, "it cannot be seen whether the mirror names this Job");
                None
            }
        }
    }
}

/// Whether a pod of this Job may write, made for this mirror at this generation of its spec.
fn judge((mirror, generation, job): (&str, i64, &str), object: &ImageMirror) -> Permission {
    let metadata = &object.metadata;
    let is_it = metadata.uid.as_deref() == Some(mirror)
        && metadata.generation == Some(generation)
        && metadata.deletion_timestamp.is_none();
    if !is_it {
        return Permission::Over;
    }
    let named = object.status.as_ref().and_then(|it| it.job.as_ref());
    match named.filter(|named| named.uid == job) {
        Some(named) if named.stopping => Permission::Over,
        Some(_) => Permission::Granted,
        None => Permission::NotYet,
    }
}

/// A line of the log for each tag.
struct Lines;

impl Observer for Lines {
    fn planned(&self, tags: Vec<TagReport>) {
        tracing::info!(tags = tags.len(), "copying");
    }

    fn finished(&self, _: &str, tag: &TagReport) {
        tracing::debug!(target = tag.target, "done");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::image_mirror::JobStatus;

    #[test]
    fn pods_write_for_as_long_as_their_mirror_names_their_job() {
        let mirror = |uid: &str, generation: i64, job: Option<(&str, bool)>| {
            let mut object: ImageMirror = serde_json::from_value(serde_json::json!({
                "metadata": {"name": "web", "uid": uid, "generation": generation},
                "spec": {"source": {"registry": "a.test"}, "images": [], "destinations": []},
                "status": {},
            }))
            .unwrap();
            if let Some(status) = &mut object.status {
                status.job = job.map(|(uid, stopping)| JobStatus {
                    name: "web-1".parse().unwrap(),
                    uid: uid.to_owned(),
                    indexes: 1,
                    succeeded: 0,
                    failed: 0,
                    stopping,
                });
            }
            object
        };
        let cases = [
            (
                "named",
                mirror("m", 2, Some(("j", false))),
                Permission::Granted,
            ),
            ("not yet", mirror("m", 2, None), Permission::NotYet),
            (
                "another Job",
                mirror("m", 2, Some(("k", false))),
                Permission::NotYet,
            ),
            (
                "stopping",
                mirror("m", 2, Some(("j", true))),
                Permission::Over,
            ),
            (
                "another spec",
                mirror("m", 3, Some(("j", false))),
                Permission::Over,
            ),
            (
                "another mirror",
                mirror("n", 2, Some(("j", false))),
                Permission::Over,
            ),
        ];
        for (name, object, expected) in cases {
            assert_eq!(judge(("m", 2, "j"), &object), expected, "{name}");
        }
    }
}
