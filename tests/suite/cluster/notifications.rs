// SPDX-License-Identifier: Apache-2.0

//! People are told what becomes of mirrors.

use aws_lc_rs::hmac;
use serde_json::{Value, json};

use super::objects::Mirror;
use super::stage::{Stage, controller_of, message, ready_for, sync, until};
use crate::support::canary::Canary;
use crate::support::cluster::{ControlPlane, Controller, Namespace};
use crate::support::content::{Image, ImageBuilder};
use crate::support::faults::FaultRegistry;
use crate::support::http::script::{Action, Gate};
use crate::support::http::{Reply, Request};

/// Part of an address that is a secret, a token, and what messages are signed with.
const PATH: &str = "/services/canary-path";
const TOKEN: &str = "canary-token";
const KEY: &str = "canary-key";

/// A source and a destination, and mirrors from one to the other.
struct Images {
    source: FaultRegistry,
    destination: FaultRegistry,
}

impl Images {
    fn start() -> Self {
        Self {
            source: FaultRegistry::start(),
            destination: FaultRegistry::start(),
        }
    }

    fn load(&self, repository: &str, seed: u64) {
        self.source.load(repository, "1", &image(seed));
    }

    /// A mirror of the tag 1 of a repository with its own name.
    fn mirror(&self, name: &str) -> String {
        Mirror::of(&self.source.host())
            .named(name)
            .image(name, &["1"])
            .destination("main", &self.destination.host())
            .to_string()
    }

    /// Loads an image and mirrors it.
    async fn bring(&self, namespace: &Namespace<'_>, name: &str) {
        self.load(name, 1);
        namespace.apply(&self.mirror(name)).await;
        ready_for(namespace, "imir", name, "Succeeded").await;
    }
}

fn image(seed: u64) -> Image {
    ImageBuilder::new(seed).layers(&[1_000]).build()
}

fn receiver() -> Canary {
    Canary::answering(Reply::new(202))
}

fn notification(name: &str, spec: &Value) -> String {
    let object = json!({
        "apiVersion": "transship.dev/v1alpha1", "kind": "ImageNotification",
        "metadata": {"name": name}, "spec": spec,
    });
    format!("---\n{object}\n")
}

fn secret(data: &Value) -> String {
    let object = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "hook"}, "stringData": data,
    });
    format!("---\n{object}\n")
}

/// A notification that sends JSON to a receiver.
async fn tell(namespace: &Namespace<'_>, name: &str, receiver: &Canary, more: &Value) {
    let mut spec = json!({"type": "Generic", "address": receiver.url()});
    let fields = spec.as_object_mut().unwrap();
    fields.extend(more.as_object().unwrap().clone());
    namespace.apply(&notification(name, &spec)).await;
    ready_for(namespace, "inot", name, "Succeeded").await;
}

fn bodies(receiver: &Canary) -> Vec<Value> {
    let requests = receiver.requests().into_iter();
    requests
        .map(|request| serde_json::from_slice(&request.body).unwrap())
        .collect()
}

/// The mirrors that were told of, in order, each with the events.
fn told(receiver: &Canary) -> Vec<String> {
    let bodies = bodies(receiver).into_iter();
    bodies
        .map(|body| {
            let events = body["events"].as_array().unwrap().iter();
            let events: Vec<&str> = events.map(|event| event.as_str().unwrap()).collect();
            format!("{} {}", body["mirror"].as_str().unwrap(), events.join("+"))
        })
        .collect()
}

async fn heard(receiver: &Canary, expected: &[&str]) {
    let what = format!("{expected:?} is told");
    until(&what, async || told(receiver).len() >= expected.len()).await;
    assert_eq!(told(receiver), expected);
}

async fn counted(controller: &Controller, result: &str) -> f64 {
    let series = format!("transship_notifications_total{{type=\"Generic\",result=\"{result}\"}}");
    controller.metric(&series).await.unwrap_or_default()
}

/// Nothing that is a secret stands where people look.
async fn assert_nothing_leaked(namespace: &Namespace<'_>, controller: &Controller) {
    let mut seen = controller.output();
    for kind in ["inot", "imir", "events.events.k8s.io"] {
        let mut objects = namespace.list(kind).await;
        for object in &mut objects {
            object.as_object_mut().unwrap().remove("spec");
            object["metadata"] = Value::Null;
        }
        seen += &Value::from(objects).to_string();
    }
    assert!(seen.contains("a message does not arrive"), "{seen}");
    for canary in ["canary-path", TOKEN, KEY] {
        assert!(!seen.contains(canary), "{canary} leaked: {seen}");
    }
}

fn assert_signed(request: &Request) {
    let key = hmac::Key::new(hmac::HMAC_SHA256, KEY.as_bytes());
    let signature = request.headers.value("x-signature").unwrap();
    let signature = hex::decode(signature.strip_prefix("sha256=").unwrap()).unwrap();
    hmac::verify(&key, &request.body, &signature).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_are_proven_told_in_order_and_not_twice() {
    let images = Images::start();
    let receiver = receiver();
    let Stage {
        controller,
        namespace,
    } = Stage::open("told").await;
    let address = format!("{}{PATH}", receiver.url());
    let spec = json!({"type": "Generic", "secretRef": {"name": "hook"}});
    let data = json!({"address": address + "\n", "token": TOKEN, "key": KEY});
    let documents = secret(&data) + &notification("hook", &spec);
    namespace.apply(&documents).await;
    ready_for(&namespace, "inot", "hook", "Succeeded").await;

    images.bring(&namespace, "a").await;
    heard(&receiver, &["a New"]).await;
    let [first] = receiver.requests().try_into().unwrap();
    assert_eq!((first.method.as_str(), first.path.as_str()), ("POST", PATH));
    let header = |name| first.headers.value(name).unwrap();
    assert_eq!(header("authorization"), format!("Bearer {TOKEN}"));
    assert_eq!(header("content-type"), "application/json");
    assert_signed(&first);
    let body: Value = serde_json::from_slice(&first.body).unwrap();
    assert_eq!(body["id"], header("x-transship-id"));
    let copied = &body["new"]["images"][0];
    assert_eq!(
        copied["image"],
        format!("{}/a:1", images.destination.host())
    );
    assert_eq!(copied["digest"], image(1).digest());

    // A flood of what happens to one mirror waits, and others are told meanwhile.
    for seed in 2..7 {
        images.load("a", seed);
        sync(&namespace, "a", &seed.to_string()).await;
    }
    images.bring(&namespace, "b").await;
    let is_told = |what: &str| told(&receiver).iter().any(|told| told == what);
    until("b is told of", async || is_told("b New")).await;
    // There is one at most where this took a minute.
    let floods = told(&receiver)
        .iter()
        .filter(|told| *told == "a Moved")
        .count();
    assert!(floods <= 1, "{:?}", told(&receiver));

    // Another process tells nothing of what was told.
    let (_, output) = controller.stop().await;
    assert!(!output.contains("canary"), "{output}");
    let controller = controller_of(&namespace).start().await;
    sync(&namespace, "a", "again").await;
    images.bring(&namespace, "c").await;
    images.load("b", 9);
    sync(&namespace, "b", "moved").await;
    until("b is told of again", async || is_told("b Moved")).await;
    let mut all = told(&receiver);
    all.retain(|told| told != "a Moved");
    assert_eq!(all, ["a New", "b New", "c New", "b Moved"]);
    let bodies = bodies(&receiver);
    let moved = &bodies.last().unwrap()["moved"]["images"][0];
    assert_eq!(moved["digest"], image(9).digest());
    assert_eq!(moved["previousDigest"], image(1).digest());
    drop(controller);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_arrive_is_tried_again_and_silence_holds_up_nobody() {
    let images = Images::start();
    let (trouble, silent, well) = (receiver(), receiver(), receiver());
    let script = trouble.script();
    script
        .on("POST", "/")
        .nth(1)
        .does(Action::CommitThen(Reply::new(503)));
    script.on("POST", "/").nth(2).does(Action::CommitThenClose);
    let gate = Gate::closed();
    silent
        .script()
        .on("POST", "/")
        .first(1)
        .does(Action::HoldReply(gate.clone()));
    let stage = Stage::open("retried").await;
    let namespace = &stage.namespace;
    tell(namespace, "trouble", &trouble, &json!({})).await;
    tell(namespace, "silent", &silent, &json!({})).await;
    tell(namespace, "well", &well, &json!({})).await;

    images.bring(namespace, "a").await;
    heard(&well, &["a New"]).await;
    gate.reached().await;
    // The receiver still says nothing, and rounds and other receivers go on.
    images.bring(namespace, "b").await;
    heard(&well, &["a New", "b New"]).await;
    assert!(told(&silent).iter().all(|told| told == "a New"));
    gate.open();
    until("the next one is told", async || {
        told(&silent).last().map(String::as_str) == Some("b New")
    })
    .await;

    heard(&trouble, &["a New", "a New", "a New", "b New"]).await;
    let heard = trouble.requests();
    let same = heard.iter().take(3);
    assert!(same.clone().all(|request| request.body == heard[0].body));
    let ready = ready_for(namespace, "inot", "trouble", "Succeeded").await;
    assert!(ready["status"]["lastMessageTime"].is_string(), "{ready}");
    assert!(counted(&stage.controller, "retried").await >= 2.0);
    assert!(counted(&stage.controller, "failed").await < 1.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_for_good_is_said_without_secrets() {
    let images = Images::start();
    let (refusing, elsewhere) = (Canary::start(), receiver());
    let to = format!("{}/stolen", elsewhere.url());
    let redirecting = Canary::answering(Reply::new(307).header("location", &to));
    let stage = Stage::open("refused").await;
    let namespace = &stage.namespace;
    let address = format!("{}{PATH}", refusing.url());
    let data = json!({"address": address, "token": TOKEN, "key": KEY});
    let slack = json!({"type": "Slack", "secretRef": {"name": "hook"}});
    let documents = secret(&data) + &notification("slack", &slack);
    namespace.apply(&documents).await;
    let redirected =
        json!({"address": format!("{}{PATH}", redirecting.url()), "secretRef": {"name": "hook"}});
    tell(namespace, "redirected", &redirecting, &redirected).await;

    images.bring(namespace, "a").await;
    let refused = ready_for(namespace, "inot", "slack", "NotFound").await;
    insta::assert_snapshot!(message(&refused), @"the receiver answers 404: check the address, and whether it takes such messages");
    let moved = ready_for(namespace, "inot", "redirected", "DependencyNotReady").await;
    insta::assert_snapshot!(message(&moved), @"the answer is a redirect (307), which is not followed: write the address that it leads to");
    assert_eq!(elsewhere.connections(), 0);
    // It is not tried again, and the next message is.
    images.bring(namespace, "b").await;
    until("the next one is told", async || {
        refusing.requests().len() == 2
    })
    .await;
    let text: Value = serde_json::from_slice(&refusing.requests()[1].body).unwrap();
    let text = text["text"].as_str().unwrap().to_owned();
    assert!(text.contains("/b: 1 new image"), "{text}");
    assert_nothing_leaked(namespace, &stage.controller).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn addresses_have_the_bounds_of_registries() {
    let Stage {
        controller,
        namespace,
    } = Stage::open("bounds").await;
    let namespace = &namespace;
    for (name, address, flag) in [
        (
            "metadata",
            "https://169.254.169.254/latest",
            "--allow-addresses",
        ),
        (
            "mapped",
            "https://[::ffff:169.254.169.254]/",
            "--allow-addresses",
        ),
        ("plain", "http://registry.test/", "--insecure-hosts"),
    ] {
        let spec = json!({"type": "CloudEvents", "address": address});
        namespace.apply(&notification(name, &spec)).await;
        let found = ready_for(namespace, "inot", name, "AccessDenied").await;
        let expected = format!(
            "the address is out of bounds: if it is meant, the operator has to open it with {flag}"
        );
        assert_eq!(message(&found), expected, "{name}");
    }
    // A name is judged by what it leads to, when something is sent.
    let (images, receiver) = (Images::start(), receiver());
    let port = receiver.host().rsplit_once(':').unwrap().1.to_owned();
    let options = controller_of(namespace).argument("--deny-addresses=127.0.0.1/32,::1/128");
    controller.stop().await;
    let controller = options.start().await;
    let spec = json!({"type": "CloudEvents", "address": format!("http://localhost:{port}/")});
    namespace.apply(&notification("name", &spec)).await;
    ready_for(namespace, "inot", "name", "Succeeded").await;
    namespace.apply(&images.mirror("a")).await;
    // The mirror cannot be reached either, and that is the news.
    let found = ready_for(namespace, "inot", "name", "AccessDenied").await;
    assert!(message(&found).ends_with("--allow-addresses"), "{found}");
    assert_eq!(receiver.connections(), 0);
    drop(controller);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_namespace_tells_of_its_own_mirrors_and_of_those_that_are_meant() {
    let plane = ControlPlane::shared().await;
    let (ours, theirs) = tokio::join!(plane.namespace("ours"), plane.namespace("theirs"));
    let both = format!("--watch-namespaces={}", theirs.name());
    let controller = controller_of(&ours).argument(&both).start().await;
    let images = Images::start();
    let (all, named, failures, others) = (receiver(), receiver(), receiver(), receiver());
    tell(&ours, "all", &all, &json!({})).await;
    let only = json!({"mirrors": {"names": ["b"]}});
    tell(&ours, "named", &named, &only).await;
    tell(&ours, "failures", &failures, &json!({"events": ["Failed"]})).await;
    tell(&theirs, "others", &others, &json!({})).await;
    images.bring(&ours, "a").await;
    images.bring(&ours, "b").await;
    // There is no such image.
    ours.apply(&images.mirror("c")).await;
    images.bring(&theirs, "d").await;
    heard(&failures, &["c Failed"]).await;
    heard(&others, &["d New"]).await;
    heard(&named, &["b New"]).await;
    heard(&all, &["a New", "b New", "c Failed"]).await;
    let failed = &bodies(&failures)[0]["failed"];
    assert_eq!(failed["reason"], "NotFound", "{failed}");

    // Nobody hears of what happens while it is suspended.
    let suspended = json!({"suspend": true, "type": "Generic", "address": all.url()});
    ours.apply(&notification("all", &suspended)).await;
    ready_for(&ours, "inot", "all", "Suspended").await;
    images.bring(&ours, "e").await;
    tell(&ours, "all", &all, &json!({"suspend": false})).await;
    images.bring(&ours, "f").await;
    heard(&all, &["a New", "b New", "c Failed", "f New"]).await;
    drop(controller);
}
