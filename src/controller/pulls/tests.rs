// SPDX-License-Identifier: Apache-2.0

use std::sync::LazyLock;

use serde_json::json;

use super::*;
use crate::api::ImageReceiver;
use crate::events::Sender;
use crate::identity::{Environment, Identities, Who};
use crate::runtime::metrics::Metrics;

static IDENTITIES: LazyLock<Identities> =
    LazyLock::new(|| Identities::new("tests", None, Environment::new([])).unwrap());

/// No queue is polled yet. Nobody awaits anything here, so none is ever asked.
fn pulls() -> Pulls {
    let metrics = ControllerMetrics::register(Metrics::new().registry());
    Pulls::new(
        Arc::new(Hinted::new(false)),
        Arc::new(Doors::new(false)),
        Arc::new(metrics),
        CancellationToken::new(),
        Arc::new(|| true),
    )
}

fn work(queue: &str) -> Work {
    let from = format!("https://sqs.eu-west-1.amazonaws.com/123456789012/{queue}");
    let receiver = json!({
        "apiVersion": "transship.dev/v1alpha1", "kind": "ImageReceiver", "metadata": {"name": "a"},
        "spec": {"type": "ECR", "pull": {"from": from}},
    });
    let receiver: ImageReceiver = serde_json::from_value(receiver).unwrap();
    let sender = Sender::of(&receiver).unwrap();
    let pull = sender.pull.as_ref().unwrap();
    let puller = IDENTITIES.puller(&pull.queue, &Who::Process);
    Work { puller, sender }
}

fn is_polled(reception: &Reception) -> bool {
    let Reception::Waiting { reason, .. } = reception else {
        panic!("{reception:?}");
    };
    *reason == Reason::Progressing
}

/// Which of these receivers are polled, all placed in this order.
fn place(pulls: &Pulls, namespace: &str, numbers: std::ops::Range<usize>) -> Vec<bool> {
    let placed = numbers.map(|number| {
        let reception = pulls.place(&format!("{namespace}/{number}"), work("pushes"));
        is_polled(&reception)
    });
    placed.collect()
}

#[tokio::test]
async fn so_many_queues_of_a_namespace_are_polled_and_one_more_waits_for_the_end_of_another() {
    let pulls = pulls();
    assert_eq!(place(&pulls, "team", 0..16), [true; 16]);
    let refused = pulls.place("team/16", work("pushes"));
    insta::assert_debug_snapshot!(refused, @r#"
    Waiting {
        reason: LimitExceeded,
        message: "16 queues of this namespace are polled already, or 256 of all: let several registries send to one queue",
    }
    "#);
    // Those that are polled stay so, also with another queue, and other namespaces are not held up.
    assert!(is_polled(&pulls.place("team/3", work("pushes"))));
    assert!(is_polled(&pulls.place("team/4", work("others"))));
    assert!(is_polled(&pulls.place("teams/0", work("pushes"))));
    pulls.stop("team/16");
    assert!(!is_polled(&pulls.place("team/16", work("pushes"))));
    pulls.stop("team/0");
    assert!(is_polled(&pulls.place("team/16", work("pushes"))));
    assert!(!is_polled(&pulls.place("team/0", work("pushes"))));
}

#[tokio::test]
async fn so_many_queues_of_all_namespaces_are_polled() {
    let pulls = pulls();
    for number in 0..16 {
        let placed = place(&pulls, &format!("team-{number}"), 0..16);
        assert_eq!(placed, [true; 16], "{number}");
    }
    assert_eq!(place(&pulls, "late", 0..2), [false; 2]);
    pulls.stop("team-7/3");
    assert_eq!(place(&pulls, "late", 0..2), [true, false]);
    assert_eq!(place(&pulls, "team-7", 3..4), [false]);
}
