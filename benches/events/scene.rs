// SPDX-License-Identifier: Apache-2.0

//! Some mirrors whose source tells of pushes, and somebody who pushes at a steady rate.

use std::time::{Duration, Instant};

use futures::{StreamExt as _, stream};
use serde_json::{Value, json};
use tokio::time::{MissedTickBehavior, interval, sleep};

use crate::arrivals::{Arrivals, Place};
use crate::figures::{Figures, Times};
use crate::shared::calibration::Calibration;
use crate::shared::process::{cpu_seconds, forget_peak_rss, peak_rss_bytes};
use crate::support::access_log::{Resource, count};
use crate::support::cluster::namespace::find_condition;
use crate::support::cluster::{ControlPlane, Controller, Namespace};
use crate::support::content::{Image, ImageBuilder};
use crate::support::registries::{Kind, Registry};

/// How many repositories there are, each with a mirror of its own.
const MIRRORS: usize = 4;
/// The token of the receiver.
const TOKEN: &str = "a-token-of-some-length";
/// Longer than anything that is still worth waiting for.
const PATIENCE: Duration = Duration::from_secs(120);
/// How many pushes are on their way at once, where the source is slow.
const AT_ONCE: usize = 64;
/// After how many pushes something is told.
const TOLD: usize = 200;
/// What an image is made of that nobody else has: manifest, config and layer.
const CONTENTS: usize = 3;

/// What takes part.
struct Surroundings<'a> {
    /// It ends when dropped, like the destination.
    _namespace: Namespace<'a>,
    controller: Controller,
    source: Registry,
    arrivals: Arrivals,
    _destination: Registry,
}

/// Pushes so many tags, and says what came of them.
pub(crate) async fn run(pushes: usize, rate: f64) -> Figures {
    let calibration = Calibration::take();
    let plane = ControlPlane::start().await;
    let around = Surroundings::start(&plane).await;
    let pid = around.controller.process().id();
    around.source.forget_requests().await;
    forget_peak_rss(pid);
    let cpu = cpu_seconds(pid).unwrap_or_default();
    let began = Instant::now();
    let starts = around.push(pushes, rate).await;
    let took = began.elapsed();
    let deadline = Instant::now() + PATIENCE;
    while around.arrivals.count() < pushes + MIRRORS && Instant::now() < deadline {
        sleep(Duration::from_millis(50)).await;
    }
    let arrived = around.arrivals.all();
    let times = starts.iter().filter_map(|(place, began)| {
        let arrived = arrived.get(place)?;
        Some(arrived.saturating_duration_since(*began))
    });
    let asked = around.source.requests().await;
    let pulls = count(&asked, "GET", Resource::Manifest) + count(&asked, "GET", Resource::Blob);
    let looks = count(&asked, "HEAD", Resource::Manifest);
    let lists = count(&asked, "GET", Resource::Tags);
    let times = Times::of(times.collect());
    Figures {
        pushes,
        asked_rate: rate,
        #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
        rate: pushes as f64 / took.as_secs_f64(),
        calibration,
        extra_pulls: pulls.saturating_sub(times.arrived * CONTENTS),
        times,
        looks,
        lists,
        cpu_seconds: cpu_seconds(pid).unwrap_or_default() - cpu,
        peak_rss_bytes: peak_rss_bytes(pid).unwrap_or_default(),
    }
}

impl<'a> Surroundings<'a> {
    /// Everything is in place, and a first tag of each repository is copied.
    async fn start(plane: &'a ControlPlane) -> Self {
        let namespace = plane.namespace("events").await;
        let options = Controller::options(plane.kubeconfig()).namespace(namespace.name());
        let controller = options.argument("--events-address=127.0.0.1:0").start();
        let controller = controller.await;
        let url = receive(&namespace, &controller).await;
        let source = Registry::options(Kind::Distribution3).notifies_of_images(&url, TOKEN);
        let source = source.start().await;
        let arrivals = Arrivals::start();
        let destination =
            Registry::options(Kind::Distribution3).notifies_of_images(&arrivals.url(), TOKEN);
        let destination = destination.start().await;
        for number in 0..MIRRORS {
            let repository = repository(number);
            source.client().push(&repository, "first", &image(0)).await;
            let mirror = mirror(&repository, &source.host(), &destination.host());
            namespace.apply(&mirror.to_string()).await;
        }
        for number in 0..MIRRORS {
            let name = repository(number);
            let mirror = namespace.wait_for_condition("imir", &name, "Ready", "True");
            mirror.await;
        }
        Self {
            _namespace: namespace,
            controller,
            source,
            arrivals,
            _destination: destination,
        }
    }

    /// Pushes at a steady rate, and says when each push began.
    async fn push(&self, pushes: usize, rate: f64) -> Vec<(Place, Instant)> {
        let mut clock = interval(Duration::from_secs_f64(1.0 / rate));
        clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let numbers = stream::unfold((clock, 0), |(mut clock, number)| async move {
            if number == pushes {
                return None;
            }
            clock.tick().await;
            Some((number, (clock, number + 1)))
        });
        let running = numbers.map(|number| self.push_one(number));
        running.buffer_unordered(AT_ONCE).collect().await
    }

    async fn push_one(&self, number: usize) -> (Place, Instant) {
        let (client, image) = (self.source.client(), image(number + 1));
        let place = (repository(number % MIRRORS), format!("v{number}"));
        let began = Instant::now();
        client.push(&place.0, &place.1, &image).await;
        if number % TOLD == TOLD - 1 {
            let arrived = self.arrivals.count() - MIRRORS;
            eprintln!("{} pushed, {arrived} arrived", number + 1);
        }
        (place, began)
    }
}

/// A receiver of the namespace, and where it takes events.
async fn receive(namespace: &Namespace<'_>, controller: &Controller) -> String {
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "events"}, "stringData": {"token": TOKEN},
    });
    let receiver = json!({
        "apiVersion": "transship.dev/v1alpha1", "kind": "ImageReceiver", "metadata": {"name": "source"},
        "spec": {"type": "Distribution", "secretRef": {"name": "events"}},
    });
    namespace.apply(&format!("{secret}\n---\n{receiver}")).await;
    let is_open = |receiver: &Value| {
        let ready = find_condition(receiver, "Ready");
        ready.is_some_and(|ready| ready["status"] == "True")
    };
    let receiver = namespace.wait_for("irec", "source", "open", is_open).await;
    let path = receiver["status"]["path"].as_str().unwrap_or_default();
    let listening = controller.wait_for_log(|line| line["message"] == "taking events");
    let address = listening.await["address"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    format!("http://{address}{path}")
}

fn repository(number: usize) -> String {
    format!("app-{number}")
}

fn image(number: usize) -> Image {
    let seed = u64::try_from(number).unwrap_or_default();
    ImageBuilder::new(seed).layers(&[10_000]).build()
}

fn mirror(repository: &str, source: &str, destination: &str) -> Value {
    json!({
        "apiVersion": "transship.dev/v1alpha1", "kind": "ImageMirror", "metadata": {"name": repository},
        "spec": {
            "source": {"registry": source, "insecure": true},
            "images": [{"repository": repository, "tags": ["*"]}],
            "destinations": [{"name": "mirror", "registry": destination, "insecure": true}],
            "interval": "24h",
        },
    })
}
