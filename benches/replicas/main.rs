// SPDX-License-Identifier: Apache-2.0

//! Replicas that share the work: how much more three of them do than one, where each has a third of a core and a slow network.
//!
//! ```text
//! cargo bench --bench replicas                     300 mirrors; some five minutes on two cores
//! BENCH_MIRRORS=100 cargo bench --bench replicas   so many
//! ```
//!
//! A real API server, and distribution at both ends. A cgroup holds each replica to its part of a core, and a proxy to its part
//! of the network. Times decide nothing: the program fails if an image does not arrive, or is pushed twice.

#![expect(
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "a program for a terminal"
)]

mod figures;
mod lanes;
mod scene;
#[path = "../shared/mod.rs"]
pub mod shared;
#[expect(
    clippy::expect_used,
    clippy::missing_panics_doc,
    clippy::unwrap_used,
    reason = "what the measurements stand on stops at the first surprise, as in a test"
)]
#[path = "../../tests/suite/support/mod.rs"]
pub mod support;

use std::process::ExitCode;

use shared::request::{number, words};
use shared::saved::save;

/// How many mirrors there are, if the environment does not say otherwise.
const MIRRORS: usize = 300;

fn main() -> ExitCode {
    if words().is_none() {
        return ExitCode::SUCCESS;
    }
    let mirrors = match number("BENCH_MIRRORS") {
        Ok(mirrors) => mirrors.unwrap_or(MIRRORS),
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(2);
        }
    };
    let figures = support::runtime().block_on(scene::run(mirrors));
    println!("{}", figures.text());
    match save("replicas", &figures) {
        Ok(file) => println!("\nEverything: {}", file.display()),
        Err(error) => {
            eprintln!("the report cannot be saved: {error}");
            return ExitCode::FAILURE;
        }
    }
    if figures.is_sound() {
        ExitCode::SUCCESS
    } else {
        eprintln!(
            "NOT SOUND: an image did not arrive or was pushed twice, or a replica was not held to its part"
        );
        ExitCode::FAILURE
    }
}
