// SPDX-License-Identifier: Apache-2.0

//! `df`: how much room tags take.

use serde_json::Value;
use tempfile::TempDir;

use super::{Files, mirror, with_names};
use crate::support::content::{Image, ImageBuilder};
use crate::support::program::Finished;
use crate::support::registries::{Kind, Registry, Security};

/// An image of two platforms; those of one seed are equal.
fn image(seed: u64) -> Image {
    ImageBuilder::new(seed)
        .platforms(&["linux/amd64", "linux/arm64"])
        .layers(&[20_000])
        .build()
}

async fn df(registry: &Registry, arguments: &[&str]) -> Finished {
    let host = registry.host();
    let words: Vec<String> = arguments
        .iter()
        .map(|word| word.replace("REGISTRY", &host))
        .collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let there = mirror(registry, registry);
    let away = there.replace("name: d, registry:", "name: d, repository: copy, registry:");
    let files = Files::new(&[("mirror.yaml", &there), ("away.yaml", &away)]);
    let program = files.transship(&words);
    program.environment("TRANSSHIP_INSECURE", host).run().await
}

/// Two tags of one image, one of its children, and an image of its own, in two repositories.
async fn filled(kind: Kind) -> Registry {
    let registry = Registry::start(kind, Security::Plain).await;
    let client = registry.client();
    for tag in ["1.0", "latest"] {
        client.push("app", tag, &image(1)).await;
    }
    client
        .push_manifest("app", "amd64", &image(1).children[0])
        .await;
    client.push("app", "2.0", &image(2)).await;
    client.push("other", "1.0", &image(1)).await;
    registry
}

#[tokio::test(flavor = "multi_thread")]
async fn tags_and_repositories_alone_and_together() {
    for kind in Kind::ALL {
        let registry = filled(kind).await;
        let tags = df(&registry, &["df", "REGISTRY/app"]).await;
        tags.assert_success();
        insta::allow_duplicates! {
            insta::assert_snapshot!(with_names(&tags.stdout, &[(&registry, "REGISTRY")]), @r"
            REPOSITORY            TAG      DIGEST                SIZE      SHARED    UNIQUE
            REGISTRY/app   1.0      sha256:0365a3e13d72   46.0 kB   46.0 kB   0 B
            REGISTRY/app   2.0      sha256:f787f6201a92   46.0 kB   0 B       46.0 kB
            REGISTRY/app   amd64    sha256:28f4c6da8db3   22.7 kB   22.7 kB   0 B
            REGISTRY/app   latest   sha256:0365a3e13d72   46.0 kB   46.0 kB   0 B

            1 repository, 4 tags, 3 images, 91.9 kB
            ");
        }
        let all = df(&registry, &["df", "REGISTRY"]).await;
        all.assert_success();
        insta::allow_duplicates! {
            insta::assert_snapshot!(with_names(&all.stdout, &[(&registry, "REGISTRY")]), @r"
            REPOSITORY              TAGS   IMAGES   SIZE      SHARED    UNIQUE
            REGISTRY/app     4      3        91.9 kB   46.0 kB   46.0 kB
            REGISTRY/other   1      1        46.0 kB   46.0 kB   0 B

            2 repositories, 5 tags, 3 images, 91.9 kB
            ");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn machines_read_bytes_and_the_sum_is_right() {
    let registry = filled(Kind::Distribution3).await;
    let json = df(&registry, &["df", "REGISTRY", "-o", "json"]).await;
    let document: Value = serde_json::from_str(&json.stdout).unwrap();
    let number = |value: &Value| value.as_u64().unwrap();
    let repositories = document["repositories"].as_array().unwrap();
    let apart: u64 = repositories
        .iter()
        .map(|repository| number(&repository["unique"]))
        .sum();
    // What the two repositories share is the one image of both.
    let shared = number(&repositories[1]["shared"]);
    assert_eq!(number(&document["totals"]["size"]), apart + shared);
    for value in repositories
        .iter()
        .chain(repositories[0]["tags"].as_array().unwrap())
    {
        let parts = number(&value["shared"]) + number(&value["unique"]);
        assert_eq!(number(&value["size"]), parts, "{value:#}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn layouts_and_the_destinations_of_mirrors_are_measured_alike() {
    let registry = filled(Kind::Distribution3).await;
    let of_mirror = df(&registry, &["df", "-f", "mirror.yaml", "-o", "json"]).await;
    of_mirror.assert_success();
    let directory = TempDir::new().unwrap();
    let tree = directory.path().display().to_string();
    let copied = df(
        &registry,
        &["sync", "-f", "away.yaml", "--to-layout", &tree],
    )
    .await;
    copied.assert_success();
    let of_layout = df(&registry, &["df", &tree, "-o", "json"]).await;
    of_layout.assert_success();
    let totals = |finished: &Finished| -> Value {
        let document: Value = serde_json::from_str(&finished.stdout).unwrap();
        document["totals"].clone()
    };
    assert_eq!(totals(&of_layout), totals(&of_mirror));
    assert_eq!(totals(&of_layout)["tags"], 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_looked_at_is_said() {
    let registry = filled(Kind::Crane).await;
    let missing = df(&registry, &["df", "REGISTRY/none"]).await;
    assert_eq!(missing.code, Some(1), "{}", missing.stdout);
    let said = missing.stdout + &missing.stderr;
    let said = with_names(&said, &[(&registry, "REGISTRY")]);
    insta::assert_snapshot!(said, @r#"
    0 repositories, 0 tags, 0 images, 0 B
    failed: NotFound: cannot list the tags of REGISTRY/none: 404 Not Found (NAME_UNKNOWN): there is no such thing at the registry, or the credential may not see it; it says "Unknown name"
    "#);
    let nowhere = df(&registry, &["df"]).await;
    assert_eq!(nowhere.code, Some(2));
    insta::assert_snapshot!(nowhere.stderr, @"error: name a registry, a repository or a directory to look at, or the files of mirrors with -f");
    let no_tree = df(&registry, &["df", "./none"]).await;
    assert_eq!(no_tree.code, Some(1));
    insta::assert_snapshot!(no_tree.stderr, @"error: there is no directory ./none: name the one that holds the image layouts");
}
