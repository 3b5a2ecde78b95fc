//! What goes wrong between us and a registry.

use jiff::Timestamp;

/// Why an operation of a registry failed.
#[derive(Clone, Debug, thiserror::Error)]
#[error("skeleton")]
pub struct Error;

/// What an error means for the one who asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The registry or its token server does not accept the credential.
    AuthenticationFailed,
    /// The credential is accepted but may not do this.
    AccessDenied,
    /// The repository, manifest or blob does not exist.
    NotFound,
    /// The registry wants to be left alone for a while.
    RateLimited,
    /// There is no room left.
    QuotaExceeded,
    /// The registry does not answer, or only that it is broken.
    Unreachable,
    /// No trusted connection comes about.
    Tls,
    /// The content is not what its digest or size says.
    DigestMismatch,
    /// The registry wanted something of us that is not safe: a realm, redirect or upload location elsewhere.
    Refused,
    /// The registry does not accept what was written.
    Rejected,
    /// The answer makes no sense.
    Protocol,
    /// A body broke off.
    Interrupted,
}

impl Error {
    /// What the error means.
    pub fn kind(&self) -> Kind {
        Kind::Protocol
    }

    /// When the registry may be asked again, where it said so.
    pub fn retry_at(&self) -> Option<Timestamp> {
        None
    }

    /// Whether the same operation may well succeed when it is tried again.
    pub fn is_transient(&self) -> bool {
        false
    }

    /// The error code of the distribution specification that the registry gave, such as `MANIFEST_BLOB_UNKNOWN`.
    pub fn code(&self) -> Option<&str> {
        None
    }
}
