// SPDX-License-Identifier: Apache-2.0

//! A list that does not name a tag is no proof that the tag is gone.

use serde_json::json;

use super::files::{Files, REPOSITORY};
use crate::support::http::Reply;

/// A page that names only some of the tags.
fn cut() -> Reply {
    Reply::json(200, &json!({"name": REPOSITORY, "tags": ["2"]}))
}

fn next(link: &str) -> Reply {
    cut().header("Link", link)
}

fn pages() -> Vec<(&'static str, Reply)> {
    let errors = json!([{"code": "UNKNOWN", "message": "a part of it"}]);
    vec![
        ("cut short without a Link", cut()),
        (
            "of another repository",
            Reply::json(200, &json!({"name": "other/app", "tags": ["2"]})),
        ),
        (
            "errors beside tags",
            Reply::json(
                200,
                &json!({"name": REPOSITORY, "tags": ["2"], "errors": errors}),
            ),
        ),
        (
            "a Link without rel",
            next("</v2/team/app/tags/list?last=2>"),
        ),
        (
            "a Link of another relation",
            next("</v2/team/app/tags/list?last=2>; rel=\"more\""),
        ),
        ("a Link of null", next("null")),
        ("a Link of nothing", next("")),
        (
            "stale",
            cut().header("Warning", "110 - \"Response is Stale\""),
        ),
        (
            "a next page in another field",
            cut().header("X-Next-Page", "2"),
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn no_list_deletes_what_its_source_still_has() {
    let mut untold = Vec::new();
    for (name, page) in pages() {
        let files = Files::with_tags(&["1.1", "1.2", "2"]);
        let mirror = files.mirror("a", "['*']");
        files.run_well(&[&mirror], &["sync"]).await;
        files.source.on("GET", "/tags/list").responds(page);
        let ran = files.prune(&[&mirror], &[]).await;
        assert_eq!(files.tags(), ["1.1", "1.2", "2"], "{name}: {}", ran.said);
        assert_eq!(ran.code, Some(1), "{name}: {}", ran.said);
        if !ran.said.contains("list") {
            untold.push((name, ran.said));
        }
    }
    assert!(untold.is_empty(), "{untold:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_source_has_no_more_goes() {
    let files = Files::with_tags(&["1.1", "1.2", "2"]);
    let mirror = files.mirror("a", "['*']");
    files.run_well(&[&mirror], &["sync"]).await;
    files.source.lose_tag(REPOSITORY, "1.1");
    files.prune(&[&mirror], &[]).await;
    assert_eq!(files.tags(), ["1.2", "2"]);

    // Whether it is gone cannot be found out.
    files.source.lose_tag(REPOSITORY, "1.2");
    for method in ["HEAD", "GET"] {
        files
            .source
            .on(method, "/manifests/1.2")
            .responds(Reply::new(403));
    }
    let ran = files.prune(&[&mirror], &[]).await;
    assert_eq!(files.tags(), ["1.2", "2"], "{}", ran.said);
    assert!(
        ran.said.contains("it cannot be found out whether"),
        "{}",
        ran.said
    );
}
