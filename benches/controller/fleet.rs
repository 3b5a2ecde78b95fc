// SPDX-License-Identifier: Apache-2.0

//! Many mirrors in a few namespaces, and the policies that they use.

use futures::{StreamExt as _, stream};
use serde_json::{Value, json};

use crate::schedule::Schedule;
use crate::support::cluster::{ApiClient, ControlPlane};

/// Tags of each mirror.
pub(crate) const TAGS: usize = 10;

/// Mirrors of each namespace.
const PER_NAMESPACE: usize = 100;

/// Objects that are created at a time.
const PARALLEL: usize = 32;

/// The policy of every namespace.
const POLICY: &str = "releases";

/// What is mirrored, and how often.
pub(crate) struct Fleet {
    /// How many mirrors there are.
    pub(crate) mirrors: usize,
    /// `HOST:PORT` of the source.
    pub(crate) source: String,
    /// `HOST:PORT` of the destination.
    pub(crate) destination: String,
    /// When the mirrors are due.
    pub(crate) schedule: Schedule,
}

impl Fleet {
    /// Tags of all mirrors.
    pub(crate) fn tags(&self) -> usize {
        self.mirrors * TAGS
    }

    /// Creates everything, several objects at a time.
    pub(crate) async fn create(&self, plane: &ControlPlane) {
        let client = plane.client();
        let namespaces = self.mirrors.div_ceil(PER_NAMESPACE);
        create_all(client, (0..namespaces).map(namespace)).await;
        let policies = client.path("impol", Some("NAMESPACE")).await;
        create_all(
            client,
            (0..namespaces).map(|space| policy(&policies, space)),
        )
        .await;
        let mirrors = client.path("imir", Some("NAMESPACE")).await;
        create_all(
            client,
            (0..self.mirrors).map(|number| self.mirror(&mirrors, number)),
        )
        .await;
    }

    /// The repository of a mirror at the destination.
    pub(crate) fn repository(&self, number: usize) -> String {
        let number = number % self.mirrors;
        let namespace = namespace_name(number / PER_NAMESPACE);
        format!("{}/{namespace}/application-{number}", self.destination)
    }

    fn mirror(&self, path: &str, number: usize) -> (String, Value) {
        let namespace = namespace_name(number / PER_NAMESPACE);
        let tags: Vec<String> = tags().collect();
        let spec = json!({
            "source": {"registry": self.source, "insecure": true},
            "images": [{"repository": format!("{namespace}/application-{number}"), "tags": tags}],
            "policyRefs": [{"name": POLICY}],
            "destinations": [{
                "name": "mirror",
                "registry": self.destination,
                "insecure": true,
            }],
            "schedule": {"cron": self.schedule.cron(), "timeZone": "UTC"},
        });
        let object = object("ImageMirror", &format!("application-{number}"), &spec);
        (path.replace("NAMESPACE", &namespace), object)
    }
}

/// The tags of each repository.
pub(crate) fn tags() -> impl Iterator<Item = String> {
    (0..TAGS).map(|tag| format!("1.{tag}.0"))
}

fn namespace_name(number: usize) -> String {
    format!("team-{number}")
}

fn namespace(number: usize) -> (String, Value) {
    let object = json!({"metadata": {"name": namespace_name(number)}});
    ("/api/v1/namespaces".to_owned(), object)
}

fn policy(path: &str, number: usize) -> (String, Value) {
    let spec = json!({"select": {
        "include": [r"^v?\d+\.\d+\.\d+$"],
        "semver": {"range": ">=1.0.0", "prereleases": "Exclude"},
    }});
    let path = path.replace("NAMESPACE", &namespace_name(number));
    (path, object("ImagePolicy", POLICY, &spec))
}

fn object(kind: &str, name: &str, spec: &Value) -> Value {
    json!({
        "apiVersion": "transship.dev/v1alpha1",
        "kind": kind,
        "metadata": {"name": name},
        "spec": spec,
    })
}

async fn create_all(client: &ApiClient, objects: impl Iterator<Item = (String, Value)>) {
    stream::iter(objects)
        .for_each_concurrent(PARALLEL, async |(path, object)| {
            client.create(&path, &object).await.assert_success();
        })
        .await;
}
