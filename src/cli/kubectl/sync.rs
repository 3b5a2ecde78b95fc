// SPDX-License-Identifier: Apache-2.0

//! `kubectl transship sync`: a round now, and what came of it.

use std::time::Duration;

use serde_json::json;

use super::cluster::Cluster;
use super::error::PluginError;
use crate::api::ImageMirror;
use crate::api::annotations::RECONCILE_AT;
use crate::api::conditions::{self, Holds, READY};
use crate::cli::args::{ClusterArgs, SyncNowArgs};
use crate::cli::error::Error;
use crate::cli::exit::Exit;
use crate::cli::output::Output;
use crate::cli::table::one_line;
use crate::runtime::clock;
use crate::runtime::shutdown::until_signal;

/// How often it is looked whether the round has ended.
const POLL: Duration = Duration::from_secs(1);

/// Runs `kubectl transship sync`.
pub(super) async fn run(
    args: &SyncNowArgs,
    place: &ClusterArgs,
    output: &Output,
) -> Result<Exit, Error> {
    let SyncNowArgs {
        name,
        no_wait,
        timeout,
    } = args;
    let (cluster, mirror) = Cluster::of_mirror(place, name).await?;
    let name = &mirror.name;
    let before = cluster.mirror(name).await?;
    if before.spec.suspend {
        let stopped = PluginError::SuspendedMirror {
            mirror: mirror.to_string(),
            resume: mirror.command("resume"),
        };
        return Err(stopped.into());
    }
    let request = clock::now().to_string();
    let change = json!({"metadata": {"annotations": {RECONCILE_AT: request}}});
    cluster.change(name, &change).await?;
    if *no_wait {
        output.print(format!("{mirror}: a round is asked for\n"))?;
        return Ok(Exit::Success);
    }
    let round = until_handled(&cluster, name, &request, output);
    let round = tokio::time::timeout(timeout.as_std(), round);
    let Some(ended) = until_signal(round).await else {
        output.note("interrupted: the round goes on");
        return Ok(Exit::Interrupted);
    };
    let after = ended.map_err(|_| PluginError::NoRound {
        mirror: mirror.to_string(),
        logs: mirror.command("logs"),
    })??;
    let outcome = RoundOutcome::of(&before, &after);
    output.print(format!("{mirror}: {}\n", one_line(&outcome.message)))?;
    Ok(if outcome.is_ready {
        Exit::Success
    } else {
        Exit::Failure
    })
}

/// The mirror when a round has answered the request, with a line whenever more tags have arrived.
async fn until_handled(
    cluster: &Cluster,
    name: &str,
    request: &str,
    output: &Output,
) -> Result<ImageMirror, PluginError> {
    let mut told = None;
    loop {
        let mirror = cluster.mirror(name).await?;
        let status = mirror.status.as_ref();
        let handled = status.and_then(|status| status.last_handled_reconcile_at.as_deref());
        if handled == Some(request) {
            return Ok(mirror);
        }
        let synced = status.and_then(|status| status.synced.clone());
        if told.is_some() && synced != told && !output.is_quiet() {
            let synced = one_line(synced.as_deref().unwrap_or_default());
            output.note(&format!("{synced} tags are synced"));
        }
        told = synced;
        tokio::time::sleep(POLL).await;
    }
}

/// What came of a round.
#[derive(Debug, PartialEq, Eq)]
struct RoundOutcome {
    is_ready: bool,
    message: String,
}

// === impl RoundOutcome ===

impl RoundOutcome {
    /// By the mirror before the round and after it.
    fn of(before: &ImageMirror, after: &ImageMirror) -> Self {
        let history = |mirror: &ImageMirror| {
            let status = mirror.status.as_ref();
            status.and_then(|status| status.history.first().cloned())
        };
        let last = history(after).filter(|last| Some(last) != history(before).as_ref());
        let copied = last.map_or(0, |last| last.copied);
        let status = after.status.as_ref();
        let ready = status.and_then(|status| conditions::find(&status.conditions, READY));
        let is_ready = ready.is_some_and(|ready| ready.status == Holds::True.as_str());
        let told = ready.map_or_else(
            || "the controller says nothing of it".to_owned(),
            |ready| {
                if is_ready {
                    ready.message.clone()
                } else {
                    format!("{}: {}", ready.reason, ready.message)
                }
            },
        );
        Self {
            is_ready,
            message: format!("{copied} copied; {told}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::plan::fixtures::mirror;

    fn status(ready: &str, reason: &str, copied: &[i32]) -> Value {
        let history = copied.iter().rev().map(|copied| {
            json!({
                "startTime": "2026-11-30T12:00:00Z", "endTime": "2026-11-30T12:00:01Z",
                "result": "Succeeded", "copied": copied, "bytes": 1,
            })
        });
        json!({
            "conditions": [{
                "type": "Ready", "status": ready, "reason": reason, "message": "so it is",
                "lastTransitionTime": "2026-11-30T12:00:00Z",
            }],
            "history": history.collect::<Vec<_>>(),
        })
    }

    #[test]
    fn what_came_of_a_round() {
        let before = status("True", "Succeeded", &[3]);
        let cases = [
            (&before, true, "0 copied; so it is"),
            (
                &status("True", "Succeeded", &[3, 5]),
                true,
                "5 copied; so it is",
            ),
            (
                &status("False", "Unreachable", &[3]),
                false,
                "0 copied; Unreachable: so it is",
            ),
            (
                &json!({}),
                false,
                "0 copied; the controller says nothing of it",
            ),
        ];
        for (after, is_ready, message) in cases {
            let at = |status| mirror("base", &json!({}), status);
            let outcome = RoundOutcome::of(&at(&before), &at(after));
            let message = message.to_owned();
            assert_eq!(outcome, RoundOutcome { is_ready, message });
        }
    }
}
