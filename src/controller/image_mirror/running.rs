// SPDX-License-Identifier: Apache-2.0

//! A round, or a look at some tags, from its Secrets to its report, and what it says about the next one.

use std::pin::pin;
use std::time::Duration;

use futures::future::{Either, select};
use jiff::Timestamp;
use kube::runtime::controller::Action;

use super::prepare::Prepared;
use crate::api::ImageMirror;
use crate::controller::context::{Context, Shared};
use crate::controller::progress::Progress;
use crate::controller::rounds::RunningRound;
use crate::controller::secrets::read_reach;
use crate::controller::span::{duration, earlier};
use crate::plan::attempts::Outlook;
use crate::plan::report::{MirrorReport, Totals};
use crate::plan::status::{self, Halt, Round};
use crate::runtime::clock;
use crate::sync::{self, Hearsay, Mode, Only, RoundInput};

/// Time until a mirror is looked at again whose round was cancelled: the change that did it comes too.
pub(super) const AFTER_CANCELLATION: Duration = Duration::from_secs(1);
/// Longest time between two looks at a mirror: the clock may jump.
const LONGEST_SLEEP: Duration = Duration::from_secs(60 * 60);

/// How much of a mirror is looked at.
#[derive(Clone, Copy)]
pub(super) enum Extent<'a> {
    /// All of it.
    Whole(Mode),
    /// All of it, but for the copies, of which others tell.
    Elsewhere(Mode, &'a dyn Hearsay),
    /// These tags.
    Only(&'a Only),
}

/// How a round ended.
pub(super) enum Ended {
    /// It came to its end.
    Finished(Box<MirrorReport>),
    /// It cannot begin.
    Halted(Halt),
    /// What it was started for is gone.
    Cancelled,
}

/// The round itself. It ends early when the spec it was started for is gone.
pub(super) async fn run_round(
    object: &ImageMirror,
    prepared: &Prepared,
    extent: Extent<'_>,
    guard: &RunningRound,
    context: &Context,
) -> Ended {
    let mirror = &prepared.mirror;
    let progress = Progress::new(&mirror.name);
    let work = async {
        let Shared {
            client, identities, ..
        } = &*context.shared;
        let reach = match read_reach(client, identities, mirror).await {
            Ok(reach) => reach,
            Err(unreached) => {
                return Ended::Halted(Halt::Waiting {
                    reason: unreached.reason,
                    message: unreached.message,
                    next: None,
                });
            }
        };
        let input = [RoundInput {
            mirror: mirror.clone(),
            connection: context.shared.connector.connect(mirror, reach),
        }];
        let state = &context.shared.state;
        let mode = match extent {
            Extent::Whole(mode) => mode,
            Extent::Elsewhere(mode, told) => {
                let [input] = &input;
                let report = sync::round_elsewhere(state, input, mode, told, &progress).await;
                return Ended::Finished(Box::new(report));
            }
            Extent::Only(only) => {
                let [input] = &input;
                let report = sync::glance(state, input, only, &progress).await;
                return Ended::Finished(Box::new(report));
            }
        };
        let round = sync::round(state, &input, mode, &progress);
        let mut report = match select(pin!(round), pin!(progress.tell(object, context))).await {
            Either::Left((report, _)) => report,
            Either::Right((never, _)) => match never {},
        };
        let report = report.mirrors.pop();
        let report = report.unwrap_or_else(|| MirrorReport::new(&mirror.name));
        Ended::Finished(Box::new(report))
    };
    if let Some(ended) = guard.unless_cancelled(work).await {
        return ended;
    }
    // What was finished stays on record.
    if let Err(error) = context.shared.state.flush(mirror).await {
        tracing::warn!(%error, "the records of a cancelled round were not kept");
    }
    Ended::Cancelled
}

/// What a round says about the next one. Of failures only those count that time may heal.
pub(super) fn outlook(report: &MirrorReport, now: Timestamp) -> Outlook {
    let healable = status::failures(report)
        .map(|(_, failure)| failure)
        .filter(|failure| !status::needs_person(failure.reason));
    let mut outlook = Outlook {
        admission: earlier(report.next_admission(), report.next_prune(now)),
        ..Outlook::default()
    };
    for failure in healable {
        outlook.failed = true;
        outlook.not_before = earlier(outlook.not_before, failure.next_attempt_time);
    }
    outlook
}

/// Says in the log what came of a round, or of a look.
pub(super) fn log(totals: &Totals, round: &Round<'_>) {
    let Totals {
        copied,
        retagged,
        completed,
        planned: _,
        unchanged,
        frozen,
        refused,
        quarantined,
        pruned,
        failed,
        bytes,
    } = *totals;
    let milliseconds = round.ended.duration_since(round.began).as_millis();
    tracing::info!(
        copied,
        retagged,
        completed,
        unchanged,
        frozen,
        refused,
        quarantined,
        pruned,
        failed,
        bytes,
        milliseconds,
        "the round ended"
    );
    let pruning = round.report.prune.iter().flat_map(|prune| &prune.failures);
    let failures = status::failures(round.report).map(|(_, failure)| failure);
    for failure in failures.chain(pruning).take(status::TOLD) {
        let (subject, error) = (&failure.subject, &failure.message);
        tracing::warn!(subject, reason = %failure.reason, error, "failed");
    }
}

/// Waits until that time, or until the mirror may be later than it promises.
pub(super) fn wait_until(
    object: &ImageMirror,
    time: Option<Timestamp>,
    context: &Context,
) -> Action {
    let Some(time) = earlier(time, context.late_from(object)) else {
        return Action::await_change();
    };
    Action::requeue(duration(clock::now(), time).min(LONGEST_SLEEP))
}
