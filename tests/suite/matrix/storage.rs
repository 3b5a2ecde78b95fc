// SPDX-License-Identifier: Apache-2.0

//! Destinations that run out of room: nothing half-done is visible, and there is a way on.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use futures::future::join_all;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::mirror::{Mirror, Report};
use crate::support::content::{Image, ImageBuilder};
use crate::support::digest::sha256;
use crate::support::faults::FaultRegistry;
use crate::support::http::Reply;
use crate::support::program::{Finished, Program};
use crate::support::tools;

/// Runs a program twice: with room for 128 KiB in `tree`, then with more. Keeps what is there after the
/// first run in `first` and after the second in `second`.
///
/// Where no file system may be mounted, no file may be longer than 64 KiB the first time.
const SMALL_THEN_LARGE: &str = r#"
mkdir tree first second
if unshare --map-root-user --mount true; then
  exec unshare --map-root-user --mount sh -c '
    mount -t tmpfs -o size=128k tmpfs tree
    "$@" >first.json
    cp -a tree/. first
    mount -o remount,size=8m tree
    "$@"
    code=$?
    cp -a tree/. second
    exit $code
  ' sh "$@"
fi
(trap "" XFSZ; ulimit -f 128; "$@" >first.json)
cp -a tree/. first
"$@"
code=$?
cp -a tree/. second
exit $code
"#;

fn image() -> Image {
    ImageBuilder::new(1)
        .platforms(&["linux/amd64", "linux/arm64"])
        .layers(&[40_000, 90_000])
        .build()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_that_is_full_or_broken_keeps_what_is_complete() {
    let cases = [
        ("POST", "/blobs/uploads/", 507, "QuotaExceeded"),
        ("PUT", "/blobs/uploads/", 507, "QuotaExceeded"),
        ("PUT", "/manifests/sha256:", 507, "QuotaExceeded"),
        ("PUT", "/manifests/1", 507, "QuotaExceeded"),
        ("POST", "/blobs/uploads/", 500, "Unreachable"),
        ("PUT", "/blobs/uploads/", 500, "Unreachable"),
        ("PUT", "/manifests/sha256:", 500, "Unreachable"),
        ("PUT", "/manifests/1", 500, "Unreachable"),
    ];
    join_all(
        cases.map(|(method, part, status, reason)| fail_and_recover(method, part, status, reason)),
    )
    .await;
}

async fn fail_and_recover(method: &'static str, part: &'static str, status: u16, reason: &str) {
    let (source, destination) = (FaultRegistry::start(), FaultRegistry::start());
    let image = image();
    source.load("app", "1", &image);
    destination
        .on(method, part)
        .responds(Reply::error(status, "UNKNOWN", "no"));
    let mirror = Mirror::from(&source.access())
        .image("app", &["1"])
        .to(&destination.access());
    let case = format!("{method} {part} {status}");
    let report = mirror.sync().await;
    let failure = report.failure();
    assert_eq!(
        (report.code, failure.reason.as_str()),
        (Some(1), reason),
        "{case}: {report}"
    );
    assert!(
        failure.message.contains(&status.to_string()),
        "{case}: {report}"
    );
    assert_eq!(destination.tags("app"), [""; 0], "{case}");

    let there = |digest: &str| destination.has_blob("app", digest);
    let missing = image.blobs.iter().filter(|blob| !there(&blob.digest));
    let missing: usize = missing.map(|blob| blob.bytes.len()).sum();
    destination.script().clear_rules();
    let report = mirror.sync().await;
    report.expect(0, [1, 0, 0, 0, 0], &case);
    assert_eq!(report.bytes(), missing as u64, "{case}: {report}");
    let arrived = destination.manifest("app", "1").unwrap();
    assert_eq!(arrived.digest, image.digest(), "{case}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_keeps_what_is_complete() {
    let source = FaultRegistry::start();
    let image = image();
    source.load("app", "1", &image);
    let directory = TempDir::new().unwrap();
    let path = |name: &str| directory.path().join(name);
    let mirror = Mirror::from(&source.access())
        .image("app", &["1"])
        .to(&FaultRegistry::start().access());
    fs::write(path("mirror.yaml"), mirror.yaml()).unwrap();
    let finished = on_a_small_disk(directory.path()).await;
    let first = Report::read(Finished {
        code: None,
        stdout: fs::read_to_string(path("first.json")).unwrap(),
        stderr: finished.stderr.clone(),
    });
    let failure = first.failure();
    assert_eq!(failure.reason, "QuotaExceeded", "{first}");
    assert!(failure.message.contains("free some space"), "{first}");
    let kept = contents(&path("first/app"));
    let index = fs::read(path("first/app/index.json")).unwrap();
    let index: Value = serde_json::from_slice(&index).unwrap();
    assert_eq!(index["manifests"], json!([]));

    let second = Report::read(finished);
    second.expect(0, [1, 0, 0, 0, 0], "with more room");
    let found = contents(&path("second/app"));
    let parts = [&image.root]
        .into_iter()
        .chain(&image.children)
        .chain(&image.blobs);
    for part in parts {
        assert!(
            found.values().any(|digest| *digest == part.digest),
            "{part:?}"
        );
    }
    let missing = image
        .blobs
        .iter()
        .filter(|blob| !kept.values().any(|digest| *digest == blob.digest));
    let missing: usize = missing.map(|blob| blob.bytes.len()).sum();
    assert_eq!(second.bytes(), missing as u64, "{second}");
}

/// What the script says of a mirror whose file is in a directory.
async fn on_a_small_disk(directory: &Path) -> Finished {
    let arguments = ["-c", SMALL_THEN_LARGE, "sh"];
    let transship = [
        env!("CARGO_BIN_EXE_transship"),
        "sync",
        "-f",
        "mirror.yaml",
        "--to-layout",
        "tree",
        "-o",
        "json",
    ];
    Program::at(
        &tools::packaged("sh"),
        &[&arguments[..], &transship].concat(),
    )
    .directory(directory)
    .run()
    .await
}

/// The files of a layout, with the digest of each; blobs have that digest for a name.
fn contents(layout: &Path) -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    let mut directories = vec![layout.to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
                continue;
            }
            let digest = sha256(&fs::read(&path).unwrap());
            let name = path.strip_prefix(layout).unwrap();
            if let Ok(blob) = name.strip_prefix("blobs/sha256") {
                assert_eq!(format!("sha256:{}", blob.display()), digest);
            }
            found.insert(name.to_owned(), digest);
        }
    }
    found
}
