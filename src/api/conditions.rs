// SPDX-License-Identifier: Apache-2.0

//! Conditions as Kubernetes' tools read them: `Ready` always, `Reconciling` and `Stalled` only while True
//! (kstatus).

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use super::Reason;
use super::text::shorten;
use super::time::whole_seconds;

/// Whether everything that was asked for is in place.
pub const READY: &str = "Ready";
/// The controller is at work on a change; present only while True.
pub const RECONCILING: &str = "Reconciling";
/// Nothing goes on without a person; present only while True.
pub const STALLED: &str = "Stalled";

/// Everything that is due to be pruned is gone, and nothing keeps pruning from working. There only where
/// `spec.prune.mode` is Plan or Delete; `Ready` does not depend on it.
pub const PRUNED: &str = "Pruned";

/// What is known to have changed at the source arrives within `spec.freshness`. There only where that is written;
/// `Ready` does not depend on it.
pub const FRESH: &str = "Fresh";

/// Longest message, in characters.
pub const MESSAGE_LENGTH: usize = 1024;

/// Whether a condition holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holds {
    /// It holds.
    True,
    /// It does not.
    False,
    /// Nobody knows yet.
    Unknown,
}

/// What a condition says.
#[derive(Clone, Copy, Debug)]
pub struct Statement<'a> {
    /// The type: [`READY`], [`RECONCILING`], [`STALLED`], [`PRUNED`] or [`FRESH`].
    pub r#type: &'static str,
    /// Whether it holds.
    pub holds: Holds,
    /// Why.
    pub reason: Reason,
    /// The same for people. The same state must give the same words: no times, no numbers that tick.
    pub message: &'a str,
    /// The generation of the spec that it is about.
    pub generation: i64,
}

/// Sets conditions that are about one generation, at one time.
#[derive(Debug)]
pub struct ConditionWriter<'a> {
    /// Where they stand.
    pub conditions: &'a mut Vec<Condition>,
    /// The generation of the spec.
    pub generation: i64,
    /// The time.
    pub now: Timestamp,
}

impl ConditionWriter<'_> {
    /// Says of a type whether it holds, why, and the same for people.
    pub fn say(&mut self, r#type: &'static str, holds: Holds, reason: Reason, message: &str) {
        let statement = Statement {
            r#type,
            holds,
            reason,
            message,
            generation: self.generation,
        };
        set(self.conditions, &statement, self.now);
    }

    /// Says that an object can be used.
    pub fn ready(&mut self, message: &str) {
        self.say(READY, Holds::True, Reason::Succeeded, message);
        remove(self.conditions, STALLED);
    }

    /// Says that an object cannot be used yet, which may change by itself.
    pub fn waiting(&mut self, reason: Reason, message: &str) {
        self.say(READY, Holds::False, reason, message);
        remove(self.conditions, STALLED);
    }

    /// Says that an object cannot be used until a person changes it: nothing is under way that anybody could wait for.
    pub fn stalled(&mut self, reason: Reason, message: &str) {
        self.say(READY, Holds::False, reason, message);
        self.say(STALLED, Holds::True, reason, message);
    }
}

/// Puts a condition in place of the one of its type. The time of the last transition stays as it is unless
/// the status becomes another one.
pub fn set(conditions: &mut Vec<Condition>, statement: &Statement<'_>, now: Timestamp) {
    let Statement {
        r#type,
        holds,
        reason,
        message,
        generation,
    } = *statement;
    let mut condition = Condition {
        last_transition_time: whole_seconds(now),
        message: shorten(message, MESSAGE_LENGTH),
        observed_generation: Some(generation),
        reason: reason.to_string(),
        status: holds.as_str().to_owned(),
        type_: r#type.to_owned(),
    };
    match conditions.iter_mut().find(|known| known.type_ == r#type) {
        Some(known) => {
            if known.status == condition.status {
                condition.last_transition_time = known.last_transition_time.clone();
            }
            *known = condition;
        }
        None => conditions.push(condition),
    }
}

/// Lets a condition say the same of another generation, and why nothing new is said. The note is added once.
pub fn restate(conditions: &mut [Condition], r#type: &str, note: &str, generation: i64) {
    let Some(known) = conditions.iter_mut().find(|known| known.type_ == r#type) else {
        return;
    };
    known.observed_generation = Some(generation);
    if known.message != note && !known.message.ends_with(&format!("; {note}")) {
        let room = MESSAGE_LENGTH.saturating_sub(note.len() + 2);
        known.message = format!("{}; {note}", shorten(&known.message, room));
    }
}

/// Takes the condition of a type away.
pub fn remove(conditions: &mut Vec<Condition>, r#type: &str) {
    conditions.retain(|condition| condition.type_ != r#type);
}

/// The condition of a type.
pub fn find<'a>(conditions: &'a [Condition], r#type: &str) -> Option<&'a Condition> {
    conditions
        .iter()
        .find(|condition| condition.type_ == r#type)
}

impl Holds {
    /// The text that stands in `status`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::True => "True",
            Self::False => "False",
            Self::Unknown => "Unknown",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAILED: Statement<'_> = Statement {
        r#type: READY,
        holds: Holds::False,
        reason: Reason::Unreachable,
        message: "registry.example.com does not answer",
        generation: 1,
    };

    fn second(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn the_time_of_a_transition_is_that_of_a_change_of_status() {
        let stays = [
            ("the same", FAILED),
            (
                "another message",
                Statement {
                    message: "it still does not answer",
                    ..FAILED
                },
            ),
            (
                "another reason",
                Statement {
                    reason: Reason::RateLimited,
                    ..FAILED
                },
            ),
            (
                "another generation",
                Statement {
                    generation: 2,
                    ..FAILED
                },
            ),
        ];
        for (name, statement) in stays {
            let mut conditions = Vec::new();
            set(&mut conditions, &FAILED, second(1));
            set(&mut conditions, &statement, second(2));
            let [condition] = conditions.as_slice() else {
                panic!("{name}: {conditions:?}");
            };
            assert_eq!(condition.last_transition_time.0, second(1), "{name}");
            assert_eq!(condition.reason, statement.reason.as_str(), "{name}");
            assert_eq!(condition.message, statement.message, "{name}");
            assert_eq!(condition.observed_generation, Some(statement.generation));
        }
        let mut conditions = Vec::new();
        set(&mut conditions, &FAILED, second(1));
        let unknown = Statement {
            holds: Holds::Unknown,
            ..FAILED
        };
        set(&mut conditions, &unknown, second(2));
        assert_eq!(conditions[0].last_transition_time.0, second(2));
        assert_eq!(conditions[0].status, "Unknown");
    }

    #[test]
    fn there_is_one_condition_of_each_type() {
        let stalled = Statement {
            r#type: STALLED,
            holds: Holds::True,
            ..FAILED
        };
        let mut conditions = Vec::new();
        set(&mut conditions, &FAILED, second(1));
        set(&mut conditions, &stalled, second(1));
        assert_eq!(find(&conditions, STALLED).unwrap().status, "True");
        remove(&mut conditions, STALLED);
        remove(&mut conditions, RECONCILING);
        assert_eq!(find(&conditions, STALLED), None);
        assert_eq!(find(&conditions, READY).unwrap().status, "False");
    }

    #[test]
    fn what_is_written_reads_back_the_same() {
        let long = "ü".repeat(2 * MESSAGE_LENGTH);
        let statement = Statement {
            message: &long,
            ..FAILED
        };
        let mut conditions = Vec::new();
        set(
            &mut conditions,
            &statement,
            second(1) + jiff::SignedDuration::from_millis(5),
        );
        assert_eq!(conditions[0].message.chars().count(), MESSAGE_LENGTH);
        let written = serde_json::to_value(&conditions).unwrap();
        let read: Vec<Condition> = serde_json::from_value(written).unwrap();
        assert_eq!(read, conditions);
    }
}
