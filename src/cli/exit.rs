//! What the program says to the shell.

use std::process::ExitCode;

/// How the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Everything was done, or there was nothing to do.
    Success,
    /// Something failed; what did not is done.
    Failure,
    /// The program was used wrongly, or a document is wrong. Nothing was done.
    Usage,
    /// `plan` found something to do.
    Todo,
    /// A signal came before everything was done.
    Interrupted,
}

impl Exit {
    /// The number that the shell sees. 130 is what shells themselves report after Ctrl-C.
    pub fn code(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Failure => 1,
            Self::Usage | Self::Todo => 2,
            Self::Interrupted => 130,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}
