// SPDX-License-Identifier: Apache-2.0

//! Whether what stands in a status is known to be old.

use std::time::Duration;

use jiff::Timestamp;

use crate::api::conditions::{self, READY, RECONCILING};
use crate::api::image_mirror::{FailureStatus, ImageMirrorStatus};
use crate::api::{ImageMirror, Reason};
use crate::plan::mirror_home::MirrorHome;
use crate::plan::status::halted;
use crate::policy;

/// The interval of a mirror that writes none.
const INTERVAL: Duration = Duration::from_secs(60 * 60);
/// A round may be so much later than it was meant to be.
const LATE: Duration = Duration::from_secs(5 * 60);
/// The longest wait between two rounds that registries ask for and that no status tells.
const UNTOLD: Duration = Duration::from_secs(15 * 60);

/// Why what stands in a status is old.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outdated {
    /// The spec changed since.
    Spec,
    /// A round that would have written it again is overdue.
    Round,
}

// === impl Outdated ===

impl Outdated {
    /// None where nothing shows it: a round that finds nothing to do writes no status.
    pub(super) fn of(
        mirror: &ImageMirror,
        status: &ImageMirrorStatus,
        now: Timestamp,
    ) -> Option<Self> {
        let generation = mirror.metadata.generation.unwrap_or_default();
        let ready = conditions::find(&status.conditions, READY);
        let is_begun = ready.is_some_and(|ready| ready.observed_generation == Some(generation));
        if status.observed_generation < generation && !is_begun {
            return Some(Self::Spec);
        }
        let is_overdue = latest(mirror, status).is_some_and(|latest| now > latest);
        is_overdue.then_some(Self::Round)
    }

    /// What a person is told.
    pub(super) fn message(self, home: &MirrorHome) -> String {
        let what = match self {
            Self::Spec => "not looked at since the spec changed",
            Self::Round => "its round is overdue",
        };
        match home {
            MirrorHome::Cluster => format!("{what}: does the controller run?"),
            MirrorHome::Files(_) => format!("{what}."),
        }
    }
}

/// When a mirror that keeps failing writes its status again at the latest: at the second, fourth, eighth, … such round
/// in a row. Of others, of those with a schedule, of those that wait for what they need, and of those whose round runs, it
/// is not known.
fn latest(mirror: &ImageMirror, status: &ImageMirrorStatus) -> Option<Timestamp> {
    let running = conditions::find(&status.conditions, RECONCILING);
    let is_running = running.is_some_and(|running| running.reason == Reason::Progressing.as_str());
    if is_running || mirror.spec.schedule.is_some() || halted(status).is_some() {
        return None;
    }
    let next = status.next_sync_time.as_ref()?.0;
    let attempts = status.failures.iter().map(tries).max()?;
    let interval = mirror
        .spec
        .interval
        .map_or(INTERVAL, policy::Duration::as_std);
    let two = interval.saturating_mul(2);
    let silent = two.max(UNTOLD).saturating_mul(attempts.saturating_sub(1));
    next.checked_add(two.max(LATE).saturating_add(silent)).ok()
}

fn tries(failure: &FailureStatus) -> u32 {
    u32::try_from(failure.attempts).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::plan::fixtures::{mirror, now};

    fn outdated(spec: &Value, status: &Value) -> Option<Outdated> {
        let mirror = mirror("base", spec, status);
        Outdated::of(&mirror, mirror.status.as_ref().unwrap(), now())
    }

    #[test]
    fn what_is_known_to_be_old() {
        let ready = |generation: i64| {
            json!([{
                "type": "Ready", "status": "False", "reason": "Unreachable", "message": "", "observedGeneration": generation,
                "lastTransitionTime": "2026-11-20T00:00:00Z",
            }])
        };
        let due = |next: &str, attempts: &[i32]| {
            let failures = attempts.iter().map(|attempts| json!({"image": "docker.io/library/nginx:1", "reason": "Unreachable", "message": "", "attempts": attempts}));
            json!({"nextSyncTime": next, "failures": failures.collect::<Vec<_>>()})
        };
        let mut waiting = due("2026-11-29T00:00:00Z", &[1]);
        waiting["conditions"] = ready(3);
        waiting["conditions"][0]["reason"] = json!("DependencyNotReady");
        let (hourly, often) = (json!({}), json!({"interval": "1m"}));
        let cron = json!({"schedule": {"cron": "0 3 * * *"}});
        let long_ago = "2026-11-29T00:00:00Z";
        for (name, spec, status, expected) in [
            (
                "an older spec",
                &hourly,
                json!({"observedGeneration": 2, "conditions": ready(2)}),
                Some(Outdated::Spec),
            ),
            (
                "its round runs",
                &hourly,
                json!({"observedGeneration": 2, "conditions": ready(3)}),
                None,
            ),
            (
                "two hours late",
                &hourly,
                due("2026-11-30T09:59:00Z", &[1]),
                Some(Outdated::Round),
            ),
            (
                "less than that",
                &hourly,
                due("2026-11-30T10:01:00Z", &[1]),
                None,
            ),
            (
                "six minutes late",
                &often,
                due("2026-11-30T11:54:00Z", &[1]),
                Some(Outdated::Round),
            ),
            (
                "four minutes late",
                &often,
                due("2026-11-30T11:56:00Z", &[1]),
                None,
            ),
            (
                "of failures in a row not each is told",
                &often,
                due("2026-11-30T11:40:00Z", &[4]),
                None,
            ),
            (
                "nor when nothing is found to do",
                &hourly,
                due(long_ago, &[]),
                None,
            ),
            ("nor while something is missing", &hourly, waiting, None),
            (
                "times of a schedule are not known",
                &cron,
                due(long_ago, &[1]),
                None,
            ),
        ] {
            assert_eq!(outdated(spec, &status), expected, "{name}");
        }
    }
}
