// SPDX-License-Identifier: Apache-2.0

//! What can go wrong between us and a registry.

use std::sync::Arc;

use jiff::Timestamp;
use reqwest::StatusCode;

use super::auth::{self, IssueError, IssueFault};
use super::boundaries::OutOfBounds;
use super::error_body::Code;
use super::guard::Lapsed;
use super::hint::{Hint, declare, retract};
use super::http::ProxyFault;
use super::kind::{Kind, Side};
use super::origin::UnsafeUrl;
use super::range::WrongRange;
use super::retry::{self, Trouble};
use super::said::Said;
use super::status::Unexpected;
use crate::oci::manifest::ManifestError;
use crate::oci::{Digest, limits};
use crate::runtime::memory;

/// What went wrong.
#[derive(Debug, thiserror::Error)]
pub(super) enum Cause {
    #[error("the settings for the registry are wrong: {0}")]
    Settings(String),
    #[error("{error}{}", words(.said.as_ref()))]
    Auth {
        error: Box<auth::Error>,
        /// The words of the registry with its last challenge.
        said: Option<Said>,
        /// When the token server may be asked again.
        retry_at: Option<Timestamp>,
    },
    /// Of an API of the registry's own, told by who speaks it for us.
    #[error("{0}")]
    Own(IssueError),
    #[error("{0}")]
    Status(Box<Unexpected>),
    /// A manifest was refused because the registry does not have what it names.
    #[error("{answer}")]
    Incomplete {
        answer: Box<Unexpected>,
        /// What it does not have, as far as it said so.
        missing: Vec<Digest>,
    },
    #[error("the registry asked to be left alone until {0:.0}")]
    Paused(Timestamp),
    /// It was found out by others that there is no answer.
    #[error(
        "{host} did not answer lately{}{}, and is left alone for a while",
        about(.repository.as_deref()),
        because(.why.as_deref())
    )]
    Silent {
        host: String,
        /// Where it answers for others.
        repository: Option<String>,
        /// What came of the first request since it answered last.
        why: Option<Arc<str>>,
        until: Timestamp,
    },
    /// What went wrong last, with something that is not worth another try before a time.
    #[error("{cause}")]
    PutOff { cause: Box<Self>, until: Timestamp },
    #[error("{host} cannot be reached: {detail}{hint}")]
    Unreachable {
        host: String,
        detail: String,
        hint: Hint,
    },
    #[error("no trusted connection to {host}: {detail}")]
    Tls {
        host: String,
        detail: String,
        /// Whether nothing is wrong with its certificate but that nobody is trusted who vouches for it.
        is_stranger: bool,
    },
    #[error(
        "{host} speaks plain HTTP, and is called with HTTPS: if that is how it should be, {}",
        declare(*.side)
    )]
    Plain { host: String, side: Option<Side> },
    #[error("{host} speaks HTTPS, and is called with plain HTTP: {}", retract(*.side))]
    Encrypted { host: String, side: Option<Side> },
    #[error(
        "{host} does not answer in HTTP: if it speaks HTTPS, {}",
        retract(*.side)
    )]
    NotHttp { host: String, side: Option<Side> },
    #[error(
        "{host} answers with a web page where a registry has something else to say: \
         check host and path, and whether a proxy or login page answers in place of the registry"
    )]
    WebPage { host: String },
    #[error("{0}")]
    Proxy(ProxyFault),
    #[error("{host} did not answer in time")]
    NoAnswer { host: String },
    #[error(
        "{host} took all of it and did not say within {} minutes whether it is stored",
        limits::COMMIT_TIMEOUT.as_secs() / 60
    )]
    Unconfirmed { host: String },
    #[error("the connection to {host} broke off: {detail}{hint}")]
    Interrupted {
        host: String,
        detail: String,
        hint: Hint,
    },
    #[error("the answer of {host} comes too slowly")]
    TooSlow { host: String },
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
    #[error("{}: the next try sends it in another way", whole_blob(*.0))]
    UploadMode(StatusCode),
    #[error(
        "the registry asks for authorization when the blob is on its way already, although it was sent: \
         its tokens may end before such an upload does, let them live longer there"
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
    /// There is no room for what it sends.
    #[error("{0}")]
    Full(#[from] memory::Full),
}

impl Cause {
    /// What it means.
    pub(super) fn kind(&self) -> Kind {
        match self {
            Self::Auth { error, .. } => error.kind(),
            Self::Own(error) => error.fault.kind(),
            Self::Status(answer) | Self::Incomplete { answer, .. } => answer.kind(),
            Self::Paused(_) => Kind::RateLimited,
            Self::PutOff { cause, .. } => cause.kind(),
            Self::Settings(_)
            | Self::Unreachable { .. }
            | Self::NoAnswer { .. }
            | Self::Silent { .. }
            | Self::Unconfirmed { .. }
            | Self::Proxy(_) => Kind::Unreachable,
            Self::Tls { .. }
            | Self::Plain { .. }
            | Self::Encrypted { .. }
            | Self::NotHttp { .. } => Kind::Tls,
            Self::Interrupted { .. } | Self::TooSlow { .. } | Self::Body(_) | Self::Lapsed(_) => {
                Kind::Interrupted
            }
            Self::OutOfBounds(_) => Kind::OutOfBounds,
            Self::UnsafeUrl(UnsafeUrl::Unreadable(_) | UnsafeUrl::TooLong { .. }) => Kind::Protocol,
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
            | Self::WebPage { .. }
            | Self::Protocol(_) => Kind::Protocol,
            Self::Full(_) => Kind::Full,
        }
    }

    /// Whether the operation may succeed when it is started anew.
    pub(super) fn is_transient(&self) -> bool {
        match self {
            Self::Auth { error, .. } => error.is_transient(),
            Self::Own(error) => error.fault.is_transient(),
            Self::Status(answer) => answer.is_transient(),
            Self::Proxy(fault) => fault.is_transient(),
            Self::PutOff { cause, .. } => cause.is_transient(),
            Self::Paused(_)
            | Self::Silent { .. }
            | Self::Unreachable { .. }
            | Self::NoAnswer { .. }
            | Self::Interrupted { .. }
            | Self::TooSlow { .. }
            | Self::Range(_)
            | Self::UploadMode(_)
            | Self::LateChallenge
            | Self::Body(_) => true,
            Self::Settings(_)
            | Self::Incomplete { .. }
            // Whoever waited so long does not wait so long again at once.
            | Self::Unconfirmed { .. }
            | Self::Tls { .. }
            | Self::Plain { .. }
            | Self::Encrypted { .. }
            | Self::NotHttp { .. }
            | Self::WebPage { .. }
            | Self::UnsafeUrl(_)
            | Self::OutOfBounds(_)
            | Self::Lapsed(_)
            | Self::Manifest(_)
            | Self::Digest { .. }
            | Self::Length { .. }
            | Self::TooLong(_)
            | Self::TooLarge(_)
            | Self::Compressed
            | Self::Full(_)
            | Self::Protocol(_) => false,
        }
    }

    /// Whether the registry wants to know who asks and does not say how to tell.
    pub(super) fn is_without_challenge(&self) -> bool {
        let Self::Auth { error, .. } = self else {
            return false;
        };
        matches!(**error, auth::Error::BadChallenge { .. })
    }

    /// Whether nothing was asked, because of what others met.
    pub(super) fn is_consequence(&self) -> bool {
        matches!(self, Self::Paused(_) | Self::Silent { .. })
    }

    /// Whether nobody answered.
    pub(super) fn is_silence(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::NoAnswer { .. })
            || matches!(self, Self::Proxy(fault) if fault.is_transient())
    }

    /// What happened, for whoever knows already which host it is.
    pub(super) fn detail(&self) -> String {
        if let Self::Unreachable { detail, hint, .. } = self {
            return format!("{detail}{hint}");
        }
        if matches!(self, Self::NoAnswer { .. }) {
            return "no answer in time".to_owned();
        }
        self.to_string()
    }

    /// Whether the very same request is worth another try right away.
    pub(super) fn is_worth_repeating(&self) -> bool {
        self.trouble().is_some()
    }

    /// What kind of trouble it is, where the very same request is worth another try.
    pub(super) fn trouble(&self) -> Option<Trouble> {
        if matches!(self, Self::TooSlow { .. }) {
            return Some(Trouble::Slow);
        }
        if matches!(self, Self::Interrupted { .. }) {
            return Some(Trouble::Broken);
        }
        if self.is_silence() {
            return Some(Trouble::Unanswered);
        }
        if let Self::Auth { error, .. } = self {
            return (error.kind() == Kind::RateLimited).then_some(Trouble::Refused);
        }
        if let Self::Own(error) = self {
            return match error.fault {
                IssueFault::RateLimited => Some(Trouble::Refused),
                IssueFault::Unreachable => Some(Trouble::Unanswered),
                IssueFault::Identity
                | IssueFault::Forbidden
                | IssueFault::Answer
                | IssueFault::Rejected
                | IssueFault::NoRepository => None,
            };
        }
        let Self::Status(answer) = self else {
            return None;
        };
        let trouble = match retry::is_refusal(answer.status) {
            false => Trouble::Broken,
            // The limits of what the registry leads to are not known here.
            true if answer.storage.is_some() => Trouble::Unanswered,
            true => Trouble::Refused,
        };
        answer.is_passing_status().then_some(trouble)
    }

    /// The same, said of the registry of one side.
    pub(super) fn on(mut self, whose: Option<Side>) -> Self {
        if let Self::PutOff { cause, until } = self {
            return cause.on(whose).put_off(until);
        }
        if let Self::Status(answer) | Self::Incomplete { answer, .. } = &mut self {
            answer.side = whose;
        }
        if let Self::Plain { side, .. }
        | Self::Encrypted { side, .. }
        | Self::NotHttp { side, .. } = &mut self
        {
            *side = whose;
        }
        if let Self::Unreachable { hint, .. } | Self::Interrupted { hint, .. } = &mut self {
            *hint = hint.on(whose);
        }
        self
    }

    /// What an API of the registry's own needs, and is not there.
    pub(super) fn needs(what: &str) -> Self {
        Self::Own(IssueError {
            fault: IssueFault::Forbidden,
            message: what.to_owned(),
        })
    }

    /// An authorization that could not be had, and the words of the registry that asked for one.
    pub(super) fn refused(error: auth::Error, said: Option<Said>) -> Self {
        let retry_at = error.retry_after().map(retry::time_after);
        Self::Auth {
            error: Box::new(error),
            said,
            retry_at,
        }
    }

    /// When the registry may be asked again.
    pub(super) fn retry_at(&self) -> Option<Timestamp> {
        if let Self::Paused(until) | Self::Silent { until, .. } | Self::PutOff { until, .. } = self
        {
            return Some(*until);
        }
        if let Self::Auth { retry_at, .. } = self {
            return *retry_at;
        }
        self.answer()?.retry_at
    }

    /// The same, with something that is not worth another try before a time.
    pub(super) fn put_off(mut self, until: Timestamp) -> Self {
        if let Self::Status(answer) = &mut self {
            answer.retry_at = Some(until);
            return self;
        }
        let cause = Box::new(self);
        Self::PutOff { cause, until }
    }

    /// Whether it speaks plain HTTP, and was called with HTTPS.
    pub(super) fn is_plain(&self) -> bool {
        matches!(self, Self::Plain { .. })
    }

    /// Whether nobody is trusted who vouches for its certificate.
    pub(super) fn is_stranger(&self) -> bool {
        matches!(
            self,
            Self::Tls {
                is_stranger: true,
                ..
            }
        )
    }

    /// The error code that the registry gave.
    pub(super) fn code(&self) -> Option<&str> {
        self.answer()?.code.as_ref().map(Code::as_str)
    }

    /// The status that the registry answered with.
    pub(super) fn status(&self) -> Option<StatusCode> {
        Some(self.answer()?.status)
    }

    /// Whether the registry may have done what it was asked for.
    pub(super) fn leaves_open(&self) -> bool {
        if let Self::PutOff { cause, .. } = self {
            return cause.leaves_open();
        }
        matches!(self, Self::Unconfirmed { .. })
            || self.is_worth_repeating()
            || self.answer().is_some_and(Unexpected::is_lost_upload)
    }

    /// What the registry does not have of what a manifest names, where it refused it for that; nothing
    /// of it is named where the registry does not name it.
    pub(super) fn missing(&self) -> Option<&[Digest]> {
        if let Self::Incomplete { missing, .. } = self {
            return Some(missing);
        }
        None
    }

    fn answer(&self) -> Option<&Unexpected> {
        if let Self::PutOff { cause, .. } = self {
            return cause.answer();
        }
        if let Self::Incomplete { answer, .. } = self {
            return Some(answer);
        }
        if let Self::Status(answer) = self {
            return Some(answer.as_ref());
        }
        None
    }
}

impl From<auth::Error> for Cause {
    fn from(error: auth::Error) -> Self {
        Self::refused(error, None)
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
    Proxy(ProxyFault),
    Range(WrongRange),
    UnsafeUrl(UnsafeUrl)
);

fn words(said: Option<&Said>) -> String {
    said.map(|said| format!("; it says \"{said}\""))
        .unwrap_or_default()
}

/// What was not answered, where it was not all.
fn about(repository: Option<&str>) -> String {
    repository
        .map(|repository| format!(" about {repository}"))
        .unwrap_or_default()
}

/// Why nothing was answered, where that is known.
fn because(why: Option<&str>) -> String {
    why.map(|why| format!(" ({why})")).unwrap_or_default()
}

/// What a registry says with this status to a blob that comes in one request.
fn whole_blob(status: StatusCode) -> String {
    let what = match status.as_u16() {
        413 => {
            "the registry, or a proxy in front of it, takes no request that is as large as the blob"
        }
        200..=299 => "the registry took only a part of the blob",
        300..=399 => "the registry moves an upload that is under way, and a blob is read once",
        _ => "the registry takes no blob in one request of this kind",
    };
    format!("{what} ({status})")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_status_says_of_a_blob_in_one_request() {
        let cases = [
            (
                413,
                "the registry, or a proxy in front of it, takes no request that is as large as the blob (413 Payload Too Large)",
            ),
            (
                202,
                "the registry took only a part of the blob (202 Accepted)",
            ),
            (
                308,
                "the registry moves an upload that is under way, and a blob is read once (308 Permanent Redirect)",
            ),
            (
                405,
                "the registry takes no blob in one request of this kind (405 Method Not Allowed)",
            ),
            (
                400,
                "the registry takes no blob in one request of this kind (400 Bad Request)",
            ),
        ];
        for (status, expected) in cases {
            let cause = Cause::UploadMode(StatusCode::from_u16(status).unwrap());
            let expected = format!("{expected}: the next try sends it in another way");
            assert_eq!(cause.to_string(), expected);
        }
    }
}
