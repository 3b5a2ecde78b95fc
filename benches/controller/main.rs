// SPDX-License-Identifier: Apache-2.0

//! The controller with thousands of mirrors: on a real API server, between registries that cost nothing.
//!
//! ```text
//! cargo bench --bench controller                     1,000 mirrors, then 10,000; half an hour on two cores
//! BENCH_MIRRORS=200 cargo bench --bench controller   only so many
//! ```
//!
//! Each mirror has ten tags of one repository, and everything is at the destination already. Five things are
//! measured: a first controller that finds this out and writes it down, the start of a second one that reads
//! it, that one at rest, a round of every mirror at the same second that finds nothing to do, and 100 searches on the page.
//!
//! What was asked of the API server stands in its audit log. Times decide nothing: the program fails if a
//! mirror does not become ready.

#![expect(
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "a program for a terminal"
)]

mod fleet;
mod objects;
mod phase;
mod registry;
mod report;
mod scenario;
mod schedule;
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
mod targets;
mod text;

use std::process::ExitCode;

use report::Report;
use shared::request::{number, words};
use shared::saved::save;

/// How many mirrors there are, if `BENCH_MIRRORS` does not say otherwise.
const MIRRORS: [usize; 2] = [1_000, 10_000];

fn main() -> ExitCode {
    if words().is_none() {
        return ExitCode::SUCCESS;
    }
    let sizes = match number("BENCH_MIRRORS") {
        Ok(size) => size.map_or(MIRRORS.to_vec(), |size| vec![size]),
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(2);
        }
    };
    let report = support::runtime().block_on(run_all(&sizes));
    println!("{}", text::summary(&report));
    match save("controller", &report) {
        Ok(file) => println!("\nEverything: {}", file.display()),
        Err(error) => {
            eprintln!("the report cannot be saved: {error}");
            return ExitCode::FAILURE;
        }
    }
    if report.is_sound() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

async fn run_all(sizes: &[usize]) -> Report {
    let mut scenarios = Vec::new();
    for mirrors in sizes {
        let scenario = scenario::run(*mirrors).await;
        println!("{}", text::scenario(&scenario));
        scenarios.push(scenario);
    }
    Report {
        targets: targets::judge(&scenarios),
        scenarios,
    }
}
