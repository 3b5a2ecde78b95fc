// SPDX-License-Identifier: Apache-2.0

//! The decision what to prune, for very many tags, Pods and custom resources: everything but the requests.
//!
//! ```text
//! cargo bench --bench prune                     100,000 tags of 500 repositories, 20,000 Pods, 2,000 others
//! BENCH_TAGS=1000000 cargo bench --bench prune  so many tags
//! ```
//!
//! Times decide nothing: the program fails if a tag that is used, kept or wanted would go.

#![expect(
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "a program for a terminal"
)]

mod landscape;
#[path = "../shared/mod.rs"]
pub mod shared;

use std::process::ExitCode;

use landscape::{Decision, Landscape};
use serde::Serialize;
use shared::process::{cpu_seconds, peak_rss_bytes};
use shared::request::{number, words};
use shared::saved::save;
use shared::table::row;
use shared::units::mebibytes;
use shared::verdict::Verdict;

/// How many tags there are, if `BENCH_TAGS` does not say otherwise.
const TAGS: usize = 100_000;
/// How many Pods there are.
const PODS: usize = 20_000;
/// How many custom resources there are.
const RESOURCES: usize = 2_000;

/// Processor time of a decision, in seconds.
const CPU_SECONDS: f64 = 10.0;
/// Memory of the process that decides, with all that it decides about.
const PEAK_MEBIBYTES: f64 = 256.0;

/// Width of the first column.
const TITLE: usize = 40;

/// What was measured.
#[derive(Serialize)]
struct Figures {
    tags: usize,
    pods: usize,
    resources: usize,
    decision: Decision,
    cpu_seconds: f64,
    peak_mebibytes: f64,
}

fn main() -> ExitCode {
    if words().is_none() {
        return ExitCode::SUCCESS;
    }
    let tags = match number("BENCH_TAGS") {
        Ok(tags) => tags.unwrap_or(TAGS),
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(2);
        }
    };
    let Some(figures) = measure(tags) else {
        eprintln!("there is nothing to measure with: /proc is not there");
        return ExitCode::FAILURE;
    };
    show(&figures);
    if let Err(error) = save("prune", &figures) {
        eprintln!("the report cannot be saved: {error}");
        return ExitCode::FAILURE;
    }
    if figures.decision.is_right() {
        ExitCode::SUCCESS
    } else {
        eprintln!("NOT SOUND: {:?}", figures.decision);
        ExitCode::FAILURE
    }
}

fn measure(tags: usize) -> Option<Figures> {
    let mut landscape = Landscape::new(tags);
    let process = std::process::id();
    let before = cpu_seconds(process)?;
    landscape.look(PODS, RESOURCES);
    let decision = landscape.decide();
    Some(Figures {
        tags,
        pods: PODS,
        resources: RESOURCES,
        decision,
        cpu_seconds: cpu_seconds(process)? - before,
        peak_mebibytes: mebibytes(peak_rss_bytes(process)?),
    })
}

fn show(figures: &Figures) {
    let Figures {
        tags,
        pods,
        resources,
        decision,
        cpu_seconds,
        peak_mebibytes,
    } = figures;
    let titles = ["candidates", "protected", "due", "CPU s", "peak MiB"];
    let cells = [
        decision.candidates.to_string(),
        decision.protected.to_string(),
        decision.due.to_string(),
        format!("{cpu_seconds:.2}"),
        format!("{peak_mebibytes:.0}"),
    ];
    println!("{}", row("", TITLE, &titles));
    println!(
        "{}",
        row(
            &format!("{tags} tags, {pods} Pods, {resources} others"),
            TITLE,
            &cells
        )
    );
    println!("\n=== targets ===");
    for (what, figure, limit) in [
        ("CPU seconds", *cpu_seconds, CPU_SECONDS),
        ("peak MiB", *peak_mebibytes, PEAK_MEBIBYTES),
    ] {
        println!("{}", Verdict::new(what.to_owned(), figure, limit).line());
    }
}
