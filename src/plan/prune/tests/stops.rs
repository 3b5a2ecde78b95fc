// SPDX-License-Identifier: Apache-2.0

//! Why nothing goes.

use super::*;
use crate::api::Reason;
use crate::plan::report::Failure;

#[test]
fn a_round_that_does_not_know_enough_deletes_nothing() {
    let failure = Failure {
        subject: "docker.io/library/app".to_owned(),
        reason: Reason::AccessDenied,
        message: "403 Forbidden".to_owned(),
        next_attempt_time: None,
        is_of_tag: false,
    };
    let some = selection("2.0");
    let none = selection("-2.0");
    let cases = [
        ("all is well", None, &some, true, 0, None),
        (
            "something failed",
            Some(&failure),
            &some,
            true,
            0,
            Some((
                Reason::AccessDenied,
                "nothing is deleted in a round that fails: docker.io/library/app: 403 Forbidden",
            )),
        ),
        (
            "nothing is selected any more",
            None,
            &none,
            true,
            0,
            Some((
                Reason::PrunePaused,
                "nothing of library/app is selected any more: nothing is deleted, in case that is a mistake; take the repository out of spec.images if it is not",
            )),
        ),
        (
            "nothing is selected, and never was",
            None,
            &none,
            false,
            0,
            None,
        ),
        (
            "the records were lost",
            None,
            &some,
            true,
            3,
            Some((
                Reason::PrunePaused,
                "3 tags were right and not on record: the records were lost, or are new, and are rebuilt first",
            )),
        ),
    ];
    for (name, worst, selection, has_records, rebuilt, expected) in cases {
        let stop = find_stop(worst, selection, |_| has_records, rebuilt);
        let stop = stop
            .as_ref()
            .map(|stop| (stop.reason, stop.message.as_str()));
        assert_eq!(stop, expected, "{name}");
    }
}
