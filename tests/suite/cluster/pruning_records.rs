// SPDX-License-Identifier: Apache-2.0

//! Records as people may make or change them: nothing goes because of them, and what they name stays.

use futures::future::join_all;
use serde_json::{Value, json};

use super::objects::{Mirror, policy};
use super::stage::{change, controller_of, protector, ready_for, sync, until};
use crate::support::cluster::{ControlPlane, Controller, Namespace};
use crate::support::content::{Image, ImageBuilder};
use crate::support::faults::FaultRegistry;
use crate::support::http::script::{Action, Gate};

/// Whatever deletes at once, as far as it may.
pub(super) const PRUNE: &str = r#"{"mode": "Delete", "grace": "0s", "maxDeletes": 1000, "maxPercent": 100, "inUse": "Ignore"}"#;
/// The repository, at both registries.
pub(super) const REPOSITORY: &str = "app";
/// A tag at the destination that somebody else pushed.
const THEIRS: &str = "theirs";
/// The tag that is not wanted any more.
pub(super) const OLD: &str = "1";

/// Two registries, a namespace, and a mirror of the tags 1 to 3.
pub(super) struct Archive {
    pub(super) source: FaultRegistry,
    pub(super) destination: FaultRegistry,
    pub(super) namespace: Namespace<'static>,
}

pub(super) fn image(seed: u64) -> Image {
    ImageBuilder::new(seed).layers(&[64]).build()
}

impl Archive {
    pub(super) async fn open(name: &str) -> Self {
        let source = FaultRegistry::start();
        for (tag, seed) in ["1", "2", "3"].iter().zip(1..) {
            source.load(REPOSITORY, tag, &image(seed));
        }
        Self {
            source,
            destination: FaultRegistry::start(),
            namespace: ControlPlane::shared().await.namespace(name).await,
        }
    }

    /// A mirror with this policy.
    pub(super) fn mirror(&self, name: &str, policy: &str) -> Mirror {
        Mirror::of(&self.source.host())
            .named(name)
            .image(REPOSITORY, &[])
            .policy(policy)
            .destination("copy", &self.destination.host())
            .with("/prune", serde_json::from_str::<Value>(PRUNE).unwrap())
    }

    /// Everything is copied by a mirror whose name is `mirror`.
    pub(super) async fn copy(&self) {
        let all = policy("chosen", &json!({"include": [".*"]}));
        let mirror = self.mirror("mirror", "chosen");
        self.namespace.apply(&format!("{mirror}{all}")).await;
        ready_for(&self.namespace, "imir", "mirror", "Succeeded").await;
        assert_eq!(self.tags(), ["1", "2", "3"]);
    }

    /// It does not want the old tag any more.
    pub(super) async fn narrow(&self) {
        let narrow = json!({"spec": {"select": {"include": ["[23]"]}}});
        change(&self.namespace, "impol", "chosen", &narrow).await;
    }

    /// Two rounds: the first one finds out what is not wanted, the second one deletes it.
    pub(super) async fn prune(&self, name: &str) -> Value {
        sync(&self.namespace, "mirror", &format!("{name}-1")).await;
        sync(&self.namespace, "mirror", &format!("{name}-2")).await
    }

    pub(super) fn tags(&self) -> Vec<String> {
        self.destination.tags(REPOSITORY)
    }

    pub(super) async fn controller(&self) -> Controller {
        controller_of(&self.namespace).start().await
    }

    /// The one record of a mirror.
    async fn record(&self) -> Value {
        let mut records = self.namespace.list("mrepo").await;
        assert_eq!(records.len(), 1, "{records:#?}");
        records.remove(0)
    }

    /// Somebody makes a record with this status.
    async fn make(&self, mut object: Value) {
        let status = object["status"].take();
        for field in [
            "uid",
            "resourceVersion",
            "creationTimestamp",
            "managedFields",
            "generation",
        ] {
            object["metadata"].as_object_mut().unwrap().remove(field);
        }
        object["metadata"]["namespace"] = json!(self.namespace.name());
        object.as_object_mut().unwrap().remove("status");
        let client = self.namespace.plane().client();
        let path = client.path("mrepo", Some(self.namespace.name())).await;
        client.create(&path, &object).await.assert_success();
        let name = object["metadata"]["name"].as_str().unwrap();
        self.set_status(name, &status).await;
    }

    async fn set_status(&self, name: &str, status: &Value) {
        let path = self.namespace.path("mrepo", name).await;
        let client = self.namespace.plane().client();
        let status = json!({"status": status});
        let changed = client.merge(&format!("{path}/status"), &status).await;
        changed.assert_success();
    }
}

/// The status of a record in which somebody else's tag is one that was written, and is not wanted for long.
fn with_theirs(record: &Value) -> Value {
    let mut status = record["status"].clone();
    let digest = image(9).digest().to_owned();
    let tags = status["tags"].as_array_mut().unwrap();
    let mut theirs = tags[0].clone();
    theirs["tag"] = json!(THEIRS);
    theirs["digest"] = json!(digest);
    theirs["sourceDigest"] = json!(digest);
    tags.push(theirs);
    status["tagCount"] = json!(tags.len());
    status["candidates"] = json!([{
        "tag": THEIRS, "digest": digest, "reason": "NotNamed",
        "since": "2020-01-01T00:00:00Z", "seen": "2020-02-01T00:00:00Z",
    }]);
    status["candidateCount"] = json!(1);
    status
}

/// What somebody does with the records while no controller runs.
type Row = (&'static str, Deed);

#[derive(Clone, Copy)]
enum Deed {
    /// One more is made, with this change.
    Make(fn(&mut Value)),
    /// The record is made anew, with this change.
    Replace(fn(&mut Value)),
    /// What stands in it is changed.
    Edit,
}

const ROWS: [Row; 6] = [
    (
        "a-name",
        Deed::Make(|record| record["metadata"]["name"] = json!("by-hand")),
    ),
    (
        "a-destination",
        Deed::Make(|record| {
            record["metadata"]["name"] = json!("by-hand");
            record["spec"]["destination"] = json!("other");
        }),
    ),
    (
        "a-part",
        Deed::Make(|record| {
            record["metadata"]["name"] = json!("by-hand");
            record["spec"]["part"] = json!(7);
        }),
    ),
    ("an-edit", Deed::Edit),
    ("a-copy", Deed::Replace(|_| {})),
    (
        "no-owner",
        Deed::Replace(|record| record["metadata"]["ownerReferences"] = json!([])),
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_makes_or_edits_deletes_nothing_and_protects_what_it_names() {
    join_all(ROWS.map(|(name, deed)| async move {
        let archive = Archive::open(&format!("records-{name}")).await;
        let controller = archive.controller().await;
        archive.copy().await;
        controller.stop().await;
        archive.destination.load(REPOSITORY, THEIRS, &image(9));
        let before = ["1", "2", "3", THEIRS];

        let mut record = archive.record().await;
        let own = record["metadata"]["name"].as_str().unwrap().to_owned();
        record["status"] = with_theirs(&record);
        match deed {
            Deed::Make(edit) => {
                edit(&mut record);
                archive.make(record).await;
            }
            Deed::Replace(edit) => {
                super::stage::delete(&archive.namespace, "mrepo", &own).await;
                archive.namespace.wait_until_gone("mrepo", &own).await;
                edit(&mut record);
                archive.make(record).await;
            }
            Deed::Edit => archive.set_status(&own, &record["status"]).await,
        }
        archive.narrow().await;
        let controller = archive.controller().await;
        let mirror = archive.prune("forged").await;
        assert_eq!(archive.tags(), before, "{name}: {mirror}");
        let mirror = archive.prune("again").await;
        assert_eq!(archive.tags(), before, "{name}: {mirror}");
        if let Deed::Make(_) = deed {
            let by = protector(&archive.namespace, REPOSITORY, OLD)
                .await
                .unwrap();
            assert!(
                by.contains("by the MirroredRepository by-hand"),
                "{name}: {by}"
            );
            // It protects for as long as it is there.
            super::stage::delete(&archive.namespace, "mrepo", "by-hand").await;
            let round = std::sync::atomic::AtomicUsize::new(0);
            until("the old tag goes", async || {
                let round = round.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                archive.prune(&format!("gone-{round}")).await;
                archive.tags() == ["2", "3", THEIRS]
            })
            .await;
        }
        controller.stop().await;
    }))
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_of_another_namespace_says_nothing_here() {
    let (theirs, ours) = futures::join!(Archive::open("records-from"), Archive::open("records-to"));
    for archive in [&theirs, &ours] {
        let controller = archive.controller().await;
        archive.copy().await;
        controller.stop().await;
    }
    // The owner is not there, and what has one that is not there is collected.
    let mut record = theirs.record().await;
    record["metadata"]["ownerReferences"] = json!([]);
    let mut copied = ours.record().await;
    copied["status"] = with_theirs(&copied);
    record["status"] = copied["status"].clone();
    record["spec"]["repository"] = copied["spec"]["repository"].clone();
    ours.make(record).await;
    ours.destination.load(REPOSITORY, THEIRS, &image(9));
    ours.narrow().await;
    let _controller = ours.controller().await;
    let mirror = ours.prune("copied").await;
    assert_eq!(ours.tags(), ["1", "2", "3", THEIRS], "{mirror}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_whose_end_nobody_saw_is_adopted_after_a_restart() {
    let archive = Archive::open("records-pending").await;
    let gate = Gate::closed();
    let pushed = archive.destination.on("PUT", format!("/manifests/{OLD}"));
    pushed.does(Action::HoldReply(gate.clone()));
    let mut controller = archive.controller().await;
    let all = policy("chosen", &json!({"include": [".*"]}));
    let mirror = archive.mirror("mirror", "chosen");
    archive.namespace.apply(&format!("{mirror}{all}")).await;
    gate.reached().await;
    controller.kill();
    gate.open();
    archive.destination.script().clear_rules();
    let tags = archive.record().await["status"]["tags"].clone();
    let is_pending = |tag: &Value| tag["tag"] == OLD && tag["state"] == "Pending";
    assert!(tags.as_array().unwrap().iter().any(is_pending), "{tags}");

    archive.narrow().await;
    let _controller = archive.controller().await;
    for round in ["first", "second"] {
        let mirror = archive.prune(round).await;
        assert_eq!(archive.tags(), ["1", "2", "3"], "{mirror}");
    }
    let tags = archive.record().await["status"]["tags"].clone();
    let is_adopted = |tag: &Value| tag["tag"] == OLD && tag["adopted"] == true;
    assert!(tags.as_array().unwrap().iter().any(is_adopted), "{tags}");
}
