// SPDX-License-Identifier: Apache-2.0

//! The page of `transship sync`: served while it watches, or as a file.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::Files;
use crate::support::content::ImageBuilder;
use crate::support::page::{Page, read};
use crate::support::process::Daemon;
use crate::support::registries::{Kind, Registry, Security};

/// A mirror that works, one whose destination is silent, and one that is suspended.
fn mirrors(source: &Registry, destination: &Registry) -> String {
    let (from, to) = (source.host(), destination.host());
    let mirror = |name: &str, to: &str, more: &str| {
        format!(
            "---
apiVersion: transship.dev/v1alpha1
kind: ImageMirror
metadata: {{name: {name}}}
spec:
  source: {{registry: '{from}', insecure: true}}
  images: [{{repository: app, tags: ['*']}}]
  destinations: [{{name: d, registry: '{to}', repository: '{name}/{{repository}}', insecure: true}}]
  interval: 24h
{more}"
        )
    };
    [
        mirror("works", &to, ""),
        mirror("silent", "127.0.0.1:1", ""),
        mirror("held", &to, "  suspend: true\n"),
    ]
    .concat()
}

async fn scene() -> (Registry, Registry, Files) {
    let (source, destination) = tokio::join!(
        Registry::start(Kind::Distribution3, Security::Plain),
        Registry::start(Kind::Distribution3, Security::Plain),
    );
    let image = ImageBuilder::new(1).layers(&[1_000]).build();
    source.client().push("app", "1", &image).await;
    let files = Files::new(&[("mirrors.yaml", &mirrors(&source, &destination))]);
    (source, destination, files)
}

/// Where a program that logs JSON serves the page.
fn served(log: &str) -> Option<Page> {
    let lines = log
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok());
    let mut lines = lines.filter(|line: &Value| line["message"] == "serving the page");
    Some(Page::at(lines.next()?["address"].as_str()?))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_shows_what_it_does() {
    let (source, destination, files) = scene().await;
    let words = "sync -f mirrors.yaml --watch --state state.json --page 0 --page-file page.html --log-format json";
    let words: Vec<&str> = words.split(' ').collect();
    let program = Path::new(env!("CARGO_BIN_EXE_transship"));
    let directory = files.path("");
    let mut watch = Daemon::spawn(program, &words, &directory);
    let page = watch.wait_for(served).await;
    let target = format!("{}/works/app:1", destination.host());
    let mut told = String::new();
    while !(told.contains("default/works Ready 1/1") && told.contains("default/silent Failing")) {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        told = page.get("/").await.text();
    }
    for part in [
        "Unreachable: ".to_owned(),
        "Unreachable default/silent wait for its next round, once that is mended".to_owned(),
        "default/held Suspended no round runs".to_owned(),
        "Suspended default/held take spec.suspend out of the document of ImageMirror default/held"
            .to_owned(),
        format!("{target} copied"),
        format!("{} source of 3 answers", source.host()),
        "127.0.0.1:1 destination of 1 does not answer".to_owned(),
    ] {
        assert!(told.contains(&part), "{part}: {told}");
    }
    let seen = page.get("/").await;
    assert!(seen.body.contains("<h1>Mirrors of mirrors.yaml</h1>"));
    assert!(!seen.body.contains("kubectl"), "{}", seen.body);
    let answer = page.get(&format!("/?q={target}")).await.text();
    assert!(
        answer.contains(&format!("{target} is mirrored")),
        "{answer}"
    );
    let stranger = page
        .ask(&["GET / HTTP/1.1", "Host: rebound.example.com"])
        .await;
    assert_eq!(stranger.status, 421);
    let mut written = String::new();
    while !(written.contains("default/works Ready 1/1") && written.contains("silent Failing")) {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        let page = fs::read_to_string(files.path("page.html"));
        written = page.map(|page| read(&page)).unwrap_or_default();
    }

    watch.process().signal("TERM");
    assert_eq!(watch.ended().await.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_round_writes_a_file_to_carry() {
    let (_source, destination, files) = scene().await;
    fs::write(files.path("notes.html"), "my notes").unwrap();
    for (file, told) in [
        (
            "none/page.html",
            "cannot write none/page.html: there is no directory none",
        ),
        (
            "notes.html",
            "notes.html is there already and is no page of Transship",
        ),
    ] {
        for more in [&[][..], &["--watch"]] {
            let words = ["sync", "-f", "mirrors.yaml", "--page-file", file];
            let finished = files.run(&[&words[..], more].concat()).await;
            assert_eq!(finished.code, Some(2));
            assert!(finished.stderr.contains(told), "{}", finished.stderr);
        }
    }
    assert_eq!(fs::read(files.path("notes.html")).unwrap(), b"my notes");
    let copied = destination.client().tags("works/app").await.unwrap();
    assert!(copied.is_empty(), "it began: {copied:?}");

    let finished = files
        .run(&["sync", "-f", "mirrors.yaml", "--page-file", "page.html"])
        .await;
    assert_eq!(finished.code, Some(1), "{}", finished.stderr);
    let page = fs::read_to_string(files.path("page.html")).unwrap();
    let told = read(&page);
    for part in [
        "default/works Ready 1/1".to_owned(),
        "Unreachable default/silent transship sync -f mirrors.yaml --mirror default/silent, once that is mended"
            .to_owned(),
        format!("{}/works/app:1 copied", destination.host()),
    ] {
        assert!(told.contains(&part), "{part}: {told}");
    }
    assert!(page.contains("Content-Security-Policy"));
    assert!(!page.contains("kubectl"));

    let again = files
        .run(&["sync", "-f", "mirrors.yaml", "--page-file", "page.html"])
        .await;
    assert_eq!(again.code, Some(1), "{}", again.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_of_a_watch_is_for_this_machine() {
    let (_source, _destination, files) = scene().await;
    let words = [
        "sync",
        "-f",
        "mirrors.yaml",
        "--watch",
        "--page",
        "0.0.0.0:8082",
    ];
    let finished = files.run(&words).await;
    assert_eq!(finished.code, Some(2));
    let told = "--page: the page at 0.0.0.0:8082 can be reached from other machines: serve it at loopback, such as --page 8082";
    assert!(finished.stderr.contains(told), "{}", finished.stderr);
}
