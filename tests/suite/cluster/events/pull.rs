// SPDX-License-Identifier: Apache-2.0

//! Events that wait in queues: SQS as moto plays it, with each signature recomputed before, and Pub/Sub as its reference
//! describes it.

use std::fs;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tempfile::TempDir;

use super::*;
use crate::support::cloud::Cloud;
use crate::support::http::{Reply, Request};
use crate::support::moto::Moto;
use crate::support::tls::Authority;
use crate::support::tunnel::Tunnel;

const QUEUE: &str = "https://sqs.eu-west-1.amazonaws.com/123456789012/pushes";
const SUBSCRIPTION: &str = "projects/p/subscriptions/pushes";

/// A controller that takes no requests, whose own identity everybody may use.
async fn open(name: &str, more: impl FnOnce(Options) -> Options) -> Reception {
    let namespace = ControlPlane::shared().await.namespace(name).await;
    let options = controller_of(&namespace).argument("--identity-namespaces=*");
    let controller = more(options).start().await;
    Reception {
        namespace,
        controller,
    }
}

/// The same with keys of AWS, and another server in the place of SQS.
pub(super) async fn open_at(name: &str, url: &str) -> Reception {
    open(name, |options| {
        options
            .environment("AWS_ENDPOINT_URL_SQS", url)
            .environment("AWS_ACCESS_KEY_ID", "OWN")
            .environment("AWS_SECRET_ACCESS_KEY", "canary-own")
    })
    .await
}

impl Reception {
    pub(super) async fn pull(&self, kind: &str, pull: &Value, registry: &str) {
        self.pull_as("queue", kind, pull, registry).await;
    }

    /// The same by a receiver of another name.
    async fn pull_as(&self, name: &str, kind: &str, pull: &Value, registry: &str) {
        let receiver = json!({
            "apiVersion": "transship.dev/v1alpha1", "kind": "ImageReceiver",
            "metadata": {"name": name},
            "spec": {"type": kind, "registry": registry, "pull": pull},
        });
        self.namespace.apply(&receiver.to_string()).await;
    }

    /// What the receiver says where it is not ready for this reason.
    pub(super) async fn said(&self, reason: &str) -> String {
        let object = ready_for(&self.namespace, "irec", "queue", reason).await;
        let ready = find_condition(&object, "Ready").unwrap();
        let said = ready["message"].as_str().unwrap();
        said.replace(self.namespace.name(), "team")
    }

    /// Two tags are mirrored, and a third one may be.
    pub(super) async fn mirror(&self, source: &FaultRegistry, destination: &FaultRegistry) {
        source.load("app", "1", &image(1));
        let mirror = Mirror::of(&source.host())
            .image("app", &["*"])
            .destination("d", &destination.host())
            .with("/referrers", json!({"mode": "Skip"}));
        self.namespace.apply(&mirror.to_string()).await;
        ready_for(&self.namespace, "imir", "mirror", "Succeeded").await;
        source.script().clear_requests();
    }
}

fn call(moto: &Moto, operation: &str, body: &Value) -> Value {
    moto.call(
        "sqs",
        "application/x-amz-json-1.0",
        &format!("AmazonSQS.{operation}"),
        body,
    )
}

fn send(moto: &Moto, body: &str) {
    let message = json!({"QueueUrl": QUEUE, "MessageBody": body});
    call(moto, "SendMessage", &message);
}

/// How many messages wait, or were given to somebody who has not deleted them.
fn left(moto: &Moto) -> Vec<Value> {
    let asked = json!({"QueueUrl": QUEUE, "AttributeNames": ["All"]});
    let attributes = call(moto, "GetQueueAttributes", &asked);
    let count = |name: &str| attributes["Attributes"][name].clone();
    vec![
        count("ApproximateNumberOfMessages"),
        count("ApproximateNumberOfMessagesNotVisible"),
    ]
}

/// What `EventBridge` says of a push to ECR.
fn ecr(tag: &str) -> String {
    json!({
        "detail-type": "ECR Image Action", "source": "aws.ecr", "account": "123456789012", "region": "eu-west-1",
        "detail": {"result": "SUCCESS", "action-type": "PUSH", "repository-name": "app", "image-tag": tag},
    })
    .to_string()
}

fn sns(message: &str) -> String {
    json!({"Type": "Notification", "TopicArn": "arn", "Message": message}).to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_of_a_queue_are_looks_and_then_gone() {
    let moto = Arc::new(Moto::start().await);
    call(&moto, "CreateQueue", &json!({"QueueName": "pushes"}));
    let shared = Arc::clone(&moto);
    let cloud = Cloud::start(move |request| shared.answer(request));
    let (source, destination) = (FaultRegistry::start(), FaultRegistry::start());
    let reception = open_at("events-sqs", &cloud.url()).await;
    reception.mirror(&source, &destination).await;
    let pull = json!({"from": QUEUE});
    reception.pull("ECR", &pull, &source.host()).await;
    assert_eq!(
        reception.said("Succeeded").await,
        "events are taken from spec.pull.from"
    );

    // Two that were pushed, one of them told of by a topic; what nobody wants, what is none, and a replay.
    source.load("app", "2", &image(2));
    source.load("app", "3", &image(3));
    let began = Instant::now();
    send(&moto, "no event");
    send(&moto, &json!({"source": "aws.s3"}).to_string());
    send(&moto, &sns(&ecr("3")));
    for _ in 0..40 {
        send(&moto, &ecr("2"));
    }
    send(&moto, &ecr("2").replace("\"app\"", "\"other\""));
    for (tag, seed) in [("2", 2), ("3", 3)] {
        arrives(&destination.client(), "app", tag, &image(seed)).await;
    }
    until("no message is left", async || left(&moto) == ["0", "0"]).await;
    let most = 2 + usize::try_from(began.elapsed().as_secs() / PER_TAG.as_secs()).unwrap();
    let looks = looked_up(&source);
    for tag in ["app:2", "app:3"] {
        let of_tag = looks.iter().filter(|look| *look == tag).count();
        assert!((1..=most).contains(&of_tag), "{looks:?}");
    }
    assert_eq!(reception.count("ECR", "accepted").await, 41);
    for result in ["malformed", "ignored", "unmatched"] {
        assert_eq!(reception.count("ECR", result).await, 1, "{result}");
    }
    let told = |object: &Value| !object["status"]["lastMessageTime"].is_null();
    let receiver = reception.namespace.wait_for("irec", "queue", "told", told);
    assert!(receiver.await["status"]["path"].is_null());

    let suspend = |is: bool| json!({"spec": {"suspend": is}});
    change(&reception.namespace, "irec", "queue", &suspend(true)).await;
    ready_for(&reception.namespace, "irec", "queue", "Suspended").await;
    call(&moto, "DeleteQueue", &json!({"QueueUrl": QUEUE}));
    change(&reception.namespace, "irec", "queue", &suspend(false)).await;
    let said = reception.said("DependencyNotReady").await;
    let server = cloud.url().replace("http://", "");
    assert_eq!(
        said.replace(&server, "SQS"),
        format!(
            "spec.pull.from: there is no queue {QUEUE} at SQS, or it may not be seen: create it, or name another one"
        )
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_keeps_a_queue_from_being_read_is_told() {
    let nothing = |_: &Request| Reply::json(200, &json!({}));
    let cloud = Cloud::start(nothing);
    let reception = open_at("events-queue", &cloud.url()).await;
    // A ServiceAccount that is not there.
    let pull = json!({"from": QUEUE, "serviceAccountName": "none"});
    reception.pull("ECR", &pull, "r.test").await;
    insta::assert_snapshot!(reception.said("DependencyNotReady").await, @r#"spec.pull.serviceAccountName: there is no service account "none" in namespace "team": create it"#);
    assert!(cloud.requests().is_empty());
    let pull = json!({"from": QUEUE, "serviceAccountName": null});
    reception.pull("ECR", &pull, "r.test").await;
    ready_for(&reception.namespace, "irec", "queue", "Succeeded").await;

    let fault = |status: u16, kind: &str| {
        let body = json!({"__type": format!("com.amazonaws.sqs#{kind}"), "message": "canary-own"});
        Reply::json(status, &body)
    };
    let message = |body: String| {
        let message = json!({"Body": body, "ReceiptHandle": "r", "MessageId": "m"});
        Reply::json(200, &json!({"Messages": [message]}))
    };
    let cases = [
        (
            "RateLimited",
            fault(400, "RequestThrottled"),
            "is asked too much",
        ),
        (
            "AuthenticationFailed",
            fault(403, "ExpiredToken"),
            "ExpiredToken: ***",
        ),
        (
            "AccessDenied",
            fault(403, "AccessDeniedException"),
            "refuses messages with 403",
        ),
        ("Unreachable", Reply::new(503), "it answers 503"),
        (
            "Unreachable",
            Reply::new(200).body("<html>"),
            "not what is documented",
        ),
        (
            "Unreachable",
            message("a".repeat(5 << 20)),
            "its answer has more than",
        ),
    ];
    for (reason, reply, part) in cases {
        cloud.answers(move |_| reply.clone());
        let said = reception.said(reason).await;
        assert!(
            said.starts_with("spec.pull.from: ") && said.contains(part),
            "{said}"
        );
        assert!(!said.contains("canary"), "{said}");
        cloud.answers(nothing);
        ready_for(&reception.namespace, "irec", "queue", "Succeeded").await;
    }
    // A message that cannot be deleted comes again: that is told until one is.
    cloud.answers(move |request| {
        let operation = request.headers.value("x-amz-target").unwrap_or_default();
        if operation.ends_with("ReceiveMessage") {
            return message(ecr("1"));
        }
        let failed = json!({"Id": "0", "Code": "AccessDenied", "SenderFault": true});
        Reply::json(200, &json!({"Failed": [failed]}))
    });
    let said = reception.said("AccessDenied").await;
    assert!(said.contains("the deletion of messages"), "{said}");
    assert!(reception.count("ECR", "unmatched").await >= 1);
}

/// How often a queue was asked for messages.
fn asked(cloud: &Cloud, queue: &str) -> usize {
    let requests = cloud.requests().into_iter();
    let bodies = requests.map(|request| serde_json::from_slice::<Value>(&request.body).unwrap());
    bodies.filter(|body| body["QueueUrl"] == queue).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_is_asked_until_its_receiver_is_suspended_or_gone() {
    let cloud = Cloud::start(|_| Reply::json(200, &json!({})));
    let reception = open_at("events-ends", &cloud.url()).await;
    let namespace = &reception.namespace;
    let from = |queue: &str| json!({"from": queue});
    reception.pull("ECR", &from(QUEUE), "r.test").await;
    ready_for(namespace, "irec", "queue", "Succeeded").await;
    // Others are asked as often as it was: by then, it would have been asked, too.
    let is_left_alone = async |other: &str| {
        let url = QUEUE.replace("pushes", other);
        let pull = from(&url);
        reception.pull_as(other, "ECR", &pull, "r.test").await;
        ready_for(namespace, "irec", other, "Succeeded").await;
        let before = asked(&cloud, QUEUE);
        let enough = asked(&cloud, &url) + 4;
        until("another queue is asked", async || {
            asked(&cloud, &url) >= enough
        })
        .await;
        asked(&cloud, QUEUE) == before
    };
    assert!(!is_left_alone("first").await, "it is asked");

    let suspend = |is: bool| json!({"spec": {"suspend": is}});
    change(namespace, "irec", "queue", &suspend(true)).await;
    ready_for(namespace, "irec", "queue", "Suspended").await;
    assert!(is_left_alone("second").await, "it is suspended");
    change(namespace, "irec", "queue", &suspend(false)).await;
    ready_for(namespace, "irec", "queue", "Succeeded").await;
    assert!(!is_left_alone("third").await, "it goes on");

    let path = namespace.path("irec", "queue").await;
    let client = namespace.plane().client();
    client.delete(&path).await.assert_success();
    // What is told of the next one is told after that.
    assert!(is_left_alone("fourth").await, "it is gone");
}

/// What is left in a subscription.
type Waiting = Arc<Mutex<Vec<(String, Value)>>>;

/// Pub/Sub with these messages, for whoever has the token.
fn pubsub(waiting: &Waiting, request: &Request) -> Reply {
    if request.headers.value("authorization") != Some("Bearer canary-token") {
        let error = json!({"code": 401, "status": "UNAUTHENTICATED", "message": "no"});
        return Reply::json(401, &json!({"error": error}));
    }
    let body: Value = serde_json::from_slice(&request.body).unwrap();
    let mut waiting = waiting.lock().unwrap();
    let operation = request
        .path
        .strip_prefix(&format!("/v1/{SUBSCRIPTION}:"))
        .unwrap_or_default();
    match operation {
        "pull" => {
            let most = usize::try_from(body["maxMessages"].as_u64().unwrap()).unwrap();
            let messages = waiting.iter().take(most);
            let messages: Vec<Value> = messages
                .map(|(id, message)| json!({"ackId": id, "message": message}))
                .collect();
            Reply::json(200, &json!({"receivedMessages": messages}))
        }
        "acknowledge" => {
            let ids = body["ackIds"].as_array().unwrap().clone();
            waiting.retain(|(id, _)| !ids.contains(&json!(id)));
            Reply::json(200, &json!({}))
        }
        _ => {
            let error =
                json!({"code": 404, "status": "NOT_FOUND", "message": "Resource not found"});
            Reply::json(404, &json!({"error": error}))
        }
    }
}

/// A controller that finds Pub/Sub and a metadata server of Google.
struct Subscribed {
    reception: Reception,
    waiting: Waiting,
    google: Cloud,
    _metadata: Cloud,
    _tunnel: Tunnel,
    _directory: TempDir,
}

impl Subscribed {
    async fn open(name: &str) -> Self {
        let (authority, directory) = (Authority::generate(), TempDir::new().unwrap());
        let waiting = Waiting::default();
        let shared = Arc::clone(&waiting);
        let tls = authority.issue_for(&["pubsub.googleapis.com"]).server();
        let google = Cloud::start_in_tls(tls, move |request| pubsub(&shared, request));
        let metadata = Cloud::start(|_| {
            let token =
                json!({"access_token": "canary-token", "expires_in": 3600, "token_type": "Bearer"});
            Reply::json(200, &token)
        });
        let tunnel = Tunnel::to(google.address());
        let ca = directory.path().join("ca.pem");
        fs::write(&ca, authority.pem()).unwrap();
        let reception = open(name, |options| {
            options
                .argument(&format!("--ca-file={}", ca.display()))
                .environment("GCE_METADATA_HOST", &metadata.address().to_string())
                .environment("ALL_PROXY", &tunnel.url())
                .environment("NO_PROXY", "127.0.0.1")
        })
        .await;
        Self {
            reception,
            waiting,
            google,
            _metadata: metadata,
            _tunnel: tunnel,
            _directory: directory,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_of_a_subscription_are_looks_and_then_gone() {
    let (source, destination) = (FaultRegistry::start(), FaultRegistry::start());
    let subscribed = Subscribed::open("events-pubsub").await;
    let Subscribed {
        reception, waiting, ..
    } = &subscribed;
    reception.mirror(&source, &destination).await;
    let pull = json!({"from": SUBSCRIPTION});
    reception.pull("GAR", &pull, &source.host()).await;
    ready_for(&reception.namespace, "irec", "queue", "Succeeded").await;

    source.load("app", "2", &image(2));
    let pushed = json!({"action": "INSERT", "tag": format!("{}/app:2", source.host())});
    let data = STANDARD.encode(pushed.to_string());
    let mut messages = vec![json!({"data": "!"}), json!({})];
    messages.extend(vec![json!({"data": data}); 30]);
    let numbered = messages.into_iter().enumerate();
    let numbered = numbered.map(|(number, message)| (number.to_string(), message));
    waiting.lock().unwrap().extend(numbered);
    arrives(&destination.client(), "app", "2", &image(2)).await;
    until("nothing is left", async || {
        waiting.lock().unwrap().is_empty()
    })
    .await;
    assert_eq!(reception.count("GAR", "accepted").await, 30);
    assert_eq!(reception.count("GAR", "ignored").await, 2);
    let looks = looked_up(&source);
    let looks = looks.iter().filter(|look| *look == "app:2").count();
    assert!((1..=2).contains(&looks), "{looks}");

    let gone = json!({"from": "projects/p/subscriptions/gone"});
    reception.pull("GAR", &gone, &source.host()).await;
    insta::assert_snapshot!(reception.said("DependencyNotReady").await, @"spec.pull.from: there is no queue projects/p/subscriptions/gone at pubsub.googleapis.com, or it may not be seen: create it, or name another one");
    let output = reception.controller.output();
    assert!(!output.contains("canary"), "{output}");
}

/// What a push to the registry is in a subscription.
fn pushed(source: &FaultRegistry, tag: &str) -> Value {
    let pushed = json!({"action": "INSERT", "tag": format!("{}/app:{tag}", source.host())});
    json!({"data": STANDARD.encode(pushed.to_string())})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_that_is_asked_too_much_is_asked_less_and_then_as_before() {
    let (source, destination) = (FaultRegistry::start(), FaultRegistry::start());
    let subscribed = Subscribed::open("events-throttled").await;
    let Subscribed {
        reception,
        waiting,
        google,
        ..
    } = &subscribed;
    reception.mirror(&source, &destination).await;
    source.load("app", "2", &image(2));
    let message = ("0".to_owned(), pushed(&source, "2"));
    waiting.lock().unwrap().push(message);

    // When it was asked, and for how many messages.
    let asked: Arc<Mutex<Vec<(Instant, u64)>>> = Arc::default();
    let refuse = |status: u16, code: &'static str| {
        let asked = Arc::clone(&asked);
        google.answers(move |request| {
            let body: Value = serde_json::from_slice(&request.body).unwrap();
            let most = body["maxMessages"].as_u64().unwrap();
            asked.lock().unwrap().push((Instant::now(), most));
            let error = json!({"code": status, "status": code, "message": "too much"});
            Reply::json(status, &json!({"error": error}))
        });
    };
    refuse(429, "RESOURCE_EXHAUSTED");
    let pull = json!({"from": SUBSCRIPTION});
    reception.pull("GAR", &pull, &source.host()).await;
    insta::assert_snapshot!(reception.said("RateLimited").await, @"spec.pull.from: pubsub.googleapis.com is asked too much: try again later");
    refuse(503, "UNAVAILABLE");
    let said = reception.said("Unreachable").await;
    assert!(said.contains("it answers 503"), "{said}");
    assert_eq!(waiting.lock().unwrap().len(), 1, "nothing is acknowledged");

    let shared = Arc::clone(waiting);
    google.answers(move |request| pubsub(&shared, request));
    arrives(&destination.client(), "app", "2", &image(2)).await;
    ready_for(&reception.namespace, "irec", "queue", "Succeeded").await;
    until("nothing is left", async || {
        waiting.lock().unwrap().is_empty()
    })
    .await;
    // Each failure doubles the shortest pause, and after one a single message is asked for.
    let asked = asked.lock().unwrap();
    let mut shortest = Duration::from_millis(750);
    assert!(asked.len() >= 4, "{asked:?}");
    for pair in asked.windows(2) {
        assert!(pair[1].0 - pair[0].0 >= shortest, "{asked:?}");
        assert_eq!(pair[1].1, 1);
        shortest *= 2;
    }
}
