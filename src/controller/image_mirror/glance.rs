// SPDX-License-Identifier: Apache-2.0

//! A look at some tags of a mirror between two rounds, because an event hints at them.

use std::collections::BTreeMap;

use jiff::Timestamp;
use kube::Resource;
use kube::runtime::controller::Action;

use super::prepare::Prepared;
use super::running::{AFTER_CANCELLATION, Ended, Extent, log, outlook, run_round, wait_until};
use crate::api::ImageMirror;
use crate::controller::cluster::WriteError;
use crate::controller::context::Context;
use crate::controller::events;
use crate::controller::memory::name_of;
use crate::controller::objects::generation;
use crate::controller::span::{Span, duration, earlier};
use crate::events::pending::{Spot, Taken, YOUNG};
use crate::plan::SourceImage;
use crate::plan::attempts::Outlook;
use crate::plan::report::{MirrorReport, Outcome, Totals};
use crate::plan::status::{self, Round};
use crate::runtime::clock;
use crate::sync::Only;

/// Tags that were hinted at, each since when.
type Spots = BTreeMap<Spot, Timestamp>;

/// Looks at tags, and says what came of them. What fails is left to a round, which begins soon.
pub(super) async fn glance(
    object: &ImageMirror,
    prepared: &Prepared,
    (spots, next): (Spots, Option<Timestamp>),
    context: &Context,
) -> Result<Action, WriteError> {
    let round = context.shared.rounds.begin(object);
    if context.is_outdated(object) {
        put_back(object, spots, context);
        return Ok(Action::await_change());
    }
    let turn = context.take_turn(&prepared.mirror);
    let Some(_turn) = round.unless_cancelled(turn).await else {
        put_back(object, spots, context);
        return Ok(Action::requeue(AFTER_CANCELLATION));
    };
    let mut only = Only::default();
    for (repository, tag) in spots.keys() {
        only.add(repository, tag.as_ref());
    }
    let began = clock::now();
    let extent = Extent::Only(&only);
    let ended = Box::pin(run_round(object, prepared, extent, &round, context)).await;
    let span = Span {
        began,
        ended: clock::now(),
    };
    conclude(object, prepared, (ended, spots), (span, next), context).await
}

/// What follows from how a look ended.
async fn conclude(
    object: &ImageMirror,
    prepared: &Prepared,
    (ended, spots): (Ended, Spots),
    (span, next): (Span, Option<Timestamp>),
    context: &Context,
) -> Result<Action, WriteError> {
    let later = |outlook| {
        let failed = true;
        let outlook = Outlook { failed, ..outlook };
        context.shared.hinted.fail(&name_of(object));
        let next = context.plan_next(object, prepared, span, outlook);
        Ok(wait_until(object, next, context))
    };
    match ended {
        Ended::Cancelled => {
            put_back(object, spots, context);
            Ok(Action::requeue(AFTER_CANCELLATION))
        }
        // A round says why.
        Ended::Halted(_) => later(Outlook::default()),
        Ended::Finished(report) if status::worst(&report).is_some() => {
            later(outlook(&report, span.ended))
        }
        Ended::Finished(report) => {
            context.settle(object, &spots, &report, span.ended);
            tell(object, prepared, (&report, span, next), context).await?;
            let memory = &context.shared.memory;
            let next = memory.hasten(object, report.next_admission());
            // What waits for its time does not ask for another look by itself.
            let wait = context.shared.hinted.next(&name_of(object));
            let more = wait.and_then(|wait| clock::now().checked_add(wait).ok());
            Ok(wait_until(object, earlier(next, more), context))
        }
    }
}

/// Takes note again of tags that are to be looked at.
pub(super) fn put_back(object: &ImageMirror, spots: Spots, context: &Context) {
    let everything = None;
    let taken = Taken { spots, everything };
    context.shared.hinted.put_back(&name_of(object), taken);
}

/// Says what came of a look that went well.
async fn tell(
    object: &ImageMirror,
    prepared: &Prepared,
    (report, span, next): (&MirrorReport, Span, Option<Timestamp>),
    context: &Context,
) -> Result<(), WriteError> {
    let round = Round {
        generation: generation(object),
        report,
        began: span.began,
        ended: span.ended,
        next,
        policies: &prepared.policies,
    };
    let totals = Totals::of(report);
    log(&totals, &round);
    let previous = context.shared.memory.read(object).status;
    let status = status::glanced(&previous, &round);
    let news = events::of_round(&previous, &status, &totals);
    context.write_status(object, &previous, status).await?;
    let about = object.object_ref(&());
    for event in &news {
        context.shared.cluster.publish(&about, event).await;
    }
    Ok(())
}

impl Context {
    /// Takes note that tags were looked at which events hinted at, and of how long those took that were copied. Those that are
    /// not there yet are looked at again.
    pub(super) fn settle(
        &self,
        object: &ImageMirror,
        spots: &Spots,
        report: &MirrorReport,
        ended: Timestamp,
    ) {
        let has_news = report.tags.iter().any(|tag| is_news(&tag.outcome));
        let outcomes = outcomes_of(spots, report);
        let mut absent = Spots::new();
        for (spot, since) in spots {
            let (repository, Some(tag)) = spot else {
                continue;
            };
            let outcomes = outcomes.get(spot).map(Vec::as_slice).unwrap_or_default();
            let lag = duration(*since, ended);
            // What refers to an image has no outcome of its own.
            let may_be_elsewhere = has_news && tag.attachment().is_some();
            if outcomes.is_empty() && !may_be_elsewhere && lag < YOUNG {
                absent.insert(spot.clone(), *since);
            }
            if has_arrived(outcomes) {
                self.shared.metrics.observe_lag(lag);
                tracing::debug!(%repository, %tag, ?lag, "copied what an event hinted at");
            }
        }
        let name = name_of(object);
        self.shared.hinted.settle(&name);
        self.shared.hinted.look_again(&name, absent);
    }
}

/// What came of those tags of a report that were hinted at.
fn outcomes_of<'a>(spots: &Spots, report: &'a MirrorReport) -> BTreeMap<Spot, Vec<&'a Outcome>> {
    let mut found: BTreeMap<Spot, Vec<&Outcome>> = BTreeMap::new();
    if spots.is_empty() {
        return found;
    }
    for tag in &report.tags {
        let Some(source) = SourceImage::read(&tag.source) else {
            continue;
        };
        let spot = (source.repository, Some(source.tag));
        if spots.contains_key(&spot) {
            found.entry(spot).or_default().push(&tag.outcome);
        }
    }
    found
}

/// Whether something was written.
fn is_news(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Copied { .. } | Outcome::Retagged { .. } | Outcome::Completed { .. } => true,
        Outcome::Unchanged
        | Outcome::Planned { .. }
        | Outcome::Frozen
        | Outcome::Refused(_)
        | Outcome::Quarantined(_)
        | Outcome::Failed(_) => false,
    }
}

/// Whether something was copied, and everything is where it belongs.
fn has_arrived(outcomes: &[&Outcome]) -> bool {
    let mut is_copied = false;
    for outcome in outcomes {
        match outcome {
            Outcome::Copied { .. } | Outcome::Retagged { .. } => is_copied = true,
            Outcome::Unchanged | Outcome::Completed { .. } => {}
            Outcome::Planned { .. }
            | Outcome::Frozen
            | Outcome::Refused(_)
            | Outcome::Quarantined(_)
            | Outcome::Failed(_) => return false,
        }
    }
    is_copied
}
