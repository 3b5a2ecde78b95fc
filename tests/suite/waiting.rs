// SPDX-License-Identifier: Apache-2.0

//! Mirrors of one run that are not held up by each other, and those that wait for each other.

use std::sync::Arc;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use transship::api::document::{self, Resource};
use transship::plan::report::{MirrorReport, Outcome, TagReport};
use transship::plan::{self, Mirror};
use transship::registry::Pool;
use transship::sync::{Ledger, Mode, Observer};

use crate::plain::{Plain, Process, Trusted};
use crate::support::content::{Image, ImageBuilder};
use crate::support::faults::FaultRegistry;
use crate::support::http::script::{Action, Gate};

/// Tells which mirrors have finished a tag.
struct Told(UnboundedSender<String>);

impl Observer for Told {
    fn planned(&self, _: Vec<TagReport>) {}

    fn finished(&self, mirror: &str, tag: &TagReport) {
        assert!(matches!(tag.outcome, Outcome::Copied { .. }), "{tag:?}");
        self.0.send(mirror.to_owned()).unwrap();
    }
}

const TAGS: [&str; 3] = ["1", "2", "3"];

fn image(seed: u64) -> Image {
    ImageBuilder::new(seed).layers(&[300]).build()
}

fn mirror(name: &str, from: (&FaultRegistry, &str), to: (&FaultRegistry, &str)) -> Mirror {
    let text = format!(
        "apiVersion: transship.dev/v1alpha1\nkind: ImageMirror\nmetadata: {{name: {name}}}\nspec:\n  \
         source: {{registry: '{}', insecure: true}}\n  \
         images: [{{repository: {}, tags: {TAGS:?}}}]\n  \
         destinations: [{{name: d, registry: '{}', insecure: true, repository: '{}'}}]\n",
        from.0.host(),
        from.1,
        to.0.host(),
        to.1,
    );
    let documents = document::parse(&text, "mirror.yaml").unwrap().documents;
    let Resource::ImageMirror(mirror) = &documents[0].resource else {
        panic!("a mirror");
    };
    plan::validate(mirror, &[]).unwrap()
}

fn source(repository: &str, seed: u64) -> FaultRegistry {
    let source = FaultRegistry::start();
    for (tag, seed) in TAGS.iter().zip(seed..) {
        source.load(repository, tag, &image(seed));
    }
    source
}

fn hold(registry: &FaultRegistry) -> Gate {
    let gate = Gate::closed();
    let hold = Action::Hold(gate.clone());
    registry.script().when(|_| true).does(hold);
    gate
}

fn process() -> Process {
    let registries = Plain::new(Pool::new("transship-tests"), Trusted::default());
    Process::new(registries, Arc::new(Ledger::in_memory()))
}

fn told() -> (Told, UnboundedReceiver<String>) {
    let (sender, receiver) = unbounded_channel();
    (Told(sender), receiver)
}

fn copied(report: &MirrorReport) -> usize {
    let tags = report.tags.iter();
    tags.filter(|tag| matches!(tag.outcome, Outcome::Copied { .. }))
        .count()
}

/// Where a registry hangs, which of the two mirrors it is of, and where both mirrors write.
#[tokio::test]
async fn a_registry_that_hangs_holds_up_no_mirror_of_other_destinations() {
    for hangs_at_source in [true, false] {
        for is_first in [true, false] {
            for repositories in [["app", "app"], ["a/app", "b/app"]] {
                let sources = [source("app", 1), source("app", 10)];
                // Of other registries, or of other repositories of one registry.
                let is_shared = hangs_at_source && repositories[0] != repositories[1];
                let destinations = [FaultRegistry::start(), FaultRegistry::start()];
                let other = &destinations[usize::from(!is_shared)];
                let slow = mirror(
                    "slow",
                    (&sources[0], "app"),
                    (&destinations[0], repositories[0]),
                );
                let quick = mirror("quick", (&sources[1], "app"), (other, repositories[1]));
                let gate = hold(if hangs_at_source {
                    &sources[0]
                } else {
                    &destinations[0]
                });
                let mirrors = if is_first {
                    [&slow, &quick]
                } else {
                    [&quick, &slow]
                };
                let (observer, mut finished) = told();
                let process = process();
                let round = process.round(&mirrors, Mode::Apply, &observer);
                let watch = async {
                    gate.reached().await;
                    for _ in TAGS {
                        let mirror = finished.recv().await.unwrap();
                        assert_eq!(mirror, "default/quick");
                    }
                    assert_eq!(other.tags(repositories[1]), TAGS);
                    // Until here nothing was answered.
                    gate.open();
                };
                let (report, ()) = tokio::join!(round, watch);
                let names: Vec<&str> = report.mirrors.iter().map(|it| it.mirror.as_str()).collect();
                assert_eq!(names, mirrors.map(|mirror| mirror.name.as_str()));
                for report in &report.mirrors {
                    assert_eq!(copied(report), TAGS.len(), "{report:?}");
                }
            }
        }
    }
}

/// Who is slower decides nothing: the mirror that comes first has the tags.
#[tokio::test]
async fn who_may_want_the_same_tags_waits_and_the_first_one_has_them() {
    for slow in [0, 1] {
        let sources = [source("app", 1), source("app", 10)];
        let destination = FaultRegistry::start();
        let first = mirror("first", (&sources[0], "app"), (&destination, "shared"));
        let second = mirror("second", (&sources[1], "app"), (&destination, "shared"));
        let gate = hold(&sources[slow]);
        // The other one has asked all that it asks before it waits.
        let asked = Gate::closed();
        asked.open();
        let counted = Action::Hold(asked.clone());
        sources[1 - slow].script().when(|_| true).does(counted);
        let (observer, mut finished) = told();
        let process = process();
        let mirrors = [&first, &second];
        let round = process.round(&mirrors, Mode::Apply, &observer);
        let watch = async {
            gate.reached().await;
            for _ in TAGS {
                asked.reached().await;
            }
            gate.open();
            for _ in TAGS {
                assert_eq!(finished.recv().await.unwrap(), "default/first");
            }
        };
        let (report, ()) = tokio::join!(round, watch);
        let [first, second] = &report.mirrors[..] else {
            panic!("{report:?}");
        };
        assert_eq!((copied(first), first.failures.len()), (3, 0), "{first:?}");
        assert_eq!(second.failures, [], "{slow}");
        let reasons: Vec<&str> = second
            .tags
            .iter()
            .map(|tag| {
                let Outcome::Failed(failure) = &tag.outcome else {
                    panic!("{tag:?}");
                };
                failure.reason.as_str()
            })
            .collect();
        assert_eq!(reasons, ["DestinationConflict"; 3], "{slow}");
        for (tag, seed) in TAGS.iter().zip(1..) {
            let there = destination.manifest("shared", tag).unwrap();
            assert_eq!(there.digest, image(seed).root.digest, "{slow}");
        }
    }
}
