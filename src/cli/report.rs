// SPDX-License-Identifier: Apache-2.0

//! What a round did, for people and machines, and how the program ends after it.

use schemars::JsonSchema;
use serde::Serialize;

use super::args::Format;
use super::error::Error;
use super::exit::Exit;
use super::output::{Document, Output};
use super::table::paragraphs;
use super::{summary, unpruned};
use crate::plan::mirror_home::MirrorHome;
use crate::plan::report::{MirrorReport, Totals};
use crate::sync::Report;

/// What machines read of a round.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct RoundDocument<'a> {
    mirrors: &'a [MirrorReport],
    totals: Totals,
}

impl Document for RoundDocument<'_> {
    const KIND: &'static str = "SyncReport";
}

impl<'a> From<&'a Report> for RoundDocument<'a> {
    fn from(report: &'a Report) -> Self {
        Self {
            mirrors: &report.mirrors,
            totals: report.totals(),
        }
    }
}

/// Tells everything that failed on stderr, whatever is printed.
pub(super) fn tell_failures(report: &Report, output: &Output) {
    let failures = report.mirrors.iter().flat_map(summary::failures_of);
    failures.for_each(|failure| output.fail(failure));
}

/// Prints what was done: all of it for machines; table, refusals and the last line for people.
pub(super) fn print_report(
    report: &Report,
    line: &str,
    home: &MirrorHome,
    format: Format,
    output: &Output,
) -> Result<(), Error> {
    output.print_value(format, &RoundDocument::from(report), |_, look| {
        let table = if output.is_quiet() {
            String::new()
        } else {
            summary::table(report, look)
        };
        paragraphs([
            table,
            summary::refusals(report),
            unpruned::stops(report) + &unpruned::due(report, home),
            format!("{line}\n"),
        ])
    })
}

/// How the program ends after a round.
pub(super) fn exit(report: &Report) -> Exit {
    if report.totals().failed > 0 {
        Exit::Failure
    } else {
        Exit::Success
    }
}
