// SPDX-License-Identifier: Apache-2.0

//! How a mirror is, worst first, and what to do about it.

use schemars::JsonSchema;
use serde::Serialize;

use crate::api::conditions::{self, FRESH, Holds, PRUNED, READY, RECONCILING, STALLED};
use crate::api::image_mirror::ImageMirrorStatus;
use crate::api::{ImageMirror, Reason};

/// How a mirror is. The worst comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
pub(super) enum Health {
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
pub(super) struct Checkup {
    pub(super) health: Health,
    /// What is wrong, and what to do; empty where nothing is.
    pub(super) message: String,
}

// === impl Health ===

impl Health {
    /// The word for people.
    pub(super) fn as_str(self) -> &'static str {
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
    /// How a mirror is, by what the controller wrote last.
    pub(super) fn of(mirror: &ImageMirror) -> Self {
        let name = mirror.metadata.name.as_deref().unwrap_or_default();
        if mirror.spec.suspend {
            let message = format!("no round runs: kubectl transship resume {name}");
            return Self::new(Health::Suspended, message);
        }
        let Some(status) = &mirror.status else {
            return Self::unseen();
        };
        let bad = |r#type: &str, wanted: Holds| {
            let condition = conditions::find(&status.conditions, r#type);
            let condition = condition.filter(|condition| condition.status == wanted.as_str());
            condition.map(|condition| {
                (
                    condition.reason.clone(),
                    format!("{}: {}", condition.reason, condition.message),
                )
            })
        };
        if let Some((_, message)) = bad(STALLED, Holds::True) {
            return Self::new(Health::Stalled, message);
        }
        let is_current = Some(status.observed_generation) == mirror.metadata.generation;
        match (bad(READY, Holds::False), bad(READY, Holds::Unknown)) {
            (Some((reason, _)), _) if reason == Reason::Progressing.as_str() => {
                return Self::new(Health::Progressing, "its first round runs");
            }
            (Some((_, message)), _) => return Self::new(Health::Failing, message),
            (None, Some((_, message))) if !is_current => {
                return Self::new(Health::Progressing, message);
            }
            (None, Some((_, message))) => return Self::new(Health::Unknown, message),
            (None, None) if conditions::find(&status.conditions, READY).is_none() => {
                return Self::unseen();
            }
            (None, None) => {}
        }
        if let Some((_, message)) = bad(FRESH, Holds::False) {
            return Self::new(Health::Late, message);
        }
        if let Some((_, message)) = bad(PRUNED, Holds::False) {
            let message = match waiting_plan(status) {
                Some(_) => format!("tags wait to be deleted: kubectl transship approve {name}"),
                None => message,
            };
            return Self::new(Health::PrunePaused, message);
        }
        if !is_current || bad(RECONCILING, Holds::True).is_some() {
            return Self::new(Health::Progressing, "a round runs for what changed");
        }
        Self::new(Health::Ready, "")
    }

    fn new(health: Health, message: impl Into<String>) -> Self {
        Self {
            health,
            message: message.into(),
        }
    }

    fn unseen() -> Self {
        let message = "the controller has not looked at it: does it run, and watch this namespace?";
        Self::new(Health::Unknown, message)
    }
}

/// The digest of the prune plan that waits for approval.
pub(super) fn waiting_plan(status: &ImageMirrorStatus) -> Option<&crate::oci::Digest> {
    let pruned = conditions::find(&status.conditions, PRUNED)?;
    let is_paused =
        pruned.status == Holds::False.as_str() && pruned.reason == Reason::PrunePaused.as_str();
    let prune = status.prune.as_ref().filter(|_| is_paused)?;
    let plan = prune.plan.as_ref()?;
    (prune.approved.as_ref() != Some(plan)).then_some(plan)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::cli::kubectl::fixtures::mirror;

    fn condition(r#type: &str, status: &str, reason: &str) -> Value {
        json!({
            "type": r#type, "status": status, "reason": reason, "message": "what to do",
            "lastTransitionTime": "2026-11-20T00:00:00Z",
        })
    }

    #[test]
    fn the_worst_counts() {
        let ready = condition("Ready", "True", "Succeeded");
        let failed = condition("Ready", "False", "Unreachable");
        let stalled = condition("Stalled", "True", "InvalidSpec");
        let late = condition("Fresh", "False", "Late");
        let paused = condition("Pruned", "False", "PrunePaused");
        let running = condition("Reconciling", "True", "Progressing");
        let first = condition("Ready", "Unknown", "Progressing");
        let plan = json!({"prune": {"plan": format!("sha256:{}", "1".repeat(64))}});
        let none = json!({});
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
                "tags wait to be deleted: kubectl transship approve base",
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
        for (name, conditions, observed, more, health, message) in cases {
            let mut status = more.clone();
            status["conditions"] = json!(conditions);
            status["observedGeneration"] = json!(observed);
            let checkup = Checkup::of(&mirror("base", &json!({}), &status));
            let expected = Checkup::new(health, message);
            assert_eq!(checkup, expected, "{name}");
        }
        let suspended = mirror(
            "base",
            &json!({"suspend": true}),
            &json!({"conditions": [failed]}),
        );
        let message = "no round runs: kubectl transship resume base";
        let expected = Checkup::new(Health::Suspended, message);
        assert_eq!(Checkup::of(&suspended), expected);
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
