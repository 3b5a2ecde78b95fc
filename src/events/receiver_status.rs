// SPDX-License-Identifier: Apache-2.0

//! What is said of a receiver.

use jiff::Timestamp;

use crate::api::Reason;
use crate::api::conditions::ConditionWriter;
use crate::api::image_receiver::ImageReceiverStatus;
use crate::api::time::whole_seconds;

/// How a receiver is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reception {
    /// It takes events at this path.
    Open(String),
    /// It takes events from a queue.
    Pulling {
        /// When the last message came, where one did.
        last: Option<Timestamp>,
    },
    /// Its owner suspended it.
    Suspended,
    /// A person must change its spec.
    Invalid(String),
    /// Something that it needs is not there.
    Waiting {
        /// The category.
        reason: Reason,
        /// What is wrong, and what to do.
        message: String,
    },
}

/// The status of a receiver. It equals the previous one where nothing changed.
pub fn receiver_status(
    previous: &ImageReceiverStatus,
    generation: i64,
    reception: &Reception,
    now: Timestamp,
) -> ImageReceiverStatus {
    let mut status = previous.clone();
    status.observed_generation = generation;
    let mut conditions = ConditionWriter {
        conditions: &mut status.conditions,
        generation,
        now,
    };
    match reception {
        Reception::Open(_) => conditions.ready("events are taken at status.path"),
        Reception::Pulling { .. } => conditions.ready("events are taken from spec.pull.from"),
        Reception::Suspended => {
            conditions.stalled(
                Reason::Suspended,
                "spec.suspend is true: events are refused",
            );
        }
        Reception::Invalid(message) => conditions.stalled(Reason::InvalidSpec, message),
        Reception::Waiting { reason, message } => conditions.waiting(*reason, message),
    }
    match reception {
        Reception::Open(path) => status.path = Some(path.clone()),
        Reception::Pulling { last } => {
            status.path = None;
            let last = last.map(whole_seconds);
            status.last_message_time = last.or(status.last_message_time.take());
        }
        // The path stays the same until the token does not.
        Reception::Suspended => {}
        Reception::Invalid(_) | Reception::Waiting { .. } => status.path = None,
    }
    status
}
