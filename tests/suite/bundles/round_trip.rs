// SPDX-License-Identifier: Apache-2.0

//! What is written is read, by us and by others.

use std::fs;

use serde_json::json;

use super::{Gap, image};
use crate::support::content::ImageBuilder;
use crate::support::digest::sha256;
use crate::support::program::Program;
use crate::support::registries::{Kind, Registry, Security};
use crate::support::tools;

#[tokio::test(flavor = "multi_thread")]
async fn everything_arrives_in_whatever_form_it_is_carried() {
    let mut gap = Gap::new().await;
    for (repository, tag, seed) in [("app", "1", 1), ("app", "2", 2), ("other", "1", 3)] {
        gap.source
            .client()
            .push(repository, tag, &image(seed))
            .await;
    }
    let forms: [(&[&str], &str, usize); 4] = [
        (&["out.tar"], "out.tar", 1),
        (&["split.tar", "--split", "1MiB"], "split.tar.001", 5),
        (&["out.tar.zst"], "out.tar.zst", 1),
        (&["both", "--zstd", "--split", "1MiB"], "both", 5),
    ];
    for (arguments, file, least) in forms {
        gap.destination = Registry::start(Kind::Distribution3, Security::Plain).await;
        gap.write_mirror(&["app", "other"]);
        let created = gap.create(arguments).await;
        let parts = created["files"].as_array().unwrap();
        assert!(parts.len() >= least, "{created:#}");
        for part in parts {
            let length = fs::metadata(gap.path(part["path"].as_str().unwrap())).unwrap();
            assert_eq!(part["size"], length.len());
        }
        let listed = gap.json(&["bundle", "ls", file]).await;
        assert_eq!(listed["images"], created["images"]);
        let host = gap.destination.host();
        assert_eq!(
            listed["images"][0],
            json!({
                "mirror": "default/m",
                "source": format!("{}/app:1", gap.source.host()),
                "target": format!("{host}/mirrored/app:1"),
                "digest": image(1).digest(),
            })
        );
        let verified = gap.json(&["bundle", "verify", file]).await;
        assert_eq!(verified["failures"], json!([]));

        let loaded = gap.load(file).await;
        assert_eq!(loaded["totals"]["copied"], 3, "{loaded:#}");
        gap.assert_whole(&["app:1", "app:2", "other:1"]).await;
        for (name, seed) in [("app:1", 1), ("other:1", 3)] {
            let reference = format!("{host}/mirrored/{name}");
            let shown = gap.json(&["inspect", &reference]).await;
            assert_eq!(shown["digest"], image(seed).digest());
            let referrers = shown["referrers"].as_array().unwrap();
            assert_eq!(referrers.len(), 2, "{shown:#}");
        }
        let again = gap.load(file).await;
        assert_eq!(again["totals"]["unchanged"], 3, "{again:#}");
        assert_eq!(again["totals"]["bytes"], 0);
    }
    let hidden = gap.left().into_iter().filter(|name| name.starts_with('.'));
    assert_eq!(
        hidden.collect::<Vec<_>>(),
        [""; 0],
        "nothing is left beside"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn names_inside_are_those_of_the_file_inside() {
    let gap = Gap::new().await;
    gap.source.client().push("app", "1", &image(1)).await;
    gap.create(&["out.tar"]).await;
    let text = fs::read_to_string(gap.path("mirror.yaml")).unwrap();
    let inside = text.replace("'mirrored/{repository}'", "'inside/{repository}'");
    assert_ne!(inside, text);
    fs::write(gap.path("inside.yaml"), inside).unwrap();
    gap.json(&["bundle", "load", "-f", "inside.yaml", "out.tar"])
        .await;
    let tags = gap.destination.client().tags("inside/app").await;
    assert!(tags.unwrap().contains(&"1".to_owned()));

    let other = text.replace("name: m", "name: another");
    fs::write(gap.path("other.yaml"), other).unwrap();
    let finished = gap
        .run(&["bundle", "load", "-f", "other.yaml", "out.tar"])
        .await;
    assert_eq!(finished.code, Some(1));
    let said = "out.tar has nothing for these mirrors: it has images of default/m";
    assert!(finished.stderr.contains(said), "{}", finished.stderr);
}

/// Runs a program of others in the directory of the gap.
async fn peer(gap: &Gap, program: std::path::PathBuf, arguments: &[&str]) -> String {
    let finished = Program::at(&program, arguments)
        .directory(gap.directory.path())
        .run()
        .await;
    finished.assert_success();
    finished.stdout
}

#[tokio::test(flavor = "multi_thread")]
async fn skopeo_crane_and_oras_read_a_bundle() {
    let gap = Gap::new().await;
    let plain = ImageBuilder::new(7).layers(&[1_000, 50_000]).build();
    gap.source.client().push("app", "1", &plain).await;
    gap.create(&["out.tar"]).await;
    let name = format!("{}/mirrored/app:1", gap.destination.host());

    let archive = format!("oci-archive:out.tar:{name}");
    let raw = peer(
        &gap,
        tools::packaged("skopeo"),
        &["--insecure-policy", "inspect", "--raw", &archive],
    )
    .await;
    assert_eq!(sha256(raw.as_bytes()), plain.digest());
    let to = format!("docker://{}/by/skopeo:1", gap.destination.host());
    let arguments = [
        "--insecure-policy",
        "copy",
        "--all",
        "--dest-tls-verify=false",
        &archive,
        &to,
    ];
    peer(&gap, tools::packaged("skopeo"), &arguments).await;

    let within = format!("out.tar@{}", plain.digest());
    let arguments = ["manifest", "fetch", "--oci-layout", &within];
    let raw = peer(&gap, tools::built("oras"), &arguments).await;
    assert_eq!(sha256(raw.as_bytes()), plain.digest());

    fs::create_dir(gap.path("unpacked")).unwrap();
    peer(&gap, "tar".into(), &["-xf", "out.tar", "-C", "unpacked"]).await;
    let whole = format!("{}/by/crane:1", gap.destination.host());
    let arguments = ["push", "--index", "--insecure", "unpacked", &whole];
    peer(&gap, tools::built("crane"), &arguments).await;
    let index = gap.json(&["inspect", &whole]).await;
    assert!(index.to_string().contains(plain.digest()), "{index:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_layer_takes_little_memory_on_both_sides() {
    const MOST: usize = 96 << 20;
    let gap = Gap::new().await;
    let large = ImageBuilder::new(9).layers(&[160 << 20]).build();
    gap.source.client().push("app", "1", &large).await;
    for arguments in [
        &["create", "-f", "mirror.yaml", "out.tar.zst"][..],
        &["verify", "out.tar.zst"],
        &["load", "-f", "mirror.yaml", "out.tar.zst"],
    ] {
        let words = [&["bundle"], arguments].concat();
        let running = gap.program(&words).start();
        let pid = running.pid();
        let finish = tokio::spawn(running.finish());
        let mut peak = 0;
        while !finish.is_finished() {
            peak = peak.max(peak_memory(pid).unwrap_or_default());
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        finish.await.unwrap().assert_success();
        assert!(peak > 0, "{arguments:?}");
        assert!(peak <= MOST, "{arguments:?}: {} MiB", peak >> 20);
    }
    gap.assert_whole(&["app:1"]).await;
}

/// The most memory that a process has had so far, in bytes.
fn peak_memory(process: u32) -> Option<usize> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: usize = line.split_whitespace().next()?.parse().ok()?;
    Some(kibibytes * 1024)
}

/// The mirror with these images, and more of its spec.
fn write_images(gap: &Gap, file: &str, images: &str, spec: &str) {
    let text = fs::read_to_string(gap.path("mirror.yaml")).unwrap();
    let text = text.replace("images: [{repository: app, tags: ['*']}]", images);
    fs::write(gap.path(file), text + spec).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn images_have_the_names_that_sync_gives_them() {
    for (images, expected) in [
        (
            "images: [{repository: app, tags: ['1'], retag: {'1': old}}, {repository: 'ap*', tags: ['2'], retag: {'2': stable}}]",
            [&["old", "stable"][..], &[]],
        ),
        (
            "images: [{repository: app, tags: ['1']}, {repository: 'ap*', tags: ['1'], retag: {'1': stable}}]",
            [&["1", "stable"], &[]],
        ),
        (
            "images: [{repository: 'ap*', tags: ['2']}, {repository: app, tags: ['1'], as: x/app}]",
            [&["2"], &["1"]],
        ),
    ] {
        let gap = Gap::new().await;
        for (tag, seed) in [("1", 1), ("2", 2)] {
            let image = ImageBuilder::new(seed).build();
            gap.source.client().push("app", tag, &image).await;
        }
        write_images(&gap, "mirror.yaml", images, "");
        gap.create(&["out.tar"]).await;
        gap.load("out.tar").await;
        for (repository, tags) in ["app", "x/app"].into_iter().zip(expected) {
            assert_eq!(gap.tags(repository).await, tags, "{repository} of {images}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_file_inside_does_not_name_goes_nowhere() {
    let gap = Gap::new().await;
    let image = ImageBuilder::new(1).build();
    gap.source.client().push("app", "1", &image).await;
    gap.create(&["out.tar"]).await;
    let pin = format!(
        "images: [{{repository: app, tags: ['1@sha256:{}']}}]",
        "0".repeat(64)
    );
    for (images, why) in [
        (
            "images: [{repository: other, tags: ['*']}]",
            "app:1 for mirror default/m, and none of its images is that one here",
        ),
        (
            "images: [{repository: app, tags: ['2']}]",
            "app:1 for mirror default/m, and none of its images is that one here",
        ),
        (
            pin.as_str(),
            "app:1 for mirror default/m, and that tag is pinned to another digest here",
        ),
    ] {
        write_images(&gap, "inside.yaml", images, "");
        let load = ["bundle", "load", "-f", "inside.yaml", "out.tar"];
        let finished = gap.run(&load).await;
        assert_eq!(finished.code, Some(1), "{images}");
        assert!(finished.stderr.contains(why), "{}", finished.stderr);
        assert_eq!(gap.tags("app").await, Vec::<String>::new());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_that_is_kept_goes_without_what_was_left_out() {
    let gap = Gap::new().await;
    let image = ImageBuilder::new(1)
        .platforms(&["linux/amd64", "linux/arm64"])
        .build();
    gap.source.client().push("app", "1", &image).await;
    let platforms = "  platforms: {mode: List, list: [linux/amd64], index: Preserve}\n";
    let all = "images: [{repository: app, tags: ['*']}]";
    write_images(&gap, "mirror.yaml", all, platforms);
    gap.create(&["out.tar"]).await;
    // No registry here takes an index of which something is missing: all that was chosen came as far as that.
    let load = [
        "bundle",
        "load",
        "-f",
        "mirror.yaml",
        "out.tar",
        "-o",
        "json",
    ];
    let loaded = gap.run(&load).await;
    assert!(
        loaded.stdout.contains(r#""reason": "SparseIndexRefused""#),
        "{}",
        loaded.stdout
    );
}
