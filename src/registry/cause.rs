//! What can go wrong between us and a registry.

use jiff::Timestamp;
use reqwest::StatusCode;

use super::auth;
use super::boundaries::OutOfBounds;
use super::error::Kind;
use super::guard::Lapsed;
use super::origin::UnsafeUrl;
use super::range::WrongRange;
use super::retry;
use super::status::{Code, Unexpected};
use crate::oci::Digest;
use crate::oci::manifest::ManifestError;

/// What went wrong.
#[derive(Debug, thiserror::Error)]
pub(super) enum Cause {
    #[error("the settings for the registry are wrong: {0}")]
    Settings(String),
    #[error("{error}")]
    Auth {
        error: auth::Error,
        /// When the token server may be asked again.
        retry_at: Option<Timestamp>,
    },
    #[error("{0}")]
    Status(Unexpected),
    #[error("the registry asked to be left alone until {0:.0}")]
    Paused(Timestamp),
    #[error("{host} cannot be reached: {detail}")]
    Unreachable { host: String, detail: String },
    #[error("no trusted connection to {host}: {detail}")]
    Tls { host: String, detail: String },
    #[error("{host} speaks plain HTTP: if that is how it should be, declare the registry insecure")]
    Plain { host: String },
    #[error("{host} did not answer in time")]
    NoAnswer { host: String },
    #[error("the connection to {host} broke off: {detail}")]
    Interrupted { host: String, detail: String },
    #[error("{0}")]
    UnsafeUrl(UnsafeUrl),
    #[error("{0}")]
    OutOfBounds(OutOfBounds),
    #[error("{0}")]
    Lapsed(Lapsed),
    #[error("{0}")]
    Manifest(ManifestError),
    #[error(
        "the registry announces {announced}, the content has the digest {found}: \
         it is damaged there, or on the way"
    )]
    Digest { announced: Digest, found: Digest },
    #[error(
        "the registry has {found} bytes where the manifest says {expected}: \
         the blob is damaged there, push the image to it again"
    )]
    Length { found: u64, expected: u64 },
    #[error(
        "the registry sends more than the {0} bytes that the manifest says: \
         the blob is damaged there, push the image to it again"
    )]
    TooLong(u64),
    #[error("{0}")]
    Range(WrongRange),
    #[error("the registry does not take a blob in this way ({0}); the next try uses another one")]
    UploadMode(StatusCode),
    #[error(
        "the registry asks for authorization when the blob is on its way already; the next try brings it"
    )]
    LateChallenge,
    #[error("the source of the blob failed: {0}")]
    Body(String),
    #[error("the answer is larger than {0} bytes, the most that is read")]
    TooLarge(usize),
    #[error(
        "the answer is compressed although that was declined: a proxy on the way must leave it as it is"
    )]
    Compressed,
    #[error("{0}")]
    Protocol(String),
}

impl Cause {
    /// What it means.
    pub(super) fn kind(&self) -> Kind {
        match self {
            Self::Auth { error, .. } => error.kind(),
            Self::Status(unexpected) => unexpected.kind(),
            Self::Paused(_) => Kind::RateLimited,
            Self::Settings(_) | Self::Unreachable { .. } | Self::NoAnswer { .. } => {
                Kind::Unreachable
            }
            Self::Tls { .. } | Self::Plain { .. } => Kind::Tls,
            Self::Interrupted { .. } | Self::Body(_) | Self::Lapsed(_) => Kind::Interrupted,
            Self::OutOfBounds(_) => Kind::OutOfBounds,
            Self::UnsafeUrl(UnsafeUrl::Unreadable(_)) => Kind::Protocol,
            Self::UnsafeUrl(_) => Kind::Refused,
            Self::Manifest(ManifestError::DigestMismatch { .. })
            | Self::Digest { .. }
            | Self::Length { .. }
            | Self::TooLong(_) => Kind::DigestMismatch,
            Self::UploadMode(_) => Kind::Rejected,
            Self::LateChallenge => Kind::AuthenticationFailed,
            Self::Manifest(_)
            | Self::Range(_)
            | Self::TooLarge(_)
            | Self::Compressed
            | Self::Protocol(_) => Kind::Protocol,
        }
    }

    /// Whether the operation may succeed when it is started anew.
    pub(super) fn is_transient(&self) -> bool {
        match self {
            Self::Auth { error, .. } => error.is_transient(),
            Self::Status(unexpected) => unexpected.is_transient(),
            Self::Paused(_)
            | Self::Unreachable { .. }
            | Self::NoAnswer { .. }
            | Self::Interrupted { .. }
            | Self::Range(_)
            | Self::UploadMode(_)
            | Self::LateChallenge
            | Self::Body(_) => true,
            Self::Settings(_)
            | Self::Tls { .. }
            | Self::Plain { .. }
            | Self::UnsafeUrl(_)
            | Self::OutOfBounds(_)
            | Self::Lapsed(_)
            | Self::Manifest(_)
            | Self::Digest { .. }
            | Self::Length { .. }
            | Self::TooLong(_)
            | Self::TooLarge(_)
            | Self::Compressed
            | Self::Protocol(_) => false,
        }
    }

    /// Whether the very same request is worth another try right away.
    pub(super) fn is_worth_repeating(&self) -> bool {
        matches!(
            self,
            Self::Unreachable { .. } | Self::NoAnswer { .. } | Self::Interrupted { .. }
        ) || self
            .answer()
            .is_some_and(|answer| retry::is_transient(answer.status))
    }

    /// When the registry may be asked again.
    pub(super) fn retry_at(&self) -> Option<Timestamp> {
        if let Self::Paused(until) = self {
            return Some(*until);
        }
        if let Self::Auth { retry_at, .. } = self {
            return *retry_at;
        }
        self.answer()?.retry_at
    }

    /// The error code that the registry gave.
    pub(super) fn code(&self) -> Option<&str> {
        self.answer()?.code.as_ref().map(Code::as_str)
    }

    fn answer(&self) -> Option<&Unexpected> {
        if let Self::Status(answer) = self {
            return Some(answer);
        }
        None
    }
}

impl From<auth::Error> for Cause {
    fn from(error: auth::Error) -> Self {
        let retry_at = error.retry_after().map(retry::time_after);
        Self::Auth { error, retry_at }
    }
}

macro_rules! cause_from {
    ($($variant:ident($source:ty)),*) => {$(
        impl From<$source> for Cause {
            fn from(source: $source) -> Self {
                Self::$variant(source)
            }
        }
    )*};
}

cause_from!(
    Lapsed(Lapsed),
    Manifest(ManifestError),
    OutOfBounds(OutOfBounds),
    Range(WrongRange),
    UnsafeUrl(UnsafeUrl)
);
