// SPDX-License-Identifier: Apache-2.0

//! Jobs whose pods copy what a round found, in the namespace of its mirror and by the rights that they have there.
//!
//! ```text
//! render    (pure)  what is to be copied -> a Job
//! reading   (pure)  pods and events -> why something does not go on, or failed
//! end       (pure)  what came of each part
//! told            what a pod says at its end
//! followed        which Jobs of a namespace are followed, by one watch
//! ```
//!
//! Pods write for as long as the status of their mirror names their Job: see [`crate::runtime::lease::tenure`].

mod end;
mod followed;
mod reading;
mod render;
mod settings;
mod told;

pub(super) use self::end::JobEnd;
pub(super) use self::followed::{FollowedJobs, JobSight, JobTurn, MOST_JOBS, NamespaceJobs};
pub(super) use self::reading::{hindrance, read_end, read_indexes};
pub(super) use self::render::{Planned, generation_of, shares_of};
pub use self::settings::{JobImage, JobSettings, PART_FAILED, PART_OVER, TERMINATION_LOG};
pub(super) use self::told::{PartFailure, PartResult};
