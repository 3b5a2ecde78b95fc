// SPDX-License-Identifier: Apache-2.0

//! `transship sync --watch`: every mirror at its own times, until a signal comes.

use std::future::pending;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::join_all;
use jiff::Timestamp;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::args::Format;
use super::board::{EndedRound, Pages, SyncBoard};
use super::connect::MirrorConnection;
use super::error::Error;
use super::exit::Exit;
use super::output::Output;
use super::output_file::PageFile;
use super::report::{exit, print_report, tell_failures};
use super::session::Session;
use super::summary;
use crate::controller::page::{self, PageServer};
use crate::plan::attempts::{Attempts, Outlook};
use crate::plan::mirror_home::MirrorHome;
use crate::plan::report::MirrorReport;
use crate::runtime::clock;
use crate::runtime::shutdown::until_signal;
use crate::sync::{Mode, Report, RoundInput, round as run_round};

/// Longest sleep in one piece: the clock may jump, or the machine may have been asleep.
const LONGEST_SLEEP: Duration = Duration::from_secs(30);
/// How long a page that was written stays as it is at least.
const BETWEEN_PAGES: Duration = Duration::from_secs(1);

/// What the watches of all mirrors share.
#[derive(Clone, Copy)]
struct Watch<'a> {
    session: &'a Session,
    board: &'a SyncBoard,
    format: Format,
    output: &'a Output,
}

/// Runs the rounds of all mirrors, each on its own, until a signal comes.
pub(super) async fn run(
    session: &Session,
    board: SyncBoard,
    pages: Pages,
    format: Format,
    output: &Output,
) -> Result<Exit, Error> {
    let board = Arc::new(board);
    // Dropped at the end of the rounds, with which the page ends.
    let _shown = serve(&board, &pages).await?;
    let watch = Watch {
        session,
        board: &board,
        format,
        output,
    };
    let watches = session.inputs.iter().map(|input| watch.mirror(input));
    let rounds = async {
        tokio::select! {
            _ = join_all(watches) => (),
            () = keep_written(&board, pages.file.as_ref()) => (),
        }
    };
    if until_signal(rounds).await.is_none() {
        tracing::info!("stopped");
    }
    if let Some(file) = &pages.file {
        board.write(file)?;
    }
    Ok(Exit::Success)
}

/// Writes the page after rounds, but not after each of many: it is all of it each time.
async fn keep_written(board: &SyncBoard, file: Option<&PageFile>) {
    let Some(file) = file else {
        return pending().await;
    };
    loop {
        board.changed().await;
        if let Err(error) = board.write(file) {
            tracing::warn!("{error}");
        }
        tokio::time::sleep(BETWEEN_PAGES).await;
    }
}

/// Serves the page until what is returned is dropped.
async fn serve(board: &Arc<SyncBoard>, pages: &Pages) -> Result<Option<DropGuard>, Error> {
    let Some(settings) = pages.served else {
        return Ok(None);
    };
    let server = page::bind(settings, "--page").await?;
    let stop = CancellationToken::new();
    let shown = PageServer::for_everybody(board.clone());
    tokio::spawn(page::serve(shown, server, stop.clone()));
    Ok(Some(stop.drop_guard()))
}

// === impl Watch ===

impl Watch<'_> {
    async fn mirror(self, input: &RoundInput<MirrorConnection>) {
        let mirror = &input.mirror;
        let mut attempts = Attempts::default();
        let mut next = attempts.next(&mirror.schedule, clock::now(), jitter());
        while let Some(time) = next {
            tracing::debug!(mirror = mirror.name, next = %time, "waiting");
            sleep_until(time).await;
            let began = clock::now();
            self.board.begin(&mirror.name);
            let (report, line) = round(self.session, input).await;
            attempts.record(began, outlook(&report));
            next = attempts.next(&mirror.schedule, clock::now(), jitter());
            self.show(&report, began, next);
            tell(
                (&mirror.name, &self.session.home),
                &report,
                &line,
                self.format,
                self.output,
            );
        }
        tracing::warn!(mirror = mirror.name, "the schedule names no further time");
    }

    /// Shows on the page what came of a round.
    fn show(self, report: &Report, began: Timestamp, next: Option<Timestamp>) {
        for report in &report.mirrors {
            self.board.finish(&EndedRound {
                report,
                began,
                next,
            });
        }
    }
}

fn outlook(report: &Report) -> Outlook {
    Outlook {
        failed: exit(report) != Exit::Success,
        not_before: retry_at(report),
        admission: report
            .mirrors
            .iter()
            .filter_map(MirrorReport::next_admission)
            .min(),
    }
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
fn tell(
    (mirror, home): (&str, &MirrorHome),
    report: &Report,
    line: &str,
    format: Format,
    output: &Output,
) {
    tell_failures(report, output);
    tracing::info!(mirror, "{line}");
    let printed = match format {
        Format::Table | Format::Wide => Ok(()),
        Format::Json => print_report(report, line, home, format, output),
        // Of several documents each begins with a line of its own.
        Format::Yaml => output
            .print("---\n")
            .and_then(|()| print_report(report, line, home, format, output)),
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
