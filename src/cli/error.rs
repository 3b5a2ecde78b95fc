// SPDX-License-Identifier: Apache-2.0

//! Why a command stops before it has anything to report.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use super::documents::DocumentsError;
use super::exit::Exit;
use super::images::ManifestsError;
use super::in_use::InUseError;
use super::kubectl::PluginError;
use super::output_file::OutputFileError;
use super::units;
use crate::api::Reason;
use crate::controller;
use crate::copy::endpoint;
use crate::oci::Tag;
use crate::plan::report::Failure;
use crate::registry;
use crate::runtime::server::ListenError;
use crate::sync::ConnectError;
use crate::sync::ledger::FileError;
use crate::sync::prune::RestoreError;
use crate::sync::workloads::WorkloadsError;

/// Tags that are named where one is missing.
const BESIDE: usize = 3;

/// Why a command stops.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The documents cannot be used.
    #[error(transparent)]
    Documents(#[from] DocumentsError),
    /// The state file cannot be used.
    #[error(transparent)]
    Ledger(#[from] FileError),
    /// A policy counts the time since an image was first seen, and nothing keeps it.
    #[error(
        "ImagePolicy {policy:?} of mirror {mirror} has minAge: add --state FILE, which keeps when images were first seen"
    )]
    NoMemory {
        /// The policy.
        policy: String,
        /// A mirror that uses it.
        mirror: String,
    },
    /// A command works on what is remembered, and nothing is.
    #[error(
        "{command} works on what was written before: name the file with --state that `transship sync --state` keeps"
    )]
    NoState {
        /// The command.
        command: &'static str,
    },
    /// Images that workloads use are to be protected, and nobody says which these are.
    #[error(
        "mirror {mirror} protects what workloads use: say what that is with --in-use-from KUBECONFIG|FILE, \
         or set its spec.prune.inUse to Ignore"
    )]
    Blind {
        /// A mirror that protects them.
        mirror: String,
    },
    /// It cannot be known what workloads use.
    #[error(transparent)]
    InUse(#[from] InUseError),
    /// Manifests cannot be read.
    #[error(transparent)]
    Manifests(#[from] ManifestsError),
    /// It cannot be seen what runs in a cluster.
    #[error(transparent)]
    Workloads(#[from] WorkloadsError),
    /// Nothing was recorded, so nothing is restored.
    #[error(transparent)]
    Restore(#[from] RestoreError),
    /// A file cannot be written.
    #[error(transparent)]
    OutputFile(#[from] OutputFileError),
    /// The page cannot be served.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The file of authorities cannot be read.
    #[error("cannot read the CA file {}: {source}", path.display())]
    CaFile {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The time that it may take is over.
    #[error("not done within {}: what is done stays (--timeout)", units::duration(*.0))]
    TimedOut(Duration),
    /// The arguments contradict each other.
    #[error("{0}")]
    Usage(String),
    /// There is no way to a registry.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// A registry or directory refuses.
    #[error(transparent)]
    Endpoint(#[from] endpoint::Error),
    /// What was asked for does not exist.
    #[error("{what} does not exist{}", describe_beside(.beside))]
    NotFound {
        /// The image.
        what: String,
        /// Tags of the place that has not this one, where it is at hand.
        beside: Vec<Tag>,
    },
    /// The image is not what it says.
    #[error("{0}")]
    Image(String),
    /// Nobody who was named vouches for it.
    #[error("{subject}: {why}")]
    Unproven {
        /// What.
        subject: String,
        /// Why not.
        why: String,
    },
    /// The plugin of kubectl stops.
    #[error(transparent)]
    Plugin(#[from] PluginError),
    /// The controller ends.
    #[error(transparent)]
    Controller(#[from] controller::Error),
    /// A pod of a Job cannot begin.
    #[error(transparent)]
    Part(#[from] controller::PartError),
    /// The result could not be written.
    #[error("cannot write the result: {0}")]
    Output(io::Error),
}

impl Error {
    /// How the program ends.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Documents(_)
            | Self::Ledger(_)
            | Self::NoMemory { .. }
            | Self::NoState { .. }
            | Self::Blind { .. }
            | Self::InUse(_)
            | Self::Manifests(_)
            | Self::CaFile { .. }
            | Self::Usage(_) => Exit::Usage,
            Self::OutputFile(error) if error.is_wrong_use() => Exit::Usage,
            Self::Connect(_)
            | Self::Endpoint(_)
            | Self::NotFound { .. }
            | Self::TimedOut(_)
            | Self::Restore(_)
            | Self::Workloads(_)
            | Self::Image(_)
            | Self::Unproven { .. }
            | Self::Plugin(_)
            | Self::Controller(_)
            | Self::Listen(_)
            | Self::OutputFile(_)
            | Self::Part(_)
            | Self::Output(_) => Exit::Failure,
        }
    }

    /// The same as a failure of what was asked for.
    pub(super) fn as_failure(&self, subject: &str) -> Failure {
        let (reason, next_attempt_time) = match self {
            Self::Endpoint(error) => (error.reason(), error.retry_at()),
            Self::Connect(error) => (error.reason, None),
            Self::Workloads(error) => (error.reason, None),
            Self::NotFound { .. } => (Reason::NotFound, None),
            Self::Unproven { .. } => (Reason::VerificationFailed, None),
            Self::Plugin(error) => (error.reason(), None),
            Self::TimedOut(_) => (Reason::Unreachable, None),
            Self::Documents(_)
            | Self::Ledger(_)
            | Self::NoMemory { .. }
            | Self::NoState { .. }
            | Self::Blind { .. }
            | Self::InUse(_)
            | Self::Manifests(_)
            | Self::CaFile { .. }
            | Self::Usage(_) => (Reason::InvalidSpec, None),
            Self::Restore(_)
            | Self::Image(_)
            | Self::Controller(_)
            | Self::Listen(_)
            | Self::OutputFile(_)
            | Self::Part(_)
            | Self::Output(_) => (Reason::CopyFailed, None),
        };
        Failure {
            subject: subject.to_owned(),
            reason,
            message: self.to_string(),
            next_attempt_time,
            is_of_tag: false,
        }
    }

    /// What to do, where the message alone does not say it.
    pub fn hint(&self) -> Option<&'static str> {
        let Self::Endpoint(endpoint::Error::Registry(error)) = self else {
            return None;
        };
        match error.kind() {
            registry::Kind::AuthenticationFailed | registry::Kind::AccessDenied => Some(
                "log in with `transship login` or `docker login`, or name the file with DOCKER_CONFIG or REGISTRY_AUTH_FILE",
            ),
            registry::Kind::NotFound
            | registry::Kind::RepositoryMissing
            | registry::Kind::TagImmutable
            | registry::Kind::Tls
            | registry::Kind::RateLimited
            | registry::Kind::QuotaExceeded
            | registry::Kind::Unreachable
            | registry::Kind::DigestMismatch
            | registry::Kind::Refused
            | registry::Kind::OutOfBounds
            | registry::Kind::Rejected
            | registry::Kind::Protocol
            | registry::Kind::Interrupted
            | registry::Kind::Full => None,
        }
    }
}

fn describe_beside(tags: &[Tag]) -> String {
    let named: Vec<&str> = tags.iter().take(BESIDE).map(Tag::as_str).collect();
    let word = if tags.len() == 1 { "is" } else { "are" };
    match tags.len().saturating_sub(BESIDE) {
        _ if named.is_empty() => String::new(),
        0 => format!(": there {word} {}", named.join(", ")),
        more => format!(": there are {} and {more} more", named.join(", ")),
    }
}

impl From<registry::Error> for Error {
    fn from(error: registry::Error) -> Self {
        Self::Endpoint(error.into())
    }
}
