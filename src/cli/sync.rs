// SPDX-License-Identifier: Apache-2.0

//! `transship sync` and `transship plan`: rounds over the mirrors of documents.

use std::time::Instant;

use super::args::{Format, OutputArgs, PageAddress, PlanArgs, SyncArgs};
use super::board::{EndedRound, Pages};
use super::error::Error;
use super::exit::Exit;
use super::output::Output;
use super::output_file::PageFile;
use super::progress::Progress;
use super::report::{RoundDocument, exit, print_report, tell_failures};
use super::session::{Remembering, Session};
use super::{plan, summary, watch};
use crate::controller::page::PageSettings;
use crate::runtime::clock;
use crate::sync::{Mode, Report};

/// Runs `transship sync`.
pub(super) async fn run(args: &SyncArgs, output: &Output) -> Result<Exit, Error> {
    let SyncArgs {
        documents,
        watch,
        page,
        page_file,
        dry_run,
        changes_only,
        output: OutputArgs { output: format },
        registry,
    } = args;
    let pages = Pages {
        served: page.map(page_settings).transpose()?,
        file: page_file.as_deref().map(PageFile::at).transpose()?,
    };
    if *watch {
        let progress = Progress::new(output);
        let session = Session::open(documents, registry, output, progress, Remembering::All)?;
        let board = session.board(documents, true);
        return watch::run(&session, board, pages, *format, output).await;
    }
    let remembering = if *dry_run {
        Remembering::Nothing
    } else {
        Remembering::All
    };
    let progress = Progress::new(output);
    let session = Session::open(documents, registry, output, progress, remembering)?.for_once();
    if *dry_run {
        let exit = session.plan(*changes_only, *format, output).await?;
        return Ok(if exit == Exit::Drift {
            Exit::Success
        } else {
            exit
        });
    }
    if documents.state.is_none() {
        session.tell_forgotten(output);
    }
    let board = session.board(documents, false);
    let began = clock::now();
    let (exit, report) = session.apply(*format, output).await?;
    if let (Some(file), Some(report)) = (&pages.file, report) {
        for report in &report.mirrors {
            board.finish(&EndedRound {
                report,
                began,
                next: None,
            });
        }
        board.write(file)?;
    }
    Ok(exit)
}

/// Where the page is served, unless everybody would see it there.
fn page_settings(address: PageAddress) -> Result<PageSettings, Error> {
    let settings = PageSettings::new(address.socket(), false);
    settings.map_err(|unguarded| {
        Error::Usage(format!(
            "--page: {unguarded}: serve it at loopback, such as --page {}",
            address.socket().port()
        ))
    })
}

/// Runs `transship plan`.
pub(super) async fn run_plan(args: &PlanArgs, output: &Output) -> Result<Exit, Error> {
    let PlanArgs {
        documents,
        changes_only,
        output: OutputArgs { output: format },
        registry,
    } = args;
    let progress = Progress::new(output);
    let session = Session::open(documents, registry, output, progress, Remembering::Nothing)?;
    let session = session.for_once();
    session.plan(*changes_only, *format, output).await
}

// === impl Session ===

impl Session {
    /// Copies what is to be copied, and prints what came of it.
    pub(super) async fn apply(
        &self,
        format: Format,
        output: &Output,
    ) -> Result<(Exit, Option<Report>), Error> {
        let began = Instant::now();
        let Some(report) = self.round(Mode::Apply).await else {
            let (finished, planned) = self.progress.tags();
            output.note(&format!(
                "interrupted: {finished} of {planned} tags are done, the next run does the rest"
            ));
            return Ok((Exit::Interrupted, None));
        };
        let line = summary::line(&report.totals(), began.elapsed());
        print_report(&report, &line, &self.home, format, output)?;
        tell_failures(&report, output);
        Ok((exit(&report), Some(report)))
    }

    async fn plan(&self, is_brief: bool, format: Format, output: &Output) -> Result<Exit, Error> {
        let Some(report) = self.round(Mode::Plan).await else {
            return Ok(Exit::Interrupted);
        };
        output.print_value(format, &RoundDocument::from(&report), |_, look| {
            plan::render(&report, is_brief, &self.home, look)
        })?;
        tell_failures(&report, output);
        let todo = report.totals().planned > 0;
        let exit = exit(&report);
        Ok(if todo && exit == Exit::Success {
            Exit::Drift
        } else {
            exit
        })
    }
}
