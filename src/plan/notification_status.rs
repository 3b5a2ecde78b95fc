// SPDX-License-Identifier: Apache-2.0

//! What is said of a notification.

use jiff::Timestamp;

use crate::api::Reason;
use crate::api::conditions::{self, ConditionWriter, Holds, READY, STALLED};
use crate::api::image_notification::ImageNotificationStatus;
use crate::api::time::whole_seconds;

/// How a notification is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Telling {
    /// Messages can be sent, and the last one arrived, where there was one.
    Ready {
        /// When it arrived.
        last: Option<Timestamp>,
    },
    /// Its owner suspended it.
    Suspended,
    /// A person must change its spec.
    Invalid(String),
    /// Something that it needs is not there, or messages do not arrive.
    Waiting {
        /// The category.
        reason: Reason,
        /// What is wrong, and what to do.
        message: String,
    },
}

/// The status of a notification. It equals the previous one where nothing changed.
pub fn notification_status(
    previous: &ImageNotificationStatus,
    generation: i64,
    telling: &Telling,
    now: Timestamp,
) -> ImageNotificationStatus {
    let mut status = previous.clone();
    status.observed_generation = generation;
    let mut conditions = ConditionWriter {
        conditions: &mut status.conditions,
        generation,
        now,
    };
    let stalled = match telling {
        Telling::Ready { last } => {
            let last = last.map(whole_seconds);
            status.last_message_time = last.or(status.last_message_time.take());
            let message = match status.last_message_time {
                Some(_) => "messages are sent",
                None => "nothing was sent yet: there was no news of the mirrors that it chooses",
            };
            conditions.say(READY, Holds::True, Reason::Succeeded, message);
            None
        }
        Telling::Suspended => Some((Reason::Suspended, "spec.suspend is true: nothing is told")),
        Telling::Invalid(message) => Some((Reason::InvalidSpec, message.as_str())),
        Telling::Waiting { reason, message } => {
            conditions.say(READY, Holds::False, *reason, message);
            None
        }
    };
    match stalled {
        Some((reason, message)) => {
            let mut conditions = ConditionWriter {
                conditions: &mut status.conditions,
                generation,
                now,
            };
            conditions.say(READY, Holds::False, reason, message);
            // Nothing is under way that anybody could wait for.
            conditions.say(STALLED, Holds::True, reason, message);
        }
        None => conditions::remove(&mut status.conditions, STALLED),
    }
    status
}
