// SPDX-License-Identifier: Apache-2.0

//! Why a state file is not used.

use std::io;
use std::path::PathBuf;

use super::records::VERSION;

/// A state file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// There is none.
    #[error("there is no state file {}: name the one that `transship sync --state` keeps", .0.display())]
    Missing(PathBuf),
    /// It is no regular file.
    #[error("the state file {} is {what}: it must be a regular file, which is replaced as a whole", path.display())]
    NotAFile {
        /// The file.
        path: PathBuf,
        /// What it is.
        what: &'static str,
    },
    /// It is larger than any state.
    #[error("the state file {} has {found} bytes, at most {most} are read", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size in bytes.
        found: u64,
        /// The largest size in bytes.
        most: u64,
    },
    /// It cannot be read.
    #[error("cannot read the state file {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is something else.
    #[error("{} is not a state file of this version: {source}; give another file to --state, or remove it to start anew", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
    /// It is of a newer version.
    #[error("the state file {} has version {found}, this program writes {VERSION}: use a newer transship", path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u64,
    },
    /// It cannot be written.
    #[error("cannot write the state file {}: {source}", path.display())]
    Write {
        /// The file, or the one beside it that holds its lock.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Another run has it.
    #[error(
        "the state file {} is in use by {holder}: wait for it with --lock-timeout, or give each run a file of its own",
        path.display()
    )]
    Locked {
        /// The file.
        path: PathBuf,
        /// Who has it.
        holder: String,
    },
}
