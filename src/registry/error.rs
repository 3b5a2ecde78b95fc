//! What goes wrong between us and a registry.
//!
//! Messages are made of our own words, hosts, names, status and the specification's error code:
//! never of a query, which may be a signature, nor of a body, which may be anything.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use reqwest::StatusCode;
use serde::Deserialize;

use super::auth;
use super::class::Class;
use super::origin::UnsafeUrl;
use super::range::WrongRange;
use super::retry;
use crate::oci::manifest::ManifestError;
use crate::oci::{Digest, Registry, Repository, TagOrDigest};

/// The longest error code that is shown.
const CODE_LENGTH: usize = 40;

/// Why an operation failed: what was to be done, and what went wrong with it, in one line.
#[derive(Clone, Debug, thiserror::Error)]
#[error("cannot {operation}: {cause}")]
pub struct Error {
    operation: Arc<str>,
    cause: Arc<Cause>,
}

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
    /// The registry does not accept what was written, or how.
    Rejected,
    /// The answer makes no sense.
    Protocol,
    /// A body broke off.
    Interrupted,
}

/// What went wrong.
#[derive(Debug, thiserror::Error)]
pub(super) enum Cause {
    #[error("the settings for the registry are wrong: {0}")]
    Settings(String),
    #[error("{0}")]
    Auth(auth::Error),
    #[error("{0}")]
    Status(Answered),
    #[error("the registry asked to be left alone until {0:.0}")]
    Paused(Timestamp),
    #[error("{host} cannot be reached: {detail}")]
    Unreachable { host: String, detail: String },
    #[error("no trusted connection to {host}: {detail}")]
    Tls { host: String, detail: String },
    #[error("{host} did not answer in time")]
    NoAnswer { host: String },
    #[error("the connection to {host} broke off: {detail}")]
    Interrupted { host: String, detail: String },
    #[error("{0}")]
    UnsafeUrl(UnsafeUrl),
    #[error("{0}")]
    Manifest(ManifestError),
    #[error("the registry announces {announced}, the content has the digest {found}")]
    Digest { announced: Digest, found: Digest },
    #[error("the registry has {found} bytes, expected {expected}")]
    Length { found: u64, expected: u64 },
    #[error("{0}")]
    Range(WrongRange),
    #[error("the registry does not take a blob in this way ({0}); the next try uses another one")]
    UploadMode(StatusCode),
    #[error("the token expired while the blob was sent")]
    TokenExpired,
    #[error("the source of the blob failed: {0}")]
    Body(String),
    #[error("the answer is larger than {0} bytes")]
    TooLarge(usize),
    #[error("the answer is compressed although that was declined")]
    Compressed,
    #[error("{0}")]
    Protocol(String),
}

/// A status that is not the hoped-for one.
#[derive(Debug)]
pub(super) struct Answered {
    pub(super) status: StatusCode,
    pub(super) code: Option<Code>,
    pub(super) class: Class,
    /// When the registry may be asked again.
    pub(super) retry_at: Option<Timestamp>,
}

/// An error code of the distribution specification: upper-case letters and underscores.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Code(String);

/// What is to be done, for the message.
#[derive(Clone, Copy, Debug)]
pub(super) enum Action {
    Connect,
    ListRepositories,
    ListTags,
    Resolve,
    FetchManifest,
    PutManifest,
    FetchBlob,
    FindBlob,
    StartUpload,
    Upload,
    ListReferrers,
}

// === impl Error ===

impl Error {
    pub(super) fn new(operation: &str, cause: Cause) -> Self {
        Self {
            operation: operation.into(),
            cause: Arc::new(cause),
        }
    }

    /// What the error means.
    pub fn kind(&self) -> Kind {
        self.cause.kind()
    }

    /// When the registry may be asked again, where it wants to be left alone.
    pub fn retry_at(&self) -> Option<Timestamp> {
        match &*self.cause {
            Cause::Paused(until) => Some(*until),
            Cause::Status(answered) => answered.retry_at,
            _ => None,
        }
    }

    /// Whether the same operation may well succeed when it is started anew: later, where
    /// [`retry_at`](Self::retry_at) says so, else at once.
    pub fn is_transient(&self) -> bool {
        self.cause.is_transient()
    }

    /// The error code that the registry gave, such as `MANIFEST_BLOB_UNKNOWN`.
    pub fn code(&self) -> Option<&str> {
        match &*self.cause {
            Cause::Status(Answered { code, .. }) => code.as_ref().map(Code::as_str),
            _ => None,
        }
    }
}

// === impl Cause ===

impl Cause {
    /// What it means.
    pub(super) fn kind(&self) -> Kind {
        match self {
            Self::Auth(error) => error.kind(),
            Self::Status(answered) => answered.kind(),
            Self::Paused(_) => Kind::RateLimited,
            Self::Settings(_) | Self::Unreachable { .. } | Self::NoAnswer { .. } => {
                Kind::Unreachable
            }
            Self::Tls { .. } => Kind::Tls,
            Self::Interrupted { .. } | Self::Body(_) => Kind::Interrupted,
            Self::UnsafeUrl(UnsafeUrl::Unreadable(_)) => Kind::Protocol,
            Self::UnsafeUrl(_) => Kind::Refused,
            Self::Manifest(ManifestError::DigestMismatch { .. })
            | Self::Digest { .. }
            | Self::Length { .. } => Kind::DigestMismatch,
            Self::UploadMode(_) => Kind::Rejected,
            Self::TokenExpired => Kind::AuthenticationFailed,
            Self::Manifest(_)
            | Self::Range(_)
            | Self::TooLarge(_)
            | Self::Compressed
            | Self::Protocol(_) => Kind::Protocol,
        }
    }

    fn is_transient(&self) -> bool {
        match self {
            Self::Auth(error) => error.is_transient(),
            Self::Status(answered) => answered.is_transient(),
            Self::Paused(_)
            | Self::Unreachable { .. }
            | Self::NoAnswer { .. }
            | Self::Interrupted { .. }
            | Self::Range(_)
            | Self::UploadMode(_)
            | Self::TokenExpired
            | Self::Body(_) => true,
            Self::Settings(_)
            | Self::Tls { .. }
            | Self::UnsafeUrl(_)
            | Self::Manifest(_)
            | Self::Digest { .. }
            | Self::Length { .. }
            | Self::TooLarge(_)
            | Self::Compressed
            | Self::Protocol(_) => false,
        }
    }

    /// Whether the very same request is worth another try right away.
    pub(super) fn is_worth_repeating(&self) -> bool {
        match self {
            Self::Status(Answered { status, .. }) => retry::is_transient(*status),
            Self::Unreachable { .. } | Self::NoAnswer { .. } | Self::Interrupted { .. } => true,
            _ => false,
        }
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
    Auth(auth::Error),
    Manifest(ManifestError),
    Range(WrongRange),
    UnsafeUrl(UnsafeUrl)
);

// === impl Answered ===

impl Answered {
    fn has_code(&self, wanted: &str) -> bool {
        self.code.as_ref().is_some_and(|Code(code)| code == wanted)
    }

    /// The status decides; a code only where registries agree to use it with several.
    fn kind(&self) -> Kind {
        match self.status.as_u16() {
            _ if self.has_code("TOOMANYREQUESTS") => Kind::RateLimited,
            _ if self.has_code("QUOTA_EXCEEDED") => Kind::QuotaExceeded,
            401 => Kind::AuthenticationFailed,
            403 => Kind::AccessDenied,
            404 | 416 if self.is_lost_upload() => Kind::Interrupted,
            404 => Kind::NotFound,
            429 => Kind::RateLimited,
            507 => Kind::QuotaExceeded,
            408 | 425 | 500..=599 => Kind::Unreachable,
            400..=499 if self.class.is_write() => Kind::Rejected,
            _ => Kind::Protocol,
        }
    }

    fn is_transient(&self) -> bool {
        retry::is_transient(self.status) || self.is_lost_upload()
    }

    /// Whether the registry has forgotten the upload, which is no fault of the blob.
    fn is_lost_upload(&self) -> bool {
        self.class == Class::Upload
            && matches!(self.status.as_u16(), 404 | 416)
            && !self.has_code("NAME_UNKNOWN")
    }

    /// What to do about it.
    fn advice(&self) -> &'static str {
        match self.kind() {
            Kind::AuthenticationFailed => {
                "the credential is not accepted for this, or the repository does not exist"
            }
            Kind::AccessDenied => "the credential may not do this",
            Kind::NotFound => {
                "there is no such thing at the registry, or the credential may not see it"
            }
            Kind::RateLimited => "too many requests for the registry",
            Kind::QuotaExceeded => "the registry has no room left: free some or raise the quota",
            Kind::Unreachable => "the registry is in trouble",
            Kind::Interrupted => "the registry has forgotten the upload",
            Kind::Rejected => "the registry does not accept it",
            Kind::Tls | Kind::DigestMismatch | Kind::Refused | Kind::Protocol => {
                "an answer that makes no sense here"
            }
        }
    }
}

impl fmt::Display for Answered {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.status.as_u16())?;
        if let Some(reason) = self.status.canonical_reason() {
            write!(formatter, " {reason}")?;
        }
        if let Some(code) = &self.code {
            write!(formatter, " ({})", code.as_str())?;
        }
        write!(formatter, ": {}", self.advice())?;
        match self.retry_at {
            Some(until) => write!(formatter, ", it may be asked again at {until:.0}"),
            None => Ok(()),
        }
    }
}

// === impl Code ===

#[derive(Deserialize)]
struct Body {
    #[serde(default)]
    errors: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    #[serde(default)]
    code: Option<String>,
}

impl Code {
    /// The first code in the body of an answer, where the body is of the specification's form.
    pub(super) fn parse(body: &[u8]) -> Option<Self> {
        let Body { errors } = serde_json::from_slice(body).ok()?;
        let code = errors.into_iter().next()?.code?;
        let is_code = (1..=CODE_LENGTH).contains(&code.len())
            && code
                .bytes()
                .all(|byte| byte.is_ascii_uppercase() || byte == b'_');
        is_code.then_some(Self(code))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

// === impl Action ===

impl Action {
    /// The action with what it is done to, as it stands behind "cannot".
    pub(super) fn at(
        self,
        registry: &Registry,
        repository: Option<&Repository>,
        target: Option<&TagOrDigest>,
    ) -> String {
        let words = match self {
            Self::Connect => "speak to",
            Self::ListRepositories => "list the repositories of",
            Self::ListTags => "list the tags of",
            Self::Resolve => "look up",
            Self::FetchManifest => "fetch the manifest",
            Self::PutManifest => "store the manifest",
            Self::FetchBlob => "fetch the blob",
            Self::FindBlob => "look for the blob",
            Self::StartUpload => "announce the blob",
            Self::Upload => "upload the blob",
            Self::ListReferrers => "list what refers to",
        };
        let mut text = format!("{words} {registry}");
        if let Some(repository) = repository {
            text.push('/');
            text.push_str(repository.as_str());
        }
        match target {
            Some(TagOrDigest::Tag(tag)) => format!("{text}:{tag}"),
            Some(TagOrDigest::Digest(digest)) => format!("{text}@{digest}"),
            None => text,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(status: u16, code: &str, class: Class) -> Answered {
        Answered {
            status: StatusCode::from_u16(status).unwrap(),
            code: Code::parse(format!(r#"{{"errors":[{{"code":"{code}"}}]}}"#).as_bytes()),
            class,
            retry_at: None,
        }
    }

    #[test]
    fn the_status_decides_what_an_answer_means() {
        use Class::{Lookup, ManifestRead, ManifestWrite, Upload, UploadStart};
        let cases = [
            (
                401,
                "UNAUTHORIZED",
                Lookup,
                Kind::AuthenticationFailed,
                false,
            ),
            (403, "DENIED", ManifestRead, Kind::AccessDenied, false),
            (403, "QUOTA_EXCEEDED", Upload, Kind::QuotaExceeded, false),
            (404, "MANIFEST_UNKNOWN", ManifestRead, Kind::NotFound, false),
            (404, "NAME_UNKNOWN", UploadStart, Kind::NotFound, false),
            (404, "NAME_UNKNOWN", Upload, Kind::NotFound, false),
            (404, "BLOB_UPLOAD_UNKNOWN", Upload, Kind::Interrupted, true),
            (416, "RANGE_INVALID", Upload, Kind::Interrupted, true),
            (
                400,
                "MANIFEST_BLOB_UNKNOWN",
                ManifestWrite,
                Kind::Rejected,
                false,
            ),
            (412, "", ManifestWrite, Kind::Rejected, false),
            (405, "UNSUPPORTED", Lookup, Kind::Protocol, false),
            (429, "", ManifestRead, Kind::RateLimited, true),
            (
                400,
                "TOOMANYREQUESTS",
                ManifestRead,
                Kind::RateLimited,
                false,
            ),
            (500, "UNKNOWN", ManifestWrite, Kind::Unreachable, true),
            (507, "", Upload, Kind::QuotaExceeded, false),
            (204, "", ManifestRead, Kind::Protocol, false),
        ];
        for (status, code, class, kind, transient) in cases {
            let answered = answered(status, code, class);
            let found = (answered.kind(), answered.is_transient());
            assert_eq!(found, (kind, transient), "{status} {code} {class:?}");
        }
    }

    #[test]
    fn only_codes_in_the_form_of_the_specification_are_shown() {
        let long = format!(r#"{{"errors":[{{"code":"{}"}}]}}"#, "A".repeat(41));
        let cases = [
            (
                r#"{"errors":[{"code":"DENIED","detail":[1,{"a":null}]}]}"#,
                Some("DENIED"),
            ),
            (
                r#"{"errors":[{"code":"NAME_UNKNOWN"},{"code":"DENIED"}],"x":1}"#,
                Some("NAME_UNKNOWN"),
            ),
            (r#"{"errors":[{"code":"denied"}]}"#, None),
            (r#"{"errors":[{"code":"DENIED\u001b[31m"}]}"#, None),
            (r#"{"errors":[{"code":7}]}"#, None),
            (r#"{"errors":[{"message":"x"}]}"#, None),
            (r#"{"errors":[]}"#, None),
            (r#"{"message":"no"}"#, None),
            ("<html>429</html>", None),
            ("", None),
            (&long, None),
        ];
        for (body, expected) in cases {
            let code = Code::parse(body.as_bytes());
            assert_eq!(code.as_ref().map(Code::as_str), expected, "{body}");
        }
    }

    #[test]
    fn messages_say_what_was_done_what_came_and_what_it_means() {
        let operation = Action::FetchManifest.at(
            &Registry::docker_hub(),
            Some(&"library/alpine".parse().unwrap()),
            Some(&TagOrDigest::Tag("3".parse().unwrap())),
        );
        let mut answered = answered(429, "TOOMANYREQUESTS", Class::ManifestRead);
        answered.retry_at = Some("2026-11-20T10:00:00.5Z".parse().unwrap());
        let error = Error::new(&operation, Cause::Status(answered));
        insta::assert_snapshot!(error, @"cannot fetch the manifest docker.io/library/alpine:3: 429 Too Many Requests (TOOMANYREQUESTS): too many requests for the registry, it may be asked again at 2026-11-20T10:00:00Z");
    }
}
