// SPDX-License-Identifier: Apache-2.0

//! Whether a mirror is as fresh as its spec promises.

use jiff::Timestamp;

use crate::api::Reason;
use crate::api::conditions::{self, FRESH, Holds, READY, Statement};
use crate::api::image_mirror::ImageMirrorStatus;
use crate::policy::Duration;

/// Since when a mirror knows of something that is not at its destinations: an event told of it, or it is not ready.
pub fn behind_since(status: &ImageMirrorStatus, hinted: Option<Timestamp>) -> Option<Timestamp> {
    let unready = conditions::find(&status.conditions, READY).filter(|ready| {
        ready.status == Holds::False.as_str() && ready.reason != Reason::Suspended.as_str()
    });
    let unready = unready.map(|ready| ready.last_transition_time.0);
    hinted.into_iter().chain(unready).min()
}

/// When a mirror becomes later than it promises, if nothing happens.
pub fn late_from(promise: Duration, behind: Timestamp) -> Timestamp {
    behind
        .checked_add(promise.as_std())
        .unwrap_or(Timestamp::MAX)
}

/// Says whether a mirror is as fresh as it promises; nothing of one that promises nothing.
pub fn judge_freshness(
    status: &mut ImageMirrorStatus,
    promise: Option<Duration>,
    behind: Option<Timestamp>,
    generation: i64,
    now: Timestamp,
) {
    let Some(promise) = promise else {
        conditions::remove(&mut status.conditions, FRESH);
        return;
    };
    let is_late = behind.is_some_and(|behind| late_from(promise, behind) <= now);
    let late = format!(
        "something that changed at the source more than {promise} ago is not at every destination yet"
    );
    let fresh = format!("whatever is known to have changed at the source arrived within {promise}");
    let statement = Statement {
        r#type: FRESH,
        holds: if is_late { Holds::False } else { Holds::True },
        reason: if is_late {
            Reason::Late
        } else {
            Reason::Succeeded
        },
        message: if is_late { &late } else { &fresh },
        generation,
    };
    conditions::set(&mut status.conditions, &statement, now);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mirror_is_late_when_its_promise_has_passed() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let promise: Duration = "5m".parse().unwrap();
        let mut status = ImageMirrorStatus::default();
        let cases = [
            (None, None, 1_000, None),
            (Some(promise), None, 1_000, Some("True")),
            (Some(promise), Some(900), 1_000, Some("True")),
            (Some(promise), Some(900), 1_199, Some("True")),
            (Some(promise), Some(900), 1_200, Some("False")),
            (Some(promise), None, 1_201, Some("True")),
            (None, Some(900), 9_000, None),
        ];
        for (promise, behind, now, expected) in cases {
            judge_freshness(&mut status, promise, behind.map(at), 1, at(now));
            let fresh = conditions::find(&status.conditions, FRESH);
            assert_eq!(fresh.map(|it| it.status.as_str()), expected, "{now}");
        }
    }

    #[test]
    fn a_mirror_is_behind_by_what_it_was_told_and_by_what_fails() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let mut status = ImageMirrorStatus::default();
        assert_eq!(behind_since(&status, None), None);
        assert_eq!(behind_since(&status, Some(at(7))), Some(at(7)));
        let statement = Statement {
            r#type: READY,
            holds: Holds::False,
            reason: Reason::Unreachable,
            message: "",
            generation: 1,
        };
        conditions::set(&mut status.conditions, &statement, at(5));
        assert_eq!(behind_since(&status, Some(at(7))), Some(at(5)));
        let suspended = Statement {
            reason: Reason::Suspended,
            ..statement
        };
        conditions::set(&mut status.conditions, &suspended, at(5));
        assert_eq!(behind_since(&status, None), None);
    }
}
