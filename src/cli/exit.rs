// SPDX-License-Identifier: Apache-2.0

//! What the program says to the shell.

use std::process::ExitCode;

use crate::controller::{PART_FAILED, PART_OVER};

/// How the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Everything was done, or there was nothing to do.
    Success,
    /// Something failed; what did not is done.
    Failure,
    /// The program was used wrongly, or a document is wrong. Nothing was done.
    Usage,
    /// What is there is not as it should be, and a command that only looks says so.
    Drift,
    /// A pod of a Job met failures that another pod would not heal.
    PartFailed,
    /// The mirror of a pod of a Job does not name that Job, or wants something else by now.
    PartOver,
    /// A signal came before everything was done.
    Interrupted,
}

impl Exit {
    /// The number that the shell sees. 130 is what shells themselves report after Ctrl-C.
    pub fn code(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Failure => 1,
            Self::Usage | Self::Drift => 2,
            Self::PartFailed => PART_FAILED,
            Self::PartOver => PART_OVER,
            Self::Interrupted => 130,
        }
    }

    /// The same of a command that tells drift by 2: there everything that is wrong is 1, as `terraform plan
    /// -detailed-exitcode` has it.
    #[must_use]
    pub fn beside_drift(self) -> Self {
        match self {
            Self::Usage => Self::Failure,
            Self::Success
            | Self::Failure
            | Self::Drift
            | Self::PartFailed
            | Self::PartOver
            | Self::Interrupted => self,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}
