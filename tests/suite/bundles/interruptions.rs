// SPDX-License-Identifier: Apache-2.0

//! Runs that end before their end.

use std::path::Path;
use std::time::Duration;

use super::{Gap, image};
use crate::support::program::Program;

/// Runs a program where a file may have 128 KiB at most, or the disk has no more.
const WITHOUT_ROOM: &str = r#"
mkdir small
if unshare --map-root-user --mount true; then
  exec unshare --map-root-user --mount sh -c '
    mount -t tmpfs -o size=512k tmpfs small
    "$@"
    code=$?
    ls -A small >left
    exit $code
  ' sh "$@"
fi
(trap "" XFSZ; ulimit -f 256; "$@")
code=$?
ls -A small >left
exit $code
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_killed_leaves_no_half_bundle_and_the_next_one_goes_on() {
    let gap = Gap::new().await;
    for (tag, seed) in [("1", 1), ("2", 2), ("3", 3)] {
        gap.source.client().push("app", tag, &image(seed)).await;
    }
    for forms in [&["out.tar"][..], &["out.tar", "--split", "1MiB"]] {
        for moment in 0..10 {
            let words = [&["bundle", "create", "-f", "mirror.yaml"], forms].concat();
            let running = gap.program(&words).start();
            tokio::time::sleep(Duration::from_millis(moment * 40)).await;
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
    for moment in 0..10 {
        let words = ["bundle", "load", "-f", "mirror.yaml", "out.tar"];
        let running = gap.program(&words).start();
        tokio::time::sleep(Duration::from_millis(moment * 40)).await;
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
async fn a_full_disk_is_said_and_nothing_is_left() {
    let gap = Gap::new().await;
    gap.source.client().push("app", "1", &image(1)).await;
    let arguments = [
        "-c",
        WITHOUT_ROOM,
        "sh",
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
    assert_eq!(finished.code, Some(1), "{}", finished.stdout);
    assert!(
        finished.stderr.contains("QuotaExceeded"),
        "{}",
        finished.stderr
    );
    let said = "small/out.tar was not written, for not every image could be had";
    assert!(finished.stderr.contains(said), "{}", finished.stderr);
    let left = std::fs::read_to_string(gap.path("left")).unwrap();
    assert_eq!(left, "");
}
