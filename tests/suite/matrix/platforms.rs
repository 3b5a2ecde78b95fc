// SPDX-License-Identifier: Apache-2.0

//! Which entries of an index, and which other artifacts, a list of platforms leaves.

mod attestations;
mod descriptors;

use Expected::{Bare, Entries, Failure, Whole};
use serde_json::{Value, json};

use super::mirror::{Mirror, Report};
use crate::support::content::{Blob, Image, ImageBuilder, media_type};
use crate::support::faults::FaultRegistry;

/// What arrives of a root.
enum Expected {
    /// The root as it is.
    Whole,
    /// An index of these of its entries.
    Entries(&'static [usize]),
    /// The image of this digest alone.
    Bare(String),
    /// Nothing: a reason, and a part of the message.
    Failure(&'static str, &'static str),
}

type Case = (&'static str, Image, &'static str, Expected);

/// A manifest with a config of this type and content, and the layers.
fn manifest(config_type: &str, config: &Value, layers: &[Value], fields: &Value) -> Image {
    let config = Blob::json(config_type, config);
    let mut document = json!({
        "schemaVersion": 2, "mediaType": media_type::OCI_MANIFEST, "config": config.descriptor(), "layers": layers,
    });
    for (name, value) in fields.as_object().into_iter().flatten() {
        document[name] = value.clone();
    }
    Image {
        root: Blob::json(media_type::OCI_MANIFEST, &document),
        children: Vec::new(),
        blobs: vec![config],
        referrers: Vec::new(),
    }
}

fn image(platform: &str) -> Image {
    let mut parts = platform.split('/');
    let config = json!({"os": parts.next(), "architecture": parts.next(), "variant": parts.next()});
    manifest(media_type::OCI_CONFIG, &config, &[], &json!({}))
}

/// What has no platform: its config is of a type of its own.
fn artifact(config_type: &str) -> Image {
    manifest(config_type, &json!({"name": "chart"}), &[], &json!({}))
}

/// An index of these manifests, each with what its entry says of the platform.
fn index(entries: &[(&Image, Value)]) -> Image {
    let descriptors: Vec<Value> = entries
        .iter()
        .map(|(image, platform)| {
            let mut descriptor = image.root.descriptor();
            if !platform.is_null() {
                descriptor["platform"] = platform.clone();
            }
            descriptor
        })
        .collect();
    let document = json!({
        "schemaVersion": 2, "mediaType": media_type::OCI_INDEX, "manifests": descriptors,
    });
    let mut children: Vec<Blob> = Vec::new();
    let mut blobs = Vec::new();
    for (image, _) in entries {
        let all = image.children.iter().chain([&image.root]);
        children.extend(all.cloned());
        blobs.extend(image.blobs.clone());
    }
    Image {
        root: Blob::json(media_type::OCI_INDEX, &document),
        children,
        blobs,
        referrers: Vec::new(),
    }
}

fn on(os: &str, architecture: &str) -> Value {
    json!({"os": os, "architecture": architecture})
}

async fn check(cases: impl IntoIterator<Item = Case>) {
    let (source, destination) = (FaultRegistry::start(), FaultRegistry::start());
    for (number, (name, image, platforms, expected)) in cases.into_iter().enumerate() {
        let repository = format!("case{number}");
        source.load(&repository, "1", &image);
        let root = &image.root;
        let report = Mirror::from(&source.access())
            .image(&repository, &["1"])
            .to(&destination.access())
            .with(&format!("platforms: {{{platforms}}}"))
            .sync()
            .await;
        match expected {
            Failure(reason, part) => assert_failed(&report, reason, part, name),
            Whole => {
                report.expect(0, [1, 0, 0, 0, 0], name);
                let found = destination.manifest(&repository, "1");
                assert_eq!(found.unwrap().digest, root.digest, "{name}");
            }
            Bare(digest) => {
                report.expect(0, [1, 0, 0, 0, 0], name);
                let found = destination.manifest(&repository, "1");
                assert_eq!(found.unwrap().digest, digest, "{name}");
            }
            Entries(places) => {
                report.expect(0, [1, 0, 0, 0, 0], name);
                let found = destination.manifest(&repository, "1").unwrap();
                let [found, all] = [&found, root].map(entries);
                let wanted: Vec<Value> = places.iter().map(|place| all[*place].clone()).collect();
                assert_eq!(found, wanted, "{name}");
            }
        }
    }
}

#[track_caller]
fn assert_failed(report: &Report, reason: &str, part: &str, name: &str) {
    let failure = report.failure();
    assert_eq!(failure.reason, reason, "{name}: {report}");
    assert!(failure.message.contains(part), "{name}: {failure:?}");
}

fn entries(index: &Blob) -> Vec<Value> {
    let document: Value = serde_json::from_slice(&index.bytes).unwrap();
    document["manifests"].as_array().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn entries_are_judged_by_their_platform_and_not_by_their_digest() {
    let (amd64, arm64) = (image("linux/amd64"), image("linux/arm64"));
    let shared = [
        (&amd64, on("linux", "amd64")),
        (&amd64, on("linux", "arm64")),
        (&arm64, on("linux", "s390x")),
    ];
    let usual = [
        (&amd64, on("Linux", "x86_64")),
        (&arm64, on("linux", "aarch64")),
    ];
    check([
        (
            "two platforms with one digest, of which one is wanted",
            index(&shared),
            "mode: List, list: [linux/amd64]",
            Entries(&[0]),
        ),
        (
            "both are wanted",
            index(&shared),
            "mode: List, list: [linux/arm64, linux/amd64]",
            Entries(&[0, 1]),
        ),
        (
            "other names of the same platforms",
            index(&usual),
            "mode: List, list: [linux/AMD64]",
            Entries(&[0]),
        ),
        (
            "all of them",
            index(&usual),
            "mode: List, list: [linux/amd64, linux/arm64/8]",
            Whole,
        ),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_no_platform_is_copied_whole() {
    let helm = "application/vnd.cncf.helm.config.v1+json";
    let amd64 = image("linux/amd64");
    let arm64 = image("linux/arm64");
    let chart = artifact(helm);
    let empty = json!({});
    let typed = json!({"artifactType": "application/vnd.example.thing"});
    let beside = index(&[
        (&amd64, on("linux", "amd64")),
        (&chart, Value::Null),
        (&arm64, on("linux", "arm64")),
    ]);
    let amd64_only = "mode: List, list: [linux/amd64]";
    check([
        ("a chart", chart.clone(), amd64_only, Whole),
        (
            "a config of an unknown type",
            artifact("text/plain"),
            amd64_only,
            Whole,
        ),
        (
            "the empty config",
            manifest(media_type::EMPTY, &empty, &[], &typed),
            amd64_only,
            Whole,
        ),
        (
            "a config that is said to be of an image, and empty",
            manifest(media_type::OCI_CONFIG, &empty, &[], &empty),
            amd64_only,
            Whole,
        ),
        ("no machine", image("unknown/unknown"), amd64_only, Whole),
        (
            "an image with the type of an artifact is for its platform",
            manifest(media_type::OCI_CONFIG, &on("linux", "arm64"), &[], &typed),
            amd64_only,
            Failure("NotFound", "the image is for linux/arm64"),
        ),
        (
            "an index of charts alone",
            index(&[(&chart, Value::Null), (&artifact(helm), Value::Null)]),
            amd64_only,
            Whole,
        ),
        (
            "a chart beside images",
            beside.clone(),
            amd64_only,
            Entries(&[0, 1]),
        ),
        (
            "a chart is not the platform that is absent",
            beside.clone(),
            "mode: List, list: [linux/amd64, linux/s390x]",
            Failure("NotFound", "the image has no linux/s390x"),
        ),
        (
            "the same, skipped",
            beside.clone(),
            "mode: List, list: [linux/amd64, linux/s390x], absent: Skip",
            Entries(&[0, 1]),
        ),
        (
            "a chart does not make up for all images",
            beside,
            "mode: List, list: [linux/s390x], absent: Skip",
            Failure("NotFound", "it has linux/amd64, linux/arm64"),
        ),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn entries_that_say_no_platform_are_for_what_is_inside() {
    let (amd64, arm64) = (image("linux/amd64"), image("linux/arm64"));
    let silent = index(&[(&amd64, Value::Null), (&arm64, json!({}))]);
    check([
        (
            "images by their configs",
            silent.clone(),
            "mode: List, list: [linux/amd64]",
            Entries(&[0]),
        ),
        (
            "an absent one",
            silent.clone(),
            "mode: List, list: [linux/amd64, linux/s390x]",
            Failure("NotFound", "the image has no linux/s390x"),
        ),
        (
            "the same, skipped",
            silent.clone(),
            "mode: List, list: [linux/arm64, linux/s390x], absent: Skip",
            Entries(&[1]),
        ),
        (
            "none is absent",
            silent.clone(),
            "mode: List, list: [linux/arm64, linux/amd64]",
            Whole,
        ),
        (
            "none is there",
            silent,
            "mode: List, list: [linux/s390x], absent: Skip",
            Failure("NotFound", "it has linux/amd64, linux/arm64"),
        ),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_within_an_index_stays_or_goes_as_a_whole() {
    let (amd64, arm64) = (image("linux/amd64"), image("linux/arm64"));
    let silent = index(&[(&amd64, Value::Null), (&arm64, json!({}))]);
    let both = index(&[
        (&amd64, on("linux", "amd64")),
        (&arm64, on("linux", "arm64")),
    ]);
    let nested = index(&[(&both, Value::Null)]);
    let deep = index(&[(&index(&[(&silent, Value::Null)]), Value::Null)]);
    let beside = index(&[
        (&both, Value::Null),
        (&image("linux/s390x"), on("linux", "s390x")),
    ]);
    let said = index(&[
        (&both, on("linux", "riscv64")),
        (&amd64, on("linux", "amd64")),
    ]);
    check([
        (
            "an index within an index stays whole",
            nested.clone(),
            "mode: List, list: [linux/arm64]",
            Whole,
        ),
        (
            "what it has is not absent",
            nested.clone(),
            "mode: List, list: [linux/arm64, linux/amd64]",
            Whole,
        ),
        (
            "what it has not is absent",
            nested.clone(),
            "mode: List, list: [linux/arm64, linux/s390x]",
            Failure("NotFound", "the image has no linux/s390x"),
        ),
        (
            "it has none",
            nested,
            "mode: List, list: [linux/s390x], absent: Skip",
            Failure("NotFound", "it has linux/amd64, linux/arm64"),
        ),
        (
            "three levels",
            deep.clone(),
            "mode: List, list: [linux/arm64]",
            Whole,
        ),
        (
            "three levels with none",
            deep.clone(),
            "mode: List, list: [linux/s390x]",
            Failure("NotFound", "it has linux/amd64, linux/arm64"),
        ),
        (
            "four levels",
            index(&[(&deep, Value::Null)]),
            "mode: List, list: [linux/arm64]",
            Failure("CopyFailed", "the index nests deeper than 3 levels"),
        ),
        (
            "an index within an index goes as a whole",
            beside.clone(),
            "mode: List, list: [linux/s390x]",
            Entries(&[1]),
        ),
        (
            "an index beside an image",
            beside,
            "mode: List, list: [linux/amd64]",
            Entries(&[0]),
        ),
        (
            "an entry's own word counts for an index, too",
            said,
            "mode: List, list: [linux/amd64]",
            Entries(&[1]),
        ),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_original_index_may_stay_where_its_entries_say_nothing() {
    let (amd64, arm64) = (image("linux/amd64"), image("linux/arm64"));
    let silent = index(&[(&amd64, Value::Null), (&arm64, Value::Null)]);
    let (source, destination) = (
        FaultRegistry::start(),
        FaultRegistry::options().sparse().start(),
    );
    source.load("app", "1", &silent);
    let mirror = Mirror::from(&source.access())
        .image("app", &["1"])
        .to(&destination.access())
        .with("platforms: {mode: List, list: [linux/arm64], index: Preserve}");
    mirror.sync().await.expect(0, [1, 0, 0, 0, 0], "sparse");
    let there = |digest: &str| destination.manifest("app", digest).is_some();
    assert_eq!(
        destination.manifest("app", "1").unwrap().digest,
        silent.root.digest
    );
    assert!(there(&arm64.root.digest) && !there(&amd64.root.digest));
    mirror.sync().await.expect(0, [0, 0, 1, 0, 0], "again");
}

#[tokio::test(flavor = "multi_thread")]
async fn schema_1_is_called_by_its_name() {
    let (source, destination) = (FaultRegistry::start(), FaultRegistry::start());
    let old = json!({
        "schemaVersion": 1, "name": "app", "tag": "1", "architecture": "amd64",
        "fsLayers": [], "history": [], "signatures": [],
    });
    let types = [
        "application/vnd.docker.distribution.manifest.v1+prettyjws",
        "application/vnd.docker.distribution.manifest.v1+json",
        "application/json",
    ];
    for (number, media_type) in types.into_iter().enumerate() {
        let old = Image {
            root: Blob::json(media_type, &old),
            children: Vec::new(),
            blobs: Vec::new(),
            referrers: Vec::new(),
        };
        let within = index(&[(&old, on("linux", "amd64"))]);
        source.load(&format!("old{number}"), "1", &old);
        source.load(&format!("within{number}"), "1", &within);
        for repository in ["old", "within"] {
            let report = Mirror::from(&source.access())
                .image(&format!("{repository}{number}"), &["1"])
                .to(&destination.access())
                .sync()
                .await;
            let name = format!("{repository} {media_type}");
            assert_failed(&report, "CopyFailed", "Docker's schema 1", &name);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mirror_of_images_and_charts_needs_one_list() {
    let (source, destination) = (FaultRegistry::start(), FaultRegistry::start());
    let platforms = ["linux/amd64", "linux/arm64"];
    let app = ImageBuilder::new(1)
        .platforms(&platforms)
        .attestations()
        .build();
    let chart = artifact("application/vnd.cncf.helm.config.v1+json");
    source.load("app", "1", &app);
    source.load("chart", "1", &chart);
    let mirror = Mirror::from(&source.access())
        .image("app", &["1"])
        .image("chart", &["1"])
        .to(&destination.access())
        .with("platforms: {mode: List, list: [linux/arm64]}");
    mirror.sync().await.expect(0, [2, 0, 0, 0, 0], "first");
    mirror.sync().await.expect(0, [0, 0, 2, 0, 0], "again");
    let found = destination.manifest("chart", "1").unwrap();
    assert_eq!(found.digest, chart.digest());
    let found = destination.manifest("app", "1").unwrap();
    assert_eq!(entries(&found).len(), 2);
}
