// SPDX-License-Identifier: Apache-2.0

//! A namespace of the shared control plane, and a controller that serves nobody else.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::cluster::audit::Entry;
use crate::support::cluster::controller::Options;
use crate::support::cluster::namespace::find_condition;
use crate::support::cluster::{ControlPlane, Controller, Namespace};

/// How long something may take to come.
const PATIENCE: Duration = Duration::from_secs(60);

/// How often a question is asked again.
const POLL: Duration = Duration::from_millis(50);

/// Where a test plays.
pub(super) struct Stage {
    pub(super) controller: Controller,
    pub(super) namespace: Namespace<'static>,
}

impl Stage {
    /// A namespace whose name begins as given, and a controller for it.
    pub(super) async fn open(name: &str) -> Self {
        let namespace = ControlPlane::shared().await.namespace(name).await;
        let controller = controller_of(&namespace).start().await;
        Self {
            controller,
            namespace,
        }
    }

    /// What the controller wrote of the project's own kinds in the namespace, as the audit log has it.
    pub(super) async fn writes(&self) -> Vec<Entry> {
        let mut entries = self.namespace.plane().audit().await;
        entries.retain(|entry| {
            let is_ours = entry.subresource == "status" || entry.resource == "mirroredrepositories";
            entry.namespace == self.namespace.name() && entry.is_write() && is_ours
        });
        entries
    }
}

/// A controller that watches this namespace only.
pub(super) fn controller_of(namespace: &Namespace<'_>) -> Options {
    Controller::options(namespace.plane().kubeconfig()).namespace(namespace.name())
}

/// Waits for something that must come.
///
/// # Panics
/// If it does not come in time.
pub(super) async fn within<T>(what: &str, coming: impl Future<Output = T>) -> T {
    let come = tokio::time::timeout(PATIENCE, coming).await;
    come.unwrap_or_else(|_| panic!("it never came: {what}"))
}

/// Waits until something is so.
///
/// # Panics
/// If it does not become so in time.
pub(super) async fn until(what: &str, is_so: impl AsyncFn() -> bool) {
    let becoming = async {
        while !is_so().await {
            tokio::time::sleep(POLL).await;
        }
    };
    within(what, becoming).await;
}

/// Changes an object by a merge patch.
pub(super) async fn change(namespace: &Namespace<'_>, kind: &str, name: &str, change: &Value) {
    let path = namespace.path(kind, name).await;
    let client = namespace.plane().client();
    client.merge(&path, change).await.assert_success();
}

/// Deletes an object, without waiting until it is gone.
pub(super) async fn delete(namespace: &Namespace<'_>, kind: &str, name: &str) {
    let path = namespace.path(kind, name).await;
    let client = namespace.plane().client();
    client.delete(&path).await.assert_success();
}

/// Asks for a round.
pub(super) async fn request(namespace: &Namespace<'_>, mirror: &str, request: &str) {
    let annotations = json!({"transship.dev/reconcile-at": request});
    let annotated = json!({"metadata": {"annotations": annotations}});
    change(namespace, "imir", mirror, &annotated).await;
}

/// Asks for a round and waits until it has ended.
pub(super) async fn sync(namespace: &Namespace<'_>, mirror: &str, round: &str) -> Value {
    request(namespace, mirror, round).await;
    handled(namespace, mirror, round).await
}

/// Waits until the round that was asked for has ended.
pub(super) async fn handled(namespace: &Namespace<'_>, mirror: &str, request: &str) -> Value {
    let is_handled = |object: &Value| object["status"]["lastHandledReconcileAt"] == request;
    namespace
        .wait_for("imir", mirror, request, is_handled)
        .await
}

/// Waits until `Ready` has a reason for the current generation, which was acted on.
pub(super) async fn ready_for(
    namespace: &Namespace<'_>,
    kind: &str,
    name: &str,
    reason: &str,
) -> Value {
    let is_it = |object: &Value| {
        let generation = &object["metadata"]["generation"];
        let ready = find_condition(object, "Ready");
        ready.is_some_and(|ready| ready["reason"] == reason)
            && object["status"]["observedGeneration"] == *generation
    };
    namespace.wait_for(kind, name, reason, is_it).await
}

/// The message of `Ready`.
pub(super) fn message(object: &Value) -> &str {
    let ready = find_condition(object, "Ready");
    ready
        .and_then(|ready| ready["message"].as_str())
        .unwrap_or_default()
}

/// Who protects a tag that is not wanted any more, by the record of its repository.
pub(super) async fn protector(
    namespace: &Namespace<'_>,
    repository: &str,
    tag: &str,
) -> Option<String> {
    let records = namespace.list("mrepo").await;
    let end = format!("/{repository}");
    let is_its = |record: &&Value| {
        let named = record["spec"]["repository"].as_str();
        named.is_some_and(|named| named.ends_with(&end))
    };
    let mut candidates = records
        .iter()
        .filter(is_its)
        .filter_map(|record| record["status"]["candidates"].as_array())
        .flatten();
    let candidate = candidates.find(|candidate| candidate["tag"] == tag)?;
    candidate["protectedBy"].as_str().map(str::to_owned)
}

/// Every version that an object has had since an earlier one.
pub(super) async fn versions_since(
    namespace: &Namespace<'_>,
    kind: &str,
    object: &Value,
) -> Vec<Value> {
    let client = namespace.plane().client();
    let objects = client.path(kind, Some(namespace.name())).await;
    let metadata = &object["metadata"];
    let name = metadata["name"].as_str().expect("a name");
    let version = metadata["resourceVersion"].as_str().expect("a version");
    // The API server tells what has happened, and waits for a second whether there is more.
    let watch = format!(
        "{objects}?watch=true&timeoutSeconds=1&fieldSelector=metadata.name={name}&resourceVersion={version}"
    );
    let answer = client.get(&watch).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    // One event is JSON, several are not.
    let lines = answer.body.as_str().map(str::to_owned);
    let lines = lines.unwrap_or_else(|| answer.body.to_string());
    let events = lines
        .lines()
        .map(|line| serde_json::from_str(line).expect("an event"));
    events
        .map(|mut event: Value| {
            assert_ne!(event["type"], "ERROR", "{event}");
            event["object"].take()
        })
        .collect()
}
