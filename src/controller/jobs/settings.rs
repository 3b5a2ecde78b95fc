// SPDX-License-Identifier: Apache-2.0

//! What Jobs are made with, and what their pods end with.

use std::fmt;
use std::str::FromStr;

use crate::oci::Reference;
use crate::oci::reference::ReferenceError;

/// An image that a kubelet can pull, as it is written: what a short name stands for is the node's business.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobImage(String);

/// What Jobs are made with.
#[derive(Clone, Debug)]
pub struct JobSettings {
    /// The image of the pods: that of the controller.
    pub image: JobImage,
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

// === impl JobImage ===

impl FromStr for JobImage {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse::<Reference>()?;
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for JobImage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}
