// SPDX-License-Identifier: Apache-2.0

use serde_json::json;

use super::*;
use crate::api::{ImageMirror, MirroredRepository};
use crate::plan::fixtures::{mirror, now, record};

fn shown(mirrors: &[ImageMirror], records: &[MirroredRepository]) -> String {
    let asked: AskedImage = "nginx:1.27.3".parse().unwrap();
    render_page(PageScene {
        place: "in namespace \"platform\"",
        known: KnownObjects {
            mirrors,
            policies: &[],
            records,
        },
        asked: &[asked],
        now: now(),
    })
    .unwrap()
}

/// The same without the style and the script, which have files of their own.
fn body(page: &str) -> &str {
    let (_, body) = page.split_once("</style>").unwrap();
    body.split_once("<script>").unwrap().0
}

fn failing(message: &str) -> ImageMirror {
    let status = json!({
        "conditions": [{
            "type": "Ready", "status": "False", "reason": "Unreachable", "message": message,
            "lastTransitionTime": "2026-11-20T00:00:00Z",
        }],
        "synced": "38/40",
    });
    mirror("failing", &json!({}), &status)
}

#[test]
fn what_a_page_shows() {
    let digest = |digit: &str| format!("sha256:{}", digit.repeat(64));
    let ready = json!({
        "conditions": [{
            "type": "Ready", "status": "True", "reason": "Succeeded", "message": "",
            "lastTransitionTime": "2026-11-20T00:00:00Z",
        }],
        "synced": "1/1",
        "recent": [{
            "image": "registry.example.com/mirror/library/nginx:1.27.3", "destination": "eu", "digest": digest("1"),
            "sourceDigest": digest("1"), "action": "Copied", "time": "2026-11-27T12:00:00Z",
        }],
    });
    let tags = json!({
        "tags": [{
            "tag": "1.27.3", "source": "docker.io/library/nginx:1.27.3", "sourceDigest": digest("1"),
            "digest": digest("1"), "shape": "all", "firstSeen": "2026-11-20T00:00:00Z", "copiedAt": "2026-11-27T12:00:00Z",
        }],
        "candidates": [{
            "tag": "1.26.0", "digest": digest("2"), "reason": "NotSelected", "since": "2026-11-29T00:00:00Z",
            "protectedBy": "Deployment shop/web",
        }],
    });
    let page = shown(
        &[
            mirror("base", &json!({}), &ready),
            failing("look whether it runs"),
        ],
        &[record(
            "base",
            "registry.example.com/mirror/library/nginx",
            &tags,
        )],
    );
    insta::assert_snapshot!(body(&page));
}

#[test]
fn texts_of_strangers_are_harmless() {
    for (text, shown_as) in [
        (
            "<script>alert(1)</script>",
            "&#60;script&#62;alert(1)&#60;/script&#62;",
        ),
        (
            "\"><img src=x onerror=y>",
            "&#34;&#62;&#60;img src=x onerror=y&#62;",
        ),
        ("'&", "&#39;&#38;"),
        ("a\u{202e}b", "a\\u{202e}b"),
        ("a\u{2066}b\u{1b}c", "a\\u{2066}b\\u{1b}c"),
        ("</style>", "&#60;/style&#62;"),
    ] {
        let page = shown(&[failing(text)], &[]);
        assert!(body(&page).contains(shown_as), "{text:?}: {}", body(&page));
        assert_eq!(page.matches("<script").count(), 1, "{text:?}");
        assert_eq!(page.matches("<img").count(), 0, "{text:?}");
    }
    let long = "n".repeat(253);
    assert!(body(&shown(&[failing(&long)], &[])).contains(&long));
}

#[test]
fn nothing_is_loaded_from_anywhere() {
    let page = shown(&[failing("x")], &[]);
    assert!(page.contains("default-src &#39;none&#39;; style-src &#39;sha256-"));
    for word in ["http://", "https://", "src=", "@import", "url("] {
        assert!(!page.contains(word), "{word}");
    }
}
