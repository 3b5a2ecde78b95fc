// SPDX-License-Identifier: Apache-2.0

//! A round as the status tells it.

use jiff::Timestamp;

use crate::oci::Digest;
use crate::plan::report::{Failure, MirrorReport, Outcome};

/// A round and when it was.
#[derive(Clone, Copy, Debug)]
pub struct Round<'a> {
    /// The generation of the spec that it worked on.
    pub generation: i64,
    /// What came of it.
    pub report: &'a MirrorReport,
    /// When it began.
    pub began: Timestamp,
    /// When it ended.
    pub ended: Timestamp,
    /// When the next one begins.
    pub next: Option<Timestamp>,
    /// A digest of the generations of the policies that it used.
    pub policies: &'a Digest,
}

/// Everything that failed, with the name of the destination where it was one.
pub fn failures(report: &MirrorReport) -> impl Iterator<Item = (Option<&str>, &Failure)> {
    let whole = report.failures.iter().map(|failure| (None, failure));
    let tags = report.tags.iter().filter_map(|tag| match &tag.outcome {
        Outcome::Failed(failure) => Some((Some(tag.destination.as_str()), failure)),
        Outcome::Unchanged
        | Outcome::Planned { .. }
        | Outcome::Copied { .. }
        | Outcome::Retagged { .. }
        | Outcome::Completed { .. }
        | Outcome::Frozen
        | Outcome::Refused(_)
        | Outcome::Quarantined(_) => None,
    });
    whole.chain(tags)
}
