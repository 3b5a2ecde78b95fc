// SPDX-License-Identifier: Apache-2.0

//! Why a file that says what is in use is not understood.

use std::io;

use crate::controller::workloads::{Gather, ObjectError};
use crate::plan::in_use::InUse;

/// Largest file of YAML, in bytes: it is read as a whole.
pub(super) const YAML_SIZE: u64 = 32 * 1024 * 1024;
/// Longest line, in bytes.
pub(super) const LINE_LENGTH: u64 = 1024 * 1024;

/// Why a file is not understood.
#[derive(Debug, thiserror::Error)]
pub enum TextError {
    /// It is empty, or holds an empty list.
    #[error(
        "it names no image: if that is right, set spec.prune.inUse to Ignore; if not, look at the command that wrote it"
    )]
    Empty,
    /// It cannot be read.
    #[error(transparent)]
    Read(#[from] io::Error),
    /// It is YAML, and too large to be read as a whole.
    #[error("YAML of more than {YAML_SIZE} bytes is not read: let kubectl print -o json")]
    LongYaml,
    /// There is more in it than can be kept in mind.
    #[error("it names more than {} images: leave kinds out", InUse::MOST)]
    TooMuch,
    /// The objects of a list have no kinds, and the list tells its own too late.
    #[error(
        "the kind of the list stands behind its items: let kubectl print it, or write the kind first"
    )]
    LateKind,
    /// A line that is no list of images.
    #[error("the line has more than {LINE_LENGTH} bytes: write fewer images on it")]
    LongLine {
        /// Where.
        line: u64,
    },
    /// It begins like JSON or YAML and is not.
    #[error("{message}")]
    Syntax {
        /// Where.
        line: u64,
        /// What is wrong.
        message: String,
    },
    /// It is no list of objects.
    #[error("this is no object of Kubernetes and no list of them: it has no apiVersion and kind")]
    NoObject,
    /// What is no object, or one whose strings must not or cannot be read.
    #[error("a {kind} says nothing of images: {why}")]
    WrongKind {
        /// Its kind.
        kind: String,
        /// What to do.
        why: &'static str,
    },
    /// A list whose objects are not there.
    #[error("the {kind} has no items: the command that wrote it failed")]
    NoItems {
        /// Its kind.
        kind: String,
    },
    /// Objects that are not in it may use anything.
    #[error(
        "the {kind} is one page of a list, and its metadata says that there are more: list without a limit, as kubectl does"
    )]
    Page {
        /// Its kind.
        kind: String,
    },
    /// An object of a known kind.
    #[error(transparent)]
    Object(#[from] ObjectError),
    /// A line of kubectl that names an object and not its images.
    #[error("{word:?} is an object and no image: let kubectl print -o json")]
    ObjectName {
        /// Where.
        line: u64,
        /// What is written there.
        word: String,
    },
    /// A word of a line that may be the name of anything.
    #[error(
        "{word:?} has neither a tag nor a digest, as what stands in a table: write {word}:latest if it is an image, or \
         let kubectl print -o json"
    )]
    Bare {
        /// Where.
        line: u64,
        /// What is written there.
        word: String,
    },
    /// A line that is no image.
    #[error(
        "{word:?} is no image ({message}): write images on lines of their own, or let kubectl print -o json"
    )]
    NoImage {
        /// Where.
        line: u64,
        /// What is written there.
        word: String,
        /// What is wrong with it.
        message: String,
    },
}

// === impl TextError ===

impl TextError {
    /// The line, where it is known, as it stands behind the name of a file.
    pub(in crate::cli) fn place(&self) -> String {
        match self {
            Self::Syntax { line, .. }
            | Self::LongLine { line }
            | Self::ObjectName { line, .. }
            | Self::Bare { line, .. }
            | Self::NoImage { line, .. } => format!(":{line}"),
            Self::Empty
            | Self::Read(_)
            | Self::LongYaml
            | Self::TooMuch
            | Self::LateKind
            | Self::NoObject
            | Self::WrongKind { .. }
            | Self::NoItems { .. }
            | Self::Page { .. }
            | Self::Object(_) => String::new(),
        }
    }
}

/// What is wrong with a text that is to be JSON.
pub(super) fn no_json(error: serde_json::Error) -> TextError {
    if error.is_io() {
        return io::Error::from(error).into();
    }
    TextError::Syntax {
        line: u64::try_from(error.line()).unwrap_or_default(),
        message: format!("this is no JSON: {error}"),
    }
}

/// Refuses more than can be kept in mind.
pub(super) fn refuse_too_much(gathered: &impl Gather) -> Result<(), TextError> {
    if gathered.is_too_much() {
        return Err(TextError::TooMuch);
    }
    Ok(())
}
