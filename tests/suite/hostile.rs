// SPDX-License-Identifier: Apache-2.0

//! Tenants whose registries do all they can to use up what all share, beside one who wants nothing but its images.
//!
//! The program has the memory limit of the chart, kept by the kernel where a cgroup can be made.

mod evil;
mod limited;
mod tenants;

use std::time::Duration;

use serde_json::Value;

use self::evil::{Evil, Listless};
use self::limited::Limit;
use self::tenants::{Mirror, is_over, proxied, victim};
use crate::support::cluster::namespace::find_condition;
use crate::support::cluster::{ControlPlane, Controller, Namespace};
use crate::support::faults::FaultRegistry;
use crate::support::http::script::{Action, Gate};

/// The chart's memory limit, and the most that may ever be used of it, in bytes.
const LIMIT: usize = 512 << 20;
const PEAK: usize = 384 << 20;
/// How long the attack goes on at least.
const SIEGE: Duration = Duration::from_secs(20);

/// Whoever asks waits for ever.
fn hanging() -> FaultRegistry {
    let registry = FaultRegistry::start();
    registry.on("*", "/v2/").does(Action::Hold(Gate::closed()));
    registry
}

async fn namespaces<const N: usize>(names: [&str; N]) -> Vec<Namespace<'static>> {
    let mut namespaces = Vec::new();
    for name in names {
        namespaces.push(ControlPlane::shared().await.namespace(name).await);
    }
    namespaces
}

fn controller_of(namespaces: &[Namespace<'_>]) -> crate::support::cluster::controller::Options {
    let plane = namespaces[0].plane();
    let names: Vec<&str> = namespaces.iter().map(Namespace::name).collect();
    Controller::options(plane.kubeconfig())
        .argument(&format!("--watch-namespaces={}", names.join(",")))
        .argument(&format!("--lease-namespace={}", names[0]))
}

/// What every mirror of a namespace came to, in one line each.
async fn diary(namespace: &Namespace<'_>) -> Vec<String> {
    let mirrors = namespace.list("imir").await;
    let lines = mirrors.iter().map(|mirror| {
        let ready = find_condition(mirror, "Ready").cloned().unwrap_or_default();
        let word = |field: &str| ready[field].as_str().unwrap_or_default().to_owned();
        let name = mirror["metadata"]["name"].as_str().unwrap_or_default();
        format!(
            "{name}: {} {} {}",
            word("status"),
            word("reason"),
            word("message")
        )
    });
    lines.collect()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes all processors for minutes, so that tests beside it run out of time: make hostile"]
async fn hostile_tenants_take_nothing_from_others() {
    let all = namespaces(["victim", "lists", "manifests", "evidence", "slow"]).await;
    let [ours, lists, manifests, evidence, slow] = all.as_slice() else {
        unreachable!("five were made");
    };
    let (source, destination) = (FaultRegistry::start(), FaultRegistry::start());
    let images = victim(&source);
    let (evil, listless) = (Evil::start(), Listless::start());
    let (hanging, nowhere, proxy) = (hanging(), FaultRegistry::start(), proxied());

    let limit = Limit::of("hostile", LIMIT);
    let mut controller = limit.confine(controller_of(&all)).start().await;
    for mirror in evil
        .of_lists(&nowhere)
        .into_iter()
        .chain(listless.mirrors(&nowhere))
    {
        lists.apply(&mirror.to_string()).await;
    }
    for mirror in evil.of_manifests(&nowhere) {
        manifests.apply(&mirror.to_string()).await;
    }
    evidence.apply(&evil.policies()).await;
    for mirror in evil.of_evidence(&nowhere) {
        evidence.apply(&mirror.to_string()).await;
    }
    slow.apply(&tenants::proxy_secret(&proxy)).await;
    for index in 0..8 {
        let mirror = Mirror::of(
            &format!("hanging-{index}"),
            &hanging.host(),
            &nowhere.host(),
        );
        slow.apply(&mirror.image("app", &["*"]).to_string()).await;
        let mirror = Mirror::of(&format!("proxied-{index}"), &source.host(), &nowhere.host());
        slow.apply(&mirror.through_proxy().image("app", &["*"]).to_string())
            .await;
    }
    // What the victim is about to ask for was spoiled by others, as far as they can.
    tokio::time::sleep(SIEGE).await;
    let mirror = Mirror::of("mirror", &source.host(), &destination.host()).image("app", &["*"]);
    ours.apply(&mirror.to_string()).await;

    let object = ours
        .wait_for_condition("imir", "mirror", "Ready", "True")
        .await;
    for (tag, image) in &images {
        let found = destination.manifest("app", tag).expect("a tag");
        assert_eq!(found.digest, image.digest(), "{tag}");
        for referrer in &image.referrers {
            let found = destination.manifest("app", &referrer.manifest.digest);
            assert!(found.is_some(), "the signature of {tag}");
        }
    }
    assert_names_nobody_else(&object, &all);
    for namespace in [lists, manifests, evidence] {
        for mirror in namespace.list("imir").await {
            let name = mirror["metadata"]["name"].as_str().unwrap().to_owned();
            // The layers of one never come, and the list of the other ends with its ten thousandth page: both do
            // nothing but wait.
            if matches!(name.as_str(), "slow" | "links") {
                continue;
            }
            namespace
                .wait_for("imir", &name, "a round that is over", is_over)
                .await;
        }
    }
    for namespace in &all {
        for line in diary(namespace).await {
            println!("{}: {line}", namespace.name());
        }
    }
    let peak = Limit::peak_of(controller.process());
    println!("{limit}; peak {} MiB", peak >> 20);
    assert!(controller.is_running(), "{}", controller.output());
    assert!(peak <= PEAK, "peak {} MiB", peak >> 20);
    let longest = controller.output().lines().map(str::len).max();
    assert!(
        longest < Some(20_000),
        "a line of the log has {longest:?} bytes"
    );
}

fn assert_names_nobody_else(object: &Value, namespaces: &[Namespace<'_>]) {
    let text = object["status"].to_string();
    for namespace in namespaces.iter().skip(1) {
        assert!(!text.contains(namespace.name()), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_that_hangs_holds_up_nobody_but_its_own_mirrors() {
    let all = namespaces(["hang-a", "hang-b"]).await;
    let (source, destination) = (FaultRegistry::start(), FaultRegistry::start());
    let images = victim(&source);
    let (hanging, nowhere) = (hanging(), FaultRegistry::start());
    let mut controller = controller_of(&all).start().await;
    for index in 0..40 {
        let mirror = Mirror::of(
            &format!("hanging-{index}"),
            &hanging.host(),
            &nowhere.host(),
        );
        all[0].apply(&mirror.image("app", &["*"]).to_string()).await;
    }
    for namespace in &all {
        let mirror = Mirror::of("mirror", &source.host(), &destination.host());
        let mirror = mirror.image("app", &["*"]).under(namespace.name());
        namespace.apply(&mirror.to_string()).await;
    }
    for namespace in &all {
        namespace
            .wait_for_condition("imir", "mirror", "Ready", "True")
            .await;
        let repository = namespace.name().to_owned();
        assert_eq!(destination.tags(&repository).len(), images.len());
    }
    assert!(controller.is_running());
}
