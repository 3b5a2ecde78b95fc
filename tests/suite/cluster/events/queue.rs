// SPDX-License-Identifier: Apache-2.0

//! What becomes of messages of a queue when something comes between: a lease that is lost, a deletion that fails for some,
//! messages that nobody understands.

use std::sync::{Arc, Mutex};

use super::pull::open_at;
use super::*;
use crate::cluster::scene::is_holding;
use crate::support::cloud::Cloud;
use crate::support::http::script::{Action, Gate};
use crate::support::http::{Reply, Request};

const QUEUE: &str = "https://sqs.eu-west-1.amazonaws.com/123456789012/pushes";
/// The keys of the first controller, and of the one that comes after it.
const FIRST: &str = "AKIDFIRST";
const SECOND: &str = "AKIDSECOND";

/// A queue that gives out what waits in it to whoever asks, until somebody deletes it: as if the time for which a message is
/// hidden had passed at once.
#[derive(Clone, Default)]
struct Messages(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    /// Each by its receipt.
    waiting: Vec<(String, String)>,
    /// Receipts whose deletion fails, each with an entry for the answer.
    undeletable: Vec<(String, Value)>,
    /// Receipts of which the deletion was asked for, with the key that signed it.
    deleted: Vec<(String, String)>,
}

impl Messages {
    fn add(&self, receipt: &str, body: &str) {
        let message = (receipt.to_owned(), body.to_owned());
        self.lock().waiting.push(message);
    }

    /// Fails to delete a message, for this reason, until that is forgotten.
    fn hold(&self, receipt: &str, code: &str, sender_fault: bool) {
        let failed = json!({"Code": code, "SenderFault": sender_fault});
        self.lock().undeletable.push((receipt.to_owned(), failed));
    }

    fn let_go(&self) {
        self.lock().undeletable.clear();
    }

    fn left(&self) -> Vec<String> {
        let state = self.lock();
        let receipts = state.waiting.iter().map(|(receipt, _)| receipt.clone());
        receipts.collect()
    }

    /// How often the deletion of a message was asked for.
    fn deletions(&self, receipt: &str) -> usize {
        let state = self.lock();
        let deleted = state.deleted.iter().filter(|(of, _)| of == receipt);
        deleted.count()
    }

    /// The keys of whoever deleted messages.
    fn deleters(&self) -> Vec<String> {
        let state = self.lock();
        let mut deleters: Vec<_> = state.deleted.iter().map(|(_, key)| key.clone()).collect();
        deleters.dedup();
        deleters
    }

    fn answer(&self, request: &Request) -> Reply {
        let operation = request.headers.value("x-amz-target").unwrap_or_default();
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        if operation.ends_with("ReceiveMessage") {
            return self.give(usize::try_from(
                body["MaxNumberOfMessages"].as_u64().unwrap(),
            ));
        }
        assert!(operation.ends_with("DeleteMessageBatch"), "{operation}");
        self.delete(&body, &signer(request))
    }

    fn give(&self, most: Result<usize, std::num::TryFromIntError>) -> Reply {
        let state = self.lock();
        let given = state.waiting.iter().take(most.unwrap());
        let given: Vec<Value> = given
            .map(|(receipt, body)| {
                json!({"MessageId": receipt, "ReceiptHandle": receipt, "Body": body})
            })
            .collect();
        Reply::json(200, &json!({"Messages": given}))
    }

    fn delete(&self, body: &Value, key: &str) -> Reply {
        let mut state = self.lock();
        let (mut successful, mut failed) = (Vec::new(), Vec::new());
        for entry in body["Entries"].as_array().unwrap() {
            let receipt = entry["ReceiptHandle"].as_str().unwrap();
            state.deleted.push((receipt.to_owned(), key.to_owned()));
            let fault = state.undeletable.iter().find(|(of, _)| of == receipt);
            if let Some((_, fault)) = fault {
                let mut fault = fault.clone();
                fault["Id"] = entry["Id"].clone();
                failed.push(fault);
            } else {
                successful.push(json!({"Id": entry["Id"]}));
                state.waiting.retain(|(of, _)| of != receipt);
            }
        }
        Reply::json(200, &json!({"Successful": successful, "Failed": failed}))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }
}

/// Whose key a request is signed with.
fn signer(request: &Request) -> String {
    let authorization = request.headers.value("authorization").unwrap_or_default();
    let (_, credential) = authorization.split_once("Credential=").unwrap();
    credential.split('/').next().unwrap().to_owned()
}

fn queue() -> (Messages, Cloud) {
    for key in [FIRST, SECOND] {
        crate::support::sigv4::know(key, "canary-own");
    }
    let messages = Messages::default();
    let shared = messages.clone();
    (
        messages,
        Cloud::start(move |request| shared.answer(request)),
    )
}

/// What `EventBridge` says of a push to ECR.
fn ecr(tag: &str) -> String {
    json!({
        "detail-type": "ECR Image Action", "source": "aws.ecr", "account": "123456789012", "region": "eu-west-1",
        "detail": {"result": "SUCCESS", "action-type": "PUSH", "repository-name": "app", "image-tag": tag},
    })
    .to_string()
}

fn is_receive(request: &Request) -> bool {
    let operation = request.headers.value("x-amz-target").unwrap_or_default();
    operation.ends_with("ReceiveMessage")
}

fn with_keys(options: Options, url: &str, key: &str) -> Options {
    options
        .argument("--identity-namespaces=*")
        .environment("AWS_ENDPOINT_URL_SQS", url)
        .environment("AWS_ACCESS_KEY_ID", key)
        .environment("AWS_SECRET_ACCESS_KEY", "canary-own")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_comes_when_the_lease_is_lost_is_left_to_the_next_leader() {
    let (messages, cloud) = queue();
    let (source, destination) = (FaultRegistry::start(), FaultRegistry::start());
    let namespace = ControlPlane::shared().await.namespace("events-lease").await;
    let options = with_keys(controller_of(&namespace), &cloud.url(), FIRST);
    let mut reception = Reception {
        namespace,
        controller: options.start().await,
    };
    reception.mirror(&source, &destination).await;
    let pull = json!({"from": QUEUE});
    reception.pull("ECR", &pull, &source.host()).await;
    ready_for(&reception.namespace, "irec", "queue", "Succeeded").await;

    // The answer with the message is on its way while the controller hangs, and there when it goes on.
    let gate = Gate::closed();
    source.load("app", "2", &image(2));
    let held = cloud.script().when(is_receive).nth(1);
    held.does(Action::HoldReply(gate.clone()));
    messages.add("one", &ecr("2"));
    gate.reached().await;
    reception.controller.halt().await;
    let options = with_keys(controller_of(&reception.namespace), &cloud.url(), SECOND);
    // Nobody else takes it before that: the second one waits at a gate of its own.
    let next = Gate::closed();
    let held = cloud
        .script()
        .when(|request| is_receive(request) && signer(request) == SECOND);
    held.does(Action::Hold(next.clone()));
    let follower = options.start().await;
    follower.wait_for_log(is_holding).await;
    next.reached().await;
    gate.open();
    reception.controller.go_on();
    let status = reception.controller.ended().await;
    assert_eq!(status.code(), Some(1), "{}", reception.controller.output());
    assert_eq!(messages.left(), ["one"]);
    assert!(messages.deleters().is_empty());
    assert_eq!(destination.tags("app"), ["1"]);

    next.open();
    arrives(&destination.client(), "app", "2", &image(2)).await;
    until("the message is gone", async || messages.left().is_empty()).await;
    assert_eq!(messages.deleters(), [SECOND]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_a_look_before_it_is_gone_and_comes_again_to_whoever_comes_next() {
    let (messages, cloud) = queue();
    let (source, destination) = (FaultRegistry::start(), FaultRegistry::start());
    let mut reception = open_at("events-before", &cloud.url()).await;
    reception.mirror(&source, &destination).await;
    let gate = Gate::closed();
    let held = cloud.script().when(|request| !is_receive(request)).nth(1);
    held.does(Action::Hold(gate.clone()));
    let pull = json!({"from": QUEUE});
    reception.pull("ECR", &pull, &source.host()).await;
    source.load("app", "2", &image(2));
    messages.add("one", &ecr("2"));
    gate.reached().await;
    arrives(&destination.client(), "app", "2", &image(2)).await;
    assert_eq!(messages.left(), ["one"]);

    // Whoever deletes it dies before that is done: the next one looks once more, and deletes it.
    reception.controller.kill();
    let again = controller_of(&reception.namespace);
    reception.controller = with_keys(again, &cloud.url(), SECOND).start().await;
    until("the message is gone", async || messages.left().is_empty()).await;
    assert_eq!(reception.count("ECR", "accepted").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_batch_only_what_could_not_be_deleted_comes_again() {
    let (messages, cloud) = queue();
    let reception = open_at("events-partial", &cloud.url()).await;
    let others = ["one", "three"];
    messages.hold("two", "InternalError", false);
    for receipt in ["one", "two", "three"] {
        messages.add(receipt, &ecr(receipt));
    }
    let pull = json!({"from": QUEUE});
    reception.pull("ECR", &pull, "r.test").await;
    // What may pass is told once it has lasted.
    let said = reception.said("Unreachable").await;
    let server = cloud.url().replace("http://", "");
    insta::assert_snapshot!(said.replace(&server, "SQS"), @r#"spec.pull.from: SQS cannot be used: the deletion of messages failed with "InternalError"; try again later"#);
    assert_eq!(messages.left(), ["two"]);
    for receipt in others {
        assert_eq!(messages.deletions(receipt), 1, "{receipt}");
    }
    assert!(messages.deletions("two") >= 3);

    messages.let_go();
    until("the last one is gone", async || messages.left().is_empty()).await;
    ready_for(&reception.namespace, "irec", "queue", "Succeeded").await;

    // Of several, that is told which a person has to mend.
    messages.hold("four", "InternalError", false);
    messages.hold("five", "AccessDenied", true);
    for receipt in ["four", "five"] {
        messages.add(receipt, &ecr(receipt));
    }
    let said = reception.said("AccessDenied").await;
    insta::assert_snapshot!(said.replace(&server, "SQS"), @r#"spec.pull.from: SQS refuses the deletion of messages; that says "AccessDenied""#);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_understands_is_read_once_and_keeps_nothing_from_being_read() {
    let (messages, cloud) = queue();
    let (source, destination) = (FaultRegistry::start(), FaultRegistry::start());
    let reception = open_at("events-poison", &cloud.url()).await;
    reception.mirror(&source, &destination).await;
    source.load("app", "2", &image(2));
    let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
    let wrapped = json!({"Type": "Notification", "TopicArn": "arn", "Message": "{"}).to_string();
    let name = ecr("2").replace("\"app\"", "\"../app\"");
    let malformed = ["", "{", "no event", &deep, &wrapped];
    for (number, body) in malformed.iter().enumerate() {
        messages.add(&format!("malformed {number}"), body);
    }
    for (receipt, body) in [
        ("null", "null"),
        ("list", "[1, {}]"),
        ("name", name.as_str()),
    ] {
        messages.add(receipt, body);
    }
    // More than an answer with several may have: it is read by itself.
    let long = "a".repeat(2 << 20);
    messages.add("long", &long);
    messages.add("good", &ecr("2"));
    let pull = json!({"from": QUEUE});
    reception.pull("ECR", &pull, &source.host()).await;
    arrives(&destination.client(), "app", "2", &image(2)).await;
    until("nothing is left", async || messages.left().is_empty()).await;
    ready_for(&reception.namespace, "irec", "queue", "Succeeded").await;

    assert_eq!(reception.count("ECR", "accepted").await, 1);
    let mut read = 0;
    for result in ["malformed", "ignored", "unmatched", "accepted"] {
        read += reception.count("ECR", result).await;
    }
    assert_eq!(read, malformed.len() + 5, "each is read once");
    assert!(reception.count("ECR", "malformed").await >= malformed.len());
    for receipt in ["malformed 0", "null", "long", "good"] {
        assert_eq!(messages.deletions(receipt), 1, "{receipt}");
    }
}
