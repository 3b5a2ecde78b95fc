// SPDX-License-Identifier: Apache-2.0

//! Freshness: how long a push takes to the destination, where the registry tells of it.
//!
//! ```text
//! cargo bench --bench events                                   2,000 pushes, 20 of them a second
//! BENCH_PUSHES=400 BENCH_RATE=50 cargo bench --bench events    so many, and so many a second
//! ```
//!
//! A controller on a real API server mirrors from distribution to distribution. The source sends its notifications to a
//! receiver, the destination to this program: that is when a push has arrived. Times decide nothing: the program fails if
//! something does not arrive, or is pulled twice.

#![expect(
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "a program for a terminal"
)]

mod arrivals;
mod figures;
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

use shared::request::{NotANumber, number, words};
use shared::saved::save;

/// How many pushes there are, and how many a second, if the environment does not say otherwise. A machine of two cores
/// pushes, notifies and copies that, and has time left.
const PUSHES: usize = 2_000;
const RATE: f64 = 20.0;

fn main() -> ExitCode {
    if words().is_none() {
        return ExitCode::SUCCESS;
    }
    let (pushes, rate) = match asked() {
        Ok(asked) => asked,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(2);
        }
    };
    let figures = support::runtime().block_on(scene::run(pushes, rate));
    println!("{}", figures.text());
    match save("events", &figures) {
        Ok(file) => println!("\nEverything: {}", file.display()),
        Err(error) => {
            eprintln!("the report cannot be saved: {error}");
            return ExitCode::FAILURE;
        }
    }
    if figures.is_sound() {
        ExitCode::SUCCESS
    } else {
        eprintln!("NOT SOUND: something did not arrive, or was pulled twice");
        ExitCode::FAILURE
    }
}

fn asked() -> Result<(usize, f64), NotANumber> {
    let pushes = number("BENCH_PUSHES")?.unwrap_or(PUSHES);
    Ok((pushes, number("BENCH_RATE")?.unwrap_or(RATE)))
}
