// SPDX-License-Identifier: Apache-2.0

use serde_json::{Value, json};

use super::*;
use crate::api::{ImageMirror, MirroredRepository};
use crate::plan::fixtures::{mirror, now, record};
use crate::plan::why::{AskedImage, ImageAnswer};

fn shown(mirrors: &[ImageMirror], records: &[MirroredRepository]) -> String {
    let known = KnownObjects::of(mirrors, &[], records);
    let answer = ImageAnswer::of(&"nginx:1.27.3".parse().unwrap(), &known);
    render(&known, Search::File(&[answer]))
}

fn render(known: &KnownObjects<'_>, search: Search<'_>) -> String {
    let paused = RegistryTraffic {
        registry: "registry.example.com".parse().unwrap(),
        paused_until: Some("2026-11-30T12:30:00Z".parse().unwrap()),
        is_answering: true,
        requests: 1200,
        refused: 3,
        unanswered: 0,
    };
    render_page(&PageScene {
        place: "in namespace \"platform\"",
        known,
        traffic: &[paused],
        search,
        now: now(),
    })
    .unwrap()
}

/// The page of a server for what was typed.
fn served(mirrors: &[ImageMirror], typed: &str) -> String {
    let known = KnownObjects::of(mirrors, &[], &[]);
    let asked: Result<AskedImage, _> = typed.parse();
    let found = asked.map(|asked| ImageAnswer::of(&asked, &known));
    let search = if typed.is_empty() {
        Search::Nothing
    } else {
        Search::Typed {
            text: typed,
            found: &found,
        }
    };
    render(&known, search)
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
        for page in [
            shown(&[failing(text)], &[]),
            served(&[failing(text)], ""),
            served(&[], text),
        ] {
            assert!(body(&page).contains(shown_as), "{text:?}: {}", body(&page));
            assert_eq!(page.matches("<script").count(), 1, "{text:?}");
            assert_eq!(page.matches("<img").count(), 0, "{text:?}");
        }
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

#[test]
fn what_is_typed_is_answered() {
    let mirrors = [failing("x"), mirror("base", &json!({}), &json!({}))];
    let cases = [
        ("", "Registries", true),
        ("", "is mirrored", false),
        (
            "nginx:1.27.3",
            "<h2>docker.io/library/nginx:1.27.3 is not mirrored</h2>",
            true,
        ),
        ("nginx:1.27.3", "value=\"nginx:1.27.3\"", true),
        ("nginx:1.27.3", "Registries", false),
        (
            "platform/base",
            "<th scope=\"row\">platform/base</th>",
            true,
        ),
        (
            "platform/base",
            "<th scope=\"row\">platform/failing</th>",
            false,
        ),
        (
            "Not An Image",
            "Not An Image is not the name of an image: ",
            true,
        ),
    ];
    for (typed, part, is_there) in cases {
        let page = served(&mirrors, typed);
        let is_in = body(&page).contains(part);
        assert_eq!(is_in, is_there, "{typed}: {part}: {}", body(&page));
        assert!(
            !page.contains("Content-Security-Policy"),
            "the server sends it"
        );
    }
}

#[test]
fn how_registries_are() {
    let destination = |reachable: &str, failed: i32| json!([{"name": "eu", "reachable": reachable, "failed": failed}]);
    let failure = json!([{
        "image": "registry.example.com/mirror/app:1", "destination": "eu", "reason": "Unreachable",
        "message": "look whether it runs", "attempts": 1,
    }]);
    let line = |status: &Value, traffic: &[RegistryTraffic]| {
        let mirror = mirror("base", &json!({}), status);
        let lines = registry_lines([&mirror].into_iter(), traffic, now());
        let lines = lines.rows.iter().map(|line| {
            let RegistryLine {
                name,
                mirrors,
                class: _,
                state,
                requests,
                failures,
            } = line;
            format!("{name} | {mirrors} | {state} | {requests} | {failures}")
        });
        lines.collect::<Vec<_>>().join("\n")
    };
    let traffic = |registry: &str, paused_until: Option<&str>, is_answering| RegistryTraffic {
        registry: registry.parse().unwrap(),
        paused_until: paused_until.map(|time| time.parse().unwrap()),
        is_answering,
        requests: 7,
        refused: 2,
        unanswered: 1,
    };
    let told = [
        line(&json!({}), &[]),
        line(&json!({"destinations": destination("True", 0)}), &[]),
        line(
            &json!({"destinations": destination("False", 3), "failures": failure}),
            &[],
        ),
        line(
            &json!({}),
            &[traffic("docker.io", Some("2026-11-30T12:30:00Z"), true)],
        ),
        line(
            &json!({}),
            &[traffic("docker.io", Some("2026-11-30T11:30:00Z"), true)],
        ),
        line(&json!({}), &[traffic("docker.io", None, false)]),
    ];
    insta::assert_snapshot!(told.join("\n\n"));
}
