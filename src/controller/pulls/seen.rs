// SPDX-License-Identifier: Apache-2.0

//! What came of polling a queue.

use jiff::Timestamp;

use crate::api::Reason;
use crate::events::receiver_status::Reception;

/// What came of polling so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) last: Option<Timestamp>,
    pub(super) state: Polled,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Polled {
    /// There is no answer yet.
    #[default]
    Unknown,
    /// The queue answers.
    Well,
    /// It does not, or not as it should.
    Failing(Reason, String),
}

// === impl Seen ===

impl Seen {
    /// What is said of the receiver because of it.
    pub(super) fn reception(self) -> Reception {
        let Self { last, state } = self;
        match state {
            Polled::Unknown => Reception::Waiting {
                reason: Reason::Progressing,
                message: "the queue is asked for the first time".to_owned(),
            },
            Polled::Well => Reception::Pulling { last },
            Polled::Failing(reason, message) => Reception::Waiting { reason, message },
        }
    }
}
