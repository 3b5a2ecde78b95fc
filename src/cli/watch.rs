// SPDX-License-Identifier: Apache-2.0

//! `transship sync --watch`: every mirror at its own times, until a signal comes.

use std::time::{Duration, Instant};

use futures::future::join_all;
use jiff::Timestamp;

use super::args::Format;
use super::connect::MirrorConnection;
use super::error::Error;
use super::exit::Exit;
use super::output::Output;
use super::report::{exit, print_report, tell_failures};
use super::session::Session;
use super::summary;
use crate::plan::attempts::{Attempts, Outlook};
use crate::plan::report::MirrorReport;
use crate::runtime::clock;
use crate::runtime::shutdown::until_signal;
use crate::sync::{Mode, Report, RoundInput, round as run_round};

/// Longest sleep in one piece: the clock may jump, or the machine may have been asleep.
const LONGEST_SLEEP: Duration = Duration::from_secs(30);

/// Runs the rounds of all mirrors, each on its own, until a signal comes.
pub(super) async fn run(session: &Session, format: Format, output: &Output) -> Result<Exit, Error> {
    let watches = session
        .inputs
        .iter()
        .map(|input| watch(session, input, format, output));
    if until_signal(join_all(watches)).await.is_none() {
        tracing::info!("stopped");
    }
    Ok(Exit::Success)
}

async fn watch(
    session: &Session,
    input: &RoundInput<MirrorConnection>,
    format: Format,
    output: &Output,
) {
    let mirror = &input.mirror;
    let mut attempts = Attempts::default();
    while let Some(next) = attempts.next(&mirror.schedule, clock::now(), jitter()) {
        tracing::debug!(mirror = mirror.name, %next, "waiting");
        sleep_until(next).await;
        let began = clock::now();
        let (report, line) = round(session, input).await;
        tell(&mirror.name, &report, &line, format, output);
        let outlook = Outlook {
            failed: exit(&report) != Exit::Success,
            not_before: retry_at(&report),
            admission: report
                .mirrors
                .iter()
                .filter_map(MirrorReport::next_admission)
                .min(),
        };
        attempts.record(began, outlook);
    }
    tracing::warn!(mirror = mirror.name, "the schedule names no further time");
}

/// One round with its last line.
async fn round(session: &Session, input: &RoundInput<MirrorConnection>) -> (Report, String) {
    let began = Instant::now();
    let inputs = std::slice::from_ref(input);
    let report = run_round(&session.state, inputs, Mode::Apply, &*session.progress).await;
    let line = summary::line(&report.totals(), began.elapsed());
    (report, line)
}

/// People read the log; machines get every report on stdout besides.
fn tell(mirror: &str, report: &Report, line: &str, format: Format, output: &Output) {
    tell_failures(report, output);
    tracing::info!(mirror, "{line}");
    let printed = match format {
        Format::Table | Format::Wide => Ok(()),
        Format::Json => print_report(report, line, format, output),
        // Of several documents each begins with a line of its own.
        Format::Yaml => output
            .print("---\n")
            .and_then(|()| print_report(report, line, format, output)),
    };
    if let Err(error) = printed {
        tracing::warn!("{error}");
    }
}

/// The first time at which something that a registry put off may be tried again.
fn retry_at(report: &Report) -> Option<Timestamp> {
    let failures = report.mirrors.iter().flat_map(summary::failures_of);
    failures
        .filter_map(|failure| failure.next_attempt_time)
        .min()
}

async fn sleep_until(time: Timestamp) {
    loop {
        let left = Duration::try_from(time.duration_since(clock::now())).unwrap_or_default();
        if left.is_zero() {
            return;
        }
        tokio::time::sleep(left.min(LONGEST_SLEEP)).await;
    }
}

fn jitter() -> f64 {
    fastrand::f64().mul_add(2.0, -1.0)
}
