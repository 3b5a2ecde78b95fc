// SPDX-License-Identifier: Apache-2.0

//! What a pod says at its end: few bytes, which Kubernetes keeps with the pod.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::settings::TERMINATION_BYTES;
use crate::api::Reason;
use crate::api::text::shorten;
use crate::plan::report::{Failure, MirrorReport, Totals};
use crate::plan::status::failures;

/// Longest message of a failure, in characters.
const MESSAGE: usize = 400;
/// The most that one pod is believed to have copied: a thousand of them still fit into any number.
const MOST_TAGS: usize = 1 << 20;
const MOST_BYTES: u64 = 1 << 50;

/// What came of a part.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::controller) struct PartResult {
    /// Tags that were written.
    pub(in crate::controller) copied: usize,
    /// Bytes of blobs that were sent.
    pub(in crate::controller) bytes: u64,
    /// What failed, as far as there is room.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(in crate::controller) failures: Vec<PartFailure>,
}

/// What failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::controller) struct PartFailure {
    /// What it is about: a tag at a destination, or the mirror.
    pub(in crate::controller) subject: String,
    /// The category.
    pub(in crate::controller) reason: Reason,
    /// What is wrong, and what to do.
    pub(in crate::controller) message: String,
    /// When to try again at the earliest, where a registry said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::controller) next_attempt_time: Option<Timestamp>,
}

// === impl PartResult ===

impl PartResult {
    /// What came of a round.
    pub(in crate::controller) fn of(report: &MirrorReport) -> Self {
        let totals = Totals::of(report);
        Self {
            copied: totals.copied + totals.retagged,
            bytes: totals.bytes,
            failures: failures(report)
                .map(|(_, failure)| PartFailure::from(failure))
                .collect(),
        }
    }

    /// The text, as far as there is room: the failures that do not fit are left out.
    pub(in crate::controller) fn write(mut self) -> String {
        loop {
            let text = serde_json::to_string(&self).unwrap_or_default();
            if text.len() <= TERMINATION_BYTES || self.failures.pop().is_none() {
                return text;
            }
        }
    }

    /// Reads it. A pod may say anything.
    pub(super) fn read(text: &str) -> Option<Self> {
        let mut told: Self = serde_json::from_str(text).ok()?;
        told.copied = told.copied.min(MOST_TAGS);
        told.bytes = told.bytes.min(MOST_BYTES);
        for failure in &mut told.failures {
            failure.message = shorten(&failure.message, MESSAGE);
        }
        Some(told)
    }
}

// === impl PartFailure ===

impl From<&Failure> for PartFailure {
    fn from(failure: &Failure) -> Self {
        let Failure {
            subject,
            reason,
            message,
            next_attempt_time,
            is_of_tag: _,
        } = failure;
        Self {
            subject: subject.clone(),
            reason: *reason,
            message: shorten(message, MESSAGE),
            next_attempt_time: *next_attempt_time,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(number: usize) -> PartFailure {
        PartFailure {
            subject: format!("r.test/app{number}:1"),
            reason: Reason::AccessDenied,
            message: "m".repeat(MESSAGE),
            next_attempt_time: None,
        }
    }

    #[test]
    fn what_is_told_fits_and_is_read_again() {
        let told = |count| PartResult {
            copied: 7,
            bytes: 1_000,
            failures: (0..count).map(failure).collect(),
        };
        assert_eq!(PartResult::read(&told(2).write()), Some(told(2)));
        let text = told(1_000).write();
        assert!(text.len() <= TERMINATION_BYTES);
        let read = PartResult::read(&text).unwrap();
        assert_eq!(read.copied, 7);
        assert!(read.failures.len() > 5);
        let boast = format!(r#"{{"copied":{},"bytes":{}}}"#, usize::MAX, u64::MAX);
        let read = PartResult::read(&boast).unwrap();
        assert_eq!((read.copied, read.bytes), (MOST_TAGS, MOST_BYTES));
        for strange in ["", "{}", "[1]", "panicked", r#"{"copied":-1,"bytes":0}"#] {
            assert_eq!(PartResult::read(strange), None, "{strange}");
        }
    }
}
