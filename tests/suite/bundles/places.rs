// SPDX-License-Identifier: Apache-2.0

//! Where bundles and their indexes cannot be, which is said before anything is fetched, and failures for machines.

use std::fs;

use serde_json::Value;

use super::{Gap, image};

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_written_is_said_before_anything_is_fetched() {
    let gap = Gap::new().await;
    gap.source.client().push("app", "1", &image(1)).await;
    fs::create_dir(gap.path("there")).unwrap();
    fs::write(gap.path("since.json"), "{}").unwrap();
    gap.source.forget_requests().await;
    let cases: [(&[&str], i32, &str); 10] = [
        (
            &["out.tar", "--index", "out.tar"],
            2,
            "FILE and --index are both out.tar",
        ),
        (
            &["out.tar", "--since", "./out.tar"],
            2,
            "FILE and --since are both ./out.tar",
        ),
        (
            &["out.tar", "--since", "since.json", "--index", "since.json"],
            2,
            "--since and --index are both since.json",
        ),
        (
            &["out.tar", "--split", "1MiB", "--index", "out.tar.001"],
            2,
            "--index is out.tar.001, which is a part of FILE",
        ),
        (
            &["out.tar", "--since", "out.tar.001"],
            2,
            "--since is out.tar.001, which is a part of FILE",
        ),
        (
            &["out.tar", "--index", "none/out.json"],
            1,
            "there is no directory none",
        ),
        (&["none/out.tar"], 1, "there is no directory none"),
        (&["there"], 1, "there is there and is no file"),
        (
            &["out.tar", "--index", "there"],
            1,
            "there is there and is no file",
        ),
        (&["there/"], 2, "there/ names no file"),
    ];
    for (words, code, expected) in cases {
        let create = [&["bundle", "create", "-f", "mirror.yaml"], words].concat();
        let finished = gap.run(&create).await;
        assert_eq!(finished.code, Some(code), "{words:?}: {}", finished.stderr);
        assert!(finished.stderr.contains(expected), "{}", finished.stderr);
    }
    assert_eq!(gap.source.requests().await.len(), 0);
    let left = gap.left();
    assert_eq!(left, ["mirror.yaml", "since.json", "there"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_load_that_cannot_begin_tells_machines_why() {
    let gap = Gap::new().await;
    for (words, expected) in [
        (
            ["load", "-f", "mirror.yaml", "none.tar"],
            "there is no archive none.tar",
        ),
        (
            ["load", "-f", "mirror.yaml", "mirror.yaml"],
            "mirror.yaml is damaged",
        ),
    ] {
        let load = [&["bundle"], &words[..], &["-o", "json"]].concat();
        let finished = gap.run(&load).await;
        assert_eq!(finished.code, Some(1), "{}", finished.stderr);
        let report: Value = serde_json::from_str(&finished.stdout).unwrap();
        assert_eq!(report["kind"], "SyncReport");
        let message = report["failures"][0]["message"].as_str().unwrap();
        assert!(message.contains(expected), "{message}");
    }
}
