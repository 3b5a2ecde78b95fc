// SPDX-License-Identifier: Apache-2.0

//! A message of a queue.

use secrecy::SecretString;

/// The most messages of one answer.
pub(super) const MANY: usize = 10;
/// The longest answer with so many messages, and with one alone, in bytes. Messages of registries have some kilobytes.
const MANY_BYTES: usize = 1024 * 1024;
const ONE_BYTES: usize = 4 * 1024 * 1024;

/// A message of a queue. It comes again after a while unless it is said to be done.
#[derive(Debug)]
pub struct QueueMessage {
    /// What somebody sent.
    pub body: String,
    /// What says that it is done.
    pub receipt: SecretString,
}

/// How many messages are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Batch {
    /// Some.
    Many,
    /// One alone: what is too long for an answer with others is not for this one.
    One,
}

/// How long an empty queue is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// It answers at once.
    AtOnce,
    /// It answers when something comes, or after some seconds.
    Long,
}

// === impl Batch ===

impl Batch {
    /// How many messages these are at most.
    pub(super) fn most(self) -> usize {
        match self {
            Self::Many => MANY,
            Self::One => 1,
        }
    }

    /// The longest answer, in bytes.
    pub(super) fn bytes(self) -> usize {
        match self {
            Self::Many => MANY_BYTES,
            Self::One => ONE_BYTES,
        }
    }
}
