// SPDX-License-Identifier: Apache-2.0

//! Transship beside crane, regsync, skopeo and oras: the same content, the same registries, one run.
//!
//! ```text
//! cargo bench --bench peers                          everything, a quarter of an hour on two cores
//! cargo bench --bench peers -- families loopback     only these
//! BENCH_RUNS=5 BENCH_SCALE=0.1 cargo bench …         runs of each tool; size of the content
//! ```
//!
//! Every tool copies into registries of its own that nobody has written to yet (`cold`) and again right
//! after (`unchanged`). Tools take turns, so that a slow minute of the machine hits all of them.
//! What was asked of the registries stands in their own access logs, and whether everything arrived
//! says the witness of the integration tests, which shares no code with Transship.
//!
//! Times decide nothing: the program fails if something is missing or wrong, or if a tool does not run.

#![expect(
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "a program for a terminal"
)]

mod job;
mod measure;
mod pass;
mod place;
mod report;
mod scenario;
mod selection;
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
mod table;
mod targets;
mod text;
mod tool;
mod traffic;
mod workload;

use std::process::ExitCode;

use selection::Selection;
use shared::saved::save;

fn main() -> ExitCode {
    let selection = match Selection::from_process() {
        Ok(Some(selection)) => selection,
        Ok(None) => return ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(2);
        }
    };
    let report = support::runtime().block_on(scenario::run_all(&selection));
    println!("{}", text::summary(&report));
    match save("peers", &report) {
        Ok(file) => println!("\nEvery run: {}", file.display()),
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
