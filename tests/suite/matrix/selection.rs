// SPDX-License-Identifier: Apache-2.0

//! Which tags are taken: of very many, of none, and of repositories that are not there.

use super::mirror::Mirror;
use crate::support::access_log::Request;
use crate::support::content::{Image, ImageBuilder};
use crate::support::faults::FaultRegistry;
use crate::support::registries::{Kind, Registry, Security};

/// The tags of a repository that has seen years of builds.
const MANY: usize = 9_000;

fn image() -> Image {
    ImageBuilder::new(1).layers(&[500]).build()
}

/// Many builds of one small image, and three releases.
fn old_repository() -> FaultRegistry {
    let source = FaultRegistry::start();
    let image = image();
    source.load("app", "1.0.0", &image);
    for tag in ["1.0.1", "1.1.0"] {
        source.load_manifest("app", tag, &image.root);
    }
    for build in 3..MANY {
        source.load_manifest("app", &format!("build-{build}"), &image.root);
    }
    source
}

fn count(registry: &FaultRegistry, method: &str, part: &str) -> usize {
    registry
        .requests()
        .iter()
        .filter(|request| request.method == method && request.path.contains(part))
        .count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_of_very_many_tags_can_be_read() {
    let (source, destination) = (old_repository(), FaultRegistry::start());
    let to_copy = |count: usize| {
        format!(
            "{count} to copy, 0 unchanged, {} left out, 0 failed",
            MANY - count
        )
    };
    let mirror = Mirror::from(&source.access()).to(&destination.access());
    let cases = [
        (
            mirror
                .clone()
                .entry("repository: app, policyRefs: [{name: releases}]")
                .policy("releases", "{newest: {count: 1, per: Minor}}"),
            2,
            "releases",
        ),
        (mirror.image("app", &["*"]), MANY, "tags"),
    ];
    for (mirror, selected, by) in cases {
        source.script().clear_requests();
        let finished = mirror.command(&["plan", "-o", "wide"]).run().await;
        assert_eq!((finished.code, finished.stderr.as_str()), (Some(2), ""));
        let lines: Vec<&str> = finished.stdout.lines().collect();
        assert_eq!(lines.last(), Some(&to_copy(selected).as_str()));
        let rows = &lines[..=MANY];
        let titles = ["SOURCE", "DESTINATION", "SELECTED BY", "WHY"];
        let places = titles.map(|name| rows[0].find(name).unwrap());
        let cells = |title: usize, text: &str| -> usize {
            let begins = |row: &&&str| row[places[title]..].starts_with(text);
            rows[1..].iter().filter(begins).count()
        };
        assert_eq!(cells(0, &format!("{}/app:", source.host())), MANY);
        assert_eq!(cells(2, &format!("{by} ")), selected);
        for place in places {
            let begins =
                |row: &&str| row[..place].ends_with("   ") && !row[place..].starts_with(' ');
            assert_eq!(rows.iter().find(|row| !begins(row)), None);
        }
        assert_eq!(count(&source, "GET", "/tags/list"), 9);
        assert_eq!(count(&source, "HEAD", "/manifests/"), selected);
    }
    assert_eq!(destination.tags("app"), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn more_tags_than_the_limit_are_a_failure_with_both_numbers() {
    let (source, destination) = (old_repository(), FaultRegistry::start());
    let report = Mirror::from(&source.access())
        .entry("repository: app, policyRefs: [{name: few}]")
        .policy("few", "{limit: 100}")
        .to(&destination.access())
        .sync()
        .await;
    let failure = report.failure();
    assert_eq!(
        (
            report.code,
            failure.reason.as_str(),
            failure.message.as_str()
        ),
        (
            Some(1),
            "InvalidSpec",
            "policy \"few\": 9000 tags are selected, more than the limit of 100: narrow the selection or raise the limit"
        )
    );
    assert_eq!(destination.requests().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_gives_nothing_is_a_failure() {
    let cases = [
        ("gone", "*", "there is no such thing at the registry"),
        ("gone", "1", "gone:1 does not exist"),
        ("app", "2", "app:2 does not exist"),
        (
            "app",
            "2*",
            "no tag of HOST/app is selected, of 1 that are there",
        ),
        ("'other/*'", "*", "no repository of HOST matches other/*"),
    ];
    for kind in Kind::ALL {
        let (source, destination) = tokio::join!(
            Registry::start(kind, Security::Plain),
            Registry::start(kind, Security::Plain)
        );
        source.client().push("app", "1", &image()).await;
        for (repository, tag, message) in cases {
            let report = Mirror::from(&source.access())
                .image(repository, &[tag])
                .to(&destination.access())
                .sync()
                .await;
            let failure = report.failure();
            let found = failure.message.replace(&source.host(), "HOST");
            assert_eq!(
                (report.code, failure.reason.as_str()),
                (Some(1), "NotFound"),
                "{kind:?} {repository}:{tag}: {report}"
            );
            assert!(
                found.contains(message),
                "{kind:?} {repository}:{tag}: {found}"
            );
        }
        let asked = destination.requests().await;
        assert!(
            !asked.iter().any(Request::is_mutating),
            "{kind:?}: {asked:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_without_tags_is_a_failure_where_it_is_named() {
    let (source, destination) = (FaultRegistry::start(), FaultRegistry::start());
    source.load("team/app", "1", &image());
    source.load("team/empty", "1", &image());
    source.lose_tag("team/empty", "1");
    let mirror = Mirror::from(&source.access()).to(&destination.access());

    let report = mirror.clone().image("team/empty", &["*"]).sync().await;
    let failure = report.failure();
    let found = failure.message.replace(&source.host(), "HOST");
    assert_eq!(
        (report.code, failure.reason.as_str(), found.as_str()),
        (Some(1), "NotFound", "HOST/team/empty has no tags")
    );
    assert_eq!(destination.requests().len(), 0);

    let report = mirror.image("'team/*'", &["*"]).sync().await;
    report.expect(0, [1, 0, 0, 0, 0], "among others it is none");
}
