// SPDX-License-Identifier: Apache-2.0

//! What is told of requests to one who looks on.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use transship::oci::Registry;
use transship::registry::{Class, Observer, Pool};

use super::{insecure, loaded, repository, tag};
use crate::support::faults::FaultRegistry;
use crate::support::http::Reply;
use crate::support::http::script::Action;

/// Writes down what it is told.
#[derive(Default)]
struct Notes(Mutex<Vec<String>>);

impl Notes {
    fn add(&self, registry: &Registry, note: &str) {
        assert!(registry.as_str().starts_with("127.0.0.1:"));
        self.0.lock().unwrap().push(note.to_owned());
    }
}

impl Observer for Notes {
    fn requested(&self, registry: &Registry, class: Class, status: Option<u16>) {
        self.add(registry, &format!("{} {status:?}", class.as_str()));
    }

    fn throttled(&self, registry: &Registry, wait: Duration) {
        self.add(registry, &format!("throttled {:.0}", wait.as_secs_f64()));
    }

    fn pulled(&self, registry: &Registry) {
        self.add(registry, "pulled");
    }
}

/// What is told of fetching a manifest twice.
async fn notes(registry: &FaultRegistry) -> Vec<String> {
    let notes = Arc::new(Notes::default());
    let pool = Pool::builder("transship/test")
        .observer(Arc::clone(&notes) as Arc<dyn Observer>)
        .build();
    let client = pool.client(&registry.host().parse().unwrap(), &insecure());
    let client = client.unwrap();
    for _ in 0..2 {
        let _ = client.fetch_manifest(&repository(), &tag()).await;
    }
    drop((client, pool));
    Arc::into_inner(notes).unwrap().0.into_inner().unwrap()
}

#[tokio::test]
async fn every_request_is_told_of_with_what_came_of_it() {
    let read = ["manifest_read Some(200)", "pulled"];
    let cases: [(&str, Option<Action>, &[&str]); 4] = [
        ("answered", None, &read),
        (
            "broken off",
            Some(Action::Close),
            &["manifest_read None", "manifest_read Some(200)", "pulled"],
        ),
        (
            "redirected",
            Some(Action::Respond(
                Reply::new(307).header("location", "/v2/team/app/manifests/v1"),
            )),
            &[
                "manifest_read Some(307)",
                "manifest_read Some(200)",
                "pulled",
            ],
        ),
        (
            "in trouble",
            Some(Action::Respond(Reply::new(503).header("retry-after", "0"))),
            &[
                "manifest_read Some(503)",
                "manifest_read Some(200)",
                "pulled",
            ],
        ),
    ];
    for (name, fault, expected) in cases {
        let (registry, _) = loaded();
        if let Some(fault) = fault {
            registry.on("GET", "/manifests/").first(1).does(fault);
        }
        assert_eq!(notes(&registry).await, [expected, &read].concat(), "{name}");
    }
}

#[tokio::test]
async fn a_rest_is_told_of_once() {
    let (registry, _) = loaded();
    let busy = Reply::new(429).header("retry-after", "3600");
    registry.on("GET", "/manifests/").responds(busy);
    assert_eq!(
        notes(&registry).await,
        ["manifest_read Some(429)", "throttled 3600"]
    );
}
