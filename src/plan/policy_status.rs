// SPDX-License-Identifier: Apache-2.0

//! What is said of a policy.

use jiff::Timestamp;

use super::InvalidField;
use super::report::Tally;
use crate::api::Reason;
use crate::api::conditions::ConditionWriter;
use crate::api::image_policy::{ExcludedBy, ImagePolicyStatus};

/// What is known of a policy.
#[derive(Clone, Debug)]
pub struct Known<'a> {
    /// The generation of its spec.
    pub generation: i64,
    /// What is wrong with it.
    pub invalid: &'a [InvalidField],
    /// Whether its owner suspended it.
    pub suspend: bool,
    /// Mirrors that use it.
    pub mirrors: usize,
    /// What they make of it; nothing while not all of them have been asked.
    pub tally: Option<Tally>,
}

/// The status of a policy. It equals the previous one where nothing changed.
pub fn policy_status(
    previous: &ImagePolicyStatus,
    known: &Known<'_>,
    now: Timestamp,
) -> ImagePolicyStatus {
    let Known {
        generation,
        invalid,
        suspend,
        mirrors,
        tally,
    } = *known;
    let mut status = previous.clone();
    status.observed_generation = generation;
    status.mirrors = Some(number(mirrors));
    if let Some(tally) = tally {
        status.selected = Some(number(tally.selected));
        status.excluded_by = Some(excluded_by(tally));
    }
    let mut conditions = ConditionWriter {
        conditions: &mut status.conditions,
        generation,
        now,
    };
    if !invalid.is_empty() {
        let messages: Vec<String> = invalid.iter().map(ToString::to_string).collect();
        conditions.stalled(Reason::InvalidSpec, &messages.join("; "));
        return status;
    }
    if suspend {
        let message = "spec.suspend is true: mirrors that use the policy wait";
        conditions.stalled(Reason::Suspended, message);
        return status;
    }
    conditions.ready("mirrors can use the policy");
    status
}

fn excluded_by(tally: Tally) -> ExcludedBy {
    let Tally {
        selected: _,
        include,
        exclude,
        semver,
        newest,
        min_age,
        verify,
        require,
    } = tally;
    ExcludedBy {
        include: number(include),
        exclude: number(exclude),
        semver: number(semver),
        newest: number(newest),
        min_age: number(min_age),
        verify: number(verify),
        require: number(require),
    }
}

fn number(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_of_a_policy() {
        let invalid = [InvalidField {
            path: "spec.select.semver.range".to_owned(),
            message: "is no range".to_owned(),
            reason: Reason::InvalidSpec,
        }];
        let tally = Tally {
            selected: 3,
            newest: 9,
            ..Tally::default()
        };
        let good = Known {
            generation: 2,
            invalid: &[],
            suspend: false,
            mirrors: 1,
            tally: Some(tally),
        };
        let cases = [
            ("good", good.clone(), "Ready=True Succeeded"),
            (
                "suspended",
                Known {
                    suspend: true,
                    ..good.clone()
                },
                "Ready=False Suspended, Stalled=True Suspended",
            ),
            (
                "wrong",
                Known {
                    invalid: &invalid,
                    ..good.clone()
                },
                "Ready=False InvalidSpec, Stalled=True InvalidSpec",
            ),
        ];
        let now = Timestamp::UNIX_EPOCH;
        for (name, known, expected) in cases {
            let status = policy_status(&ImagePolicyStatus::default(), &known, now);
            let said: Vec<String> = status
                .conditions
                .iter()
                .map(|one| format!("{}={} {}", one.type_, one.status, one.reason))
                .collect();
            assert_eq!(said.join(", "), expected, "{name}");
            assert_eq!(status.observed_generation, 2, "{name}");
            assert_eq!(status.excluded_by.unwrap().newest, 9, "{name}");
            let later = Timestamp::from_second(60).unwrap();
            assert_eq!(policy_status(&status, &known, later), status, "{name}");
            let unknown = Known {
                tally: None,
                ..known
            };
            assert_eq!(policy_status(&status, &unknown, later), status, "{name}");
        }
    }
}
