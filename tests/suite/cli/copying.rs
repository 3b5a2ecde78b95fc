// SPDX-License-Identifier: Apache-2.0

//! `copy`.

use serde_json::Value;

use super::{Files, with_names};
use crate::support::content::{Image, ImageBuilder};
use crate::support::program::Finished;
use crate::support::registries::{Kind, Registry, Security};
use crate::support::witness::Witness;

fn image(seed: u64) -> Image {
    ImageBuilder::new(seed)
        .platforms(&["linux/amd64", "linux/arm64"])
        .layers(&[1_000])
        .referrer("application/vnd.example.sbom")
        .build()
}

/// Two registries, and a directory to run in.
struct Bench {
    source: Registry,
    destination: Registry,
    files: Files,
}

impl Bench {
    async fn new() -> Self {
        let (source, destination) = tokio::join!(
            Registry::start(Kind::Distribution3, Security::Plain),
            Registry::start(Kind::Distribution3, Security::Plain),
        );
        Self {
            source,
            destination,
            files: Files::new(&[]),
        }
    }

    /// Copies; `source/` and `destination/` stand for the registries.
    async fn copy(&self, arguments: &[&str]) -> Finished {
        let hosts = format!("{},{}", self.source.host(), self.destination.host());
        let words: Vec<String> = arguments
            .iter()
            .map(|word| word.replace("source/", &format!("{}/", self.source.host())))
            .map(|word| word.replace("destination/", &format!("{}/", self.destination.host())))
            .collect();
        let mut words: Vec<&str> = words.iter().map(String::as_str).collect();
        words.insert(0, "copy");
        self.files
            .transship(&words)
            .environment("TRANSSHIP_INSECURE", hosts)
            .run()
            .await
    }

    /// The digest of a tag that is complete at the destination.
    async fn digest(&self, repository: &str, tag: &str) -> String {
        let mut witness = Witness::new(self.destination.client(), repository);
        assert_eq!(witness.check(tag).await, [], "{repository}:{tag}");
        witness.digest(tag).await.unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_image_under_its_own_tag_or_another_or_none() {
    let bench = Bench::new().await;
    let image = image(1);
    bench.source.client().push("app", "1", &image).await;
    let pinned = format!("source/app@{}", image.digest());
    let cases = [
        ("its own tag", "source/app:1", "destination/own", "1"),
        ("another tag", "source/app:1", "destination/other:x", "x"),
        ("a digest", &pinned, "destination/pinned:x", "x"),
        (
            "a digest without a tag",
            &pinned,
            "destination/untagged",
            image.digest(),
        ),
        ("a retag", "source/app:1", "source/app:retagged", "retagged"),
    ];
    for (name, from, to, reference) in cases {
        let finished = bench.copy(&[from, to]).await;
        assert_eq!(
            finished.code,
            Some(0),
            "{name}: {}{}",
            finished.stdout,
            finished.stderr
        );
        let repository = to.split(['/', ':']).nth(1).unwrap();
        let registry = if to.starts_with("source") {
            &bench.source
        } else {
            &bench.destination
        };
        let witness = Witness::new(registry.client(), repository);
        assert_eq!(
            witness.digest(reference).await.unwrap(),
            image.digest(),
            "{name}"
        );
    }
    let again = bench.copy(&["source/app:1", "destination/own"]).await;
    assert!(
        again
            .stdout
            .contains("0 copied, 1 unchanged, 0 failed, 0 B sent"),
        "{}",
        again.stdout
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn all_tags_and_what_refers_to_them() {
    let bench = Bench::new().await;
    for (seed, tag) in [(1, "1"), (2, "2")] {
        bench.source.client().push("app", tag, &image(seed)).await;
    }
    let finished = bench
        .copy(&["-a", "source/app", "destination/app", "-o", "json"])
        .await;
    finished.assert_success();
    let report: Value = serde_json::from_str(&finished.stdout).unwrap();
    assert_eq!(report["totals"]["copied"], 2, "{}", finished.stdout);
    for (seed, tag) in [(1, "1"), (2, "2")] {
        assert_eq!(bench.digest("app", tag).await, image(seed).digest());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_platform_of_several() {
    let bench = Bench::new().await;
    bench.source.client().push("app", "1", &image(1)).await;
    let one = [
        "source/app:1",
        "destination/app",
        "--platform",
        "linux/arm64",
        "--no-referrers",
    ];
    bench.copy(&one).await.assert_success();
    assert_ne!(bench.digest("app", "1").await, image(1).digest());
    let absent = [
        "source/app:1",
        "destination/app",
        "--platform",
        "linux/riscv64",
    ];
    let finished = bench.copy(&absent).await;
    assert_eq!(finished.code, Some(1), "{}", finished.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_exist_is_named() {
    let bench = Bench::new().await;
    let names = [
        (&bench.source, "source"),
        (&bench.destination, "destination"),
    ];
    let mut said = Vec::new();
    for arguments in [
        &["source/app:1", "destination/app"][..],
        &["-a", "source/app", "destination/app"],
    ] {
        let finished = bench.copy(arguments).await;
        assert_eq!(finished.code, Some(1), "{arguments:?}");
        let stdout = finished.stdout.split(" sent in ").next().unwrap();
        said.push(with_names(
            &format!("{stdout}\n{}", finished.stderr),
            &names,
        ));
    }
    insta::assert_snapshot!(said.join("\n"), @r#"
    0 copied, 0 unchanged, 1 failed, 0 B
    failed: NotFound: source/app:1 does not exist


    error: cannot list the tags of source/app: 404 Not Found (NAME_UNKNOWN): there is no such thing at the registry, or the credential may not see it; it says "repository name not known to registry: name=app"
    "#);
}
