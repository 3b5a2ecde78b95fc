// SPDX-License-Identifier: Apache-2.0

//! Several mirrors, destinations and policies in one file.

use std::fs;

use serde_json::Value;

use super::Gap;
use crate::support::content::ImageBuilder;
use crate::support::registries::{Kind, Registry, Security};

/// Two mirrors of one source, one of them with two destinations, and policies that select and refuse.
fn write(gap: &Gap, second: &Registry, denied: &str) {
    let (source, first) = (gap.source.host(), gap.destination.host());
    let second = second.host();
    let text = format!(
        "apiVersion: transship.dev/v1alpha1
kind: ImagePolicy
metadata: {{name: stable}}
spec:
  select: {{semver: {{range: '>=1.0'}}}}
---
apiVersion: transship.dev/v1alpha1
kind: ImagePolicy
metadata: {{name: named}}
spec:
  require: {{denyTags: ['{denied}']}}
---
apiVersion: transship.dev/v1alpha1
kind: ImageMirror
metadata: {{name: one}}
spec:
  source: {{registry: '{source}', insecure: true}}
  images: [{{repository: app, policyRefs: [{{name: stable}}]}}]
  policyRefs: [{{name: named}}]
  destinations:
  - {{name: a, registry: '{first}', insecure: true, repository: 'one/{{repository}}'}}
  - {{name: b, registry: '{second}', insecure: true, repository: 'far/{{repository}}'}}
---
apiVersion: transship.dev/v1alpha1
kind: ImageMirror
metadata: {{name: two}}
spec:
  source: {{registry: '{source}', insecure: true}}
  images: [{{repository: 'a*', tags: ['2.0.0']}}, {{repository: other, tags: ['*']}}]
  destinations:
  - {{name: a, registry: '{second}', insecure: true, repository: 'two/{{repository}}'}}
"
    );
    fs::write(gap.path("mirror.yaml"), text).unwrap();
}

/// What there is below a destination, as `repository:tag`.
async fn there(registry: &Registry, repositories: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for repository in repositories {
        let tags = registry.client().tags(repository).await.unwrap_or_default();
        found.extend(tags.into_iter().map(|tag| format!("{repository}:{tag}")));
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_of_one_file_is_carried_in_one_bundle() {
    let gap = Gap::new().await;
    let second = Registry::start(Kind::Distribution3, Security::Plain).await;
    for (repository, tag, seed) in [
        ("app", "0.9.0", 1),
        ("app", "1.0.0", 2),
        ("app", "2.0.0", 3),
        ("app", "3.0.0", 4),
        ("other", "x", 5),
    ] {
        let image = ImageBuilder::new(seed).layers(&[1_000]).build();
        gap.source.client().push(repository, tag, &image).await;
    }
    write(&gap, &second, "3.*");
    let created = gap.create(&["out.tar"]).await;
    let images = created["images"].as_array().unwrap().iter();
    let mut images: Vec<String> = images
        .map(|image| {
            let name = |field: &str| image[field].as_str().unwrap().to_owned();
            let target = name("target");
            format!("{} {}", name("mirror"), target.split_once('/').unwrap().1)
        })
        .collect();
    images.sort();
    let expected = [
        "default/one one/app:1.0.0",
        "default/one one/app:2.0.0",
        "default/two two/app:2.0.0",
        "default/two two/other:x",
    ];
    assert_eq!(images, expected);

    // Both destinations of a mirror get its images, although only the first one names them in the bundle.
    let loaded = gap.load("out.tar").await;
    assert_eq!(loaded["totals"]["copied"], 6, "{loaded:#}");
    let first = there(&gap.destination, &["one/app"]).await;
    assert_eq!(first, ["one/app:1.0.0", "one/app:2.0.0"]);
    let far = there(&second, &["far/app", "two/app", "two/other"]).await;
    let expected = [
        "far/app:1.0.0",
        "far/app:2.0.0",
        "two/app:2.0.0",
        "two/other:x",
    ];
    assert_eq!(far, expected);

    // One of them alone.
    let empty = Registry::start(Kind::Distribution3, Security::Plain).await;
    write(&gap, &empty, "3.*");
    gap.json(&[
        "bundle",
        "load",
        "-f",
        "mirror.yaml",
        "--mirror",
        "two",
        "out.tar",
    ])
    .await;
    let alone = there(&empty, &["far/app", "two/app", "two/other"]).await;
    assert_eq!(alone, ["two/app:2.0.0", "two/other:x"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn policies_are_asked_again_what_a_name_tells() {
    let gap = Gap::new().await;
    let second = Registry::start(Kind::Distribution3, Security::Plain).await;
    for (tag, seed) in [("1.0.0", 2), ("2.0.0", 3)] {
        let image = ImageBuilder::new(seed).layers(&[1_000]).build();
        gap.source.client().push("app", tag, &image).await;
    }
    write(&gap, &second, "3.*");
    gap.create(&["--mirror", "one", "out.tar"]).await;

    // A tag that is denied where it is loaded is refused as a round refuses it, and the others are copied.
    write(&gap, &second, "2.*");
    let load = [
        "bundle",
        "load",
        "-f",
        "mirror.yaml",
        "--mirror",
        "one",
        "out.tar",
    ];
    let loaded = gap.json(&load).await;
    assert_eq!(loaded["totals"]["refused"], 2, "{loaded:#}");
    assert_eq!(loaded["totals"]["copied"], 2, "{loaded:#}");
    let is_refused = |tag: &&Value| tag["action"] == "Refused";
    let tags = loaded["mirrors"][0]["tags"].as_array().unwrap();
    let refused = tags.iter().find(is_refused).unwrap();
    assert_eq!(refused["policy"], "named");
    assert_eq!(refused["gate"], "require.denyTags");
    assert_eq!(
        there(&gap.destination, &["one/app"]).await,
        ["one/app:1.0.0"]
    );

    // A tag that rules do not select there is none of the mirror's.
    let text = fs::read_to_string(gap.path("mirror.yaml")).unwrap();
    fs::write(gap.path("mirror.yaml"), text.replace(">=1.0", ">=2.0")).unwrap();
    let finished = gap.run(&load).await;
    assert_eq!(finished.code, Some(1), "{}", finished.stdout);
    let said = "app:1.0.0 for mirror default/one, and none of its images is that one here";
    assert!(finished.stderr.contains(said), "{}", finished.stderr);
}
