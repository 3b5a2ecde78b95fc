// SPDX-License-Identifier: Apache-2.0

//! Children, proxies and crashes do what the tests rely on.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::support::content::ImageBuilder;
use crate::support::crash::CrashPoint;
use crate::support::faults::FaultRegistry;
use crate::support::front::Moment;
use crate::support::process::Daemon;
use crate::support::program::Program;
use crate::support::proxy::DelayProxy;
use crate::support::registries::{Kind, Registry, Security};
use crate::support::tools;

fn is_alive(pid: u32) -> bool {
    Path::new(&format!("/proc/{pid}")).exists()
}

#[tokio::test]
async fn a_registry_dies_with_its_test() {
    for kind in Kind::ALL {
        let mut stopped = Registry::start(kind, Security::Plain).await;
        stopped.stop();
        assert!(!is_alive(stopped.pid()), "{kind:?} stopped");
        let dropped = Registry::start(kind, Security::Plain).await;
        let (pid, storage) = (dropped.pid(), dropped.storage());
        assert!(is_alive(pid) && storage.exists());
        drop(dropped);
        assert!(!is_alive(pid) && !storage.exists(), "{kind:?} dropped");
    }
}

#[tokio::test]
async fn a_child_dies_when_the_test_is_killed() {
    let directory = tempfile::tempdir().unwrap();
    let mut daemon = Daemon::spawn(
        Path::new("/bin/sh"),
        &["-c", "echo ready; exec sleep 1000"],
        directory.path(),
    );
    daemon
        .wait_for(|line| (line == "ready").then_some(()))
        .await;
    daemon.cut_lifeline();
    // Closing the pipe is all that the kernel does for a test process that is killed.
    daemon.ended().await;
}

#[tokio::test]
async fn a_program_has_arguments_environment_input_and_an_exit_code() {
    let script = "cat; echo $0 $NAME; echo complaint >&2; exit 3";
    let program = Program::at(Path::new("/bin/sh"), &["-c", script])
        .argument("zero")
        .environment("NAME", "value");
    let finished = program.input("input\n").run().await;
    assert_eq!(
        (
            finished.code,
            finished.stdout.as_str(),
            finished.stderr.as_str()
        ),
        (Some(3), "input\nzero value\n", "complaint\n")
    );
    Program::transship(&["--help"]).run().await.assert_success();
}

#[tokio::test]
async fn a_program_is_killed_at_any_change() {
    let (source, destination) = (FaultRegistry::start(), FaultRegistry::start());
    source.load(
        "app",
        "v1",
        &ImageBuilder::new(2).layers(&[1000, 1000]).build(),
    );
    let point = CrashPoint::in_front_of(destination.host().parse().unwrap());
    let copy = || {
        let (from, to) = (
            format!("{}/app:v1", source.host()),
            format!("{}/app:v1", point.host()),
        );
        Program::at(&tools::built("crane"), &["copy", "--jobs=1", &from, &to])
    };
    let changes = |registry: &FaultRegistry| {
        registry
            .requests()
            .iter()
            .filter(|request| request.method != "GET" && request.method != "HEAD")
            .count()
    };
    let first = point.run(copy(), Moment::BeforeForward, 1).await;
    assert!(first.was_killed && first.finished.code.is_none());
    assert_eq!(changes(&destination), 0);
    let second = point.run(copy(), Moment::BeforeReply, 1).await;
    assert!(second.was_killed);
    assert_eq!(changes(&destination), 1);
    assert!(destination.tags("app").is_empty());
    let complete = point.run(copy(), Moment::AfterReply, 1000).await;
    assert!(!complete.was_killed, "{complete:?}");
    complete.finished.assert_success();
    assert_eq!(destination.tags("app"), ["v1"]);
    destination.lose_tag("app", "v1");
    let late = point.run(copy(), Moment::AfterReply, 1).await;
    assert_eq!(
        destination.tags("app"),
        ["v1"],
        "the only change is the tag, and the client had its answer: {late:?}"
    );
}

#[tokio::test]
async fn a_delay_proxy_delays_and_does_not_narrow() {
    let delay = Duration::from_millis(50);
    let registry = FaultRegistry::start();
    let image = ImageBuilder::new(2).layers(&[16 << 20]).build();
    registry.load("app", "v1", &image);
    let proxy = DelayProxy::start(registry.host().parse().unwrap(), delay);
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let took = async |path: String| {
        let start = Instant::now();
        let mut response = http
            .get(format!("http://{}{path}", proxy.host()))
            .send()
            .await
            .unwrap();
        while response.chunk().await.unwrap().is_some() {}
        start.elapsed()
    };
    let (handshake_and_request, request) =
        (took("/v2/".to_owned()).await, took("/v2/".to_owned()).await);
    assert!(
        handshake_and_request >= 4 * delay,
        "{handshake_and_request:?}"
    );
    assert!(request >= 2 * delay, "{request:?}");
    let whole = took(format!("/v2/app/blobs/{}", image.blobs[1].digest)).await;
    let chunks = u32::try_from(image.blobs[1].bytes.len() / (64 * 1024)).unwrap();
    assert!(
        whole < chunks * delay,
        "{chunks} chunks one after the other would take longer than {whole:?}"
    );
}
