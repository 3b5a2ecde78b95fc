// SPDX-License-Identifier: Apache-2.0

//! `transship copy`: images between registries, directories and archives, without a document.

mod archive;
mod plan;
mod retag;
mod transfer;
mod way;

use std::time::Instant;

use schemars::JsonSchema;
use serde::Serialize;

use self::archive::Staging;
use self::plan::{Job, check};
use self::transfer::{Items, Transfer};
use self::way::Way;
use super::args::{CopyArgs, OutputArgs};
use super::connect::Connector;
use super::error::Error;
use super::exit::Exit;
use super::look::Look;
use super::output::{Document, Output};
use super::progress::Progress;
use super::report::{exit, tell_failures};
use super::table::{Table, paragraphs};
use super::{summary, units};
use crate::copy;
use crate::plan::report::{Failure, MirrorReport, Outcome, TagReport, Totals};
use crate::runtime::shutdown::until_signal;
use crate::sync::Report;

/// The kind of what machines read.
pub(super) const KIND: &str = "CopyReport";

/// What machines read of a copy.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct CopyDocument<'a> {
    /// Images that were not found.
    failures: &'a [Failure],
    tags: &'a [TagReport],
    totals: Totals,
}

impl Document for CopyDocument<'_> {
    const KIND: &'static str = KIND;
}

/// Runs `transship copy`.
pub(super) async fn run(args: &CopyArgs, output: &Output) -> Result<Exit, Error> {
    let job = check(args)?;
    let began = Instant::now();
    let progress = Progress::new(output);
    let done = until_signal(copy(&job, args, &progress, output)).await;
    progress.finish();
    let Some(copied) = done else {
        output.note("interrupted: what is done stays, the same command does the rest");
        return Ok(Exit::Interrupted);
    };
    let report = Report {
        mirrors: vec![copied?],
    };
    let line = if args.sparing.dry_run {
        super::plan::line(&report)
    } else {
        summary::line(&report.totals(), began.elapsed())
    };
    let OutputArgs { output: format } = args.output;
    output.print_value(format, &document(&report), |_, look| {
        let table = if output.is_quiet() {
            String::new()
        } else {
            table(&report, look)
        };
        paragraphs([table, line + "\n"])
    })?;
    tell_failures(&report, output);
    tell_untagged(&report, output);
    Ok(exit(&report))
}

/// Copies everything, one source after the other; what is archived is archived as a whole or not at all.
async fn copy(
    job: &Job<'_>,
    args: &CopyArgs,
    progress: &std::sync::Arc<Progress>,
    output: &Output,
) -> Result<MirrorReport, Error> {
    let connector = Connector::open(&args.registry)?;
    let events = copy::Progress::none().with(progress.clone());
    let engine = copy::Engine::new(events);
    let staging = Staging::for_archive(job.destination, args)?;
    let mut report = MirrorReport::new("");
    for source in job.sources {
        let way = match &staging {
            Some(staging) => staging.way(&connector, source, args).await?,
            None => Way::open(&connector, source, job.destination).await?,
        };
        let transfer = Transfer::new(&engine, way, args);
        let found = transfer.items(job, source, staging.as_ref()).await?;
        let Items { items, left_alone } = found;
        progress.expect(items.len());
        if left_alone > 0 {
            let tags = units::count(left_alone, "tag", "tags");
            output.note(&format!("{tags} that the destination has: left alone"));
        }
        let copied = transfer.run(items, &**progress).await;
        report.failures.extend(copied.failures);
        report.tags.extend(copied.tags);
    }
    let Some(staging) = staging.filter(|_| !args.sparing.dry_run) else {
        return Ok(report);
    };
    if summary::failures_of(&report).next().is_some() {
        report.failures.push(staging.unwritten());
        // What was gathered is gone with the rest.
        report
            .tags
            .retain(|tag| matches!(tag.outcome, Outcome::Failed(_)));
    } else {
        staging.pack().await?;
    }
    Ok(report)
}

/// What is known by its digest only is easily lost: some registries delete it with their garbage.
fn tell_untagged(report: &Report, output: &Output) {
    let tags = report.mirrors.iter().flat_map(|copied| &copied.tags);
    let untagged = tags.filter(|tag| {
        let is_there = !matches!(tag.outcome, Outcome::Failed(_) | Outcome::Planned { .. });
        is_there && tag.target.contains('@')
    });
    for tag in untagged {
        output.note(&format!(
            "note: no tag names {}: give DST a tag to name it",
            tag.target
        ));
    }
}

fn document(report: &Report) -> CopyDocument<'_> {
    let copied = report.mirrors.first();
    CopyDocument {
        failures: copied.map_or(&[], |copied| &copied.failures),
        tags: copied.map_or(&[], |copied| &copied.tags),
        totals: report.totals(),
    }
}

/// The table of a copy: one row for each tag.
fn table(report: &Report, look: Look) -> String {
    let mut table = Table::new(["SOURCE", "DESTINATION", "DIGEST", "ACTION", "SENT"]);
    for tag in report.mirrors.iter().flat_map(|copied| &copied.tags) {
        let TagReport {
            source,
            destination: _,
            target,
            source_digest,
            previous_digest: _,
            selected_by: _,
            outcome,
        } = tag;
        let (digest, action, bytes) = match outcome {
            Outcome::Copied { digest, bytes } => (digest, "copied", *bytes),
            Outcome::Retagged { digest } => (digest, "retagged", 0),
            Outcome::Completed { digest, bytes } => (digest, "completed", *bytes),
            Outcome::Unchanged => (source_digest, "unchanged", 0),
            Outcome::Frozen => (source_digest, "frozen", 0),
            Outcome::Planned { .. } => (source_digest, "planned", 0),
            Outcome::Refused(_) => (source_digest, "refused", 0),
            Outcome::Quarantined(_) => (source_digest, "quarantined", 0),
            Outcome::Failed(_) => (source_digest, "failed", 0),
        };
        table.row([
            source.clone(),
            target.clone(),
            look.digest(digest),
            action.to_owned(),
            units::bytes(bytes),
        ]);
    }
    if table.is_empty() {
        return String::new();
    }
    table.fit(look.width)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oci::Digest;

    #[test]
    fn tags_in_a_table() {
        let tag = |tag: &str, outcome| TagReport {
            source: format!("docker.io/library/app:{tag}"),
            destination: "b.test".to_owned(),
            target: format!("b.test/app:{tag}"),
            source_digest: Digest::sha256(b"source"),
            previous_digest: None,
            selected_by: Vec::new(),
            outcome,
        };
        let copied = Outcome::Copied {
            digest: Digest::sha256(b"rewritten"),
            bytes: 3_400_000,
        };
        let mut report = MirrorReport::new("");
        report.tags = vec![tag("1", copied), tag("2", Outcome::Unchanged)];
        let report = Report {
            mirrors: vec![report],
        };
        for (width, name) in [(80, "at_80"), (100, "at_100"), (200, "at_200")] {
            let look = Look {
                is_wide: false,
                width: Some(width),
            };
            insta::assert_snapshot!(name, table(&report, look));
        }
        insta::assert_snapshot!("wide", table(&report, Look::everything()));
    }
}
