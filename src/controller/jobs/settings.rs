// SPDX-License-Identifier: Apache-2.0

//! What Jobs are made with, and what their pods end with.

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
