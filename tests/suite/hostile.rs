// SPDX-License-Identifier: Apache-2.0

//! Tenants whose registries do all they can to use up what all share, beside one who wants nothing but its images.
//!
//! The program has the memory limit of the chart, kept by the kernel where a cgroup can be made.

mod evil;
mod lists;
mod port;
mod tenants;

use std::time::{Duration, Instant};

use serde_json::Value;

use self::evil::Evil;
use self::lists::{Listless, Slow};
use self::tenants::{Mirror, charging, is_over, login_secret, proxied, victim};
use crate::support::cluster::namespace::find_condition;
use crate::support::cluster::{ControlPlane, Controller, Namespace};
use crate::support::content::Image;
use crate::support::credentials::Login;
use crate::support::faults::FaultRegistry;
use crate::support::http::script::{Action, Gate};
use crate::support::limited::{Limit, Resource};

/// The chart's memory limit, and the most that may ever be used of it, in bytes.
const LIMIT: usize = 512 << 20;
const PEAK: usize = 384 << 20;
/// How long the attack goes on at least.
const SIEGE: Duration = Duration::from_secs(10);

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

/// What happened in a namespace, and how long it took until its mirror was in sync.
async fn in_sync(namespace: &Namespace<'_>, name: &str, mirror: Mirror) -> (Value, Duration) {
    namespace.apply(&mirror.to_string()).await;
    let start = Instant::now();
    let object = namespace
        .wait_for_condition("imir", name, "Ready", "True")
        .await;
    (object, start.elapsed())
}

fn assert_has_all(destination: &FaultRegistry, repository: &str, images: &[(String, Image)]) {
    for (tag, image) in images {
        let found = destination.manifest(repository, tag).expect("a tag");
        assert_eq!(found.digest, image.digest(), "{tag}");
        for referrer in &image.referrers {
            let found = destination.manifest(repository, &referrer.manifest.digest);
            assert!(found.is_some(), "the signature of {tag}");
        }
    }
}

/// All that tenants can do, at once.
struct Siege {
    evil: Evil,
    listless: Listless,
    slow: Slow,
    hanging: FaultRegistry,
    proxy: FaultRegistry,
    destination: FaultRegistry,
}

impl Siege {
    fn prepare() -> Self {
        Self {
            evil: Evil::start(),
            listless: Listless::start(),
            slow: Slow::start(),
            hanging: hanging(),
            proxy: proxied(),
            destination: FaultRegistry::start(),
        }
    }

    /// What each of six namespaces applies. `source` is the registry of somebody else.
    fn of(&self, source: &FaultRegistry) -> [String; 6] {
        let to = &self.destination;
        let text = |mirrors: Vec<Mirror>| mirrors.iter().map(Mirror::to_string).collect::<String>();
        let lists = text(self.evil.of_lists(to)) + &text(self.listless.mirrors(to));
        let manifests = text(self.evil.of_manifests(to));
        let evidence = self.evil.policies() + &text(self.evil.of_evidence(to));
        let mut others = tenants::proxy_secret(&self.proxy);
        others += &tenants::login_secret(source, &tenants::free());
        for index in 0..8 {
            let mirror = |name, source: &FaultRegistry| {
                let name = format!("{name}-{index}");
                Mirror::of(&name, &source.host(), &to.host()).image("app", &["*"])
            };
            others += &mirror("hanging", &self.hanging).to_string();
            others += &mirror("proxied", source).through_proxy().to_string();
        }
        let free = Mirror::of("free", &source.host(), &to.host());
        others += &free.image("app", &["*"]).logged_in().to_string();
        let (one, other) = (self.slow.mirrors(to), self.slow.mirrors(to));
        [lists, manifests, evidence, others, one, other]
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_tenants_take_nothing_from_others() {
    let all = namespaces([
        "victim",
        "lists",
        "manifests",
        "evidence",
        "others",
        "drip-a",
        "drip-b",
    ])
    .await;
    let [ours, hostile @ ..] = all.as_slice() else {
        unreachable!("seven were made");
    };
    let (source, siege) = (charging(), Siege::prepare());
    let images = victim(&source);
    let limit = Limit::of("hostile", Resource::Memory(LIMIT));
    let mut controller = limit.confine(controller_of(&all)).start().await;
    ours.apply(&login_secret(&source, &Login::valid())).await;
    let mirror = |name: &str, destination: &FaultRegistry| {
        let mirror = Mirror::of(name, &source.host(), &destination.host());
        mirror.image("app", &["*"]).logged_in()
    };
    let quiet = FaultRegistry::start();
    let (_, alone) = in_sync(ours, "alone", mirror("alone", &quiet)).await;
    assert_has_all(&quiet, "app", &images);

    for (namespace, objects) in hostile.iter().zip(siege.of(&source)) {
        namespace.apply(&objects).await;
    }
    // What the victim is about to ask for was spoiled by others, as far as they can.
    tokio::time::sleep(SIEGE).await;
    let destination = FaultRegistry::start();
    let (object, beside) = in_sync(ours, "beside", mirror("beside", &destination)).await;
    assert_has_all(&destination, "app", &images);
    assert_names_nobody_else(&object, hostile);
    for namespace in hostile {
        await_rounds(namespace).await;
        for line in diary(namespace).await {
            println!("{}: {line}", namespace.name());
        }
    }
    let peak = limit.peak_of(controller.process());
    println!(
        "{limit}; peak {} MiB; alone {} ms, beside the others {} ms",
        peak >> 20,
        alone.as_millis(),
        beside.as_millis()
    );
    assert!(controller.is_running(), "{}", controller.output());
    assert!(peak <= PEAK, "peak {} MiB", peak >> 20);
    let longest = controller.output().lines().map(str::len).max();
    assert!(
        longest < Some(20_000),
        "a line of the log has {longest:?} bytes"
    );
}

/// Waits until every mirror of a namespace has had a round that came to something.
async fn await_rounds(namespace: &Namespace<'_>) {
    for mirror in namespace.list("imir").await {
        let name = mirror["metadata"]["name"].as_str().unwrap().to_owned();
        // The layers of one never come, and the lists of others end after minutes: they do nothing but wait.
        if name == "slow" || name.starts_with("drip") {
            continue;
        }
        namespace
            .wait_for("imir", &name, "a round that is over", is_over)
            .await;
    }
}

fn assert_names_nobody_else(object: &Value, namespaces: &[Namespace<'_>]) {
    let text = object["status"].to_string();
    for namespace in namespaces {
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
