// SPDX-License-Identifier: Apache-2.0

use serde_json::{Value, json};

use super::*;
use crate::api::{ImageMirror, MirroredRepository};
use crate::plan::fixtures::{mirror, now, record};
use crate::plan::why::{AskedName, ImageAnswer};

fn shown(mirrors: &[ImageMirror], records: &[MirroredRepository]) -> String {
    let known = KnownObjects::of(mirrors, &[], records);
    let answer = ImageAnswer::of(&"nginx:1.27.3".parse().unwrap(), &known);
    render(&known, Search::File(&[answer]))
}

fn render(known: &KnownObjects<'_>, search: Search<'_>) -> String {
    rendered(known, search, None)
}

fn rendered(known: &KnownObjects<'_>, search: Search<'_>, sharing: Option<&SharedWork>) -> String {
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
        home: &MirrorHome::Cluster,
        known,
        unreadable: &[newer()],
        traffic: &[paused],
        sharing,
        search,
        now: now(),
    })
    .unwrap()
}

/// A mirror that this version does not understand.
fn newer() -> UnreadableMirror {
    UnreadableMirror {
        mirror: NamedMirror::new("platform", "newer"),
        error: "missing field `source`".to_owned(),
    }
}

/// The page of a server for what was typed.
fn served(mirrors: &[ImageMirror], typed: &str) -> String {
    let known = KnownObjects::of(mirrors, &[], &[]);
    let asked: Result<AskedName, _> = typed.parse();
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

/// A mirror with causes of failures and images that policies keep out, more than are told of each.
fn held_back() -> ImageMirror {
    let failures = (0..5).map(|number| {
        json!({
            "image": format!("docker.io/library/nginx:1.{number}"), "reason": "CopyFailed",
            "message": format!("it is broken in way {number}: mend it"), "attempts": 2,
        })
    });
    let refusal = json!({
        "image": "docker.io/library/nginx:1.28.0", "policy": "aged", "gate": "minAge", "reason": "Quarantined",
        "message": "let through at 2026-12-01T09:00:00Z: wait until then", "mode": "Enforce",
    });
    let status = json!({
        "conditions": [{
            "type": "Ready", "status": "False", "reason": "CopyFailed", "message": "2 of 8 tags are synced",
            "lastTransitionTime": "2026-11-20T00:00:00Z",
        }],
        "synced": "2/8",
        "tags": {"selected": 8, "synced": 2, "failed": 5, "quarantined": 1},
        "failures": failures.collect::<Vec<_>>(),
        "refusals": [refusal],
    });
    mirror("held-back", &json!({}), &status)
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
            held_back(),
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
        (
            "a\u{200b}b\u{feff}c\u{3164}",
            "a\\u{200b}b\\u{feff}c\\u{3164}",
        ),
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
        ("base", "Mirrors of that name", true),
        ("base", "is not mirrored", false),
        ("newer", "<th scope=\"row\">platform/newer</th>", true),
        (
            "newer",
            "this version of transship does not understand it: missing field `source`",
            true,
        ),
        (
            "Back-off pulling image \"nginx:1.27.3\"",
            "<h2>docker.io/library/nginx:1.27.3 is not mirrored</h2>",
            true,
        ),
        ("Not An Image", "That is not the name of an image: ", true),
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
fn what_to_do_stands_once_for_each_reason() {
    let alike = (0..5).map(|number| {
        let mut mirror = failing("look whether it runs");
        mirror.metadata.name = Some(format!("failing-{number}"));
        mirror
    });
    let held = mirror("held", &json!({"suspend": true}), &json!({}));
    let mirrors: Vec<ImageMirror> = alike.chain([held]).collect();
    let page = served(&mirrors, "");
    let rows = |row: &str| body(&page).matches(row).count();
    let several = "<th scope=\"row\">Unreachable</th><td data-label=\"Mirrors\">platform/failing-0, \
                   platform/failing-1, platform/failing-2 and 2 more</td><td data-label=\"What to do\">kubectl transship \
                   -n NAMESPACE sync NAME, once that is mended</td>";
    assert_eq!(rows(several), 1, "{}", body(&page));
    assert_eq!(rows("once that is mended"), 1, "{}", body(&page));
    let only = "<th scope=\"row\">Suspended</th><td data-label=\"Mirrors\">platform/held</td><td data-label=\"What to \
                do\">kubectl transship -n platform resume held</td>";
    assert_eq!(rows(only), 1, "{}", body(&page));
    let strange = "<th scope=\"row\">not understood</th><td data-label=\"Mirrors\">platform/newer</td><td data-label=\"What \
                   to do\">kubectl -n platform edit imir/newer</td>";
    assert_eq!(rows(strange), 1, "{}", body(&page));
}

#[test]
fn who_works_on_which_mirrors() {
    let mirrors = [
        mirror("base", &json!({}), &json!({})),
        mirror("other", &json!({}), &json!({})),
    ];
    let member = |name: &str, shards: &[&str], mirrors| WorkingMember {
        name: name.to_owned(),
        shards: shards.iter().map(ToString::to_string).collect(),
        mirrors,
    };
    let worker = |mirror: &str, worker: &str| (format!("platform/{mirror}"), worker.to_owned());
    let sharing = SharedWork {
        own: "pod-a".to_owned(),
        members: vec![member("pod-a", &["0", "2"], 1), member("pod-b", &["1"], 1)],
        unheld: vec!["3".to_owned()],
        workers: [
            worker("base", "pod-a, shard 0"),
            worker("other", "pod-b, shard 1"),
        ]
        .into(),
    };
    let known = KnownObjects::of(&mirrors, &[], &[]);
    let page = rendered(&known, Search::Nothing, Some(&sharing));
    for part in [
        "platform/other<p class=\"soft\">pod-b, shard 1</p>",
        "This is the page of pod-a.",
        "pod-a <span class=\"soft\">(this one)</span></th><td data-label=\"Shards\"><span>0, 2</span></td><td \
         data-label=\"Mirrors\"><span>1</span>",
        "No member has shards 3 yet.",
        "Requests are those of this member.",
        "<a href=\"#members\">Members</a>",
    ] {
        assert!(body(&page).contains(part), "{part}: {}", body(&page));
    }
    let alone = render(&known, Search::Nothing);
    assert!(!body(&alone).contains("ember"), "{}", body(&alone));
}

#[test]
fn of_many_mirrors_that_say_something_of_an_image_some_are_heard() {
    let mirrors = (0..150).map(|number| mirror(&format!("m-{number:03}"), &json!({}), &json!({})));
    let mirrors: Vec<ImageMirror> = mirrors.collect();
    let page = served(&mirrors, "nginx:1.27.3");
    assert_eq!(page.matches("<h3>").count(), 100);
    assert!(body(&page).contains("50 more answers of mirrors."));
    assert!(page.find("m-000").unwrap() < page.find("m-099").unwrap());
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
