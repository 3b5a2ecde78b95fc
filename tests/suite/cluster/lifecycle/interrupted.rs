// SPDX-License-Identifier: Apache-2.0

//! What is deleted in the middle of a round.

use serde_json::json;

use super::{image, including, mirror_of, source};
use crate::cluster::objects::{login_secret, policy};
use crate::cluster::stage::{delete, ready_for, request, until, within};
use crate::support::cluster::{ControlPlane, Controller, Namespace};
use crate::support::credentials::Login;
use crate::support::faults::FaultRegistry;
use crate::support::http::script::{Action, Gate};

/// Objects that are taken away while a round that needs them waits for a registry.
struct Interrupted {
    namespace: Namespace<'static>,
    destination: FaultRegistry,
    gate: Gate,
}

impl Interrupted {
    /// A namespace with a mirror, its policy and its Secret, whose destination has a tag already.
    async fn prepare(name: &str) -> Self {
        let gate = Gate::closed();
        let destination = FaultRegistry::options().basic().start();
        destination.load("app", "old", &image(9));
        destination
            .on("PUT", "/manifests/")
            .does(Action::Hold(gate.clone()));
        Self {
            namespace: ControlPlane::shared().await.namespace(name).await,
            destination,
            gate,
        }
    }

    async fn apply(&self, source: &FaultRegistry) {
        let mirror = mirror_of(source, &self.destination)
            .policy("all")
            .with("/destinations/0/secretRef", json!({"name": "push"}));
        let all = policy("all", &including(&[".*"]));
        let secret = login_secret("push", &self.destination.host(), &Login::valid());
        self.namespace
            .apply(&format!("{mirror}{all}{secret}"))
            .await;
        within("a push", self.gate.reached()).await;
        assert_eq!(
            self.namespace.list("mrepo").await.len(),
            1,
            "it is on record before it is pushed"
        );
    }

    fn assert_nothing_deleted(&self) {
        let deletions =
            self.destination.requests().into_iter().filter(|request| {
                request.method == "DELETE" && request.path.contains("/manifests/")
            });
        assert_eq!(deletions.count(), 0);
        assert!(self.destination.tags("app").contains(&"old".to_owned()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_deleted_in_the_middle_of_a_round_goes_and_nothing_goes_with_it() {
    let source = source(&["1"]);
    let home = ControlPlane::shared().await.namespace("home").await;
    let of_mirror = Interrupted::prepare("of-mirror").await;
    let of_namespace = Interrupted::prepare("of-namespace").await;
    let of_secret = Interrupted::prepare("of-secret").await;
    let of_policy = Interrupted::prepare("of-policy").await;
    let all = [&of_mirror, &of_namespace, &of_secret, &of_policy];
    let names = all
        .map(|interrupted| interrupted.namespace.name())
        .join(",");
    let controller = Controller::options(home.plane().kubeconfig())
        .argument(&format!("--watch-namespaces={},{names}", home.name()))
        .argument(&format!("--lease-namespace={}", home.name()))
        .start()
        .await;
    for interrupted in all {
        interrupted.apply(&source).await;
    }

    delete(&of_mirror.namespace, "imir", "mirror").await;
    delete(&of_secret.namespace, "secret", "push").await;
    delete(&of_policy.namespace, "impol", "all").await;
    let path = format!("/api/v1/namespaces/{}", of_namespace.namespace.name());
    home.plane().client().delete(&path).await.assert_success();

    // The registries still hang.
    of_mirror.namespace.wait_until_gone("imir", "mirror").await;
    of_namespace
        .namespace
        .wait_until_gone("imir", "mirror")
        .await;
    home.wait_until_gone("namespace", of_namespace.namespace.name())
        .await;
    let no_records = async || of_mirror.namespace.list("mrepo").await.is_empty();
    until("no records of a mirror that is gone", no_records).await;
    let other = FaultRegistry::start();
    home.apply(&mirror_of(&source, &other).to_string()).await;
    ready_for(&home, "imir", "mirror", "Succeeded").await;

    for interrupted in all {
        interrupted.gate.open();
    }
    for interrupted in [&of_secret, &of_policy] {
        // The round that had begun comes to its end, the next one cannot begin.
        request(&interrupted.namespace, "mirror", "next").await;
        ready_for(
            &interrupted.namespace,
            "imir",
            "mirror",
            "DependencyNotReady",
        )
        .await;
        assert_eq!(interrupted.destination.tags("app"), ["1", "old"]);
        assert_eq!(interrupted.namespace.list("mrepo").await.len(), 1);
    }
    for interrupted in all {
        within("the end of all requests", interrupted.destination.quiet()).await;
        interrupted.assert_nothing_deleted();
    }
    assert_eq!(controller.get("/healthz").await.0, 200);
}
