// SPDX-License-Identifier: Apache-2.0

//! What happens to mirrors when what they need is changed, taken away or broken.

mod interrupted;
mod rivals;
mod strangers;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use super::objects::{Mirror, login_secret, policy};
use super::stage::{Stage, change, controller_of, delete, message, ready_for, sync, until, within};
use crate::support::cluster::namespace::find_condition;
use crate::support::cluster::{ApiProxy, ControlPlane, Controller};
use crate::support::content::{Image, ImageBuilder, Signer};
use crate::support::credentials::Login;
use crate::support::faults::FaultRegistry;
use crate::support::http::script::{Action, Gate};

fn image(seed: u64) -> Image {
    ImageBuilder::new(seed).layers(&[64]).build()
}

/// A registry in memory with these tags in one repository.
fn source(tags: &[&str]) -> FaultRegistry {
    let registry = FaultRegistry::start();
    for (tag, seed) in tags.iter().zip(1..) {
        registry.load("app", tag, &image(seed));
    }
    registry
}

fn mirror_of(source: &FaultRegistry, destination: &FaultRegistry) -> Mirror {
    Mirror::of(&source.host())
        .image("app", &["*"])
        .destination("copy", &destination.host())
}

fn including(patterns: &[&str]) -> Value {
    json!({"include": patterns})
}

#[tokio::test(flavor = "multi_thread")]
async fn policies_are_followed_without_a_restart() {
    let (source, destination) = (source(&["1", "2", "3"]), FaultRegistry::start());
    let stage = Stage::open("policies").await;
    let namespace = &stage.namespace;
    let mirror = mirror_of(&source, &destination).policy("chosen");
    namespace.apply(&mirror.to_string()).await;
    let missing = ready_for(namespace, "imir", "mirror", "DependencyNotReady").await;
    let told = message(&missing).replace(namespace.name(), "NAMESPACE");
    insta::assert_snapshot!(told, @r#"spec.policyRefs[0].name: there is no ImagePolicy "chosen" in the namespace "NAMESPACE""#);
    assert_eq!(
        find_condition(&missing, "Reconciling").unwrap()["status"],
        "True"
    );
    assert_eq!(find_condition(&missing, "Stalled"), None);
    // One that is there may be meant: it is named as soon as the mirror is looked at again.
    namespace
        .apply(&policy("choosen", &including(&["1"])))
        .await;
    let again = json!({"metadata": {"annotations": {"transship.dev/reconcile-at": "again"}}});
    change(namespace, "imir", "mirror", &again).await;
    namespace
        .wait_for("imir", "mirror", "a suggestion", |mirror| {
            message(mirror).ends_with(", did you mean \"choosen\"?")
        })
        .await;
    delete(namespace, "impol", "choosen").await;

    let synced = async |synced: &str, tags: &[&str]| {
        let is_synced = |mirror: &Value| {
            let ready = find_condition(mirror, "Ready").unwrap();
            ready["status"] == "True" && mirror["status"]["synced"] == synced
        };
        namespace
            .wait_for("imir", "mirror", synced, is_synced)
            .await;
        assert_eq!(destination.tags("app"), tags);
    };
    namespace.apply(&policy("chosen", &including(&["1"]))).await;
    synced("1/1", &["1"]).await;
    namespace
        .apply(&policy("chosen", &including(&["1", "2"])))
        .await;
    synced("2/2", &["1", "2"]).await;

    let suspend = |suspend: bool| json!({"spec": {"suspend": suspend}});
    change(namespace, "impol", "chosen", &suspend(true)).await;
    let suspended = ready_for(namespace, "imir", "mirror", "DependencyNotReady").await;
    insta::assert_snapshot!(message(&suspended), @r#"spec.policyRefs[0].name: ImagePolicy "chosen" is suspended"#);
    change(namespace, "impol", "chosen", &suspend(false)).await;
    synced("2/2", &["1", "2"]).await;

    delete(namespace, "impol", "chosen").await;
    let deleted = ready_for(namespace, "imir", "mirror", "DependencyNotReady").await;
    assert_eq!(message(&deleted), message(&missing));
    namespace.apply(&policy("chosen", &including(&["3"]))).await;
    // What is not selected any more stays.
    synced("1/1", &["1", "2", "3"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_must_vouch_is_followed_without_a_restart() {
    let (vendor, stranger) = (Signer::generate(), Signer::generate());
    let signed = image(1);
    let referrers = vec![vendor.sign(signed.digest())];
    let source = FaultRegistry::start();
    source.load(
        "app",
        "1",
        &Image {
            referrers,
            ..signed
        },
    );
    let destination = FaultRegistry::start();
    let stage = Stage::open("vouching").await;
    let namespace = &stage.namespace;
    let verifying = |secret: &str| {
        let key = json!({"secretRef": {"name": secret, "key": "cosign.pub"}});
        let policy = json!({
            "apiVersion": "transship.dev/v1alpha1", "kind": "ImagePolicy", "metadata": {"name": "signed"},
            "spec": {"verify": [{"name": "vendor", "type": "Key", "key": key}]},
        });
        format!("---\n{policy}\n")
    };
    let key = |name: &str, signer: &Signer| {
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": name},
            "stringData": {"cosign.pub": signer.public_pem()},
        });
        format!("---\n{secret}\n")
    };
    let mirror = mirror_of(&source, &destination).policy("signed");
    namespace.apply(&verifying("key")).await;
    namespace.apply(&mirror.to_string()).await;
    let missing = ready_for(namespace, "imir", "mirror", "DependencyNotReady").await;
    insta::assert_snapshot!(message(&missing).replace(namespace.name(), "NAMESPACE"), @r#"policy "signed": spec.verify[0].key.secretRef.name: there is no secret "key" in namespace "NAMESPACE": create it"#);
    assert!(destination.tags("app").is_empty());

    namespace.apply(&key("key", &stranger)).await;
    let refused = sync(namespace, "mirror", "1").await;
    assert_eq!(refused["status"]["tags"]["refused"], 1);
    assert_eq!(refused["status"]["refusals"][0]["gate"], "verify");
    assert_eq!(
        refused["status"]["refusals"][0]["reason"],
        "VerificationFailed"
    );
    assert!(destination.tags("app").is_empty());

    namespace.apply(&key("key", &vendor)).await;
    let admitted = sync(namespace, "mirror", "2").await;
    assert_eq!(admitted["status"]["tags"]["synced"], 1);
    assert_eq!(destination.tags("app"), ["1"]);

    // Another authority: the change of the policy alone starts a round.
    namespace.apply(&key("other", &stranger)).await;
    namespace.apply(&verifying("other")).await;
    let is_refused = |mirror: &Value| mirror["status"]["tags"]["refused"] == 1;
    namespace
        .wait_for("imir", "mirror", "refused again", is_refused)
        .await;
    let counts = |policy: &Value| policy["status"]["excludedBy"]["verify"] == 1;
    namespace
        .wait_for("impol", "signed", "counted", counts)
        .await;
    assert_eq!(destination.tags("app"), ["1"], "the destination keeps it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_changes_counts_from_the_next_round() {
    let source = source(&["1"]);
    let destination = FaultRegistry::options().basic().start();
    let stage = Stage::open("secret").await;
    let namespace = &stage.namespace;
    let secret = |login: Login| login_secret("push", &destination.host(), &login);
    let mirror =
        mirror_of(&source, &destination).with("/destinations/0/secretRef", json!({"name": "push"}));
    namespace.apply(&mirror.to_string()).await;
    let missing = ready_for(namespace, "imir", "mirror", "DependencyNotReady").await;
    insta::assert_snapshot!(message(&missing).replace(namespace.name(), "NAMESPACE"), @r#"spec.destinations[0].secretRef.name: there is no secret "push" in namespace "NAMESPACE": create it"#);

    let rounds = [
        (Login::wrong(), "AuthenticationFailed"),
        (Login::valid(), "Succeeded"),
        (Login::wrong(), "AuthenticationFailed"),
    ];
    for ((login, reason), round) in rounds.into_iter().zip(["1", "2", "3"]) {
        namespace.apply(&secret(login)).await;
        let mirror = sync(namespace, "mirror", round).await;
        assert_eq!(find_condition(&mirror, "Ready").unwrap()["reason"], reason);
    }
    assert_eq!(destination.tags("app"), ["1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_mirrors_that_want_a_tag_the_older_has_it_until_it_is_gone() {
    let (first, second) = (FaultRegistry::start(), FaultRegistry::start());
    first.load("app", "1", &image(1));
    second.load("app", "1", &image(2));
    let destination = FaultRegistry::start();
    let stage = Stage::open("rivals").await;
    let namespace = &stage.namespace;
    let digest = || destination.manifest("app", "1").unwrap().digest;

    let older = mirror_of(&first, &destination).named("older");
    namespace.apply(&older.to_string()).await;
    ready_for(namespace, "imir", "older", "Succeeded").await;
    // Ages are in whole seconds, and of the same age the one that comes first by name is the older.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let newer = mirror_of(&second, &destination).named("newer");
    namespace.apply(&newer.to_string()).await;
    let conflict = ready_for(namespace, "imir", "newer", "DestinationConflict").await;
    assert_eq!(
        find_condition(&conflict, "Stalled").unwrap()["reason"],
        "DestinationConflict"
    );
    let mut told = message(&conflict).to_owned();
    let hosts = [
        (&first, "FIRST"),
        (&second, "SECOND"),
        (&destination, "DESTINATION"),
    ];
    for (registry, name) in hosts {
        told = told.replace(&registry.host(), name);
    }
    told = told.replace(namespace.name(), "NAMESPACE");
    insta::assert_snapshot!(told, @"0 of 1 tags are synced; SECOND/app:1 of mirror NAMESPACE/newer and FIRST/app:1 of mirror NAMESPACE/older would both be DESTINATION/app:1: change a repository or tag template");
    let older = sync(namespace, "older", "still").await;
    assert_eq!(find_condition(&older, "Ready").unwrap()["status"], "True");
    assert_eq!(digest(), image(1).digest());

    delete(namespace, "imir", "older").await;
    ready_for(namespace, "imir", "newer", "Succeeded").await;
    assert_eq!(digest(), image(2).digest());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_that_hangs_does_not_hold_up_mirrors_of_other_namespaces() {
    let (source, hanging) = (source(&["1"]), FaultRegistry::start());
    let gate = Gate::closed();
    hanging.on("*", "/v2/").does(Action::Hold(gate.clone()));
    let plane = ControlPlane::shared().await;
    let (slow, fast) = (plane.namespace("slow").await, plane.namespace("fast").await);
    let _controller = Controller::options(plane.kubeconfig())
        .argument(&format!(
            "--watch-namespaces={},{}",
            slow.name(),
            fast.name()
        ))
        .argument(&format!("--lease-namespace={}", fast.name()))
        .argument("--concurrent-rounds=3")
        .argument("--rounds-per-namespace=2")
        .start()
        .await;
    for number in 0..4 {
        let mirror = mirror_of(&source, &hanging).named(&format!("mirror-{number}"));
        let mirror = mirror.with(
            "/destinations/0/repository",
            format!("{number}/{{repository}}"),
        );
        slow.apply(&mirror.to_string()).await;
    }
    within("a request", gate.reached()).await;
    within("a request", gate.reached()).await;
    let destination = FaultRegistry::start();
    fast.apply(&mirror_of(&source, &destination).to_string())
        .await;
    ready_for(&fast, "imir", "mirror", "Succeeded").await;
    // And when the registry answers again, all get their turn.
    gate.open();
    for number in 0..4 {
        ready_for(&slow, "imir", &format!("mirror-{number}"), "Succeeded").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rounds_come_in_time_also_in_the_next_process() {
    let (source, destination) = (source(&["1"]), FaultRegistry::start());
    let namespace = ControlPlane::shared().await.namespace("in-time").await;
    let mirror = |name: &str| {
        let repository = format!("{name}/{{repository}}");
        mirror_of(&source, &destination)
            .named(name)
            .with("/destinations/0/repository", repository)
    };
    let often = mirror("interval").with("/interval", "30s");
    let scheduled = mirror("schedule")
        .with("/interval", Value::Null)
        .with("/schedule", json!({"cron": "* * * * *"}));
    namespace.apply(&format!("{often}{scheduled}")).await;
    let mut controller = controller_of(&namespace).start().await;
    for (seed, is_next_process) in [(2, false), (3, true)] {
        for name in ["interval", "schedule"] {
            ready_for(&namespace, "imir", name, "Succeeded").await;
        }
        if is_next_process {
            controller.stop().await;
            controller = controller_of(&namespace).start().await;
        }
        source.load("app", &seed.to_string(), &image(seed));
        for name in ["interval", "schedule"] {
            let synced = format!("{seed}/{seed}");
            let is_synced = |mirror: &Value| mirror["status"]["synced"] == *synced;
            namespace.wait_for("imir", name, &synced, is_synced).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_somebody_deletes_is_written_again() {
    let (source, destination) = (source(&["1", "2"]), FaultRegistry::start());
    let stage = Stage::open("record").await;
    let namespace = &stage.namespace;
    namespace
        .apply(&mirror_of(&source, &destination).to_string())
        .await;
    ready_for(namespace, "imir", "mirror", "Succeeded").await;
    let record = namespace.list("mrepo").await.remove(0);
    let name = record["metadata"]["name"].as_str().unwrap();
    delete(namespace, "mrepo", name).await;
    let round = AtomicUsize::new(0);
    // The controller hears of it in its own time.
    let written_again = async || {
        let round = round.fetch_add(1, Ordering::SeqCst).to_string();
        sync(namespace, "mirror", &round).await;
        namespace.json("mrepo", name).await.is_some()
    };
    until("a record", written_again).await;
    let again = namespace.json("mrepo", name).await.unwrap();
    assert_eq!(again["status"], record["status"]);
    assert_ne!(again["metadata"]["uid"], record["metadata"]["uid"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_out_of_bounds_names_the_flag_that_opens_it() {
    let source = source(&["1"]);
    let namespace = ControlPlane::shared().await.namespace("bounds").await;
    let _controller = Controller::with_defaults(namespace.plane().kubeconfig())
        .namespace(namespace.name())
        .argument("--listen-address=127.0.0.1:0")
        .argument("--allow-addresses=127.0.0.0/8")
        .argument("--insecure-hosts=127.0.0.1,169.254.169.254")
        .argument("--allowed-hosts=127.0.0.1,169.254.169.254,localhost")
        .start()
        .await;
    let mirror = |name: &str, destination: &str| {
        Mirror::of(&source.host())
            .named(name)
            .image("app", &["1"])
            .destination("copy", destination)
            .to_string()
    };
    let mirrors = [
        mirror("address", "169.254.169.254:5000"),
        mirror("host", "registry.example.com"),
        mirror("insecure", "localhost:5000"),
    ];
    namespace.apply(&mirrors.concat()).await;
    let mut told = Vec::new();
    for name in ["address", "host", "insecure"] {
        let object = ready_for(&namespace, "imir", name, "AccessDenied").await;
        told.push(message(&object).replace(&source.host(), "SOURCE"));
    }
    insta::assert_snapshot!(told.join("\n"), @"
    0 of 1 tags are synced; 169.254.169.254:5000/app:1: cannot speak to 169.254.169.254:5000: 169.254.169.254 (the metadata service of a cloud) is out of bounds: if it is meant, the operator has to open it with --allow-addresses
    0 of 1 tags are synced; registry.example.com/app:1: cannot speak to registry.example.com: the registry registry.example.com is out of bounds: if it is meant, the operator has to allow it with --allowed-hosts registry.example.com
    0 of 1 tags are synced; localhost:5000/app:1: cannot speak to localhost:5000: plain HTTP to localhost:5000 is out of bounds: if it is meant, the operator has to allow it with --insecure-hosts localhost:5000
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn all_mirrors_wait_for_the_list_of_policies_however_late_it_comes() {
    let (source, destination) = (source(&["1"]), FaultRegistry::start());
    let plane = ControlPlane::shared().await;
    let namespace = plane.namespace("late").await;
    let all = policy("all", &including(&[".*"]));
    let mirrors = ["first", "second", "third"].map(|name| {
        let repository = format!("{name}/{{repository}}");
        mirror_of(&source, &destination)
            .named(name)
            .policy("all")
            .with("/destinations/0/repository", repository)
            .to_string()
    });
    namespace.apply(&format!("{all}{}", mirrors.concat())).await;
    let proxy = ApiProxy::in_front_of(plane);
    let gate = Gate::closed();
    // The first list only asks whether there is such a kind.
    proxy
        .on("GET", "/imagepolicies?")
        .nth(2)
        .does(Action::Hold(gate.clone()));
    let _controller = Controller::options(&proxy.kubeconfig_for(plane.admin_token()))
        .namespace(namespace.name())
        .start()
        .await;
    within("a request", gate.reached()).await;
    // Long enough for the mirrors to be looked at, which happens a tenth of a second after they came.
    tokio::time::sleep(Duration::from_secs(1)).await;
    gate.open();
    for name in ["first", "second", "third"] {
        ready_for(&namespace, "imir", name, "Succeeded").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn however_many_mirrors_begin_together_few_writes_are_on_their_way() {
    let (source, destination) = (source(&["1"]), FaultRegistry::start());
    let plane = ControlPlane::shared().await;
    let namespace = plane.namespace("many").await;
    let names: Vec<String> = (0..60).map(|number| format!("mirror-{number}")).collect();
    let mirrors = names.iter().map(|name| {
        let repository = format!("{name}/{{repository}}");
        let mirror = mirror_of(&source, &destination).named(name);
        let mirror = mirror.with("/destinations/0/repository", repository);
        mirror.to_string()
    });
    namespace.apply(&mirrors.collect::<String>()).await;
    let proxy = ApiProxy::in_front_of(plane);
    let gate = Gate::closed();
    proxy
        .on("PATCH", "/imagemirrors/")
        .does(Action::Hold(gate.clone()));
    let _controller = Controller::options(&proxy.kubeconfig_for(plane.admin_token()))
        .namespace(namespace.name())
        .start()
        .await;
    for _ in 0..32 {
        within("a request", gate.reached()).await;
    }
    // Long enough for the others, if they came.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let requests = proxy.requests();
    let writes = requests.iter().filter(|request| request.method == "PATCH");
    assert_eq!(writes.count(), 32);
    gate.open();
    for name in &names {
        ready_for(&namespace, "imir", name, "Succeeded").await;
    }
}
