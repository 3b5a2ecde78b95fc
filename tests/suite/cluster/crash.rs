// SPDX-License-Identifier: Apache-2.0

//! A controller that is killed at any request that changes something, at the API server or at a registry.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::join;
use serde_json::Value;

use super::scene::{LEASE, MIRROR, Scene, Source};
use crate::support::access_log::Request;
use crate::support::cluster::controller::Options;
use crate::support::cluster::namespace::find_condition;
use crate::support::cluster::{ApiProxy, ControlPlane, Controller};
use crate::support::crash::KillSwitch;
use crate::support::front::{Additions, Door, Front, Moment};
use crate::support::poller::Poller;
use crate::support::registries::{Kind, Registry, Security};

/// A round has more changes than this: blobs, manifests, records, status and events.
const CHANGES: usize = 25;

/// How often a controller is looked after.
const POLL: Duration = Duration::from_millis(10);

/// A repository with its registry, and a tag.
type Place = (String, String);

/// Where controllers meet their end.
struct Cliff {
    switch: KillSwitch,
    destination: Registry,
    front: Front,
    proxy: ApiProxy<'static>,
}

impl Cliff {
    async fn build() -> Self {
        let switch = KillSwitch::new();
        let destination = Registry::start(Kind::Distribution3, Security::Plain).await;
        let additions = Additions {
            watcher: Some(switch.watcher()),
            ..Additions::default()
        };
        let front = Door::open().serve(destination.address(), additions);
        let plane = ControlPlane::shared().await;
        Self {
            proxy: ApiProxy::watched_by(plane, switch.watcher()),
            switch,
            destination,
            front,
        }
    }

    fn controller(&self, scene: &Scene) -> Options {
        let token = scene.namespace().plane().admin_token();
        let kubeconfig = self.proxy.kubeconfig_for(token);
        Controller::options(&kubeconfig).namespace(scene.namespace().name())
    }

    /// Where everything is to be, and the path at the destination that pushes to it begin with.
    fn places(&self, scene: &Scene) -> BTreeMap<Place, String> {
        let places = scene.places().into_iter();
        places
            .map(|(repository, tag)| {
                let path = format!("/v2/{repository}/");
                let repository = format!("{}/{repository}", self.front.address());
                ((repository, tag.to_owned()), path)
            })
            .collect()
    }

    /// Runs a controller until it is killed at this change, or has made a round and stopped. Whether it
    /// was killed.
    async fn push(&self, scene: &Scene, moment: Moment, change: usize) -> bool {
        self.switch.arm(moment, change);
        let mut controller = self.controller(scene).launch();
        let process = controller.process();
        self.switch.aim(process);
        while process.is_alive() && !is_ready(scene).await {
            tokio::time::sleep(POLL).await;
        }
        if process.is_alive() {
            controller.stop().await;
        } else {
            controller.ended().await;
        }
        !self.switch.disarm()
    }
}

async fn is_ready(scene: &Scene) -> bool {
    let mirror = scene.namespace().json("imir", MIRROR).await;
    mirror.is_some_and(|mirror| {
        find_condition(&mirror, "Ready").is_some_and(|ready| ready["status"] == "True")
    })
}

/// What is on record.
async fn recorded(scene: &Scene) -> BTreeMap<Place, Value> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let mut tags = BTreeMap::new();
    for object in scene.namespace().list("mrepo").await {
        for tag in object["status"]["tags"].as_array().into_iter().flatten() {
            let repository = text(&object["spec"]["repository"]);
            tags.insert((repository, text(&tag["tag"])), tag.clone());
        }
    }
    tags
}

/// Goes on only if nothing was sent to a repository whose tags are not on record.
async fn assert_on_record(scene: &Scene, cliff: &Cliff) {
    let recorded = recorded(scene).await;
    let requests = cliff.destination.requests().await;
    for (place, path) in cliff.places(scene) {
        let is_push = |request: &Request| request.is_mutating() && request.path.starts_with(&path);
        assert!(
            recorded.contains_key(&place) || !requests.iter().any(is_push),
            "{place:?} is not on record"
        );
    }
}

/// Goes on only if the records say that everything is there: pushed and seen to be, or adopted where the
/// process that pushed did not live to see it.
async fn assert_recorded_as_done(scene: &Scene, cliff: &Cliff, was_killed: bool) {
    let recorded = recorded(scene).await;
    for (place, tag) in &recorded {
        let was_seen = tag["copiedAt"].is_string();
        let is_adopted = tag["adopted"] == true;
        assert!(tag["state"].is_null(), "{place:?}: {tag}");
        assert!(was_seen != is_adopted, "{place:?}: {tag}");
        assert!(was_seen || was_killed, "{place:?}: {tag}");
    }
    let expected = cliff.places(scene);
    assert!(recorded.keys().eq(expected.keys()), "{recorded:?}");
}

async fn kill_at_every_change(moment: Moment) {
    let source = Source::start(1_000).await;
    let cliff = Cliff::build().await;
    for change in 1.. {
        let name = format!("{moment:?}-{change}").to_lowercase();
        let scene = Scene::before(&source, &name).await;
        scene.mirror_to(&cliff.front.address().to_string()).await;
        let repositories = ["app", "tool"].map(|repository| scene.place(repository));
        let poller = Poller::watch(
            &cliff.destination.client(),
            &repositories.each_ref().map(String::as_str),
        );
        let was_killed = cliff.push(&scene, moment, change).await;
        assert_on_record(&scene, &cliff).await;

        let lease = scene.namespace().path("lease", LEASE).await;
        // Nobody holds it any more: the next process need not wait until it has run out.
        scene.client().delete(&lease).await.assert_success();
        let next = cliff.controller(&scene).start().await;
        scene.wait_until_ready().await;
        scene.assert_mirrored(&cliff.destination.client()).await;
        assert_recorded_as_done(&scene, &cliff, was_killed).await;
        drop(next);
        assert_eq!(poller.finish().await.problems, [], "{name}");
        if !was_killed {
            assert!(change > CHANGES, "only {change} changes were seen");
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_controller_that_is_killed_at_any_change_is_finished_by_the_next_one() {
    join!(
        kill_at_every_change(Moment::BeforeForward),
        kill_at_every_change(Moment::BeforeReply),
        kill_at_every_change(Moment::AfterReply),
    );
}
