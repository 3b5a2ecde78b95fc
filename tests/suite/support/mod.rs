// SPDX-License-Identifier: Apache-2.0

//! What the integration tests and the benchmark stand on.
//!
//! Nothing here uses the library under test: digests, manifests, HTTP and the walk over a
//! registry's content are written a second time, so that the same mistake is not made on both sides.
//!
//! | module | is |
//! |---|---|
//! | `registries` | real registries as child processes, with their access logs |
//! | `content`, `corpus` | images from a seed; sets of repositories for the benchmark |
//! | `client`, `push` | a small registry client; putting images into a registry |
//! | `witness`, `poller` | is everything there and equal; was a tag ever visible too early |
//! | `faults` | a registry in memory that can be told to misbehave |
//! | `http` | the HTTP/1.1 server under `faults`, `token` and `canary`, with its script of rules |
//! | `token`, `credentials`, `tls` | a token server, who may do what, a private authority |
//! | `cloud`, `sigv4` | a server of a cloud that keeps what it was asked; AWS's signatures recomputed by botocore |
//! | `limited` | a program in as much memory, or of a core, as a container has |
//! | `moto` | AWS, played by moto |
//! | `nginx` | a real nginx in front of a server, with a limit of requests |
//! | `front`, `proxy`, `tunnel` | a reverse proxy that sees requests; a TCP proxy that delays them; one that takes CONNECT |
//! | `browser` | a headless Chromium |
//! | `page` | the page for people, as a browser gets it |
//! | `program`, `crash` | runs the real program; kills it at a chosen request |
//! | `cluster` | a real Kubernetes control plane, and the program as its controller |
//! | `canary` | listeners that must not be talked to, or not hear a secret |
//! | `apart` | runs a test again in a network and with mounts of its own |
//! | `process`, `tools` | children that die with the test; where the tools are |

pub mod access_log;
pub mod apart;
pub mod browser;
pub mod canary;
pub mod client;
pub mod clock;
pub mod cloud;
pub mod cluster;
pub mod content;
pub mod corpus;
pub mod crash;
pub mod credentials;
pub mod digest;
pub mod faults;
pub mod front;
pub mod http;
pub mod limited;
pub mod moto;
pub mod named;
pub mod nginx;
pub mod page;
pub mod poller;
pub mod process;
pub mod program;
pub mod proxy;
pub mod push;
pub mod registries;
pub mod sigv4;
pub mod tls;
pub mod token;
pub mod tools;
pub mod tunnel;
pub mod witness;

use std::sync::LazyLock;

use jiff::Timestamp;
use tokio::runtime::{Builder, Runtime};

/// The runtime of every server of the harness.
///
/// It is not the test's own: a test may block its thread, or wait for a child process, while that
/// child talks to these servers.
pub fn runtime() -> &'static Runtime {
    static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
        Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("harness")
            .enable_all()
            .build()
            .expect("a runtime")
    });
    &RUNTIME
}

/// The time, as every server on this machine tells it.
#[expect(clippy::disallowed_methods, reason = "a server has to know the time")]
pub fn now() -> Timestamp {
    Timestamp::now()
}
