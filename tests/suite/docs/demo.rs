// SPDX-License-Identifier: Apache-2.0

//! `make demo` as a person meets it: what it prints, what it tells to try, and the moving picture of all that in the
//! README. `UPDATE_TRANSCRIPTS=1` writes session, picture and README anew.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use regex::Regex;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use super::{read, root};
use crate::support::program::Program;

/// What the demo ends its words with.
const LAST: &str = "Ctrl-C stops and removes everything.";
/// What a line of the terminal is told apart by.
const COMMAND: &str = "     ";

fn session_file() -> PathBuf {
    root().join("docs/pictures/demo.txt")
}

fn is_updating() -> bool {
    std::env::var_os("UPDATE_TRANSCRIPTS").is_some()
}

/// The demo while it runs.
struct Demo {
    child: Child,
    state: PathBuf,
    /// What it printed.
    printed: String,
    _directory: TempDir,
}

impl Demo {
    async fn start() -> Self {
        let directory = TempDir::new().unwrap();
        let state = directory.path().join("demo");
        let mut child = Command::new(root().join("hack/demo.sh"))
            .arg(env!("CARGO_BIN_EXE_transship"))
            .arg(&state)
            .stdout(Stdio::piped())
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut printed = String::new();
        while let Some(line) = lines.next_line().await.unwrap() {
            printed.push_str(&line);
            printed.push('\n');
            if line.ends_with(LAST) {
                break;
            }
        }
        assert!(printed.contains(LAST), "{printed}");
        Self {
            child,
            state,
            printed,
            _directory: directory,
        }
    }

    /// The tables before its words.
    fn tables(&self) -> &str {
        let (tables, _) = self
            .printed
            .split_once("\n\nThe mirror is in sync")
            .unwrap();
        tables
    }

    /// What it says to type.
    fn commands(&self) -> impl Iterator<Item = &str> {
        let lines = self.printed.lines();
        lines.filter_map(|line| line.strip_prefix(COMMAND))
    }

    /// What a person sees who types it in another terminal.
    async fn type_in(&self, command: &str) -> String {
        let export = self
            .printed
            .lines()
            .find(|line| line.contains("export KUBECONFIG"));
        let script = format!("{}\n{command} 2>&1", export.unwrap());
        let path = std::env::var_os("PATH").unwrap();
        let shell = Program::at(Path::new("/bin/bash"), &["-c", &script]);
        shell.environment("PATH", path).run().await.stdout
    }

    /// Ctrl-C.
    async fn stop(mut self) {
        let pid = self.child.id().unwrap().to_string();
        let signal = Command::new("kill").args(["-TERM", &pid]).status().await;
        assert!(signal.unwrap().success());
        assert!(self.child.wait().await.unwrap().success());
        assert!(!self.state.exists(), "it removes what it made");
    }
}

/// The same with names and times that do not change from run to run.
fn steady(text: &str) -> String {
    let mut ports: BTreeMap<String, usize> = BTreeMap::new();
    let port = Regex::new(r"127\.0\.0\.1:(\d+)").unwrap();
    let text = port.replace_all(text, |found: &regex::Captures<'_>| {
        let next = 50_001 + ports.len();
        let port = ports.entry(found[1].to_owned()).or_insert(next);
        format!("127.0.0.1:{port}")
    });
    let time = Regex::new(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ").unwrap();
    let text = time.replace_all(&text, "2026-11-30T12:00:00Z");
    let age = Regex::new(r"\b\d+s\b").unwrap();
    let text = age.replace_all(&text, "1s");
    // A round of its own may have come before the one that was asked for.
    let synced = Regex::new(r"(?m)^demo/demo: \d copied").unwrap();
    let text = synced.replace_all(&text, "demo/demo: 1 copied");
    let took = Regex::new(r"\b\d+\.\ds\b").unwrap();
    took.replace_all(&text, "0.1s").into_owned()
}

/// The same whatever the width of columns is.
fn words(text: &str) -> Vec<Vec<&str>> {
    let lines = text.lines();
    lines
        .map(|line| line.split_whitespace().collect())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_shows_what_the_picture_shows() {
    let demo = Demo::start().await;
    let mut session = format!("$ make demo\n{}\n", demo.tables());
    let mut was_blank = false;
    for line in demo.printed.lines() {
        let Some(command) = line.strip_prefix(COMMAND) else {
            was_blank = true;
            continue;
        };
        if was_blank {
            session.push('\n');
        }
        was_blank = false;
        let mut said = demo.type_in(command).await;
        // A person is slower than the controller.
        for _ in 0..300 {
            if !command.ends_with("status demo") || said.contains("Failing") {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
            said = demo.type_in(command).await;
        }
        session = format!("{session}$ {command}\n{said}");
    }
    assert_eq!(demo.commands().count(), 5, "three things to try");

    let page = Regex::new(r"and (http://\S+) shows it").unwrap();
    let page = page.captures(&demo.printed).unwrap()[1].to_owned();
    let browser = reqwest::Client::builder().no_proxy().build().unwrap();
    let shown = browser.get(&page).send().await.unwrap();
    assert!(shown.status().is_success(), "{page}");
    demo.stop().await;

    let session = steady(&session);
    if is_updating() {
        fs::write(session_file(), &session).unwrap();
    }
    let recorded = read(&session_file());
    assert_eq!(words(&session), words(&recorded), "{session}");
}

#[tokio::test]
async fn the_picture_is_drawn_of_the_session() {
    let script = root().join("hack/demo-picture.py");
    let arguments = [script.to_str().unwrap(), session_file().to_str().unwrap()].map(str::to_owned);
    let drawn = Command::new("python3")
        .args(arguments)
        .output()
        .await
        .unwrap();
    let drawn = String::from_utf8(drawn.stdout).unwrap();
    let file = root().join("docs/pictures/demo.svg");
    if is_updating() {
        fs::write(&file, &drawn).unwrap();
    }
    assert!(drawn == read(&file), "make picture draws it anew");
    assert!(read(&root().join("README.md")).contains("](docs/pictures/demo.svg)"));
}

#[test]
fn the_readme_shows_what_the_demo_prints() {
    let session = read(&session_file());
    let (first, _) = session.split_once("\n\n$ ").unwrap();
    let tables = first.strip_prefix("$ make demo\n").unwrap();
    let file = root().join("README.md");
    let readme = read(&file);
    // It is the first one of the page.
    let (before, rest) = readme.split_once("```text\n").unwrap();
    let (shown, behind) = rest.split_once("\n```\n").unwrap();
    if is_updating() {
        let anew = format!("{before}```text\n{tables}\n```\n{behind}");
        fs::write(&file, anew).unwrap();
        return;
    }
    assert_eq!(shown, tables);
}
