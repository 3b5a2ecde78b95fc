// SPDX-License-Identifier: Apache-2.0

//! Registries tell of pushes, and mirrors look.

mod google;
mod late;
mod many;
mod pull;
mod queue;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::{StreamExt as _, stream};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::objects::Mirror;
use super::stage::{change, controller_of, ready_for, until, within};
use crate::support::client::{Access, Client};
use crate::support::cluster::controller::Options;
use crate::support::cluster::namespace::find_condition;
use crate::support::cluster::{ControlPlane, Controller, Namespace};
use crate::support::content::{Image, ImageBuilder};
use crate::support::faults::FaultRegistry;
use crate::support::registries::{Kind, Registry};

const TOKEN: &str = "a-token-of-some-length";
/// Shortest time between two looks at one tag.
const PER_TAG: Duration = Duration::from_secs(10);

/// A request: method, path, a header, the body, and the status of its answer.
type Case<'a> = (&'a str, &'a str, (&'a str, &'a str), &'a Bytes, u16);

/// A controller that takes events, for a namespace with a receiver of this type.
struct Reception {
    namespace: Namespace<'static>,
    controller: Controller,
}

impl Reception {
    async fn open(name: &str, spec: &Value) -> Self {
        Self::open_with(name, spec, |options| options).await
    }

    async fn open_with(name: &str, spec: &Value, more: impl FnOnce(Options) -> Options) -> Self {
        let namespace = ControlPlane::shared().await.namespace(name).await;
        let options = controller_of(&namespace).argument("--events-address=127.0.0.1:0");
        let controller = more(options).start().await;
        let reception = Self {
            namespace,
            controller,
        };
        reception.receive("hook", spec).await;
        ready_for(&reception.namespace, "irec", "hook", "Succeeded").await;
        reception
    }

    /// Applies a receiver with its Secret.
    async fn receive(&self, name: &str, spec: &Value) {
        let mut spec = spec.clone();
        spec["secretRef"] = json!({"name": "events"});
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "events"},
            "stringData": {"token": TOKEN},
        });
        let receiver = json!({
            "apiVersion": "transship.dev/v1alpha1", "kind": "ImageReceiver",
            "metadata": {"name": name}, "spec": spec,
        });
        let documents = format!("{secret}\n---\n{receiver}");
        self.namespace.apply(&documents).await;
    }

    async fn path(&self) -> String {
        let receiver = self.namespace.json("irec", "hook").await.unwrap();
        receiver["status"]["path"].as_str().unwrap().to_owned()
    }

    fn client(&self) -> Client {
        client(events_address(&self.controller))
    }

    /// How many events came to this.
    async fn count(&self, kind: &str, result: &str) -> usize {
        let series = format!("transship_events_total{{type=\"{kind}\",result=\"{result}\"}}");
        let count = self.controller.metric(&series).await;
        count.unwrap_or_default().to_string().parse().unwrap()
    }
}

fn client(address: SocketAddr) -> Client {
    Client::new(Access {
        url: format!("http://{address}"),
        ca_pem: None,
        login: None,
    })
}

fn events_address(controller: &Controller) -> SocketAddr {
    let log = controller.log();
    let line = log.iter().find(|line| line["message"] == "taking events");
    let address = line.expect("it takes events")["address"].as_str();
    address.unwrap().parse().unwrap()
}

fn image(seed: u64) -> Image {
    ImageBuilder::new(seed).layers(&[1_000]).build()
}

/// A generic receiver of a registry.
fn generic(registry: &str) -> Value {
    let places = json!({"items": "/pushed", "repository": "/repository", "tag": "/tag"});
    json!({"type": "Generic", "registry": registry, "generic": places})
}

fn event(repository: &str, tags: &[&str]) -> Bytes {
    let pushed = tags
        .iter()
        .map(|tag| json!({"repository": repository, "tag": tag}));
    let pushed: Vec<Value> = pushed.collect();
    json!({"pushed": pushed}).to_string().into()
}

/// The tags that were looked up, with repetitions.
fn looked_up(registry: &FaultRegistry) -> Vec<String> {
    let requests = registry.requests().into_iter();
    let looked = requests.filter(|request| request.method == "HEAD");
    let mut tags: Vec<String> = looked
        .filter_map(|request| {
            let (repository, tag) = request
                .path
                .strip_prefix("/v2/")?
                .split_once("/manifests/")?;
            // What is found at a tag is spoken of by its digest, and so is what refers to it.
            (!tag.starts_with("sha256")).then(|| format!("{repository}:{tag}"))
        })
        .collect();
    tags.sort_unstable();
    tags
}

async fn arrives(destination: &Client, repository: &str, tag: &str, image: &Image) {
    until(&format!("{repository}:{tag} is copied"), async || {
        let found = destination.resolve_digest(repository, tag).await;
        found.ok().flatten().as_deref() == Some(image.digest())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_to_a_real_registry_is_a_copy_without_waiting_for_the_interval() {
    let spec = json!({"type": "Distribution"});
    let reception = Reception::open("events-real", &spec).await;
    let url = format!(
        "http://{}{}",
        events_address(&reception.controller),
        reception.path().await
    );
    let source = Registry::options(Kind::Distribution3).notifies(&url, TOKEN);
    let source = source.start().await;
    let destination = Registry::options(Kind::Distribution3).start().await;
    source.client().push("team/app", "1.0", &image(1)).await;
    source.client().push("team/other", "1.0", &image(2)).await;
    let mirror = Mirror::of(&source.host())
        .image("team/*", &["*"])
        .destination("d", &destination.host())
        .with("/freshness", "5m");
    reception.namespace.apply(&mirror.to_string()).await;
    let object = ready_for(&reception.namespace, "imir", "mirror", "Succeeded").await;
    assert_eq!(object["status"]["synced"], "2/2");
    assert_eq!(find_condition(&object, "Fresh").unwrap()["status"], "True");

    // A new tag, a tag that moves, an index, and a repository that is new.
    let index = ImageBuilder::new(5).platforms(&["linux/amd64", "linux/arm64"]);
    let index = index.layers(&[1_000]).build();
    let pushes = [
        ("team/app", "1.1", image(3)),
        ("team/app", "1.0", image(4)),
        ("team/other", "2", index),
        ("team/new", "1", image(6)),
    ];
    for (repository, tag, image) in &pushes {
        source.client().push(repository, tag, image).await;
    }
    for (repository, tag, image) in &pushes {
        arrives(&destination.client(), repository, tag, image).await;
    }
    until("how long it took is told", async || {
        let lag = reception
            .controller
            .metric("transship_lag_seconds_count")
            .await;
        lag.unwrap_or_default() >= 4.0
    })
    .await;
    let is_told = |mirror: &Value| mirror["status"]["recent"].as_array().unwrap().len() >= 6;
    let object = reception
        .namespace
        .wait_for("imir", "mirror", "told", is_told);
    let object = object.await;
    assert_eq!(find_condition(&object, "Ready").unwrap()["status"], "True");
    assert_eq!(find_condition(&object, "Fresh").unwrap()["status"], "True");
    // Blobs, children of the index and what the mirror pulled are events, too.
    assert!(reception.count("Distribution", "accepted").await >= 4);
    assert!(reception.count("Distribution", "ignored").await >= 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_is_hinted_at_is_looked_at_and_nothing_that_is_claimed_is_believed() {
    let source = FaultRegistry::start();
    let destination = FaultRegistry::start();
    let reception = Reception::open("events-few", &generic(&source.host())).await;
    for (repository, tag) in [
        ("app", "1"),
        ("app", "2"),
        ("tool", "1"),
        ("tool", "v1.2.3"),
    ] {
        source.load(repository, tag, &image(1));
    }
    let mirror = Mirror::of(&source.host())
        .image("app", &["*"])
        .image("tool", &["1"])
        .destination("d", &destination.host())
        // Signatures of what is copied are looked for in the list of tags.
        .with("/referrers", json!({"mode": "Skip"}));
    let newest = Mirror::of(&source.host())
        .named("newest")
        .image("tool", &[])
        .with("/images/0/select", json!({"newest": {"count": 1}}))
        .destination("d", &destination.host())
        .with("/destinations/0/repository", "newest/{repository}");
    reception
        .namespace
        .apply(&format!("{mirror}{newest}"))
        .await;
    for name in ["mirror", "newest"] {
        ready_for(&reception.namespace, "imir", name, "Succeeded").await;
    }
    let before = reception.namespace.json("imir", "mirror").await.unwrap();
    source.script().clear_requests();
    destination.script().clear_requests();

    // One that moved, one that is new, one that is wanted by nobody, one that does not exist.
    source.load("app", "2", &image(2));
    source.load("app", "3", &image(3));
    source.load("tool", "9", &image(4));
    let (client, path) = (reception.client(), reception.path().await);
    let body = event("app", &["2", "3", "4"]);
    let answer = client.send("POST", &path, &[], body).await.unwrap();
    assert_eq!(answer.status, 202);
    let unwanted = client
        .send("POST", &path, &[], event("other", &["1"]))
        .await
        .unwrap();
    assert_eq!((unwanted.status, unwanted.body), (202, answer.body));
    for (tag, seed) in [("2", 2), ("3", 3)] {
        arrives(&destination.client(), "app", tag, &image(seed)).await;
    }
    assert_eq!(looked_up(&source), ["app:2", "app:3", "app:4"]);
    let asked = looked_up(&destination);
    assert!(
        !asked.contains(&"app:4".to_owned()),
        "the source has none: {asked:?}"
    );
    let listed = source.requests().into_iter();
    let listed = listed.filter(|request| request.path.contains("/tags/list"));
    assert_eq!(listed.count(), 0, "its rules look at each tag by itself");
    // What is gone is for a round to tell, and counts stay those of the last one.
    let is_told = |mirror: &Value| mirror["status"]["recent"] != before["status"]["recent"];
    let told = reception
        .namespace
        .wait_for("imir", "mirror", "told", is_told);
    let told = told.await;
    assert_eq!(told["status"]["tags"], before["status"]["tags"]);
    assert_eq!(told["status"]["recent"].as_array().unwrap().len(), 5);
    assert_eq!(find_condition(&told, "Ready").unwrap()["status"], "True");

    // Where rules compare tags, the others are listed, and not looked up.
    source.script().clear_requests();
    source.load("tool", "v1.3.0", &image(5));
    let body = event("tool", &["v1.3.0", "v1.0.0"]);
    client.send("POST", &path, &[], body).await.unwrap();
    arrives(&destination.client(), "newest/tool", "v1.3.0", &image(5)).await;
    assert_eq!(looked_up(&source), ["tool:v1.3.0"]);
    // What was the newest before stays on record until a round looks at it.
    assert!(destination.manifest("newest/tool", "v1.2.3").is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hint_does_not_write_over_what_another_image_has() {
    let source = FaultRegistry::start();
    let destination = FaultRegistry::start();
    let reception = Reception::open("events-conflict", &generic(&source.host())).await;
    source.load("one/app", "1", &image(1));
    source.load("two/app", "2", &image(2));
    let mirror = Mirror::of(&source.host())
        .image("one/app", &["*"])
        .image("two/app", &["*"])
        .destination("d", &destination.host())
        .with("/destinations/0/repository", "all/{name}");
    reception.namespace.apply(&mirror.to_string()).await;
    ready_for(&reception.namespace, "imir", "mirror", "Succeeded").await;
    source.load("two/app", "1", &image(3));
    let (client, path) = (reception.client(), reception.path().await);
    client
        .send("POST", &path, &[], event("two/app", &["1"]))
        .await
        .unwrap();
    let stalled = ready_for(
        &reception.namespace,
        "imir",
        "mirror",
        "DestinationConflict",
    )
    .await;
    assert_eq!(
        find_condition(&stalled, "Stalled").unwrap()["status"],
        "True"
    );
    let found = destination
        .client()
        .resolve_digest("all/app", "1")
        .await
        .unwrap();
    assert_eq!(found.as_deref(), Some(image(1).digest()));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_event_is_refused_and_leads_to_nothing() {
    let source = FaultRegistry::start();
    let destination = FaultRegistry::start();
    let mut spec = generic(&source.host());
    spec["generic"]["tokenHeader"] = json!("X-Token");
    let reception = Reception::open("events-bad", &spec).await;
    source.load("app", "1", &image(1));
    let mirror = Mirror::of(&source.host())
        .image("app", &["1"])
        .destination("d", &destination.host());
    reception.namespace.apply(&mirror.to_string()).await;
    ready_for(&reception.namespace, "imir", "mirror", "Succeeded").await;
    source.script().clear_requests();

    let (client, path) = (reception.client(), reception.path().await);
    let other = format!("/hook/{}", "0".repeat(64));
    let good = event("app", &["1"]);
    let huge = Bytes::from(vec![b' '; 300 * 1024]);
    let deep = Bytes::from(format!("{}{}", "[".repeat(200), "]".repeat(200)));
    let (token, wrong) = (("x-token", TOKEN), ("x-token", "a-token-of-some-lengtH"));
    let cases: [Case<'_>; 14] = [
        ("POST", "/", token, &good, 404),
        ("POST", "/metrics", token, &good, 404),
        ("POST", &other, token, &good, 404),
        ("POST", &format!("{path}/"), token, &good, 404),
        ("GET", &path, token, &good, 405),
        ("PUT", &path, token, &good, 405),
        ("POST", &path, wrong, &good, 401),
        ("POST", &path, ("authorization", TOKEN), &good, 401),
        ("POST", &path, token, &huge, 413),
        ("POST", &path, token, &deep, 400),
        ("POST", &path, token, &Bytes::from_static(b"{"), 400),
        (
            "POST",
            &path,
            token,
            &Bytes::from_static(b"{\"pushed\": 1}"),
            202,
        ),
        ("POST", &path, token, &event("other", &["1"]), 202),
        ("POST", &path, token, &event("app", &["2"]), 202),
    ];
    for (method, path, header, body, expected) in cases {
        let answer = client.send(method, path, &[header], body.clone()).await;
        assert_eq!(
            answer.unwrap().status,
            expected,
            "{method} {path} {header:?}"
        );
    }
    let count = async |result: &str| reception.count("Generic", result).await;
    assert_eq!(count("unauthenticated").await, 2);
    assert_eq!(count("too_large").await, 1);
    assert_eq!(count("malformed").await, 2);
    assert_eq!(count("unmatched").await, 2);

    // One that comes slowly keeps nobody from an answer, and is ended.
    let mut slow = TcpStream::connect(events_address(&reception.controller))
        .await
        .unwrap();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: a\r\nx-token: {TOKEN}\r\ncontent-length: 100\r\n\r\n{{"
    );
    slow.write_all(head.as_bytes()).await.unwrap();
    let answer = client
        .send("POST", &path, &[token], event("other", &["1"]))
        .await;
    assert_eq!(answer.unwrap().status, 202);
    let mut end = String::new();
    let ended = within("a slow event ends", slow.read_to_string(&mut end)).await;
    assert!(ended.is_err() || end.starts_with("HTTP/1.1 408"), "{end}");

    // Suspended: the sender tries again, and the path stays.
    change(
        &reception.namespace,
        "irec",
        "hook",
        &json!({"spec": {"suspend": true}}),
    )
    .await;
    ready_for(&reception.namespace, "irec", "hook", "Suspended").await;
    let answer = client
        .send("POST", &path, &[token], good.clone())
        .await
        .unwrap();
    assert_eq!(
        (
            answer.status,
            answer.headers["retry-after"].to_str().unwrap()
        ),
        (503, "15")
    );
    assert_eq!(reception.path().await, path);
    // Another token: another path, once the Secret is read again.
    let secret = json!({"stringData": {"token": "another-token-of-some-length"}});
    change(&reception.namespace, "secret", "events", &secret).await;
    change(
        &reception.namespace,
        "irec",
        "hook",
        &json!({"spec": {"suspend": false}}),
    )
    .await;
    ready_for(&reception.namespace, "irec", "hook", "Succeeded").await;
    assert_ne!(reception.path().await, path);
    let answer = client.send("POST", &path, &[token], good).await.unwrap();
    assert_eq!(answer.status, 404);
    assert_eq!(looked_up(&source), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_keeps_a_receiver_from_its_work_is_told() {
    let reception = Reception::open("events-told", &json!({"type": "Quay"})).await;
    let namespace = &reception.namespace;
    let apply = async |name: &str, spec: Value| {
        let receiver = json!({
            "apiVersion": "transship.dev/v1alpha1", "kind": "ImageReceiver",
            "metadata": {"name": name}, "spec": spec,
        });
        namespace.apply(&receiver.to_string()).await;
    };
    apply(
        "none",
        json!({"type": "Quay", "secretRef": {"name": "none"}}),
    )
    .await;
    let short = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "short"},
        "stringData": {"token": "0123456789abcde\n", "other": "a"},
    });
    namespace.apply(&short.to_string()).await;
    apply(
        "short",
        json!({"type": "Quay", "secretRef": {"name": "short"}}),
    )
    .await;
    apply(
        "wrong",
        json!({"type": "Quay", "secretRef": {"name": "events"}, "registry": "a..b"}),
    )
    .await;
    let message = async |name: &str, reason: &str| {
        let object = ready_for(namespace, "irec", name, reason).await;
        assert!(object["status"]["path"].is_null(), "{object}");
        let ready = find_condition(&object, "Ready").unwrap();
        ready["message"]
            .as_str()
            .unwrap()
            .replace(namespace.name(), "team")
    };
    insta::assert_snapshot!(message("none", "DependencyNotReady").await, @r#"spec.secretRef.name: there is no secret "none" in namespace "team": create it"#);
    insta::assert_snapshot!(message("short", "DependencyNotReady").await, @r#"spec.secretRef.name: token of secret "short" has fewer than 16 characters, and could be guessed"#);
    let wrong = message("wrong", "InvalidSpec").await;
    assert!(wrong.starts_with("spec.registry: "), "{wrong}");

    // What people see.
    let table = namespace.kubectl_ok(&["get", "imagereceivers"]).await;
    assert_eq!(
        table
            .lines()
            .next()
            .unwrap()
            .split_whitespace()
            .collect::<Vec<_>>(),
        ["NAME", "TYPE", "READY", "REASON", "AGE"]
    );
    assert!(!table.contains("/hook/"), "{table}");
    let wide = namespace
        .kubectl_ok(&["get", "irec", "hook", "--output=wide"])
        .await;
    assert!(wide.contains(&reception.path().await), "{wide}");
    let described = namespace.kubectl_ok(&["describe", "irec", "hook"]).await;
    assert!(
        described.contains("events are taken at status.path"),
        "{described}"
    );
    assert!(!described.contains(TOKEN), "{described}");
    let explained = namespace
        .kubectl_ok(&["explain", "irec.spec.generic"])
        .await;
    assert!(explained.contains("signatureHeader"), "{explained}");

    // What the API server refuses.
    for (spec, part) in [
        (
            json!({"type": "Zot", "secretRef": {"name": "a"}}),
            "spec.registry",
        ),
        (
            json!({"type": "Generic", "secretRef": {"name": "a"}, "registry": "r.test"}),
            "spec.generic",
        ),
        (
            json!({"type": "Hub", "secretRef": {"name": "a"}}),
            "spec.type",
        ),
        (json!({"type": "Quay"}), "spec.secretRef"),
        (
            json!({"type": "Quay", "secretRef": {"name": "a"}, "oidc": {"email": "a@b.c", "audience": "d"}}),
            "spec.oidc: Invalid value: is only used with type: GAR",
        ),
        (
            json!({"type": "Quay", "pull": {"from": "https://sqs.eu-west-1.amazonaws.com/123456789012/a"}}),
            "spec.pull: Invalid value: is only used with type: ECR or GAR",
        ),
        (
            json!({"type": "ECR", "pull": {"from": "projects/p/subscriptions/a"}}),
            "spec.pull.from: Invalid value: is the URL of a queue of SQS",
        ),
        (
            json!({"type": "GAR", "secretRef": {"name": "a"}, "pull": {"from": "projects/p/subscriptions/a"}}),
            "spec.secretRef: Invalid value: is needed, but with pull",
        ),
        (
            json!({"type": "GAR", "secretRef": {"name": "a"}, "oidc": {"email": "a@b.c"}}),
            "spec.oidc.audience",
        ),
    ] {
        let receiver = json!({
            "apiVersion": "transship.dev/v1alpha1", "kind": "ImageReceiver",
            "metadata": {"name": "refused"}, "spec": spec,
        });
        let finished = namespace.try_apply(&receiver.to_string()).await;
        assert!(finished.stderr.contains(part), "{finished:?}");
    }

    // A replica that stands by answers so that the sender tries again; it knows no receiver.
    let standby = controller_of(namespace)
        .argument("--events-address=127.0.0.1:0")
        .start()
        .await;
    let body = Bytes::from_static(b"{}");
    let path = reception.path().await;
    let aside = client(events_address(&standby));
    let answer = aside.send("POST", &path, &[], body.clone()).await.unwrap();
    let again = answer.headers["retry-after"].to_str().unwrap();
    assert_eq!((answer.status, again), (503, "15"));
    let answer = reception.client().send("POST", &path, &[], body).await;
    assert_eq!(answer.unwrap().status, 202);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_listener_a_receiver_says_so() {
    let namespace = ControlPlane::shared().await.namespace("events-off").await;
    let controller = controller_of(&namespace).start().await;
    let reception = Reception {
        namespace,
        controller,
    };
    reception.receive("hook", &json!({"type": "Quay"})).await;
    let object = ready_for(&reception.namespace, "irec", "hook", "DependencyNotReady").await;
    let ready = find_condition(&object, "Ready").unwrap();
    assert_eq!(
        ready["message"],
        "the controller takes no events: set events.enabled of the Helm chart (--events-address)"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_events_are_few_looks_and_little_memory() {
    let source = FaultRegistry::start();
    let destination = FaultRegistry::start();
    let reception = Reception::open("events-flood", &generic(&source.host())).await;
    source.load("app", "1", &image(1));
    source.load("other", "1", &image(2));
    let mirror = Mirror::of(&source.host())
        .image("app", &["*"])
        .destination("d", &destination.host());
    let other = Mirror::of(&source.host())
        .named("other")
        .image("other", &["1"])
        .destination("d", &destination.host());
    reception.namespace.apply(&format!("{mirror}{other}")).await;
    for name in ["mirror", "other"] {
        ready_for(&reception.namespace, "imir", name, "Succeeded").await;
    }
    source.script().clear_requests();
    let (client, path) = (reception.client(), reception.path().await);
    let before = peak(&reception.controller);
    let began = Instant::now();
    let answers = stream::iter(0..10_000)
        .map(|event_number: usize| {
            // A tag that exists, and some that do not.
            let none = format!("none-{}", event_number % 50);
            let body = event("app", &["1", &none]);
            let (client, path) = (&client, &path);
            async move {
                let answer = client.send("POST", path, &[], body).await;
                answer.unwrap().status
            }
        })
        .buffer_unordered(32);
    let statuses: Vec<u16> = answers.collect().await;
    let accepted = statuses.iter().filter(|status| **status == 202).count();
    assert!(accepted >= 100, "{accepted}");
    assert!(statuses.iter().all(|status| [202, 429].contains(status)));
    // A round of another mirror, while that goes on, or right after it.
    change(
        &reception.namespace,
        "imir",
        "other",
        &json!({"metadata": {"annotations": {"transship.dev/reconcile-at": "now"}}}),
    )
    .await;
    let is_handled = |mirror: &Value| mirror["status"]["lastHandledReconcileAt"] == "now";
    let handled = reception
        .namespace
        .wait_for("imir", "other", "a round", is_handled);
    handled.await;
    until("the last hint was looked at", async || {
        looked_up(&source).contains(&"app:1".to_owned())
    })
    .await;
    let passed = began.elapsed();
    let most = 2 + usize::try_from(passed.as_secs() / PER_TAG.as_secs()).unwrap();
    let looks = looked_up(&source);
    for tag in (0..50)
        .map(|number| format!("none-{number}"))
        .chain(["1".to_owned()])
    {
        let of_tag = looks
            .iter()
            .filter(|look| **look == format!("app:{tag}"))
            .count();
        assert!(of_tag <= most, "{tag}: {of_tag} looks in {passed:?}");
    }
    let grown = peak(&reception.controller).saturating_sub(before);
    assert!(grown < 48 << 20, "{} MiB", grown >> 20);
}

/// The most memory that the process has had, in bytes.
fn peak(controller: &Controller) -> usize {
    let status = format!("/proc/{}/status", controller.process().id());
    let status = std::fs::read_to_string(status).unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .unwrap();
    let kilobytes: usize = line.trim().trim_end_matches(" kB").parse().unwrap();
    kilobytes * 1024
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mirror_that_is_later_than_it_promises_says_so() {
    let source = FaultRegistry::start();
    let destination = FaultRegistry::start();
    let reception = Reception::open("events-late", &generic(&source.host())).await;
    source.load("app", "1", &image(1));
    let mirror = Mirror::of(&source.host())
        .image("app", &["1"])
        .destination("d", &destination.host())
        .with("/freshness", "30s");
    reception.namespace.apply(&mirror.to_string()).await;
    ready_for(&reception.namespace, "imir", "mirror", "Succeeded").await;
    let name = reception.namespace.name().to_owned();
    let series = format!(
        "transship_behind_since_timestamp_seconds{{kind=\"ImageMirror\",namespace=\"{name}\",name=\"mirror\"}}"
    );
    assert_eq!(reception.controller.metric(&series).await, None);
    let promised = series.replace("behind_since_timestamp", "freshness");
    assert_eq!(reception.controller.metric(&promised).await, Some(30.0));

    // What is pushed cannot be written.
    let refused = json!({"errors": [{"code": "DENIED", "message": "no"}]});
    let reply = crate::support::http::Reply::json(403, &refused);
    destination.on("PUT", "/manifests/").responds(reply);
    source.load("app", "1", &image(2));
    let (client, path) = (reception.client(), reception.path().await);
    client
        .send("POST", &path, &[], event("app", &["1"]))
        .await
        .unwrap();
    let late = reception
        .namespace
        .wait_for_condition("imir", "mirror", "Fresh", "False")
        .await;
    let fresh = find_condition(&late, "Fresh").unwrap();
    assert_eq!(fresh["reason"], "Late");
    assert_eq!(
        fresh["message"],
        "something that changed at the source more than 30s ago is not at every destination yet"
    );
    assert!(reception.controller.metric(&series).await.is_some());

    destination.script().clear_rules();
    let change_now = json!({"metadata": {"annotations": {"transship.dev/reconcile-at": "now"}}});
    change(&reception.namespace, "imir", "mirror", &change_now).await;
    let fresh = reception
        .namespace
        .wait_for_condition("imir", "mirror", "Fresh", "True");
    fresh.await;
    arrives(&destination.client(), "app", "1", &image(2)).await;
    assert_eq!(reception.controller.metric(&series).await, None);
}
