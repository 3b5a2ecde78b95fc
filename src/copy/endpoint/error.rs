// SPDX-License-Identifier: Apache-2.0

//! Why an operation on an endpoint failed, whichever kind it is of.

use std::sync::Arc;

use crate::api::Reason;
use crate::copy::telling::{Rank, Telling};
use crate::layout;
use crate::oci::Digest;
use crate::registry::{self, Kind};
use crate::runtime::memory;

/// An operation on an endpoint that failed. Cheap to clone: several tasks may wait for one request.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// At a registry.
    #[error(transparent)]
    Registry(Arc<registry::Error>),
    /// In a directory.
    #[error(transparent)]
    Layout(Arc<layout::Error>),
    /// There is no room for what was read.
    #[error(transparent)]
    Full(#[from] memory::Full),
}

// === impl Error ===

impl Error {
    /// Whether what was asked for does not exist.
    pub fn is_not_found(&self) -> bool {
        match self {
            Self::Registry(error) => error.kind() == Kind::NotFound,
            Self::Layout(error) => error.kind() == layout::Kind::NotFound,
            Self::Full(_) => false,
        }
    }

    /// Whether a source has no such blob because the destination is to have it.
    pub fn is_elsewhere(&self) -> bool {
        match self {
            Self::Layout(error) => matches!(**error, layout::Error::Elsewhere { .. }),
            Self::Registry(_) | Self::Full(_) => false,
        }
    }

    /// Whether an answer began and broke off, as it does where a registry has lost the bytes that it announces.
    pub fn breaks_off(&self) -> bool {
        match self {
            Self::Registry(error) => error.kind() == Kind::Interrupted,
            Self::Layout(_) | Self::Full(_) => false,
        }
    }

    /// Whether the registry answered that the credential may not do this.
    pub fn is_access_denied(&self) -> bool {
        match self {
            Self::Registry(error) => error.kind() == Kind::AccessDenied,
            Self::Layout(_) | Self::Full(_) => false,
        }
    }

    /// Whether the endpoint understood the request and refused its content.
    pub fn is_rejected(&self) -> bool {
        match self {
            Self::Registry(error) => error.kind() == Kind::Rejected,
            Self::Layout(_) | Self::Full(_) => false,
        }
    }

    /// What the endpoint does not have of what a manifest names, where it refused the manifest for that.
    /// Empty where it does not name it.
    pub fn missing(&self) -> Option<&[Digest]> {
        match self {
            Self::Registry(error) => error.missing(),
            Self::Layout(_) | Self::Full(_) => None,
        }
    }

    /// Whether the same request may succeed in a moment.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Registry(error) => error.is_transient(),
            Self::Layout(_) | Self::Full(_) => false,
        }
    }

    /// When to ask again at the earliest, where the endpoint said so.
    pub fn retry_at(&self) -> Option<jiff::Timestamp> {
        match self {
            Self::Registry(error) => error.retry_at(),
            Self::Layout(_) | Self::Full(_) => None,
        }
    }

    /// The category that statuses and metrics use.
    pub fn reason(&self) -> Reason {
        match self {
            Self::Registry(error) => match error.kind() {
                Kind::AuthenticationFailed => Reason::AuthenticationFailed,
                Kind::AccessDenied | Kind::OutOfBounds => Reason::AccessDenied,
                Kind::NotFound => Reason::NotFound,
                Kind::RepositoryMissing => Reason::RepositoryMissing,
                Kind::TagImmutable => Reason::TagImmutable,
                Kind::RateLimited => Reason::RateLimited,
                Kind::QuotaExceeded => Reason::QuotaExceeded,
                Kind::Unreachable | Kind::Interrupted => Reason::Unreachable,
                Kind::Tls => Reason::TlsError,
                Kind::DigestMismatch => Reason::DigestMismatch,
                Kind::Refused | Kind::Rejected | Kind::Protocol => Reason::CopyFailed,
                Kind::Full => Reason::LimitExceeded,
            },
            Self::Full(_) => Reason::LimitExceeded,
            Self::Layout(error) => match error.kind() {
                layout::Kind::NotFound => Reason::NotFound,
                layout::Kind::Full => Reason::QuotaExceeded,
                layout::Kind::DigestMismatch => Reason::DigestMismatch,
                layout::Kind::Interrupted
                | layout::Kind::Io
                | layout::Kind::Corrupt
                | layout::Kind::Refused => Reason::CopyFailed,
            },
        }
    }
}

impl Telling for Error {
    fn rank(&self) -> Rank {
        match self {
            Self::Registry(error) if error.is_consequence() => Rank::Consequence,
            Self::Registry(error) if error.is_transient() => Rank::Passing,
            Self::Registry(_) | Self::Layout(_) | Self::Full(_) => Rank::Lasting,
        }
    }
}

impl From<registry::Error> for Error {
    fn from(error: registry::Error) -> Self {
        Self::Registry(Arc::new(error))
    }
}

impl From<layout::Error> for Error {
    fn from(error: layout::Error) -> Self {
        Self::Layout(Arc::new(error))
    }
}
