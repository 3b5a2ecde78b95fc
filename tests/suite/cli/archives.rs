// SPDX-License-Identifier: Apache-2.0

//! Images in directories and archives: ours for skopeo and crane, theirs for us.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::Files;
use crate::support::content::{Image, ImageBuilder};
use crate::support::digest::sha256;
use crate::support::program::{Finished, Program};
use crate::support::registries::{Kind, Registry, Security};
use crate::support::tools;

fn image(seed: u64) -> Image {
    ImageBuilder::new(seed)
        .platforms(&["linux/amd64", "linux/arm64"])
        .layers(&[1_000, 20_000])
        .referrer("application/vnd.example.sbom")
        .build()
}

/// A registry with `app:1` and `other:2`, and a directory to run in.
struct Lab {
    registry: Registry,
    files: Files,
}

impl Lab {
    async fn new() -> Self {
        let registry = Registry::start(Kind::Distribution3, Security::Plain).await;
        registry.client().push("app", "1", &image(1)).await;
        registry.client().push("other", "2", &image(2)).await;
        Self {
            registry,
            files: Files::new(&[]),
        }
    }

    fn named(&self, arguments: &[&str]) -> Vec<String> {
        let host = self.registry.host();
        arguments
            .iter()
            .map(|word| word.replace("REGISTRY", &host))
            .collect()
    }

    /// Runs the program; `REGISTRY` stands for the registry.
    async fn run(&self, arguments: &[&str]) -> Finished {
        let words = self.named(arguments);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let program = self.files.transship(&words);
        program
            .environment("TRANSSHIP_INSECURE", self.registry.host())
            .run()
            .await
    }

    async fn stdout(&self, arguments: &[&str]) -> String {
        let finished = self.run(arguments).await;
        finished.assert_success();
        finished.stdout
    }

    /// Runs a program of others in the same directory.
    async fn peer(&self, program: &Path, arguments: &[&str]) -> String {
        let words = self.named(arguments);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let finished = Program::at(program, &words)
            .directory(&self.files.path(""))
            .run()
            .await;
        finished.assert_success();
        finished.stdout
    }

    async fn skopeo(&self, arguments: &[&str]) -> String {
        let flags: &[&str] = match arguments[0] {
            "copy" => &["--src-tls-verify=false", "--dest-tls-verify=false"],
            _ => &[],
        };
        let words = [&["--insecure-policy", arguments[0]], flags, &arguments[1..]].concat();
        self.peer(&tools::packaged("skopeo"), &words).await
    }

    async fn crane(&self, arguments: &[&str]) -> String {
        let words = [arguments, &["--insecure"]].concat();
        self.peer(&tools::built("crane"), &words).await
    }

    /// The digest of the image for amd64.
    async fn digest(&self, reference: &str) -> String {
        let arguments = ["digest", "--platform", "linux/amd64", reference];
        self.stdout(&arguments).await.trim().to_owned()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_docker_archive_with_two_images_is_read_by_all() {
    let lab = Lab::new().await;
    let arguments = [
        "copy",
        "--platform",
        "linux/amd64",
        "REGISTRY/app:1",
        "REGISTRY/other:2",
        "docker-archive:both.tar",
    ];
    lab.stdout(&arguments).await;
    let left: Vec<String> = fs::read_dir(lab.files.path(""))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    assert_eq!(left, ["both.tar"], "nothing is left beside it");

    for (name, seed) in [("app:1", 1), ("other:2", 2)] {
        let within = format!("docker-archive:both.tar:REGISTRY/{name}");
        let expected = lab.digest(&format!("REGISTRY/{name}")).await;
        assert_eq!(lab.digest(&within).await, expected, "{seed}");
        lab.skopeo(&["copy", &within, &format!("docker://REGISTRY/skopeo/{name}")])
            .await;
        lab.stdout(&["verify", "--deep", &format!("REGISTRY/skopeo/{name}")])
            .await;
        lab.stdout(&["copy", &within, &format!("REGISTRY/back/{name}")])
            .await;
        assert_eq!(lab.digest(&format!("REGISTRY/back/{name}")).await, expected);
    }
    let which = lab.run(&["digest", "docker-archive:both.tar"]).await;
    assert_eq!(which.code, Some(1));
    assert!(
        which
            .stderr
            .contains("which image of docker-archive:both.tar"),
        "{}",
        which.stderr
    );

    let arguments = [
        "copy",
        "--platform",
        "linux/amd64",
        "REGISTRY/app:1",
        "docker-archive:one.tar:renamed:x",
    ];
    lab.stdout(&arguments).await;
    lab.crane(&["push", "one.tar", "REGISTRY/crane:1"]).await;
    lab.stdout(&["verify", "--deep", "REGISTRY/crane:1"]).await;
    let listed = lab.stdout(&["ls", "-q", "docker-archive:one.tar"]).await;
    assert_eq!(listed, "x\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_oci_archive_and_a_layout_keep_everything() {
    let lab = Lab::new().await;
    for place in ["oci-archive:a.tar", "./lay", "oci:other"] {
        lab.stdout(&["copy", "REGISTRY/app:1", place]).await;
        let named = if place.starts_with("oci-archive") {
            "oci-archive:a.tar".to_owned()
        } else {
            format!("{place}:1")
        };
        let digest = lab.stdout(&["digest", &named]).await;
        assert_eq!(digest.trim(), image(1).digest(), "{place}");
        let verified = lab.stdout(&["verify", "--deep", &named]).await;
        // The index, two images and the referrer.
        assert!(verified.contains("4 manifests"), "{verified}");
        // Beside the image stands what refers to it: skopeo has to be told which one is meant.
        let theirs = place
            .replace("a.tar", "a.tar:1")
            .replace("./lay", "oci:lay:1")
            .replace("oci:other", "oci:other:1");
        let raw = lab.skopeo(&["inspect", "--raw", &theirs]).await;
        assert_eq!(sha256(raw.as_bytes()), image(1).digest(), "{place}");
        lab.stdout(&["copy", &named, "REGISTRY/back:1"]).await;
        let back = lab
            .stdout(&["inspect", "REGISTRY/back:1", "-o", "json"])
            .await;
        let back: Value = serde_json::from_str(&back).unwrap();
        assert_eq!(back["digest"], image(1).digest());
        assert_eq!(
            back["referrers"].as_array().map(Vec::len),
            Some(1),
            "{back:#}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn archives_of_others_are_read() {
    let lab = Lab::new().await;
    lab.skopeo(&[
        "copy",
        "--override-os=linux",
        "--override-arch=amd64",
        "docker://REGISTRY/app:1",
        "docker-archive:skopeo.tar:app:1",
    ])
    .await;
    lab.skopeo(&[
        "copy",
        "--all",
        "docker://REGISTRY/app:1",
        "oci-archive:skopeo-oci.tar:1",
    ])
    .await;
    lab.crane(&[
        "pull",
        "--platform",
        "linux/amd64",
        "REGISTRY/app:1",
        "crane.tar",
    ])
    .await;
    for archive in [
        "docker-archive:skopeo.tar",
        "oci-archive:skopeo-oci.tar",
        "docker-archive:crane.tar",
    ] {
        lab.stdout(&["verify", "--deep", archive]).await;
        lab.stdout(&["history", archive]).await;
        let target = format!("REGISTRY/{}:1", archive.replace([':', '.'], "-"));
        lab.stdout(&["copy", archive, &target]).await;
        lab.stdout(&["verify", "--deep", &target]).await;
        let config = lab
            .stdout(&["inspect", "--config", "--platform", "linux/amd64", &target])
            .await;
        let expected = lab
            .stdout(&[
                "inspect",
                "--config",
                "--platform",
                "linux/amd64",
                "REGISTRY/app:1",
            ])
            .await;
        let diff_ids =
            |text: &str| serde_json::from_str::<Value>(text).unwrap()["rootfs"]["diff_ids"].clone();
        assert_eq!(diff_ids(&config), diff_ids(&expected), "{archive}");
    }
    let oci = lab.stdout(&["digest", "oci-archive:skopeo-oci.tar"]).await;
    assert_eq!(oci.trim(), image(1).digest());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_archive_is_named_by_its_offset() {
    let lab = Lab::new().await;
    lab.stdout(&["copy", "REGISTRY/app:1", "oci-archive:a.tar"])
        .await;
    let whole = fs::read(lab.files.path("a.tar")).unwrap();
    fs::write(lab.files.path("cut.tar"), &whole[..whole.len() - 3_000]).unwrap();
    let mut bent = whole.clone();
    bent[520] ^= 1;
    bent[1_030] ^= 1;
    fs::write(lab.files.path("bent.tar"), bent).unwrap();
    for (archive, said) in [
        ("cut.tar", "the archive cut.tar is damaged at offset "),
        (
            "bent.tar",
            "the archive bent.tar is damaged at offset 1024: ",
        ),
        ("none.tar", "there is no archive none.tar"),
    ] {
        let finished = lab
            .run(&["digest", &format!("oci-archive:{archive}")])
            .await;
        assert_eq!(finished.code, Some(1), "{archive}: {}", finished.stderr);
        assert!(finished.stderr.contains(said), "{}", finished.stderr);
    }
    let kept = lab
        .run(&[
            "copy",
            "--no-clobber",
            "REGISTRY/app:1",
            "oci-archive:a.tar",
        ])
        .await;
    assert_eq!(kept.code, Some(1), "{}", kept.stdout);
    assert_eq!(fs::read(lab.files.path("a.tar")).unwrap(), whole);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_is_only_tried_or_spares_writes_nothing() {
    let lab = Lab::new().await;
    let dry = lab
        .stdout(&["copy", "--dry-run", "REGISTRY/app:1", "REGISTRY/dry:1"])
        .await;
    assert!(dry.contains("1 to copy, 0 unchanged"), "{dry}");
    assert_eq!(lab.registry.client().tags("dry").await.unwrap(), [""; 0]);
    let dry = lab
        .stdout(&[
            "copy",
            "--dry-run",
            "REGISTRY/app:1",
            "docker-archive:dry.tar",
        ])
        .await;
    assert!(dry.contains("1 to copy"), "{dry}");
    assert_eq!(fs::read_dir(lab.files.path("")).unwrap().count(), 0);

    let spared = lab
        .stdout(&["copy", "-n", "REGISTRY/app:1", "REGISTRY/other:2"])
        .await;
    assert!(spared.contains("1 frozen"), "{spared}");
    let digest = lab.stdout(&["digest", "REGISTRY/other:2"]).await;
    assert_eq!(digest.trim(), image(2).digest());

    let pinned = format!("REGISTRY/app@{}", image(1).digest());
    let reduced = lab
        .run(&[
            "copy",
            &pinned,
            "REGISTRY/one",
            "--platform",
            "linux/arm64",
            "-o",
            "json",
        ])
        .await;
    reduced.assert_success();
    let report: Value = serde_json::from_str(&reduced.stdout).unwrap();
    let target = report["tags"][0]["target"].as_str().unwrap();
    lab.stdout(&["verify", "--deep", target]).await;
    assert!(
        reduced.stderr.contains(&format!("no tag names {target}")),
        "{}",
        reduced.stderr
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_docker_archive_takes_an_image_of_any_one_platform_and_nothing_without_the_rest() {
    let lab = Lab::new().await;
    let lone = ImageBuilder::new(3)
        .platform("linux/s390x")
        .layers(&[1_000])
        .build();
    lab.registry.client().push("lone", "1", &lone).await;
    let broken = [
        "copy",
        "REGISTRY/lone:1",
        "REGISTRY/lone:9",
        "docker-archive:lone.tar",
    ];
    let finished = lab.run(&broken).await;
    assert_eq!(finished.code, Some(1), "{}", finished.stdout);
    let told = "lone.tar: CopyFailed: the archive was not written";
    assert!(finished.stderr.contains(told), "{}", finished.stderr);
    assert!(finished.stdout.contains("0 copied"), "{}", finished.stdout);
    assert_eq!(fs::read_dir(lab.files.path("")).unwrap().count(), 0);

    lab.stdout(&["copy", "REGISTRY/lone:1", "docker-archive:lone.tar"])
        .await;
    let digest = lab.stdout(&["digest", "docker-archive:lone.tar"]).await;
    assert_eq!(digest.trim(), lone.digest());
    let asked = [
        "copy",
        "--platform",
        "linux/amd64",
        "REGISTRY/lone:1",
        "docker-archive:x.tar",
    ];
    assert_eq!(lab.run(&asked).await.code, Some(1));
}
