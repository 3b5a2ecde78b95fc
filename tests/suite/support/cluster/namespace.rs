// SPDX-License-Identifier: Apache-2.0

//! A test's own place in a control plane that it shares with others.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::super::program::{Finished, Program};
use super::super::runtime;
use super::api_client::POLL;
use super::control_plane::ControlPlane;

/// How long something may take to come true before the test says that it does not.
const PATIENCE: Duration = Duration::from_secs(240);

/// A namespace. Nobody waits for its deletion when it is dropped.
pub struct Namespace<'a> {
    plane: &'a ControlPlane,
    name: String,
}

impl<'a> Namespace<'a> {
    /// Creates a namespace whose name begins as given.
    pub(super) async fn create(plane: &'a ControlPlane, prefix: &str) -> Self {
        let name = format!("{prefix}-{:08x}", fastrand::u32(..));
        let object = serde_json::json!({"metadata": {"name": name}});
        plane
            .client()
            .create("/api/v1/namespaces", &object)
            .await
            .assert_success();
        Self { plane, name }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its control plane.
    pub fn plane(&self) -> &'a ControlPlane {
        self.plane
    }

    /// Runs kubectl in it, with every right.
    pub async fn kubectl(&self, arguments: &[&str]) -> Finished {
        self.plane.kubectl(&self.inside(arguments)).await
    }

    /// The output of a kubectl command that must succeed.
    pub async fn kubectl_ok(&self, arguments: &[&str]) -> String {
        self.plane.kubectl_ok(&self.inside(arguments)).await
    }

    /// Runs helm in it, with every right.
    pub async fn helm(&self, arguments: &[&str]) -> Finished {
        self.plane.helm(&self.inside(arguments)).await
    }

    /// Applies objects that the API server must accept.
    pub async fn apply(&self, yaml: &str) {
        self.try_apply(yaml).await.assert_success();
    }

    /// Applies objects, for what the API server says about them.
    pub async fn try_apply(&self, yaml: &str) -> Finished {
        let arguments = self.inside(&["apply", "--filename=-"]);
        self.kubectl_program(&arguments).input(yaml).run().await
    }

    /// An object, if it exists.
    pub async fn json(&self, kind: &str, name: &str) -> Option<Value> {
        self.plane.read(&self.path(kind, name).await).await
    }

    /// All objects of a kind.
    pub async fn list(&self, kind: &str) -> Vec<Value> {
        let path = self.plane.client().path(kind, Some(&self.name)).await;
        let list = self.plane.client().get(&path).await.assert_success();
        list["items"].as_array().cloned().unwrap_or_default()
    }

    /// The path of an object, for requests that kubectl has no words for.
    pub async fn path(&self, kind: &str, name: &str) -> String {
        let objects = self.plane.client().path(kind, Some(&self.name)).await;
        format!("{objects}/{name}")
    }

    /// Waits until an object is as wanted, and answers with it. `what` is for the message.
    ///
    /// # Panics
    /// If it does not come to that, with the object as it is.
    pub async fn wait_for(
        &self,
        kind: &str,
        name: &str,
        what: &str,
        is_so: impl Fn(&Value) -> bool,
    ) -> Value {
        let path = self.path(kind, name).await;
        let deadline = Instant::now() + PATIENCE;
        loop {
            let object = self.plane.read(&path).await.unwrap_or_default();
            if is_so(&object) {
                return object;
            }
            assert!(
                Instant::now() < deadline,
                "{kind}/{name} never became so: {what}. It is now\n{object:#}"
            );
            tokio::time::sleep(POLL).await;
        }
    }

    /// Waits until a condition of an object has a status for the object's current generation.
    pub async fn wait_for_condition(
        &self,
        kind: &str,
        name: &str,
        condition: &str,
        status: &str,
    ) -> Value {
        let what = format!("{condition}={status}");
        self.wait_for(kind, name, &what, |object| {
            let found = find_condition(object, condition);
            found.is_some_and(|found| found["status"] == status)
                && object["status"]["observedGeneration"] == object["metadata"]["generation"]
        })
        .await
    }

    /// Waits until an object is gone.
    pub async fn wait_until_gone(&self, kind: &str, name: &str) {
        self.wait_for(kind, name, "gone", Value::is_null).await;
    }

    /// Deletes the namespace and waits until it is gone; needs the controllers.
    pub async fn delete(self) {
        let path = format!("/api/v1/namespaces/{}", self.name);
        self.plane.client().delete(&path).await.assert_success();
        self.wait_until_gone("namespace", &self.name).await;
    }

    fn inside<'b>(&'b self, arguments: &[&'b str]) -> Vec<&'b str> {
        // In front, so that it also stands before a `--` of the command.
        [&["--namespace", &self.name], arguments].concat()
    }

    fn kubectl_program(&self, arguments: &[&str]) -> Program {
        self.plane.kubectl_with(self.plane.kubeconfig(), arguments)
    }
}

impl Drop for Namespace<'_> {
    fn drop(&mut self) {
        let client = self.plane.client().clone();
        let path = format!("/api/v1/namespaces/{}", self.name);
        runtime().spawn(async move { client.abandon(&path).await });
    }
}

/// A condition of an object's status.
pub fn find_condition<'a>(object: &'a Value, name: &str) -> Option<&'a Value> {
    object["status"]["conditions"]
        .as_array()?
        .iter()
        .find(|condition| condition["type"] == name)
}
