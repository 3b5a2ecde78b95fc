// SPDX-License-Identifier: Apache-2.0

//! Every write to the API server, in one place: none leaves when the lease is not held any more.

use std::fmt::Debug;
use std::sync::Arc;

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::ObjectReference;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams, Preconditions};
use kube::core::NamespaceResourceScope;
use kube::runtime::events::Event;
use kube::{Api, Client, Resource, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::recorder::Recorder;
use crate::api::MirroredRepository;
use crate::api::image_mirror::JobStatus;
use crate::runtime::kubernetes::explain;
use crate::runtime::lease::Claim;

/// Who owns the fields that are written.
pub(super) const FIELD_MANAGER: &str = "transship";

/// Writes that are on their way at once. When thousands of mirrors begin together, more of them would only
/// wait at the API server until their time is up, and take the lease's turn with them.
const WRITES: usize = 32;

/// The API server, for writing.
#[derive(Clone)]
pub(super) struct Cluster {
    client: Client,
    claim: Claim,
    recorder: Recorder,
    turns: Arc<Semaphore>,
}

/// Why something was not written.
#[derive(Debug, thiserror::Error)]
pub(super) enum WriteError {
    /// Somebody else holds the lease, or may.
    #[error("this process does not hold the lease any more")]
    LeaseLost,
    /// The API server refused, or did not answer.
    #[error("{}", explain(.0))]
    Request(Box<kube::Error>),
}

// === impl Cluster ===

impl Cluster {
    /// Writes for as long as the claim holds, in the name of `instance`.
    pub(super) fn new(client: Client, claim: Claim, instance: String) -> Self {
        Self {
            recorder: Recorder::new(client.clone(), instance),
            client,
            claim,
            turns: Arc::new(Semaphore::new(WRITES)),
        }
    }

    /// Replaces the status of this very object, and gives the object back as it is then. None where the
    /// object is no more.
    pub(super) async fn write_status<K, S>(
        &self,
        object: &K,
        status: &S,
    ) -> Result<Option<K>, WriteError>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
            + Clone
            + DeserializeOwned
            + Debug
            + 'static,
        S: Serialize,
    {
        let _turn = self.take_turn().await?;
        let name = object.name_any();
        // Of another object with the same name nothing is known.
        let body = json!({
            "apiVersion": K::api_version(&()),
            "kind": K::kind(&()),
            "metadata": {"name": name, "uid": object.uid()},
            "status": status,
        });
        let api: Api<K> = self.api(object.namespace().as_deref());
        let written = api
            .patch_status(&name, &parameters(), &Patch::Apply(&body))
            .await;
        match written {
            Ok(object) => Ok(Some(object)),
            Err(kube::Error::Api(status)) if status.is_not_found() => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Writes a record: the object, where it is new, and its status.
    pub(super) async fn write_record(
        &self,
        record: &MirroredRepository,
        is_new: bool,
    ) -> Result<(), WriteError> {
        let namespace = record.namespace();
        let api: Api<MirroredRepository> = self.api(namespace.as_deref());
        let name = record.name_any();
        if is_new {
            let _turn = self.take_turn().await?;
            let object = MirroredRepository {
                status: None,
                ..record.clone()
            };
            api.patch(&name, &parameters(), &Patch::Apply(&object))
                .await?;
        }
        let _turn = self.take_turn().await?;
        let body = json!({
            "apiVersion": MirroredRepository::api_version(&()),
            "kind": MirroredRepository::kind(&()),
            "metadata": {"name": name},
            "status": record.status,
        });
        api.patch_status(&name, &parameters(), &Patch::Apply(&body))
            .await?;
        Ok(())
    }

    /// Writes an annotation of a record, which has to be there, or takes it away. Nothing else of it is touched.
    pub(super) async fn annotate_record(
        &self,
        namespace: &str,
        name: &str,
        (annotation, text): (&str, Option<&str>),
    ) -> Result<(), WriteError> {
        let _turn = self.take_turn().await?;
        let api: Api<MirroredRepository> = self.api(Some(namespace));
        let body = json!({"metadata": {"annotations": {annotation: text}}});
        let parameters = PatchParams {
            field_manager: Some(FIELD_MANAGER.to_owned()),
            ..PatchParams::default()
        };
        api.patch_metadata(name, &parameters, &Patch::Merge(&body))
            .await?;
        Ok(())
    }

    /// Makes a Job.
    pub(super) async fn create_job(&self, job: &Job) -> Result<Job, WriteError> {
        let _turn = self.take_turn().await?;
        let api: Api<Job> = self.api(job.namespace().as_deref());
        let parameters = PostParams {
            field_manager: Some(FIELD_MANAGER.to_owned()),
            ..PostParams::default()
        };
        Ok(api.create(&parameters, job).await?)
    }

    /// Deletes this very Job with its pods, where there is one.
    pub(super) async fn delete_job(
        &self,
        namespace: &str,
        job: &JobStatus,
    ) -> Result<(), WriteError> {
        let _turn = self.take_turn().await?;
        let api: Api<Job> = self.api(Some(namespace));
        let parameters = DeleteParams::background().preconditions(Preconditions {
            uid: Some(job.uid.clone()),
            resource_version: None,
        });
        match api.delete(job.name.as_str(), &parameters).await {
            Ok(_) => Ok(()),
            // Another one of the same name is somebody else's.
            Err(kube::Error::Api(status)) if status.is_not_found() || status.code == 409 => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Tells people what happened. That they cannot be told is no reason to stop.
    pub(super) async fn publish(&self, about: &ObjectReference, event: &Event) {
        let Ok(_turn) = self.take_turn().await else {
            return;
        };
        if let Err(error) = self.recorder.publish(event, about).await {
            let error = explain(&error);
            tracing::warn!(reason = event.reason, error, "the event was not published");
        }
    }

    /// Waits for a turn to write, and looks at the lease when it has come.
    async fn take_turn(&self) -> Result<Option<SemaphorePermit<'_>>, WriteError> {
        // Nobody closes it.
        let turn = self.turns.acquire().await.ok();
        if self.claim.is_current() {
            Ok(turn)
        } else {
            Err(WriteError::LeaseLost)
        }
    }

    fn api<K>(&self, namespace: Option<&str>) -> Api<K>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
    {
        Api::namespaced(self.client.clone(), namespace.unwrap_or_default())
    }
}

fn parameters() -> PatchParams {
    PatchParams::apply(FIELD_MANAGER).force()
}

impl From<kube::Error> for WriteError {
    fn from(error: kube::Error) -> Self {
        Self::Request(Box::new(error))
    }
}

#[cfg(test)]
mod tests;
