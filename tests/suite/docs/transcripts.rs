// SPDX-License-Identifier: Apache-2.0

//! What pages show of the program beside docker is what it prints. `UPDATE_TRANSCRIPTS=1` writes it anew.

use std::collections::BTreeSet;
use std::fs;

use regex::Regex;
use serde_json::json;

use super::{page, root, rows, sections};
use crate::support::content::{Image, ImageBuilder};
use crate::support::http::Reply;
use crate::support::named::NamedRegistry;

const PAGE: &str = "coming-from.md";
/// Where the search of Docker Hub is, and the two registries of the page.
const HOSTS: [&str; 4] = [
    "index.docker.io",
    "registry-1.docker.io",
    "registry.example.com",
    "mirror.example.com",
];

const MIRROR: &str = "\
apiVersion: transship.dev/v1alpha1
kind: ImageMirror
metadata: {name: app}
spec:
  source: {registry: registry.example.com}
  images: [{repository: team/app, tags: ['1.*']}]
  destinations: [{name: mirror, registry: mirror.example.com, repository: 'kept/{repository}'}]
  prune: {mode: Delete}
";

fn image(seed: u64, created: &str) -> Image {
    ImageBuilder::new(seed)
        .platforms(&["linux/amd64", "linux/arm64"])
        .layers(&[800_000, 20_000])
        .user("1000")
        .label("maintainer", "me")
        .created(created)
        .build()
}

fn lab() -> NamedRegistry {
    let lab = NamedRegistry::start(&HOSTS);
    let (old, new) = (
        image(1, "2026-01-01T00:00:00Z"),
        image(2, "2026-02-01T00:00:00Z"),
    );
    lab.registry.load("team/app", "1.0", &old);
    for tag in ["1.1", "latest"] {
        lab.registry.load("team/app", tag, &new);
    }
    let hits = json!({"results": [
        {"name": "nginx", "description": "Official build of Nginx.", "star_count": 21_000,
         "pull_count": 12_900_000_000_u64, "is_official": true},
        {"name": "nginx/nginx-ingress", "description": "NGINX and NGINX Plus Ingress Controllers for Kubernetes",
         "star_count": 110, "pull_count": 1_100_000_000, "is_official": false},
    ]});
    lab.registry
        .on("GET", "/v1/search")
        .responds(Reply::json(200, &hits));
    lab.write("mirror.yaml", MIRROR);
    lab
}

/// What a command line prints, on both streams: `WORDS`, or `echo INPUT | WORDS`.
async fn run(lab: &NamedRegistry, line: &str) -> String {
    let piped = line
        .strip_prefix("echo ")
        .and_then(|rest| rest.split_once(" | "));
    let (input, line) = match piped {
        Some((input, line)) => (format!("{input}\n"), line),
        None => (String::new(), line),
    };
    let words = words(line);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let (program, arguments) = words.split_first().expect("a command");
    assert_eq!(*program, "transship", "{line}");
    let program = lab.transship(arguments).input(input);
    let finished = program.environment("COLUMNS", "100").run().await;
    finished.assert_success();
    // What is done at the same time is told in any order.
    let mut told: Vec<&str> = finished.stderr.lines().collect();
    told.sort_unstable();
    settled(&format!("{}\n{}", told.join("\n"), finished.stdout))
}

/// Words as a shell splits them, with single quotes.
pub(super) fn words(line: &str) -> Vec<String> {
    let word = Regex::new(r"'([^']*)'|\S+").unwrap();
    let found = word.captures_iter(line);
    found
        .map(|found| {
            found
                .get(1)
                .unwrap_or(found.get(0).unwrap())
                .as_str()
                .to_owned()
        })
        .collect()
}

/// The same with what differs from run to run as the page has it.
fn settled(printed: &str) -> String {
    let seconds = Regex::new(r"\d+\.\d+s\b").unwrap();
    let printed = seconds.replace_all(printed, "0.1s");
    let lines = printed.lines().map(str::trim_end);
    lines
        .filter(|line| !line.is_empty())
        .collect::<Vec<_>>()
        .join("\n")
}

/// The blocks of a page, each as its commands with what follows them.
pub(super) fn blocks(text: &str) -> Vec<Vec<(String, String)>> {
    let block = Regex::new(r"(?s)```console\n(.*?)```").unwrap();
    let blocks = block.captures_iter(text).map(|found| {
        let mut commands: Vec<(String, String)> = Vec::new();
        for line in found[1].lines() {
            if let Some(command) = line.strip_prefix("$ ") {
                commands.push((command.to_owned(), String::new()));
            } else {
                let (_, printed) = commands.last_mut().expect("a command first");
                printed.push_str(line);
                printed.push('\n');
            }
        }
        commands
    });
    blocks.collect()
}

fn is_ours(command: &str) -> bool {
    command
        .split(" | ")
        .last()
        .is_some_and(|last| last.starts_with("transship "))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_program_prints_beside_docker() {
    let lab = lab();
    let text = page(PAGE);
    let mut written = text.clone();
    for (command, shown) in blocks(&text).into_iter().flatten() {
        if !is_ours(&command) {
            continue;
        }
        let printed = run(&lab, &command).await;
        if std::env::var_os("UPDATE_TRANSCRIPTS").is_some() {
            let before = format!("$ {command}\n{shown}");
            written = written.replacen(&before, &format!("$ {command}\n{printed}\n"), 1);
        } else {
            assert_eq!(shown.trim_end(), printed, "{command}");
        }
    }
    if written != text {
        fs::write(root().join("docs").join(PAGE), written).unwrap();
    }
    assert!(lab.registry.requests().len() > 20);
}

#[test]
fn every_command_of_docker_stands_beside_ours() {
    let text = page(PAGE);
    let of_docker = rows(sections(&text)["docker"], "| docker |");
    let first = |line: &str| {
        let words = words(line.split(" | ").last().unwrap_or_default());
        let length = if words
            .get(1)
            .is_some_and(|word| ["image", "system", "manifest", "buildx"].contains(&word.as_str()))
        {
            3
        } else {
            2
        };
        words.into_iter().take(length).collect::<Vec<_>>().join(" ")
    };
    let shown: BTreeSet<String> = blocks(&text)
        .iter()
        .filter(|block| block.iter().any(|(command, _)| is_ours(command)))
        .flatten()
        .map(|(command, _)| first(command))
        .collect();
    assert!(of_docker.len() >= 15, "{}", of_docker.len());
    for row in of_docker {
        let [theirs, ours, difference] = &row[..] else {
            panic!("{row:?}")
        };
        if ours == "–" || !ours.starts_with("transship") {
            assert!(difference.len() > 20, "{theirs}: why there is none");
            continue;
        }
        for command in theirs
            .split(", ")
            .filter(|word| word.starts_with("docker "))
        {
            let command = first(command.split(" && ").next().unwrap());
            assert!(shown.contains(&command), "{command}: {shown:#?}");
        }
    }
}
