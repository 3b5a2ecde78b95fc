// SPDX-License-Identifier: Apache-2.0

//! What becomes of tags that are no longer wanted. Unknown always means keep.
//!
//! ```text
//! rule       the parts of the rule
//! recorded   a tag on record, as pruning sees it
//! retention  what a policy keeps
//! wanted     does the spec still ask for a tag on record, and if not, why not
//! unwanted   since when: time in which nobody looked does not count
//! holders    who else wants it, under whatever name of its registry
//! unheard    who may want it, and has not said so
//! siblings   which other tags on record it may be
//! retain     what the policies keep
//! candidates every unwanted tag, with what protects it, and when it is due
//! brakes     how many may go without approval, and the digest that names exactly these
//! stops      why nothing is deleted at all
//! undo       until when a deleted tag can be restored
//! leftovers  what refers to images whose last tag went, after that
//! ```
//!
//! Whatever is not on record is none of pruning's business. Precedence: a workload that uses the image,
//! then what a policy retains, then deletion.

mod arrivals;
mod brakes;
mod candidates;
mod holders;
mod leftovers;
mod recorded;
mod report;
mod retain;
mod retention;
mod rule;
mod siblings;
mod stops;
mod undo;
mod unheard;
mod unwanted;
mod wanted;

pub use self::brakes::{Brakes, Passage, Share, counted_since, name_plan};
pub use self::candidates::{Candidate, Found, find_candidates};
pub use self::holders::{Holding, Holdings, find_holder};
pub use self::leftovers::{Landscape, Leftover, Leftovers, find_leftovers, is_referred_to};
pub use self::recorded::{Place, Recorded, Standing, Target};
pub use self::report::{Fate, PruneReport, PrunedTag};
pub use self::retain::policy_that_keeps;
pub use self::retention::Retention;
pub use self::rule::{Doubt, Rule};
pub use self::siblings::keep_siblings;
pub use self::stops::{Stop, find_stop};
pub use self::undo::{Undo, healed_since};
pub use self::unheard::{Claimable, may_want, may_write, named_repositories};
pub use self::unwanted::{Cause, Clock, Unwanted};
pub use self::wanted::{Selection, Wanted};

#[cfg(test)]
mod tests;
