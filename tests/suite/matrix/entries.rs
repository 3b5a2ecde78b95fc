// SPDX-License-Identifier: Apache-2.0

//! What an entry of a mirror says of its images: rules of its own, pinned and optional tags, other names.

use super::mirror::Mirror;
use crate::support::content::{Image, ImageBuilder};
use crate::support::faults::FaultRegistry;

fn image(seed: u64, created: &str) -> Image {
    let builder = ImageBuilder::new(seed).layers(&[500]);
    builder.created(created).build()
}

/// Builds of an application: the tags tell nothing of their order.
fn builds() -> (FaultRegistry, [Image; 3]) {
    let source = FaultRegistry::start();
    let old = image(1, "2026-03-01T00:00:00Z");
    let new = image(2, "2026-05-01T00:00:00Z");
    let undated = image(3, "1970-01-01T00:00:00Z");
    source.load("team/app", "c0ffee1", &old);
    source.load("team/app", "bada551", &new);
    source.load("team/app", "facade0", &undated);
    source.load_manifest("team/app", "latest", &new.root);
    (source, [old, new, undated])
}

fn mirror(source: &FaultRegistry, destination: &FaultRegistry, entry: &str) -> Mirror {
    let mirror = Mirror::from(&source.access()).to(&destination.access());
    mirror.entry(&format!("repository: team/app, {entry}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_arrives_where_by_the_fields_of_an_entry() {
    let (source, [old, ..]) = builds();
    let pinned = format!("tags: ['latest@{}']", old.digest());
    let by_digest = format!("digests: ['{}']", old.digest());
    let gone = image(9, "2026-01-01T00:00:00Z");
    let skipped = format!(
        "tags: [latest], digests: ['{}'], absent: Skip",
        gone.digest()
    );
    let held = old.digest().replace(':', ".");
    let cases: [(&str, &str, &[&str]); 11] = [
        ("tags: [latest]", "team/app", &["latest"]),
        ("tags: [latest], as: 'apps/{name}'", "apps/app", &["latest"]),
        (
            "tags: [latest], replace: [{from: /, to: '-'}]",
            "team-app",
            &["latest"],
        ),
        (
            "tags: [latest, gone], absent: Skip",
            "team/app",
            &["latest"],
        ),
        (
            "select: {include: ['[0-9a-f]+'], newest: {count: 1, by: Created}}",
            "team/app",
            &["bada551"],
        ),
        (
            "tags: [latest], select: {extract: {pattern: '[a-z]+(.*)', value: $1}, newest: {count: 1, by: Number}}",
            "team/app",
            &["bada551", "latest"],
        ),
        (
            "select: {exclude: [latest], newest: {count: 2, by: Name}}",
            "team/app",
            &["c0ffee1", "facade0"],
        ),
        (&pinned, "team/app", &["latest"]),
        (
            "tags: [latest, c0ffee1], retag: {latest: stable}, as: apps/shop",
            "apps/shop",
            &["c0ffee1", "stable"],
        ),
        (&by_digest, "team/app", &[&held]),
        (&skipped, "team/app", &["latest"]),
    ];
    for (entry, repository, tags) in cases {
        let destination = FaultRegistry::start();
        let report = mirror(&source, &destination, entry).sync().await;
        let count = tags.len() as u64;
        report.expect(0, [count, 0, 0, 0, 0], entry);
        assert_eq!(destination.tags(repository), tags, "{entry}");
        if entry == pinned || entry == by_digest {
            assert_eq!(report.digests(), [old.digest()], "{entry}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pinned_tag_is_its_digest_or_a_failure_that_names_the_other() {
    let (source, [_, new, _]) = builds();
    let gone = image(9, "2026-01-01T00:00:00Z");
    let cases = [
        (
            "latest",
            "TagMoved",
            format!(
                "{}, to which the tag is pinned, does not exist: the tag names {}",
                gone.digest(),
                new.digest()
            ),
        ),
        (
            "never",
            "NotFound",
            format!(
                "{}, to which the tag is pinned, does not exist, and neither does the tag",
                gone.digest()
            ),
        ),
    ];
    for (tag, reason, message) in cases {
        let destination = FaultRegistry::start();
        let entry = format!("tags: ['{tag}@{}'], absent: Skip", gone.digest());
        let report = mirror(&source, &destination, &entry).sync().await;
        let failure = report.failure();
        let found = (report.code, failure.reason.as_str(), failure.message);
        assert_eq!(found, (Some(1), reason, message), "{tag}: {report}");
        assert_eq!(destination.tags("team/app"), [""; 0]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_digest_that_is_not_there_fails_by_its_own_name() {
    let (source, destination) = (builds().0, FaultRegistry::start());
    let gone = image(9, "2026-01-01T00:00:00Z");
    let entry = format!("digests: ['{}']", gone.digest());
    let report = mirror(&source, &destination, &entry).sync().await;
    let failure = report.failure();
    let message = format!(
        "{}/team/app@{} does not exist",
        source.host(),
        gone.digest()
    );
    assert_eq!(
        (report.code, failure.message),
        (Some(1), message),
        "{report}"
    );
    assert_eq!(destination.tags("team/app"), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_that_select_little_are_explained() {
    let (source, destination) = (builds().0, FaultRegistry::start());
    let entry =
        "select: {exclude: ['-rc', 'lat.*'], newest: {count: 2}}, policyRefs: [{name: all}]";
    let mirror = mirror(&source, &destination, entry).policy("all", "{include: ['lat.*']}");
    let plan = mirror.command(&["plan"]).run().await;
    let host = source.host();
    let notes: Vec<String> = plan
        .stdout
        .lines()
        .filter_map(|line| line.strip_prefix("note: default/m: "))
        .map(|note| note.replace(&host, "HOST"))
        .collect();
    assert_eq!(
        notes,
        [
            "HOST/team/app: select selects 0 and leaves out 3 by semver; closest: facade0 (is not a version), c0ffee1 (is not a version), bada551 (is not a version)",
            "exclude -rc of select of team/app matches no tag",
        ]
    );
}
