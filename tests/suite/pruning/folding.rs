// SPDX-License-Identifier: Apache-2.0

//! A registry that does not tell upper and lower case apart: whoever deletes one of two names deletes both.

use std::fs;

use futures::future::join_all;

use super::files::{Files, REPOSITORY, Written};
use super::lab::image;
use crate::support::faults::FaultRegistry;

/// What is pruned at once, as far as workloads do not use it.
const PROTECT: &str = "mode: Delete, grace: 1ms, maxPercent: 100";

/// What keeps the tag, and who takes part in the round.
type Row = (
    &'static str,
    fn(&Files, &Written) -> Vec<Written>,
    &'static str,
);

/// `a` does not want `1.0-Alpine` any more, and what is there is called `1.0-alpine`.
const ROWS: [Row; 5] = [
    (
        "it wants the other one",
        |files, _| vec![files.mirror("a", "['2', '1.0-alpine']")],
        "",
    ),
    (
        "another mirror wants the other one",
        |files, a| {
            vec![
                a.clone(),
                files.mirror("b", "['1.0-alpine']").prune("mode: Retain"),
            ]
        },
        "",
    ),
    (
        "another mirror may want the other one",
        |files, a| {
            vec![
                a.clone(),
                files.mirror("b", "['1.0-alpine']").line("suspend: true"),
            ]
        },
        "",
    ),
    (
        "another mirror may want all that are called so",
        |files, a| {
            vec![
                a.clone(),
                files.mirror("b", "['*-alpine']").line("suspend: true"),
            ]
        },
        "",
    ),
    (
        "a workload uses the other one",
        |_, a| vec![a.clone().prune(PROTECT)],
        "1.0-alpine",
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn one_name_keeps_the_other() {
    join_all(ROWS.map(|(name, mirrors, used)| async move {
        let files = Files::at(FaultRegistry::options().folding_case().start(), &["2", "3"]);
        for tag in ["1.0-Alpine", "1.0-alpine"] {
            files.source.load(REPOSITORY, tag, &image(7));
        }
        let all = files.mirror("a", "['2', '3', '1.0-Alpine']");
        files.run_well(&[&all], &["sync"]).await;
        assert_eq!(files.tags(), ["1.0-alpine", "2", "3"]);

        let mirrors = mirrors(&files, &files.mirror("a", "['2']"));
        let mirrors: Vec<&Written> = mirrors.iter().collect();
        // Who wants the other one finds it there.
        files.run(&mirrors, &["sync"]).await;
        let in_use = tempfile::NamedTempFile::new().unwrap();
        let host = files.destination.host();
        let image = format!("{host}/{REPOSITORY}:{used}\n");
        fs::write(in_use.path(), image).unwrap();
        let path = in_use.path().to_str().unwrap();
        let more = ["--in-use-from", path];
        let more: &[&str] = if used.is_empty() { &[] } else { &more };
        let ran = files.prune(&mirrors, more).await;
        assert_eq!(files.tags(), ["1.0-alpine", "2"], "{name}: {}", ran.said);
    }))
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_stays_on_record_keeps_the_other() {
    let files = Files::at(FaultRegistry::options().folding_case().start(), &["2"]);
    for tag in ["1.0-Alpine", "1.0-alpine"] {
        files.source.load(REPOSITORY, tag, &image(7));
    }
    // The second one is found right, and was there before.
    for tags in ["['2', '1.0-Alpine']", "['2', '1.0-Alpine', '1.0-alpine']"] {
        files.run_well(&[&files.mirror("a", tags)], &["sync"]).await;
    }
    let ran = files.prune(&[&files.mirror("a", "['2']")], &[]).await;
    assert_eq!(files.tags(), ["1.0-alpine", "2"], "{}", ran.said);
    assert!(ran.said.contains("it may be the same one"), "{}", ran.said);
}
