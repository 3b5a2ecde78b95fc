// SPDX-License-Identifier: Apache-2.0

//! `transship prune`: what the mirrors do not want any more at their destinations, and deleting it.

mod freed;
mod interrupted;
mod render;
mod totals;

use std::sync::Arc;

use schemars::JsonSchema;
use serde::Serialize;

use self::interrupted::Before;
use self::totals::{Totals, add_up};
use super::args::{DocumentArgs, Format, OutputArgs, PruneArgs};
use super::error::Error;
use super::exit::Exit;
use super::in_use;
use super::output::{self, Output};
use super::progress::Progress;
use super::report::tell_failures;
use super::session::{Remembering, Session};
use super::summary;
use crate::api::Reason;
use crate::api::image_mirror::{InUse, PruneMode};
use crate::plan::Mirror;
use crate::plan::prune::{PruneReport, Stop};
use crate::plan::report::{Failure, MirrorReport};
use crate::runtime::shutdown::until_signal;
use crate::sync::prune::{Pruner, RestoreError};
use crate::sync::workloads::Workloads;
use crate::sync::{Mode, Report};

/// What machines read.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Document<'a> {
    mirrors: Vec<MirrorDocument<'a>>,
    totals: Totals,
}

/// What pruning came to for one mirror.
#[derive(Debug, Serialize, JsonSchema)]
struct MirrorDocument<'a> {
    mirror: &'a str,
    #[serde(skip_serializing_if = "<[Failure]>::is_empty")]
    failures: &'a [Failure],
    prune: Option<&'a PruneReport>,
}

impl output::Document for Document<'_> {
    const KIND: &'static str = "PruneReport";
}

/// Runs `transship prune`.
pub(super) async fn run(args: &PruneArgs, output: &Output) -> Result<Exit, Error> {
    let PruneArgs {
        documents,
        in_use_from,
        in_use_extra,
        delete,
        approve,
        moved,
        output: OutputArgs { output: format },
        registry,
    } = args;
    require_state(documents, "transship prune")?;
    let workloads = in_use::read_workloads(in_use_from, in_use_extra).await?;
    let remembering = Remembering::Known { is_moved: *moved };
    let progress = Progress::new(output);
    let mut session = Session::open(documents, registry, output, progress, remembering)?;
    session.skip(output, |mirror| {
        (mirror.prune.mode == PruneMode::Retain)
            .then_some("keeps everything: its spec.prune.mode is Retain")
    });
    if let Some(plan) = approve {
        session.approve(plan, output);
    }
    if workloads.is_none() {
        refuse_blindness(session.mirrors(), *delete, output)?;
    }
    let session = session.with_pruner(pruner(workloads, *delete));
    let before = delete.then(|| Before::of(&session));
    let Some(report) = session.round(Mode::Prune).await else {
        if let Some(before) = before {
            tell_interrupted(&session, &before, *format, output).await?;
        }
        return Ok(Exit::Interrupted);
    };
    let freed = if *delete {
        None
    } else {
        let Some(freed) = until_signal(freed::measure(&session, &report)).await else {
            return Ok(Exit::Interrupted);
        };
        freed
    };
    print(&session, &report, freed, *format, output)?;
    Ok(exit(&report, *delete))
}

/// What a command works on that brings nothing of its own.
pub(super) fn require_state(documents: &DocumentArgs, command: &'static str) -> Result<(), Error> {
    match documents.state {
        Some(_) => Ok(()),
        None => Err(Error::NoState { command }),
    }
}

fn pruner(workloads: Option<Arc<dyn Workloads>>, delete: bool) -> Pruner {
    if delete {
        return Pruner::deleting(workloads);
    }
    let held = Pruner::held(Stop::by_command());
    match workloads {
        Some(workloads) => held.with_workloads(workloads),
        None => held,
    }
}

/// Nothing is deleted that workloads may use, unless the mirror says that it does not matter.
fn refuse_blindness<'a>(
    mirrors: impl Iterator<Item = &'a Mirror>,
    delete: bool,
    output: &Output,
) -> Result<(), Error> {
    let mut blind = mirrors.filter(|mirror| mirror.prune.in_use == InUse::Protect);
    let Some(mirror) = blind.next() else {
        return Ok(());
    };
    if delete {
        let mirror = mirror.name.clone();
        return Err(Error::Blind { mirror });
    }
    output.note(
        "note: what workloads use is not looked at, and may be among what is due: --in-use-from says it",
    );
    Ok(())
}

/// Keeps and says what was done before a signal came.
async fn tell_interrupted(
    session: &Session,
    before: &Before,
    format: Format,
    output: &Output,
) -> Result<(), Error> {
    for mirror in session.mirrors() {
        let kept = session.state.flush(mirror).await;
        kept.map_err(RestoreError::from)?;
    }
    print(session, &before.report(session), None, format, output)
}

fn print(
    session: &Session,
    report: &Report,
    freed: Option<u64>,
    format: Format,
    output: &Output,
) -> Result<(), Error> {
    let document = Document {
        mirrors: report
            .mirrors
            .iter()
            .map(|mirror| MirrorDocument {
                mirror: &mirror.mirror,
                failures: &mirror.failures,
                prune: mirror.prune.as_ref(),
            })
            .collect(),
        totals: Totals {
            freed,
            ..add_up(report)
        },
    };
    output.print_value(format, &document, |document, look| {
        render::render(
            session.mirrors(),
            report,
            &document.totals,
            output.is_quiet(),
            look,
        )
    })?;
    tell_failures(report, output);
    let prunes = report
        .mirrors
        .iter()
        .filter_map(|mirror| mirror.prune.as_ref());
    let failures = prunes.flat_map(|prune| &prune.failures);
    failures.for_each(|failure| output.fail(failure));
    Ok(())
}

fn exit(report: &Report, delete: bool) -> Exit {
    let Totals { due, failed, .. } = add_up(report);
    if failed > 0 || report.mirrors.iter().any(is_broken) {
        return Exit::Failure;
    }
    match (due, delete) {
        (0, _) => Exit::Success,
        (_, false) => Exit::Drift,
        // It waits for approval, or for the mode of the mirror to change.
        (_, true) => Exit::Failure,
    }
}

/// Whether something went wrong, rather than that a rule stopped it.
fn is_broken(mirror: &MirrorReport) -> bool {
    let prune = mirror.prune.as_ref();
    let is_stopped = prune
        .and_then(|prune| prune.stop.as_ref())
        .is_some_and(|stop| stop.reason != Reason::PrunePaused);
    let has_failed = prune.is_some_and(|prune| !prune.failures.is_empty());
    is_stopped || has_failed || summary::failures_of(mirror).next().is_some()
}
