// SPDX-License-Identifier: Apache-2.0

//! What came of the messages that were sent.

use jiff::Timestamp;

use crate::api::Reason;
use crate::plan::notification_status::Telling;

/// What came of messages so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Seen {
    /// When the last one arrived.
    pub(super) last: Option<Timestamp>,
    /// Why the last one did not arrive, or does not yet.
    pub(super) failure: Option<(Reason, String)>,
}

// === impl Seen ===

impl Seen {
    /// What is said of the notification because of it.
    pub(super) fn telling(self) -> Telling {
        match self.failure {
            None => Telling::Ready { last: self.last },
            Some((reason, message)) => Telling::Waiting { reason, message },
        }
    }
}
