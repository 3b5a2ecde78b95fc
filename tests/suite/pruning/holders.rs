// SPDX-License-Identifier: Apache-2.0

//! `a` wrote `1.2` and does not want it any more; somebody else does, or may. It stays, and `1.1`, which
//! nobody wants, goes.

use futures::future::join_all;

use super::files::{Files, PRUNE, REPOSITORY, Ran, Written, load, place};
use crate::support::faults::FaultRegistry;
use crate::support::http::Reply;

const TAGS: [&str; 3] = ["1.1", "1.2", "2"];
/// A mirror that takes part in rounds of pruning.
const LISTING: &str = "mode: Plan, grace: 1ms, inUse: Ignore";

/// `1.1` went, and nothing else.
fn assert_kept(files: &Files, ran: &Ran, name: &str) {
    assert_eq!(files.tags(), ["1.2", "2"], "{name}: {}", ran.said);
    assert!(
        ran.said.contains("mirror default/b"),
        "{name}: {}",
        ran.said
    );
}

/// Everything is copied for `a`.
async fn copied() -> (Files, Written) {
    let files = Files::with_tags(&TAGS);
    let all = files.mirror("a", "['*']");
    files.run_well(&[&all], &["sync"]).await;
    assert_eq!(files.tags(), TAGS);
    let narrow = files.mirror("a", "['2']");
    (files, narrow)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_mirror_wants_whose_source_fails_stays() {
    let statuses = [None, Some(401), Some(403), Some(404), Some(500)];
    let cases = statuses
        .iter()
        .flat_map(|status| [(*status, true), (*status, false)]);
    let cases = cases.map(|(status, is_known)| async move {
        let name = format!("{status:?}, known: {is_known}");
        let (files, a) = copied().await;
        let other = FaultRegistry::start();
        load(&other, &TAGS);
        let b = files
            .mirror("b", "['1.2']")
            .from(&other.host())
            .prune(LISTING);
        if is_known {
            files.run_well(&[&a, &b], &["sync"]).await;
        }
        let b = match status {
            Some(status) => {
                for method in ["GET", "HEAD"] {
                    other.on(method, "/v2/").responds(Reply::new(status));
                }
                b
            }
            None => b.from("127.0.0.1:1"),
        };
        let ran = files.prune(&[&a, &b], &[]).await;
        assert_kept(&files, &ran, &name);
    });
    join_all(cases).await;
}

/// Why a mirror takes no part, the mirror, and the arguments of the run.
type Row = (&'static str, fn(&Files) -> Written, &'static [&'static str]);

#[tokio::test(flavor = "multi_thread")]
async fn what_a_mirror_wants_that_takes_no_part_stays() {
    let rows: [Row; 4] = [
        (
            "it retains",
            |files| files.mirror("b", "['1.2']").prune("mode: Retain"),
            &[],
        ),
        (
            "it is suspended",
            |files| files.mirror("b", "['1.2']").line("suspend: true"),
            &[],
        ),
        (
            "it is left out",
            |files| files.mirror("b", "['1.2']"),
            &["--mirror", "a"],
        ),
        (
            "it is in conflict",
            |files| files.mirror("b", "['1.2', '2']").prune(LISTING),
            &[],
        ),
    ];
    let cases = rows.into_iter().flat_map(|row| [(row, true), (row, false)]);
    let cases = cases.map(|((name, b, arguments), is_known)| async move {
        let name = format!("{name}, known: {is_known}");
        let (files, a) = copied().await;
        let other = FaultRegistry::start();
        load(&other, &TAGS);
        if is_known {
            let before = files.mirror("b", "['1.2']").from(&other.host());
            files.run_well(&[&a, &before], &["sync"]).await;
        }
        // Of the source of `a` it might want whatever `a` ever had of the repository.
        let b = b(&files).from(&other.host());
        let ran = files.prune(&[&a, &b], arguments).await;
        assert_kept(&files, &ran, &name);
    });
    join_all(cases).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_names_of_one_registry_are_one() {
    // Two mirrors.
    let (files, a) = copied().await;
    let host = files.destination.host().replace("127.0.0.1", "localhost");
    let b = files
        .mirror("b", "['1.2']")
        .at(&[place("d", &host, "")])
        .prune(LISTING);
    let ran = files.prune(&[&a, &b], &[]).await;
    assert_kept(&files, &ran, "wanted under another name");

    // One mirror whose destinations change names, and one whose templates change places.
    let hosts = [files.destination.host(), host];
    for second in &hosts {
        let files = Files::with_tags(&["1.2"]);
        let first = files.destination.host();
        let second = second.replace(&hosts[0], &first);
        let second = second.replace(
            hosts[0].rsplit(':').next().unwrap(),
            first.rsplit(':').next().unwrap(),
        );
        let (plain, named) = (", tags: ['{tag}']", ", tags: ['v{tag}']");
        let all = files.mirror("a", "['1.2']");
        let before = all
            .clone()
            .at(&[place("x", &first, plain), place("z", &second, named)]);
        files.run_well(&[&before], &["sync"]).await;
        assert_eq!(files.tags(), ["1.2", "v1.2"], "{second}");
        let after = all.at(&[place("x", &first, named), place("z", &second, plain)]);
        for _ in 0..2 {
            let ran = files.prune(&[&after], &[]).await;
            assert_eq!(files.tags(), ["1.2", "v1.2"], "{second}: {}", ran.said);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tag_that_a_registry_may_take_for_a_wanted_one_stays() {
    let files = Files::with_tags(&["1.0-Alpine", "1.0-alpine", "1.1"]);
    let all = files.mirror("a", "['*']");
    files.run_well(&[&all], &["sync"]).await;
    let a = files.mirror("a", "['1.0-alpine']");
    let ran = files.prune(&[&a], &[]).await;
    assert_eq!(files.tags(), ["1.0-Alpine", "1.0-alpine"], "{}", ran.said);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_mirror_retains_by_a_policy_stays() {
    const RETAINING: &str = "---
apiVersion: transship.dev/v1alpha1
kind: ImagePolicy
metadata: {name: retaining}
spec: {retain: {keepTags: ['1.2']}}
";
    let files = Files::with_tags(&TAGS);
    let other = FaultRegistry::start();
    load(&other, &["1.1", "1.2", "3"]);
    let all = files.mirror("a", "['*']");
    let b = |tags| {
        let b = files.mirror("b", tags).from(&other.host()).prune(LISTING);
        let b = b.line("policyRefs: [{name: retaining}]");
        b.beside(RETAINING)
    };
    files.run_well(&[&all], &["sync"]).await;
    let both = b("['1.1', '1.2']");
    // Beside the one that wrote them it would not get them.
    files.run_well(&[&both], &["sync"]).await;
    // The one wrote both tags, the other found them right, and neither wants them any more.
    let (a, b) = (files.mirror("a", "['2']"), b("['3']"));
    let ran = files.prune(&[&a, &b], &[]).await;
    assert_kept(&files, &ran, "retained");
}

/// A signature that was once written as a tag like any other goes with an image that is wanted.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_named_after_an_image_stays_with_it() {
    let files = Files::with_tags(&["1", "2"]);
    let digest = files.source.manifest(REPOSITORY, "1").unwrap().digest;
    let named = [".sig", ""].map(|end| format!("{}{end}", digest.replace(':', "-")));
    for (tag, number) in named.iter().zip(20..) {
        files
            .source
            .load(REPOSITORY, tag, &super::lab::image(number));
    }
    let of_nothing = format!("sha256-{}.sig", "0".repeat(64));
    files
        .source
        .load(REPOSITORY, &of_nothing, &super::lab::image(30));
    let tags = format!("['1', '2', '{}', '{}', '{of_nothing}']", named[0], named[1]);
    let all = files
        .mirror("a", tags.leak())
        .line("referrers: {mode: Skip}");
    files.run_well(&[&all], &["sync"]).await;
    assert_eq!(files.tags().len(), 5);
    let ran = files.prune(&[&files.mirror("a", "['1']")], &[]).await;
    let mut left = vec!["1".to_owned()];
    left.extend(named.iter().rev().cloned());
    assert_eq!(files.tags(), left, "{}", ran.said);
    assert!(ran.said.contains("with which it goes"), "{}", ran.said);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_old_index_leads_to_stays_while_it_runs() {
    let files = Files::with_tags(&["1", "2"]);
    let index = super::lab::signed(7);
    files.source.load(REPOSITORY, "index", &index);
    files
        .source
        .load_manifest(REPOSITORY, "child", &index.children[0]);
    let protecting = "mode: Delete, grace: 1ms, maxPercent: 100";
    let all = files.mirror("a", "['*']").prune(protecting);
    files.run_well(&[&all], &["sync"]).await;
    // The tag of the index moves on, and the index stays at the registry.
    files
        .source
        .load(REPOSITORY, "index", &super::lab::image(9));
    files.run_well(&[&all], &["sync"]).await;
    let a = files.mirror("a", "['1', '2', 'index']").prune(protecting);

    let host = files.destination.host();
    let used = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(
        used.path(),
        format!("{host}/{REPOSITORY}@{}\n", index.digest()),
    )
    .unwrap();
    let used = ["--in-use-from", used.path().to_str().unwrap()];
    let before = files.tags();
    let ran = files.prune(&[&a], &used).await;
    assert_eq!(files.tags(), before, "{}", ran.said);

    // It is pruned while nobody runs the index; its signatures wait for who runs it by then.
    let a = a.prune(PRUNE);
    files.prune(&[&a], &[]).await;
    let gone: Vec<&String> = before.iter().filter(|tag| *tag != "child").collect();
    assert_eq!(files.tags().iter().collect::<Vec<_>>(), gone);
    let a = a.prune(protecting);
    let ran = files.prune(&[&a], &used).await;
    assert_eq!(
        files.tags().iter().collect::<Vec<_>>(),
        gone,
        "{}",
        ran.said
    );
    assert_eq!(ran.document["totals"]["referrers"], 0, "{}", ran.said);
}
