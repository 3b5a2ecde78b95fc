// SPDX-License-Identifier: Apache-2.0

//! Who is told of a round as it goes on.

use crate::plan::report::TagReport;

/// Takes the outcomes of a round as they come.
pub trait Observer: Send + Sync {
    /// These are the tags at destinations, as they were found; those that are [`Outcome::Planned`] are
    /// written next.
    ///
    /// [`Outcome::Planned`]: crate::plan::report::Outcome::Planned
    fn planned(&self, tags: Vec<TagReport>);

    /// One of them is done, or failed, for the mirror `namespace/name`.
    fn finished(&self, mirror: &str, tag: &TagReport);
}
