// SPDX-License-Identifier: Apache-2.0

//! Runs that end before their end.

use std::fs;
use std::path::Path;
use std::time::Instant;

use super::forged::Members;
use super::{Gap, image};
use crate::support::access_log::{Resource, count};
use crate::support::program::Program;

/// Runs a program where the disk has this much room, or a file may have so many blocks of 512 bytes at most. A bundle is
/// there already.
const WITHOUT_ROOM: &str = r#"
mkdir small
size=$1 blocks=$2
shift 2
if unshare --map-root-user --mount true; then
  exec unshare --map-root-user --mount sh -c '
    mount -t tmpfs -o "size=$1" tmpfs small
    shift
    echo earlier >small/out.tar
    "$@"
    code=$?
    (ls -A small; cat small/out.tar) >left
    exit $code
  ' sh "$size" "$@"
fi
echo earlier >small/out.tar
(trap "" XFSZ; ulimit -f "$blocks"; "$@")
code=$?
(ls -A small; cat small/out.tar) >left
exit $code
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_killed_leaves_no_half_bundle_and_the_next_one_goes_on() {
    let gap = Gap::new().await;
    for (tag, seed) in [("1", 1), ("2", 2), ("3", 3)] {
        gap.source.client().push("app", tag, &image(seed)).await;
    }
    let began = Instant::now();
    gap.create(&["measured.tar"]).await;
    let whole = began.elapsed();
    fs::remove_file(gap.path("measured.tar")).unwrap();
    for forms in [&["out.tar"][..], &["out.tar", "--split", "1MiB"]] {
        for tenth in 0..10 {
            let words = [&["bundle", "create", "-f", "mirror.yaml"], forms].concat();
            let running = gap.program(&words).start();
            tokio::time::sleep(whole * tenth / 10).await;
            running.killer().kill().await;
            let left = gap.left();
            if left
                .iter()
                .any(|name| name == "out.tar" || name == "out.tar.001")
            {
                gap.json(&["bundle", "verify", "out.tar"]).await;
            }
        }
        gap.create(forms).await;
        gap.json(&["bundle", "verify", "out.tar"]).await;
        let left = gap.left();
        let hidden = left.iter().filter(|name| name.starts_with('.'));
        assert_eq!(hidden.count(), 0, "{left:?}");
    }
    for tenth in 0..10 {
        let words = ["bundle", "load", "-f", "mirror.yaml", "out.tar"];
        let running = gap.program(&words).start();
        tokio::time::sleep(whole * tenth / 10).await;
        running.killer().kill().await;
        for tag in gap.tags("app").await {
            if tag.len() == 1 {
                gap.assert_whole(&[&format!("app:{tag}")]).await;
            }
        }
    }
    gap.load("out.tar").await;
    gap.assert_whole(&["app:1", "app:2", "app:3"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_run_left_is_used_and_no_more_than_is_wanted() {
    let gap = Gap::new().await;
    gap.source.client().push("app", "1", &image(1)).await;
    // What a run leaves that is killed when everything is there: layouts, as `sync` writes them.
    let host = gap.destination.host();
    let left = format!(".transship-out.tar/{host}");
    let sync = ["sync", "-f", "mirror.yaml", "--to-layout", &left];
    gap.run(&sync).await.assert_success();

    // And what a loss of power makes of it: names without their bytes.
    let blobs = gap.path(&left).join("mirrored/app/blobs/sha256");
    for blob in fs::read_dir(blobs).unwrap() {
        let (path, length) = (
            blob.as_ref().unwrap().path(),
            blob.unwrap().metadata().unwrap().len(),
        );
        if length > 500_000 {
            fs::write(path, vec![0; usize::try_from(length).unwrap()]).unwrap();
        }
    }
    let text = fs::read_to_string(gap.path("mirror.yaml")).unwrap();
    let less = "  platforms: {mode: List, list: [linux/amd64], index: Preserve}
  referrers: {mode: Skip}
";
    fs::write(gap.path("mirror.yaml"), text + less).unwrap();
    gap.source.forget_requests().await;
    let created = gap.create(&["out.tar"]).await;
    let fetched = count(&gap.source.requests().await, "GET", Resource::Blob);
    assert_eq!(
        fetched, 1,
        "the config and a layer are there, the other layer is broken"
    );
    let index = Members::of(&fs::read(gap.path("out.tar")).unwrap()).index();
    let repository = &index["repositories"][0];
    assert_eq!(
        repository["entries"].as_array().unwrap().len(),
        1,
        "{index:#}"
    );
    assert_eq!(
        repository["manifests"].as_array().unwrap().len(),
        2,
        "{index:#}"
    );
    assert_eq!(
        repository["leftOut"].as_array().unwrap().len(),
        1,
        "{index:#}"
    );
    // A config and two layers.
    assert_eq!(
        repository["blobs"].as_array().unwrap().len(),
        3,
        "{index:#}"
    );
    assert_eq!(created["contents"]["count"], 5);
    gap.json(&["bundle", "verify", "out.tar"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_said_and_nothing_is_left() {
    let gap = Gap::new().await;
    gap.source.client().push("app", "1", &image(1)).await;
    let gathering = [
        "QuotaExceeded",
        "small/out.tar was not written, for not every image could be had",
    ];
    // There is room for all of it, and not for a layer twice.
    let packing = ["cannot write small/.transship-out.tar", "free some space"];
    for (size, blocks, expected) in [("512k", "256", gathering), ("1800k", "2000", packing)] {
        let arguments = [
            "-c",
            WITHOUT_ROOM,
            "sh",
            size,
            blocks,
            env!("CARGO_BIN_EXE_transship"),
            "bundle",
            "create",
            "-f",
            "mirror.yaml",
            "small/out.tar",
        ];
        let finished = Program::at(Path::new("sh"), &arguments)
            .directory(gap.directory.path())
            .run()
            .await;
        assert_eq!(finished.code, Some(1), "{size}: {}", finished.stdout);
        for said in expected {
            assert!(
                finished.stderr.contains(said),
                "{size}: {}",
                finished.stderr
            );
        }
        let left = fs::read_to_string(gap.path("left")).unwrap();
        assert_eq!(left, "out.tar\nearlier\n", "{size}");
        fs::remove_dir_all(gap.path("small")).unwrap();
    }
}
