// SPDX-License-Identifier: Apache-2.0

//! Those who reach the admin port, and want all of it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::support::cluster::{ControlPlane, Controller};

/// What the program may have open, and how many connections stand at its port: more than that.
const DESCRIPTORS: usize = 256;
const HALVES: usize = 600;

#[tokio::test(flavor = "multi_thread")]
async fn half_requests_leave_descriptors_for_whoever_asks_whether_it_lives() {
    let namespace = ControlPlane::shared().await.namespace("halves").await;
    let directory = tempfile::tempdir().unwrap();
    let script = directory.path().join("few");
    let program = env!("CARGO_BIN_EXE_transship");
    let text = format!("#!/bin/sh\nulimit -n {DESCRIPTORS} && exec {program} \"$@\"\n");
    fs::write(&script, text).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let controller = Controller::options(namespace.plane().kubeconfig())
        .namespace(namespace.name())
        .program(&script)
        .start()
        .await;
    let mut halves = Vec::new();
    for index in 0..HALVES {
        let mut half = TcpStream::connect(controller.address()).await.unwrap();
        // Some say nothing at all, and some of those that spoke are hung up on meanwhile.
        if index % 2 == 0 {
            let _ = half
                .write_all(b"GET /healthz HTTP/1.1\r\nHost: a\r\nX: ")
                .await;
        }
        halves.push(half);
    }
    for path in ["/healthz", "/metrics"] {
        let (status, body) = controller.get(path).await;
        assert_eq!(status, 200, "{path}: {body}");
    }
}
