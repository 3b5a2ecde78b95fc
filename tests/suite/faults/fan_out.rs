// SPDX-License-Identifier: Apache-2.0

//! Several destinations, one of which misbehaves: the others have the image all the same.

use std::time::Duration;

use futures::future::join_all;
use serde_json::json;
use tokio::time::timeout;
use transship::copy::{Done, Engine, Error, Job, Progress};
use transship::registry::Pool;

use super::lab::{Lab, about_the_image, assert_complete, image, target};
use super::{AGENT, HANGING, refusal};
use crate::support::content::{Blob, Image, media_type};
use crate::support::faults::FaultRegistry;
use crate::support::http::script::{Action, Gate};

/// How long the tests let one destination hold up the others: nothing here takes so long by itself.
const PATIENCE: Duration = Duration::from_millis(300);
/// A layer that fits neither into the queue of a destination nor into the buffers of a connection.
const LARGE: usize = 24 * 1024 * 1024;

/// A source, a destination that misbehaves, and two that do not.
struct Fan {
    lab: Lab,
    others: [FaultRegistry; 2],
}

impl Fan {
    fn new(image: Image) -> Self {
        Self {
            lab: Lab::copying(image),
            others: [FaultRegistry::start(), FaultRegistry::start()],
        }
    }

    fn job(&self) -> Job {
        let pool = Pool::new(AGENT);
        let mut job = self.lab.job(&pool);
        let others = self.others.iter();
        job.targets
            .extend(others.map(|other| target(&pool, &other.host(), "team/app")));
        job
    }

    async fn copy(&self) -> Vec<Result<Done, Error>> {
        let engine = Engine::with_patience(Progress::none(), PATIENCE);
        engine.copy(&self.job()).await
    }

    /// Copies, and opens a gate at the first destination when the others have their tags.
    async fn copy_past(&self, name: &str, held: Gate) -> Vec<Result<Done, Error>> {
        let tagged = Gate::closed();
        for other in &self.others {
            about_the_image(other, "HEAD", "/manifests/1").does(Action::HoldReply(tagged.clone()));
        }
        let watch = async {
            for _ in &self.others {
                let reached = timeout(HANGING, tagged.reached()).await;
                assert!(reached.is_ok(), "{name}: the others wait");
            }
            tagged.open();
            held.open();
        };
        tokio::join!(self.copy(), watch).0
    }

    /// How many bodies of blobs the source sent to the engine.
    fn reads(&self) -> usize {
        let requests = self.lab.source.requests();
        let is_ours = requests.iter().filter(|request| {
            request.path.contains("/blobs/") && request.headers.value("user-agent") == Some(AGENT)
        });
        is_ours.count()
    }
}

/// An image of one layer, which need not be a good one.
fn image_of(layer: &Blob) -> Image {
    let config = Blob::json(media_type::OCI_CONFIG, &json!({"architecture": "amd64"}));
    let manifest = json!({
        "schemaVersion": 2, "mediaType": media_type::OCI_MANIFEST,
        "config": config.descriptor(), "layers": [layer.descriptor()],
    });
    Image {
        root: Blob::json(media_type::OCI_MANIFEST, &manifest),
        children: Vec::new(),
        blobs: vec![config, layer.clone()],
        referrers: Vec::new(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_three_fails_at_each_kind_of_request() {
    type Fault = (&'static str, &'static str, &'static str, &'static str);
    let faults: [Fault; 4] = [
        ("announcing a blob", "POST", "/uploads/", "AccessDenied"),
        ("uploading", "PUT", "/uploads/", "AccessDenied"),
        ("a child", "PUT", "/manifests/sha256", "AccessDenied"),
        ("the tag", "PUT", "/manifests/1", "AccessDenied"),
    ];
    join_all(faults.map(|(name, method, part, reason)| async move {
        let fan = Fan::new(image());
        let denied = refusal(403, "DENIED");
        fan.lab.at_destination(method, part).responds(denied);
        let results = fan.copy().await;
        let reasons = results.iter().map(|result| match result {
            Ok(_) => "",
            Err(error) => error.reason().as_str(),
        });
        assert_eq!(reasons.collect::<Vec<_>>(), [reason, "", ""], "{name}");
        assert!(fan.lab.destination.tags("team/app").is_empty(), "{name}");
        for other in &fan.others {
            assert_complete(other, "team/app", &fan.lab.image).await;
        }
        assert_eq!(fan.reads(), fan.lab.image.blobs.len(), "{name}");
    }))
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_asks_to_come_back_later_holds_up_nobody() {
    let fan = Fan::new(image());
    let busy = refusal(429, "TOOMANYREQUESTS").header("retry-after", "3600");
    fan.lab.upload().responds(busy);
    let results = fan.copy().await;
    let error = results[0].as_ref().unwrap_err();
    assert_eq!(error.reason().as_str(), "RateLimited");
    assert!(error.retry_at().is_some());
    for (other, result) in fan.others.iter().zip(&results[1..]) {
        assert!(result.is_ok(), "{result:?}");
        assert_complete(other, "team/app", &fan.lab.image).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_does_not_answer_holds_up_nobody() {
    type Silence = (&'static str, &'static str, &'static str);
    let silences: [Silence; 4] = [
        ("announcing a blob", "POST", "/uploads/"),
        ("uploading", "PUT", "/uploads/"),
        ("a child", "PUT", "/manifests/sha256"),
        ("the tag", "PUT", "/manifests/1"),
    ];
    join_all(silences.map(|(name, method, part)| async move {
        let (fan, held) = (Fan::new(image()), Gate::closed());
        let silence = Action::HoldReply(held.clone());
        fan.lab.at_destination(method, part).does(silence);
        for result in fan.copy_past(name, held).await {
            assert!(result.is_ok(), "{name}: {result:?}");
        }
        assert_complete(&fan.lab.destination, "team/app", &fan.lab.image).await;
    }))
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_takes_no_bytes_is_left_behind_and_served_by_itself() {
    let large = Blob::new(media_type::OCI_LAYER, vec![7; LARGE]);
    let (fan, held) = (Fan::new(image_of(&large)), Gate::closed());
    let digest = large.digest.replace(':', "%3A");
    let stuck = Action::HoldUpload(held.clone());
    fan.lab.at_destination("PUT", &digest).nth(1).does(stuck);
    for result in fan.copy_past("stuck", held).await {
        assert!(result.is_ok(), "{result:?}");
    }
    assert_complete(&fan.lab.destination, "team/app", &fan.lab.image).await;
    let requests = fan.lab.destination.requests();
    let uploads = requests
        .iter()
        .filter(|request| request.method == "PUT" && request.query.contains(&digest));
    assert_eq!(uploads.count(), 2, "one broken off, one whole");
    let smaller = fan.lab.image.blobs.len() - 1;
    assert_eq!(fan.reads(), smaller + 2, "one for the others, one for it");
}
