// SPDX-License-Identifier: Apache-2.0

//! A number of mirrors, from their creation to a round in which nothing happens.

use std::time::{Duration, Instant};

use crate::fleet::Fleet;
use crate::objects::Objects;
use crate::phase::{Phase, Surroundings};
use crate::registry::Registry;
use crate::report::{Sample, Scenario};
use crate::schedule::Schedule;
use crate::shared::calibration::Calibration;
use crate::support::cluster::{ControlPlane, Controller};
use crate::support::page::Page;

/// Longer than anything that is still worth waiting for.
const PATIENCE: Duration = Duration::from_secs(1800);

/// Images that people search on the page.
pub(crate) const SEARCHES: usize = 100;

/// How often metrics are looked at: they are long, and reading them costs the controller something.
const POLL: Duration = Duration::from_secs(1);

/// How long before the mirrors are due the time at rest ends.
const REST: Duration = Duration::from_secs(1);

/// What metrics say of a mirror that is ready.
const READY: &str = "transship_resource_ready{kind=\"ImageMirror\"";

/// Rounds that came to a good end.
const SUCCEEDED: &str = "transship_rounds_total{result=\"succeeded\",reason=\"Succeeded\"}";

/// Measures all phases.
pub(crate) async fn run(mirrors: usize) -> Scenario {
    let around = Surroundings {
        plane: ControlPlane::start().await,
        source: Registry::start().await,
        destination: Registry::start().await,
    };
    let fleet = Fleet {
        mirrors,
        source: around.source.host(),
        destination: around.destination.host(),
        schedule: Schedule::of(mirrors),
    };
    let calibration = Calibration::take();
    let began = Instant::now();
    fleet.create(&around.plane).await;
    let creation_seconds = began.elapsed().as_secs_f64();
    eprintln!("{mirrors} mirrors: created in {creation_seconds:.1} s");

    let takeover = take_over(&fleet, &around).await;
    let objects = Objects::measure(&around.plane).await;
    fleet.schedule.leave_time().await;
    let (controller, start) = start(&fleet, &around).await;
    let idle = rest(&fleet, &around, &controller).await;
    let (unchanged, succeeded) = pass(&fleet, &around, &controller).await;
    let searched = search(&fleet, &around, &controller).await;
    Scenario {
        mirrors,
        tags: fleet.tags(),
        calibration,
        creation_seconds,
        takeover,
        objects,
        start,
        idle,
        unchanged,
        searched,
        succeeded,
    }
}

/// The first controller, until every mirror is ready.
async fn take_over(fleet: &Fleet, around: &Surroundings) -> Sample {
    let phase = Phase::begin(None, around).await;
    let controller = launch(around).await;
    wait_for(&controller, "a first round of every mirror", async || {
        around.source.requests().heads >= fleet.tags()
    })
    .await;
    let sample = finish_when_ready(phase, fleet, around, &controller).await;
    told("first rounds", &sample);
    controller.stop().await;
    sample
}

/// A fresh process, until it knows every mirror.
async fn start(fleet: &Fleet, around: &Surroundings) -> (Controller, Sample) {
    let phase = Phase::begin(None, around).await;
    let controller = launch(around).await;
    let sample = finish_when_ready(phase, fleet, around, &controller).await;
    told("start", &sample);
    (controller, sample)
}

/// Until shortly before the mirrors are due. Metrics have been read by then, as Prometheus would.
async fn rest(fleet: &Fleet, around: &Surroundings, controller: &Controller) -> Sample {
    let pid = controller.process().id();
    let due = fleet.schedule.next();
    let phase = Phase::begin(Some(pid), around).await;
    let left = due - Instant::now();
    tokio::time::sleep(left.saturating_sub(REST)).await;
    let sample = phase.end(pid, around).await;
    told("idle", &sample);
    sample
}

/// From the second in which the mirrors are due until the last request; and how many rounds succeeded.
async fn pass(fleet: &Fleet, around: &Surroundings, controller: &Controller) -> (Sample, usize) {
    let pid = controller.process().id();
    let due = fleet.schedule.next();
    let before = succeeded(controller).await;
    let asked = around.source.requests().heads;
    let phase = Phase::begin(Some(pid), around).await;
    wait_for(controller, "a round of every mirror", async || {
        around.source.requests().heads >= asked + fleet.tags()
    })
    .await;
    wait_for(controller, "the end of every round", async || {
        succeeded(controller).await >= before + fleet.mirrors
    })
    .await;
    let last = around
        .source
        .last_request()
        .max(around.destination.last_request());
    let wall = last.map_or(Duration::ZERO, |last| last - due);
    let sample = Sample {
        wall_seconds: wall.as_secs_f64(),
        ..phase.end(pid, around).await
    };
    told("unchanged", &sample);
    (sample, succeeded(controller).await - before)
}

/// People ask for images on the page: every other one is there.
async fn search(fleet: &Fleet, around: &Surroundings, controller: &Controller) -> Sample {
    let pid = controller.process().id();
    let line = controller
        .wait_for_log(|line| line["message"] == "serving the page")
        .await;
    let Some(address) = line["address"].as_str() else {
        panic!("no address: {line}")
    };
    let page = Page::at(address);
    let phase = Phase::begin(Some(pid), around).await;
    for number in 0..SEARCHES {
        let (repository, tag) = (fleet.repository(number), number % 2);
        let seen = page.get(&format!("/?q={repository}:{}.0.0", 1 + tag)).await;
        assert_eq!(seen.status, 200, "{}", seen.body);
    }
    let sample = phase.end(pid, around).await;
    told("searches", &sample);
    sample
}

async fn launch(around: &Surroundings) -> Controller {
    let options = Controller::options(around.plane.kubeconfig());
    let options = options.argument("--lease-namespace=default");
    options.argument("--page-address=0").start().await
}

async fn finish_when_ready(
    phase: Phase,
    fleet: &Fleet,
    around: &Surroundings,
    controller: &Controller,
) -> Sample {
    wait_for(controller, "every mirror to be ready", async || {
        ready(controller).await >= fleet.mirrors
    })
    .await;
    phase.end(controller.process().id(), around).await
}

/// Mirrors that are ready, as far as the controller knows.
async fn ready(controller: &Controller) -> usize {
    let metrics = controller.metrics().await;
    let mirrors = metrics.lines().filter(|line| line.starts_with(READY));
    mirrors.filter(|line| line.ends_with(" 1")).count()
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a count"
)]
async fn succeeded(controller: &Controller) -> usize {
    controller.metric(SUCCEEDED).await.unwrap_or_default() as usize
}

async fn wait_for(controller: &Controller, what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so().await {
        let is_alive = controller.process().is_alive();
        assert!(
            is_alive,
            "the controller ended while it was waited for {what}:\n{}",
            controller.output()
        );
        assert!(Instant::now() < deadline, "waited too long for {what}");
        tokio::time::sleep(POLL).await;
    }
}

fn told(phase: &str, sample: &Sample) {
    eprintln!("{phase}: {:.1} s", sample.wall_seconds);
}
