// SPDX-License-Identifier: Apache-2.0

//! Jobs whose pods copy what a round found, in the namespace of its mirror and by the rights that they have there.
//!
//! ```text
//! render    (pure)  what is to be copied -> a Job
//! follow    (I/O)   until it has ended; how far it is stands on the mirror
//! reading   (pure)  pods and events -> why something does not go on, or failed
//! end       (pure)  what came of each part
//! told            what a pod says at its end
//! ```
//!
//! Pods write for as long as the status of their mirror names their Job: see [`crate::runtime::lease::tenure`].

mod end;
mod follow;
mod reading;
mod render;
mod told;

pub(super) use self::end::JobEnd;
pub(super) use self::follow::{Followed, follow};
pub(super) use self::render::{Planned, generation_of, shares_of};
pub(super) use self::told::{PartFailure, PartResult};

/// What Jobs are made with.
#[derive(Clone, Debug)]
pub struct JobSettings {
    /// The image of the pods: that of the controller.
    pub image: String,
    /// The flags of the controller that hold for its pods, too.
    pub arguments: Vec<String>,
    /// Authorities that are trusted besides those of the system, as PEM.
    pub ca_pem: Option<String>,
}

/// Ends in failures that a new pod does not heal: the next round tries again.
pub const PART_FAILED: u8 = 3;
/// Ends because the mirror does not name the Job, or is another one by now.
pub const PART_OVER: u8 = 4;
/// Where Kubernetes takes what a pod says at its end, and how much of it.
pub const TERMINATION_LOG: &str = "/dev/termination-log";
/// Most bytes that a pod says at its end.
pub(super) const TERMINATION_BYTES: usize = 4_096;
