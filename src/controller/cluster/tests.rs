// SPDX-License-Identifier: Apache-2.0

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use axum::Router;
use axum::body::Bytes;
use axum::http::{Method, StatusCode, Uri};
use kube::runtime::events::EventType;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::api::ImageNotification;
use crate::api::image_notification::ImageNotificationStatus;
use crate::runtime::lease::{self, Lease};

/// An API server that takes whatever it is sent, and how often it was sent something that is no lease.
fn server() -> (Client, Arc<AtomicUsize>) {
    let writes = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&writes);
    let answer = async move |method: Method, uri: Uri, body: Bytes| {
        if method == Method::GET {
            let missing = json!({"kind": "Status", "status": "Failure", "code": 404, "reason": "NotFound", "message": ""});
            return (StatusCode::NOT_FOUND, missing.to_string());
        }
        if !uri.path().contains("/leases") {
            count.fetch_add(1, SeqCst);
        }
        let mut object: Value = serde_json::from_slice(&body).unwrap();
        object["metadata"]["resourceVersion"] = json!("1");
        (StatusCode::CREATED, object.to_string())
    };
    let router = Router::new().fallback(answer);
    (Client::new(router, "default"), writes)
}

fn object<K: DeserializeOwned>(kind: &str, spec: &Value) -> K {
    let object = json!({
        "apiVersion": "transship.dev/v1alpha1", "kind": kind,
        "metadata": {"name": "a", "namespace": "team", "uid": "u"}, "spec": spec, "status": {},
    });
    serde_json::from_value(object).unwrap()
}

/// Everything that is ever written, once; says what was refused because of the lease.
async fn write_all(cluster: &Cluster) -> Vec<&'static str> {
    let notification: ImageNotification = object(
        "ImageNotification",
        &json!({"type": "Generic", "address": "https://r.test"}),
    );
    let record: MirroredRepository = object(
        "MirroredRepository",
        &json!({"mirror": "m", "destination": "d", "repository": "r.test/a", "part": 0}),
    );
    let status = ImageNotificationStatus::default();
    let about = notification.object_ref(&());
    let event = Event {
        type_: EventType::Normal,
        reason: "Copied".to_owned(),
        note: None,
        action: "Sync".to_owned(),
        secondary: None,
    };
    let status = cluster.write_status(&notification, &status).await;
    let new = cluster.write_record(&record, true).await;
    let known = cluster.write_record(&record, false).await;
    cluster.publish(&about, &event).await;
    let annotation = ("transship.dev/copied", Some("{}"));
    let annotated = cluster.annotate_record("team", "a", annotation).await;
    let named = JobStatus {
        name: "a".parse().unwrap(),
        uid: "u".to_owned(),
        indexes: 1,
        succeeded: 0,
        failed: 0,
        stopping: false,
    };
    let created = cluster.create_job(&Job::default()).await;
    let deleted = cluster.delete_job("team", &named).await;
    let outcomes = [
        ("status", status.map(drop)),
        ("new record", new),
        ("known record", known),
        ("annotation", annotated),
        ("new Job", created.map(drop)),
        ("deleted Job", deleted),
    ];
    let refused = outcomes
        .into_iter()
        .filter(|(_, outcome)| matches!(outcome, Err(WriteError::LeaseLost)));
    refused.map(|(what, _)| what).collect()
}

#[tokio::test]
async fn nothing_is_written_without_the_lease() {
    let (client, writes) = server();
    let settings = lease::Settings::new("system", "transship");
    let never = CancellationToken::new();
    let held = Lease::acquire(client.clone(), settings, &never).await;
    let held = held.unwrap();
    let claim = held.claim();
    let cluster = Cluster::new(client, claim.clone(), "a".to_owned());
    assert_eq!(write_all(&cluster).await, [""; 0]);
    let before = writes.load(SeqCst);
    assert!(before >= 8, "{before}");
    drop(held);
    claim.lost().await;
    let refused = write_all(&cluster).await;
    let all = [
        "status",
        "new record",
        "known record",
        "annotation",
        "new Job",
        "deleted Job",
    ];
    assert_eq!(refused, all);
    assert_eq!(writes.load(SeqCst), before);
}
