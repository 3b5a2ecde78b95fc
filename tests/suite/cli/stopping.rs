// SPDX-License-Identifier: Apache-2.0

//! Signals, and mirrors that are kept in sync until one comes.

use std::time::Duration;

use serde_json::Value;
use tokio::net::TcpListener;

use super::mirror;
use crate::support::content::ImageBuilder;
use crate::support::program::{Program, Running};
use crate::support::registries::{Kind, Registry, Security};
use crate::support::witness::Witness;

/// Time between two looks at a registry.
const PAUSE: Duration = Duration::from_millis(20);

/// Starts the program itself, not a shell around it, so that signals arrive.
fn start(arguments: &[&str], documents: &str) -> Running {
    Program::transship(arguments).input(documents).start()
}

async fn send(signal: &str, running: &Running) {
    let command = format!("kill -s {signal} {}", running.pid());
    let sent = Program::at("/bin/sh".as_ref(), &["-c", &command]);
    sent.run().await.assert_success();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_ends_a_round_with_130() {
    for signal in ["INT", "TERM"] {
        let deaf = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = deaf.local_addr().unwrap();
        let documents = format!(
            "apiVersion: transship.dev/v1alpha1
kind: ImageMirror
metadata: {{name: m}}
spec:
  source: {{registry: '{host}', insecure: true}}
  images: [{{repository: app, tags: ['1']}}]
  destinations: [{{name: d, registry: '{host}', insecure: true}}]
"
        );
        let running = start(&["sync", "-f", "-"], &documents);
        let connection = deaf.accept().await.unwrap();
        send(signal, &running).await;
        let finished = running.finish().await;
        assert_eq!(
            (finished.code, finished.stdout.as_str()),
            (Some(130), ""),
            "{signal}"
        );
        assert!(
            finished.stderr.contains("interrupted"),
            "{}",
            finished.stderr
        );
        drop(connection);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_gives_up_when_its_time_is_over() {
    let deaf = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = deaf.local_addr().unwrap().to_string();
    let reference = format!("{host}/app:1");
    let arguments = [
        "digest",
        "--timeout",
        "1s",
        "--insecure",
        &host,
        "-o",
        "json",
        &reference,
    ];
    let finished = Program::transship(&arguments).run().await;
    assert_eq!(finished.code, Some(1), "{}", finished.stdout);
    assert!(
        finished.stderr.contains("not done within 1.0s"),
        "{}",
        finished.stderr
    );
    let document: Value = serde_json::from_str(&finished.stdout).unwrap();
    assert_eq!(document["failures"][0]["subject"], reference.as_str());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_copies_what_comes_and_ends_with_0() {
    let source = Registry::start(Kind::Distribution3, Security::Plain).await;
    let destination = Registry::start(Kind::Distribution3, Security::Plain).await;
    let image = ImageBuilder::new(1).layers(&[1_000]).build();
    source.client().push("app", "1", &image).await;
    let running = start(
        &[
            "sync",
            "-f",
            "-",
            "--watch",
            "--log-format",
            "json",
            "-o",
            "json",
        ],
        &mirror(&source, &destination),
    );
    let mut witness = Witness::new(destination.client(), "app");
    while !witness.check("1").await.is_empty() {
        tokio::time::sleep(PAUSE).await;
    }
    send("TERM", &running).await;
    let finished = running.finish().await;
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    let reports = serde_json::Deserializer::from_str(&finished.stdout).into_iter::<Value>();
    assert!(
        reports.into_iter().all(|report| report.is_ok()),
        "{}",
        finished.stdout
    );
    let lines = finished.stderr.lines().map(serde_json::from_str::<Value>);
    assert!(
        lines.into_iter().all(|line| line.is_ok()),
        "{}",
        finished.stderr
    );
}
