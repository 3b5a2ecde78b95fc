// SPDX-License-Identifier: Apache-2.0

//! Two mirrors of one file that want one tag: who has it, and goes on having it.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use super::Files;
use crate::support::access_log::Request;
use crate::support::content::{Image, ImageBuilder};
use crate::support::faults::FaultRegistry;
use crate::support::http::Reply;
use crate::support::http::script::{Action, Gate};
use crate::support::process::Daemon;
use crate::support::program::Finished;
use crate::support::registries::{Kind, Registry, Security};

const SYNC: [&str; 5] = ["sync", "-f", "both.yaml", "--state", "state.json"];
/// How many pairs begin at once.
const PAIRS: usize = 50;
/// How long a watch may take to say something.
const PATIENCE: Duration = Duration::from_secs(120);

fn image(seed: u64) -> Image {
    ImageBuilder::new(seed).layers(&[300]).build()
}

/// A mirror of one tag, which it writes to a repository as it is named.
fn mirror(name: &str, from: &str, image: &str, to: (&str, &str), more: &str) -> String {
    format!(
        "---
apiVersion: transship.dev/v1alpha1
kind: ImageMirror
metadata: {{name: {name}}}
spec:
  source: {{registry: '{from}', insecure: true}}
  images: [{{{image}}}]
  destinations: [{{name: d, registry: '{}', insecure: true, repository: {}}}]
{more}",
        to.0, to.1
    )
}

/// What the tag names.
async fn digest(registry: &Registry, repository: &str) -> String {
    let found = registry.client().resolve_digest(repository, "1").await;
    found.unwrap().expect("the tag is there")
}

/// Waits until all that a program wrote says something.
async fn wait_until(watch: &mut Daemon, is_said: impl Fn(&str) -> bool) {
    let began = Instant::now();
    loop {
        let said = watch.written();
        if is_said(&said) {
            return;
        }
        assert!(began.elapsed() < PATIENCE && watch.is_running(), "{said}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Two sources, and a destination where the mirror that comes last has the tag by an earlier run.
struct Scene {
    first: FaultRegistry,
    last: FaultRegistry,
    destination: Registry,
    files: Files,
}

impl Scene {
    async fn open() -> Self {
        let (first, last) = (FaultRegistry::start(), FaultRegistry::start());
        first.load("app", "1", &image(1));
        last.load("app", "1", &image(2));
        last.load("other", "2", &image(3));
        let destination = Registry::start(Kind::Distribution3, Security::Plain).await;
        let files = Files::new(&[]);
        let scene = Self {
            first,
            last,
            destination,
            files,
        };
        let alone = scene.holder("repository: app, tags: ['1']", "");
        fs::write(scene.files.path("both.yaml"), alone).unwrap();
        scene.files.run(&SYNC).await.assert_success();
        scene.write_both("repository: app, tags: ['1']", "");
        scene
    }

    fn holder(&self, image: &str, more: &str) -> String {
        let destination = self.destination.host();
        let to = (destination.as_str(), "shared");
        mirror("zoe", &self.last.host(), image, to, more)
    }

    fn write_both(&self, image: &str, more: &str) {
        let destination = self.destination.host();
        let to = (destination.as_str(), "shared");
        let wanting = "repository: app, tags: ['1']";
        let first = mirror("ann", &self.first.host(), wanting, to, "");
        let both = first + &self.holder(image, more);
        fs::write(self.files.path("both.yaml"), both).unwrap();
    }

    async fn digest(&self) -> String {
        digest(&self.destination, "shared").await
    }

    /// The tag is as it was, and the mirror that does not have it was told who has.
    async fn assert_held(&self, finished: &Finished, name: &str) {
        let told = format!(
            "{0}/app:1 of mirror default/ann and {1}/app:1 of mirror default/zoe would both be {2}/shared:1",
            self.first.host(),
            self.last.host(),
            self.destination.host(),
        );
        assert!(
            finished.stderr.contains(&told),
            "{name}: {}",
            finished.stderr
        );
        assert_eq!(finished.code, Some(1), "{name}");
        assert_eq!(self.digest().await, image(2).digest(), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_a_tag_by_the_state_file_has_it_whatever_its_own_round_comes_to() {
    let scene = Scene::open().await;
    let usual = "repository: app, tags: ['1']";
    scene
        .assert_held(&scene.files.run(&SYNC).await, "both run")
        .await;

    scene.write_both(usual, "  suspend: true\n");
    scene
        .assert_held(&scene.files.run(&SYNC).await, "suspended")
        .await;
    scene.write_both(usual, "");

    let alone = [&SYNC[..], &["--mirror", "ann"]].concat();
    scene
        .assert_held(&scene.files.run(&alone).await, "left out")
        .await;

    let refusing = scene.last.on("*", "/v2/");
    refusing.responds(Reply::error(403, "DENIED", "no"));
    scene
        .assert_held(&scene.files.run(&SYNC).await, "failing")
        .await;
    scene.last.script().clear_rules();

    scene.last.lose_tag("app", "1");
    scene
        .assert_held(&scene.files.run(&SYNC).await, "gone at its source")
        .await;
    let plan = ["plan", "-f", "both.yaml", "--state", "state.json"];
    scene
        .assert_held(&scene.files.run(&plan).await, "a plan")
        .await;

    // Nobody else wants it any more.
    scene.write_both("repository: other, tags: ['2']", "");
    scene.files.run(&SYNC).await.assert_success();
    assert_eq!(scene.digest().await, image(1).digest());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_that_begins_anew_goes_on_with_who_has_a_tag() {
    let scene = Scene::open().await;
    let gate = Gate::closed();
    // The one that has it cannot be asked before the other one has been told.
    let asked = scene.last.on("*", "/v2/");
    asked.does(Action::Hold(gate.clone()));
    let program = Path::new(env!("CARGO_BIN_EXE_transship"));
    let words = [&SYNC[..], &["--watch"]].concat();
    let mut watch = Daemon::spawn(program, &words, &scene.files.path(""));
    wait_until(&mut watch, |log| log.contains("would both be")).await;
    gate.open();
    wait_until(&mut watch, |log| log.contains("0 copied, 1 unchanged")).await;
    assert_eq!(scene.digest().await, image(2).digest());
    watch.process().signal("TERM");
    assert_eq!(watch.ended().await.code(), Some(0));
}

/// The younger one is ready to write while the older one has heard nothing of its source, or both are as fast.
#[tokio::test(flavor = "multi_thread")]
async fn of_two_mirrors_that_begin_at_once_the_first_one_alone_writes_their_tag() {
    for is_slow in [true, false] {
        let (older, younger) = (FaultRegistry::start(), FaultRegistry::start());
        let destination = Registry::start(Kind::Distribution3, Security::Plain).await;
        let mut documents = String::new();
        for pair in 0..PAIRS {
            let (repository, to) = (format!("app-{pair}"), format!("shared-{pair}"));
            older.load(&repository, "1", &image(older_seed(pair)));
            younger.load(&repository, "1", &image(older_seed(pair) + 1));
            let wanted = format!("repository: {repository}, tags: ['1']");
            let host = destination.host();
            let to = (host.as_str(), to.as_str());
            // By name the younger one comes first.
            let names = [format!("z-{pair}"), format!("a-{pair}")];
            documents += &mirror(&names[0], &older.host(), &wanted, to, "");
            documents += &mirror(&names[1], &younger.host(), &wanted, to, "");
        }
        let files = Files::new(&[("both.yaml", &documents)]);
        let gate = Gate::closed();
        if is_slow {
            older.on("*", "/v2/").does(Action::Hold(gate.clone()));
        }
        let program = Path::new(env!("CARGO_BIN_EXE_transship"));
        let words = [&SYNC[..], &["--watch"]].concat();
        let mut watch = Daemon::spawn(program, &words, &files.path(""));
        let count = |log: &str, part: &str| log.matches(part).count();
        if is_slow {
            let is_left = |log: &str| count(log, "comes first and may want") >= PAIRS;
            wait_until(&mut watch, is_left).await;
            assert_eq!(pushed(&destination).await, 0);
            gate.open();
        }
        let is_settled =
            |log: &str| count(log, "1 copied, ") >= PAIRS && count(log, "would both be") >= PAIRS;
        wait_until(&mut watch, is_settled).await;
        assert_eq!(pushed(&destination).await, PAIRS, "slow: {is_slow}");
        for pair in 0..PAIRS {
            let there = digest(&destination, &format!("shared-{pair}")).await;
            assert_eq!(there, image(older_seed(pair)).digest(), "slow: {is_slow}");
        }
        watch.process().signal("TERM");
        watch.ended().await;
    }
}

fn older_seed(pair: usize) -> u64 {
    2 * u64::try_from(pair).unwrap()
}

/// How often a tag was pushed.
async fn pushed(registry: &Registry) -> usize {
    let requests = registry.requests().await;
    let is_push =
        |request: &&Request| request.method == "PUT" && request.path.ends_with("/manifests/1");
    requests.iter().filter(is_push).count()
}
