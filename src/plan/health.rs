// SPDX-License-Identifier: Apache-2.0

//! How a mirror is, worst first, and what to do about it.

mod details;
mod failing;
mod outdated;

use std::cmp::Reverse;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use schemars::JsonSchema;
use serde::Serialize;

pub use self::details::{tell_failure, tell_job, tell_refusal};
pub use self::failing::further_causes;
use self::outdated::Outdated;
use crate::api::conditions::{self, FRESH, Holds, PRUNED, READY, RECONCILING, STALLED};
use crate::api::image_mirror::ImageMirrorStatus;
use crate::api::{ImageMirror, Reason};
use crate::plan::mirror_home::{MirrorHome, MirrorStep};
use crate::plan::named_mirror::NamedMirror;
use crate::plan::status::halted;

/// How a mirror is. The worst comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
pub enum Health {
    /// Nothing goes on without a person.
    Stalled,
    /// Something failed, and is tried again.
    Failing,
    /// It is later than it promises.
    Late,
    /// Pruning waits for a person, or does not work.
    PrunePaused,
    /// No round has ended for what it asks for.
    Unknown,
    /// A round runs, or will.
    Progressing,
    /// A person suspended it.
    Suspended,
    /// Everything is in place.
    Ready,
}

/// How a mirror is, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkup {
    /// The worst that is known of it.
    pub health: Health,
    /// Whether nothing of it works, and not only single tags.
    pub is_halted: bool,
    /// The reason of the condition that says so, where one does.
    pub reason: Option<String>,
    /// What is wrong; empty where nothing is.
    pub message: String,
    /// The step to take, where it follows from the state alone.
    pub step: Option<MirrorStep>,
}

/// Mirrors and how they are: what is worse, does nothing at all, has failed more, or is first by name comes first.
pub fn worst_first<'a>(
    mirrors: impl IntoIterator<Item = &'a ImageMirror>,
    home: &MirrorHome,
    now: Timestamp,
) -> Vec<(Checkup, &'a ImageMirror)> {
    let looked = mirrors
        .into_iter()
        .map(|mirror| (Checkup::of(mirror, home, now), mirror));
    let mut looked: Vec<(Checkup, &ImageMirror)> = looked.collect();
    looked.sort_by_cached_key(|(checkup, mirror)| {
        let tags = mirror.status.as_ref().and_then(|status| status.tags);
        let failed = Reverse(tags.unwrap_or_default().failed);
        let NamedMirror { namespace, name } = NamedMirror::of(mirror);
        (checkup.health, !checkup.is_halted, failed, namespace, name)
    });
    looked
}

// === impl Health ===

impl Health {
    /// Whether it is as it should be: in place, about to be, or as a person wants it.
    pub fn is_good(self) -> bool {
        match self {
            Self::Ready | Self::Progressing | Self::Suspended => true,
            Self::Stalled | Self::Failing | Self::Late | Self::PrunePaused | Self::Unknown => false,
        }
    }

    /// The word for people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stalled => "Stalled",
            Self::Failing => "Failing",
            Self::Late => "Late",
            Self::PrunePaused => "PrunePaused",
            Self::Unknown => "Unknown",
            Self::Progressing => "Progressing",
            Self::Suspended => "Suspended",
            Self::Ready => "Ready",
        }
    }
}

// === impl Checkup ===

impl Checkup {
    /// How a mirror is, by what the controller wrote last. What is known to be old is called so.
    pub fn of(mirror: &ImageMirror, home: &MirrorHome, now: Timestamp) -> Self {
        if mirror.spec.suspend {
            return Self {
                reason: Some(Reason::Suspended.to_string()),
                step: Some(MirrorStep::Resume),
                ..Self::new(Health::Suspended, "no round runs")
            };
        }
        let status = mirror.status.as_ref();
        let seen = status.filter(|status| conditions::find(&status.conditions, READY).is_some());
        let Some(status) = seen else {
            let stalled = status.and_then(|status| bad(status, STALLED, Holds::True));
            return stalled.map_or_else(
                || Self::new(Health::Unknown, home.unseen()),
                |stalled| Self::by(Health::Stalled, stalled),
            );
        };
        let outdated = Outdated::of(mirror, status, now);
        let told = Self::told(status, mirror.metadata.generation);
        match outdated {
            Some(outdated @ Outdated::Spec) => Self {
                reason: told.reason,
                ..Self::new(Health::Unknown, before(outdated, home, &told.message))
            },
            Some(outdated @ Outdated::Round) => Self {
                message: before(outdated, home, &told.message),
                ..told
            },
            None => told,
        }
    }

    /// What the controller wrote.
    fn told(status: &ImageMirrorStatus, generation: Option<i64>) -> Self {
        if let Some(stalled) = bad(status, STALLED, Holds::True) {
            return Self::by(Health::Stalled, stalled);
        }
        let is_current = Some(status.observed_generation) == generation;
        if let Some(ready) = bad(status, READY, Holds::False) {
            if ready.reason == Reason::Progressing.as_str() {
                return Self {
                    reason: Some(ready.reason.clone()),
                    ..Self::new(Health::Progressing, "its first round runs")
                };
            }
            return Self {
                is_halted: halted(status).is_some(),
                ..Self::by(Health::Failing, ready)
            };
        }
        if let Some(ready) = bad(status, READY, Holds::Unknown) {
            let health = if is_current {
                Health::Unknown
            } else {
                Health::Progressing
            };
            return Self::by(health, ready);
        }
        if let Some(fresh) = bad(status, FRESH, Holds::False) {
            return Self::by(Health::Late, fresh);
        }
        if let Some(pruned) = bad(status, PRUNED, Holds::False) {
            let told = Self::by(Health::PrunePaused, pruned);
            return match waiting_plan(status) {
                Some(_) => Self {
                    message: "tags wait to be deleted".to_owned(),
                    step: Some(MirrorStep::Approve),
                    ..told
                },
                None => told,
            };
        }
        if !is_current || bad(status, RECONCILING, Holds::True).is_some() {
            return Self::new(Health::Progressing, "a round runs for what changed");
        }
        Self::new(Health::Ready, "")
    }

    /// What a condition says.
    fn by(health: Health, condition: &Condition) -> Self {
        let Condition {
            reason, message, ..
        } = condition;
        Self {
            reason: Some(reason.clone()),
            ..Self::new(health, format!("{reason}: {message}"))
        }
    }

    fn new(health: Health, message: impl Into<String>) -> Self {
        Self {
            health,
            is_halted: health == Health::Stalled,
            reason: None,
            message: message.into(),
            step: None,
        }
    }

    /// What to do where the mirror comes to nothing, or to less than it should.
    pub fn mend(&self, mirror: &NamedMirror, home: &MirrorHome) -> Option<String> {
        if let Some(step) = self.step {
            return Some(home.how_to(step, mirror));
        }
        let reason = self.reason.as_deref().filter(|_| self.has_mend())?;
        Some(home.mend(mirror, reason, false))
    }

    /// Whether there is something to do that the message does not say.
    pub fn has_mend(&self) -> bool {
        let is_broken = matches!(self.health, Health::Stalled | Health::Failing);
        self.step.is_some() || is_broken && self.reason.is_some()
    }
}

/// A condition that holds as it should not.
fn bad<'a>(status: &'a ImageMirrorStatus, r#type: &str, wanted: Holds) -> Option<&'a Condition> {
    let condition = conditions::find(&status.conditions, r#type)?;
    (condition.status == wanted.as_str()).then_some(condition)
}

/// What is said of a status that is old before what it says.
fn before(outdated: Outdated, home: &MirrorHome, message: &str) -> String {
    let old = outdated.message(home);
    if message.is_empty() {
        return old;
    }
    format!("{old} Before: {message}")
}

/// The digest of the prune plan that waits for approval.
pub fn waiting_plan(status: &ImageMirrorStatus) -> Option<&crate::oci::Digest> {
    let pruned = conditions::find(&status.conditions, PRUNED)?;
    let is_paused =
        pruned.status == Holds::False.as_str() && pruned.reason == Reason::PrunePaused.as_str();
    let prune = status.prune.as_ref().filter(|_| is_paused)?;
    let plan = prune.plan.as_ref()?;
    (prune.approved.as_ref() != Some(plan)).then_some(plan)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use serde_json::{Value, json};

    use super::*;
    use crate::plan::fixtures::{mirror, now};

    fn condition(r#type: &str, status: &str, reason: &str) -> Value {
        json!({
            "type": r#type, "status": status, "reason": reason, "message": "what to do", "observedGeneration": 3,
            "lastTransitionTime": "2026-11-20T00:00:00Z",
        })
    }

    #[test]
    fn a_mirror_that_does_nothing_is_told_from_one_whose_tags_fail() {
        let failure = json!({"image": "docker.io/library/nginx:1", "reason": "NotFound", "message": "", "attempts": 1});
        for (reason, expected) in [
            ("DependencyNotReady", true),
            ("AccessDenied", true),
            ("NotFound", false),
        ] {
            let status =
                json!({"conditions": [condition("Ready", "False", reason)], "failures": [failure]});
            let checkup = Checkup::of(
                &mirror("base", &json!({}), &status),
                &MirrorHome::Cluster,
                now(),
            );
            assert_eq!(checkup.is_halted, expected, "{reason}");
        }
    }

    #[test]
    fn the_worst_counts() {
        let ready = condition("Ready", "True", "Succeeded");
        let failed = condition("Ready", "False", "Unreachable");
        let stalled = condition("Stalled", "True", "InvalidSpec");
        let mut old = failed.clone();
        old["observedGeneration"] = json!(2);
        let late = condition("Fresh", "False", "Late");
        let paused = condition("Pruned", "False", "PrunePaused");
        let running = condition("Reconciling", "True", "Progressing");
        let first = condition("Ready", "Unknown", "Progressing");
        let plan = json!({"prune": {"plan": format!("sha256:{}", "1".repeat(64))}});
        let none = json!({});
        let overdue = json!({
            "nextSyncTime": "2026-11-30T00:00:00Z",
            "failures": [{"image": "docker.io/library/nginx:1", "reason": "Unreachable", "message": "", "attempts": 1}],
        });
        let cases = [
            ("ready", vec![&ready], 3, &none, Health::Ready, ""),
            (
                "failing",
                vec![&failed, &late],
                3,
                &none,
                Health::Failing,
                "Unreachable: what to do",
            ),
            (
                "failed before the spec changed",
                vec![&old],
                2,
                &none,
                Health::Unknown,
                "not looked at since the spec changed: does the controller run? Before: Unreachable: what to do",
            ),
            (
                "failed long ago",
                vec![&failed],
                3,
                &overdue,
                Health::Failing,
                "its round is overdue: does the controller run? Before: Unreachable: what to do",
            ),
            (
                "stalled",
                vec![&failed, &stalled],
                3,
                &none,
                Health::Stalled,
                "InvalidSpec: what to do",
            ),
            (
                "late",
                vec![&ready, &late, &paused],
                3,
                &none,
                Health::Late,
                "Late: what to do",
            ),
            (
                "pruning fails",
                vec![&ready, &paused],
                3,
                &none,
                Health::PrunePaused,
                "PrunePaused: what to do",
            ),
            (
                "a plan waits",
                vec![&ready, &paused],
                3,
                &plan,
                Health::PrunePaused,
                "tags wait to be deleted",
            ),
            (
                "changed",
                vec![&ready],
                2,
                &none,
                Health::Progressing,
                "a round runs for what changed",
            ),
            (
                "running",
                vec![&ready, &running],
                3,
                &none,
                Health::Progressing,
                "a round runs for what changed",
            ),
            (
                "first round",
                vec![&first],
                -1,
                &none,
                Health::Progressing,
                "Progressing: what to do",
            ),
            (
                "unseen",
                vec![],
                -1,
                &none,
                Health::Unknown,
                "the controller has not looked at it: does it run, and watch this namespace?",
            ),
        ];
        let reasons = HashMap::from([
            ("failing", "Unreachable"),
            ("failed before the spec changed", "Unreachable"),
            ("failed long ago", "Unreachable"),
            ("stalled", "InvalidSpec"),
            ("late", "Late"),
            ("pruning fails", "PrunePaused"),
            ("a plan waits", "PrunePaused"),
            ("first round", "Progressing"),
        ]);
        let again = "kubectl transship -n platform sync base, once that is mended";
        let mends = HashMap::from([
            ("failing", again),
            ("failed long ago", again),
            ("stalled", "kubectl -n platform edit imir/base"),
            ("a plan waits", "kubectl transship -n platform approve base"),
        ]);
        for (name, conditions, observed, more, health, message) in cases {
            let mut status = more.clone();
            status["conditions"] = json!(conditions);
            status["observedGeneration"] = json!(observed);
            let checkup = Checkup::of(
                &mirror("base", &json!({}), &status),
                &MirrorHome::Cluster,
                now(),
            );
            assert_eq!(checkup.health, health, "{name}");
            assert_eq!(checkup.message, message, "{name}");
            let reason = checkup.reason.as_deref();
            assert_eq!(reason, reasons.get(name).copied(), "{name}");
            let mend = checkup.mend(&NamedMirror::new("platform", "base"), &MirrorHome::Cluster);
            assert_eq!(mend.as_deref(), mends.get(name).copied(), "{name}");
        }
        let suspended = mirror(
            "base",
            &json!({"suspend": true}),
            &json!({"conditions": [failed]}),
        );
        let expected = Checkup {
            reason: Some("Suspended".to_owned()),
            step: Some(MirrorStep::Resume),
            ..Checkup::new(Health::Suspended, "no round runs")
        };
        assert_eq!(
            Checkup::of(&suspended, &MirrorHome::Cluster, now()),
            expected
        );
    }

    #[test]
    fn an_approved_plan_does_not_wait() {
        let plan = format!("sha256:{}", "1".repeat(64));
        let waiting = |approved: Value, reason: &str| {
            let status = json!({
                "conditions": [condition("Pruned", "False", reason)],
                "prune": {"plan": plan, "approved": approved},
            });
            let mirror = mirror("base", &json!({}), &status);
            waiting_plan(&mirror.status.unwrap()).is_some()
        };
        assert!(waiting(Value::Null, "PrunePaused"));
        assert!(!waiting(json!(plan), "PrunePaused"));
        assert!(!waiting(Value::Null, "AccessDenied"));
    }
}
