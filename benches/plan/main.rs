// SPDX-License-Identifier: Apache-2.0

//! `transship plan` for a repository with thousands of tags: what a person waits for who asks why one of
//! them is missing.
//!
//! ```text
//! cargo bench --bench plan                   9,000 tags, some seconds
//! BENCH_TAGS=50000 cargo bench --bench plan  so many
//! ```
//!
//! Times decide nothing: the program fails if a tag has no line in the plan.

#![expect(
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "a program for a terminal"
)]

mod question;
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

use question::{Answer, Question};
use shared::request::{number, words};
use shared::saved::save;
use shared::table::row;
use shared::verdict::Verdict;

/// How many tags there are, if `BENCH_TAGS` does not say otherwise.
const TAGS: usize = 9_000;

/// Processor time of a plan, in seconds.
const CPU_SECONDS: f64 = 1.0;

/// Width of the titles of questions.
const TITLE: usize = 28;

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
    let answers = support::runtime().block_on(ask_all(tags));
    println!("\n=== targets ===");
    for answer in &answers {
        println!("{}", judge(answer).line());
    }
    if let Err(error) = save("plan", &answers) {
        eprintln!("the report cannot be saved: {error}");
        return ExitCode::FAILURE;
    }
    if answers.iter().all(|answer| answer.rows == tags) {
        ExitCode::SUCCESS
    } else {
        eprintln!("NOT SOUND: tags without a line");
        ExitCode::FAILURE
    }
}

async fn ask_all(tags: usize) -> Vec<Answer> {
    let titles = ["CPU s", "wall s", "requests", "lines", "kB"];
    println!("=== {tags} tags ===\n{}", row("taken", TITLE, &titles));
    let mut answers = Vec::new();
    for question in Question::ALL {
        let answer = question.ask(tags).await;
        println!("{}", row(&answer.question, TITLE, &answer.cells()));
        answers.push(answer);
    }
    answers
}

fn judge(answer: &Answer) -> Verdict {
    let what = format!("{}: CPU seconds", answer.question);
    Verdict::new(what, answer.cpu_seconds, CPU_SECONDS)
}
