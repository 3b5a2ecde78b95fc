// SPDX-License-Identifier: Apache-2.0

//! What comes between two steps of a deletion: between the check of a tag and the request the lease may be
//! lost, and between a look at the workloads and the request a Pod may be created.

use std::time::Duration;

use futures::future::join_all;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::objects::{Mirror, pod, policy};
use super::scene::is_holding;
use super::stage::{change, handled, protector};
use crate::support::cluster::controller::Options;
use crate::support::cluster::namespace::find_condition;
use crate::support::cluster::{ControlPlane, Controller, Namespace};
use crate::support::content::ImageBuilder;
use crate::support::faults::FaultRegistry;
use crate::support::http::script::{Action, Gate};
use crate::support::now;

/// The tag that stays wanted.
const NEW: &str = "new";
/// The request that starts the round that deletes.
const DELETION: &str = "deletion";

/// The account of the controllers of a namespace.
const ACCOUNT: &str = "controller";

/// What the documentation says of a look at the workloads: for how many tags and for how long it is good.
const BATCH: usize = 20;
const FRESH: Duration = Duration::from_secs(10);

/// How long after that a look is surely too old.
const MARGIN: Duration = Duration::from_secs(1);

/// Leaders that lose their leases at the same time.
const LEADERS: usize = 6;

/// A mirror whose old tags are due, with a controller that has found so and deleted none of them.
struct Verge {
    source: FaultRegistry,
    destination: FaultRegistry,
    namespace: Namespace<'static>,
    /// Nobody else's: Pods of all namespaces count, wherever they say that the image is.
    repository: String,
    /// The old tags, in the order in which they are deleted.
    old: Vec<String>,
    /// How a controller is started here.
    options: Options,
    controller: Controller,
    /// Who the controllers are in the audit log, and nobody else is.
    user: String,
}

/// A request that asked for a deletion.
#[derive(Debug)]
struct Delete {
    tag: String,
    at: Timestamp,
    /// When the last look at the workloads before it had ended.
    looked: Timestamp,
}

impl Verge {
    /// So many old tags of a repository with this name.
    async fn prepare(repository: &str, count: usize) -> Self {
        let (source, destination) = (FaultRegistry::start(), FaultRegistry::start());
        let old: Vec<String> = (0..count)
            .map(|number| format!("old-{number:02}"))
            .collect();
        for (tag, seed) in old.iter().map(String::as_str).chain([NEW]).zip(0x90..) {
            let image = ImageBuilder::new(seed).layers(&[64]).build();
            source.load(repository, tag, &image);
        }
        let namespace = ControlPlane::shared().await.namespace(repository).await;
        let token = almighty_account(&namespace).await;
        let kubeconfig = namespace.plane().kubeconfig_for(&token);
        let options = Controller::options(&kubeconfig)
            .namespace(namespace.name())
            .argument("--in-use");
        let controller = options.clone().start().await;
        let verge = Self {
            user: format!("system:serviceaccount:{}:{ACCOUNT}", namespace.name()),
            source,
            destination,
            namespace,
            repository: repository.to_owned(),
            old,
            options,
            controller,
        };
        verge.find_unwanted().await;
        verge
    }

    /// Everything is copied, and then only one tag is wanted. What is due is listed first, so that the next
    /// round is the one that deletes.
    async fn find_unwanted(&self) {
        let prune = json!({"mode": "Plan", "grace": "0s", "maxDeletes": 1000, "maxPercent": 100});
        let mirror = Mirror::of(&self.source.host())
            .image(&self.repository, &[])
            .policy("chosen")
            .destination("copy", &self.destination.host())
            .with("/prune", prune);
        let all = policy("chosen", &json!({"include": [".*"]}));
        self.namespace.apply(&format!("{mirror}{all}")).await;
        self.namespace
            .wait_for_condition("imir", "mirror", "Ready", "True")
            .await;
        let narrow = json!({"spec": {"select": {"include": [NEW]}}});
        change(&self.namespace, "impol", "chosen", &narrow).await;
        let is_found = |mirror: &Value| mirror["status"]["prune"]["candidates"] == self.old.len();
        self.namespace
            .wait_for("imir", "mirror", "all old tags are listed", is_found)
            .await;
        assert_eq!(self.left(), self.old);
    }

    /// Starts the round that deletes, and holds the answer to the question what this tag names, which is
    /// asked right before the tag is deleted. It is the second one: of a repository from which nothing was
    /// deleted yet, it is asked first what shares the digest.
    async fn delete_until(&self, tag: &str) -> Gate {
        let gate = Gate::closed();
        let looked_up = self.destination.on("HEAD", format!("/manifests/{tag}"));
        looked_up.nth(2).does(Action::HoldReply(gate.clone()));
        let deleting = json!({
            "metadata": {"annotations": {"transship.dev/reconcile-at": DELETION}},
            "spec": {"prune": {"mode": "Delete"}},
        });
        change(&self.namespace, "imir", "mirror", &deleting).await;
        gate.reached().await;
        gate
    }

    /// Waits until that round has ended.
    async fn deleted(&self) -> Value {
        handled(&self.namespace, "mirror", DELETION).await
    }

    /// Somebody creates a Pod for an old tag, with the name of the tag.
    async fn create_pod(&self, tag: &str) {
        let image = format!("{}/{}:{tag}", self.destination.host(), self.repository);
        let client = self.namespace.plane().client();
        let pods = client.path("pods", Some(self.namespace.name())).await;
        let created = client.create(&pods, &pod(tag, &image)).await;
        created.assert_success();
    }

    /// The old tags that are still there.
    fn left(&self) -> Vec<String> {
        let mut tags = self.destination.tags(&self.repository);
        assert!(tags.iter().any(|tag| tag == NEW), "{tags:?}");
        tags.retain(|tag| tag != NEW);
        tags
    }

    /// Goes on only if each of these tags is kept by the Pod with its name.
    async fn assert_used(&self, left: &[String]) {
        for tag in left {
            let by = protector(&self.namespace, &self.repository, tag).await;
            let expected = format!("Pod {}/{tag}", self.namespace.name());
            assert_eq!(by, Some(expected), "{tag}");
        }
    }

    /// The tags that the registry was asked to delete, and when.
    fn asked(&self) -> Vec<(String, Timestamp)> {
        let requests = self.destination.requests();
        let deletes = requests.iter().filter(|request| request.method == "DELETE");
        deletes
            .map(|request| {
                let (_, tag) = request.path.rsplit_once('/').expect("a path");
                (tag.to_owned(), request.at)
            })
            .collect()
    }

    /// The same with the look by which each went. Pods are listed last: with them a look ends.
    async fn deletes(&self) -> Vec<Delete> {
        let audit = self.namespace.plane().audit_of(&self.user).await;
        let is_look = |verb: &str, resource: &str| (verb, resource) == ("list", "pods");
        let looks: Vec<Timestamp> = audit
            .iter()
            .filter(|entry| is_look(&entry.verb, &entry.resource) && entry.code == 200)
            .map(|entry| entry.answered)
            .collect();
        let deletes = self.asked().into_iter().map(|(tag, at)| {
            let before = looks.iter().filter(|looked| **looked <= at);
            let looked = *before.max().expect("a look before any delete");
            Delete { tag, at, looked }
        });
        deletes.collect()
    }
}

impl Delete {
    /// How long before it workloads were looked at: what was created in this time was not seen.
    fn window(&self) -> SignedDuration {
        self.at.duration_since(self.looked)
    }
}

/// Creates an account with every right, and answers with its token.
async fn almighty_account(namespace: &Namespace<'_>) -> String {
    let (name, plane) = (namespace.name(), namespace.plane());
    namespace
        .kubectl_ok(&["create", "serviceaccount", ACCOUNT])
        .await;
    let account = format!("--serviceaccount={name}:{ACCOUNT}");
    let role = "--clusterrole=cluster-admin";
    plane
        .kubectl_ok(&["create", "clusterrolebinding", name, role, &account])
        .await;
    plane.token_for(name, ACCOUNT).await
}

fn widest<'a>(deletes: impl IntoIterator<Item = &'a Delete>) -> SignedDuration {
    let windows = deletes.into_iter().map(Delete::window);
    windows.max().expect("a delete")
}

/// The replica that takes over deletes nothing at all: whatever is deleted, the old one did it.
async fn lose_the_lease(name: String) {
    let mut verge = Verge::prepare(&name, 3).await;
    let follower = verge.options.clone().argument("--disable-prune");
    let follower = follower.start().await;
    let gate = verge.delete_until("old-").await;
    verge.controller.halt().await;
    follower.wait_for_log(is_holding).await;
    // The answer is on the old leader's side before it goes on.
    gate.open();
    verge.destination.quiet().await;
    verge.controller.go_on();
    let status = verge.controller.ended().await;
    assert_eq!(status.code(), Some(1), "{}", verge.controller.output());
    let last_words = verge.controller.output();
    assert!(last_words.contains("the lease is lost"), "{last_words}");

    let mirror = verge.deleted().await;
    verge.destination.quiet().await;
    assert_eq!(verge.asked(), [], "{name}");
    assert_eq!(verge.left(), verge.old, "{name}");
    let pruned = find_condition(&mirror, "Pruned").unwrap();
    assert_eq!(pruned["reason"], "PrunePaused", "{pruned}");
    assert_eq!(mirror["status"]["prune"]["candidates"], verge.old.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_whose_lease_passes_between_the_check_and_the_delete_deletes_nothing() {
    // A leader that ends quickly enough has no time for a delete, guarded or not: of so many, one has.
    let leaders = (0..LEADERS).map(|number| lose_the_lease(format!("window-lease-{number}")));
    join_all(leaders).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_that_comes_after_a_look_is_seen_by_that_of_the_next_batch() {
    let verge = Verge::prepare("window-batch", 45).await;
    let gate = verge.delete_until(&verge.old[0]).await;
    let (same_batch, next_batch) = (&verge.old[10], &verge.old[25]);
    let came = now();
    for tag in [same_batch, next_batch] {
        verge.create_pod(tag).await;
    }
    gate.open();
    let mirror = verge.deleted().await;

    let left = verge.left();
    let used = [same_batch, next_batch];
    assert!(left.contains(next_batch), "{left:?} {mirror}");
    assert!(left.iter().all(|tag| used.contains(&tag)), "{left:?}");
    verge.assert_used(&left).await;
    let deletes = verge.deletes().await;
    let mut expected = verge.old.clone();
    expected.retain(|tag| !left.contains(tag));
    let gone: Vec<&String> = deletes.iter().map(|delete| &delete.tag).collect();
    assert_eq!(gone, expected.iter().collect::<Vec<_>>());
    let blind = deletes.iter().filter(|delete| delete.looked <= came);
    let blind = blind.count();
    assert!((1..=BATCH).contains(&blind), "{blind} {deletes:#?}");
    eprintln!(
        "{blind} tags were deleted by the look that had not seen the Pods, the tag that one of them used \
         {}; the widest window was {:#}",
        if left.contains(same_batch) {
            "not"
        } else {
            "too"
        },
        widest(&deletes),
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_look_that_has_grown_old_within_a_batch_is_made_anew() {
    let verge = Verge::prepare("window-age", BATCH).await;
    let (slow, later) = (&verge.old[5], &verge.old[12]);
    let began = now();
    let gate = verge.delete_until(slow).await;
    let came = now();
    verge.create_pod(later).await;
    // Nothing else makes a look old.
    tokio::time::sleep(FRESH + MARGIN).await;
    gate.open();
    let hold = now().duration_since(began);
    let mirror = verge.deleted().await;

    let left = verge.left();
    assert_eq!(left, std::slice::from_ref(later), "{mirror}");
    verge.assert_used(&left).await;
    let deletes = verge.deletes().await;
    let place = deletes.iter().position(|delete| delete.tag == *slow);
    // The one whose check was held is no exception.
    let (before, after) = deletes.split_at(place.expect("it was deleted"));
    let fresh = SignedDuration::try_from(FRESH).unwrap();
    for delete in after {
        assert!(delete.looked >= came, "{delete:?} {came}");
        assert!(delete.window() <= fresh + hold, "{delete:?} {hold:#}");
    }
    eprintln!(
        "the widest window was {:#} before the tag whose check was held for {hold:#}, and {:#} from it on",
        widest(before),
        widest(after),
    );
}
