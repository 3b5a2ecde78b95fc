// SPDX-License-Identifier: Apache-2.0

//! Why an identity cannot be used.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use crate::registry::{IssueError, IssueFault};

/// Why an identity cannot be used. The message is one line without secrets.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// There is none.
    #[error("no identity of {cloud} was found: {looked}")]
    None {
        /// The cloud.
        cloud: &'static str,
        /// Where it was looked for.
        looked: String,
    },
    /// A variable, a file, an annotation or an argument is wrong.
    #[error("{0}")]
    Wrong(String),
    /// What the identity needs of the cluster is not granted. The message says which line grants it.
    #[error("{0}")]
    NotGranted(String),
    /// A file cannot be read.
    #[error("cannot read {what} in {}: {source}", path.display())]
    File {
        /// What is in it.
        what: &'static str,
        /// The path.
        path: PathBuf,
        /// Why.
        source: Arc<io::Error>,
    },
    /// A server does not answer, or only that it is broken.
    #[error("{server} cannot be used: {detail}; try again later")]
    Unreachable {
        /// The server.
        server: String,
        /// What happened, without a URL.
        detail: String,
    },
    /// A server is asked too much.
    #[error("{server} is asked too much: try again later")]
    RateLimited {
        /// The server.
        server: String,
    },
    /// A server refuses what it was asked for.
    #[error("{server} refuses {asked} with {status}{}", words(.said.as_deref()))]
    Refused {
        /// The server.
        server: String,
        /// What it was asked for.
        asked: &'static str,
        /// The status.
        status: u16,
        /// Its words.
        said: Option<String>,
        /// Whether the identity is known, and may not do this.
        is_known: bool,
    },
    /// A server does not do what it was asked for, whoever asks.
    #[error("{server} refuses {asked}; that says \"{said}\"")]
    Rejected {
        /// The server.
        server: String,
        /// What it was asked for.
        asked: &'static str,
        /// Its words.
        said: String,
    },
    /// There is no such repository.
    #[error("{server} refuses {asked}: there is no such repository")]
    NoRepository {
        /// The server.
        server: String,
        /// What it was asked for.
        asked: &'static str,
    },
    /// There is no such queue, or none that this identity may see.
    #[error(
        "there is no queue {queue} at {server}, or it may not be seen: create it, or name another one"
    )]
    NoQueue {
        /// The server.
        server: String,
        /// The queue, as it is named.
        queue: String,
    },
    /// An answer makes no sense.
    #[error("{server} gave {asked} that cannot be used: {fault}")]
    Answer {
        /// The server.
        server: String,
        /// What it was asked for.
        asked: &'static str,
        /// What is wrong.
        fault: String,
    },
}

fn words(said: Option<&str>) -> String {
    said.map_or_else(String::new, |said| format!("; that says \"{said}\""))
}

// === impl Error ===

impl Error {
    /// What a person can do about it.
    pub fn fault(&self) -> IssueFault {
        match self {
            Self::None { .. }
            | Self::Wrong(_)
            | Self::File { .. }
            | Self::Refused {
                is_known: false, ..
            } => IssueFault::Identity,
            Self::NotGranted(_) | Self::Refused { is_known: true, .. } => IssueFault::Forbidden,
            Self::Unreachable { .. } => IssueFault::Unreachable,
            Self::RateLimited { .. } => IssueFault::RateLimited,
            Self::Rejected { .. } | Self::NoQueue { .. } => IssueFault::Rejected,
            Self::NoRepository { .. } => IssueFault::NoRepository,
            Self::Answer { .. } => IssueFault::Answer,
        }
    }
}

impl From<Error> for IssueError {
    fn from(error: Error) -> Self {
        Self {
            fault: error.fault(),
            message: error.to_string(),
        }
    }
}
