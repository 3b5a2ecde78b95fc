// SPDX-License-Identifier: Apache-2.0

//! Why nobody gives out a credential.

use crate::registry::Kind;

/// Why there is no credential. The message is one line without secrets.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct IssueError {
    /// What a person can do about it.
    pub fault: IssueFault,
    /// What is wrong.
    pub message: String,
}

/// What a person can do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IssueFault {
    /// The identity is missing, wrong or unknown to the cloud.
    Identity,
    /// The identity is known, and may not do this.
    Forbidden,
    /// The cloud does not answer, or only that it is broken: it may well be otherwise a little later.
    Unreachable,
    /// The cloud is asked too much.
    RateLimited,
    /// The answer makes no sense.
    Answer,
    /// What was asked for is not done, whoever asks.
    Rejected,
    /// There is no such repository.
    NoRepository,
}

// === impl IssueFault ===

impl IssueFault {
    /// What it means for the one who asked.
    pub(in crate::registry) fn kind(self) -> Kind {
        match self {
            Self::Identity => Kind::AuthenticationFailed,
            Self::Forbidden => Kind::AccessDenied,
            Self::Unreachable => Kind::Unreachable,
            Self::RateLimited => Kind::RateLimited,
            Self::Answer => Kind::Protocol,
            Self::Rejected => Kind::Rejected,
            Self::NoRepository => Kind::RepositoryMissing,
        }
    }

    /// Whether it may well be otherwise a little later.
    pub(in crate::registry) fn is_transient(self) -> bool {
        matches!(self, Self::Unreachable | Self::RateLimited)
    }
}
