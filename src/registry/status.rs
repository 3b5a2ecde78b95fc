//! What a status and an error code mean. The status decides: bodies of errors come in any form.

use std::fmt;

use jiff::Timestamp;
use reqwest::StatusCode;
use serde::Deserialize;

use super::class::Class;
use super::error::Kind;
use super::retry;

/// The longest error code that is shown.
const CODE_LENGTH: usize = 40;

/// An answer with a status that is not the hoped-for one.
#[derive(Debug)]
pub(super) struct Unexpected {
    pub(super) status: StatusCode,
    pub(super) code: Option<Code>,
    pub(super) class: Class,
    /// When the registry may be asked again.
    pub(super) retry_at: Option<Timestamp>,
}

/// An error code of the distribution specification: upper-case letters and underscores.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Code(String);

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

// === impl Unexpected ===

impl Unexpected {
    fn has_code(&self, wanted: &str) -> bool {
        self.code.as_ref().is_some_and(|Code(code)| code == wanted)
    }

    /// The status decides; a code only where registries agree to use it with several.
    pub(super) fn kind(&self) -> Kind {
        match self.status.as_u16() {
            _ if self.has_code("TOOMANYREQUESTS") => Kind::RateLimited,
            _ if self.has_code("QUOTA_EXCEEDED") => Kind::QuotaExceeded,
            401 => Kind::AuthenticationFailed,
            403 => Kind::AccessDenied,
            404 | 416 if self.is_lost_upload() => Kind::Interrupted,
            404 if self.lacks_content() => Kind::Rejected,
            404 => Kind::NotFound,
            429 => Kind::RateLimited,
            507 => Kind::QuotaExceeded,
            408 | 425 | 500..=599 => Kind::Unreachable,
            400..=499 if self.class.is_write() => Kind::Rejected,
            _ => Kind::Protocol,
        }
    }

    /// Whether it may pass.
    pub(super) fn is_transient(&self) -> bool {
        retry::is_transient(self.status)
            || self.kind() == Kind::RateLimited
            || self.is_lost_upload()
    }

    /// Whether the registry has forgotten the upload, which is no fault of the blob.
    fn is_lost_upload(&self) -> bool {
        self.class == Class::Upload
            && matches!(self.status.as_u16(), 404 | 416)
            && !self.has_code("NAME_UNKNOWN")
    }

    /// Whether the registry misses what a manifest names: it takes none before its content.
    fn lacks_content(&self) -> bool {
        let unknown = ["MANIFEST_UNKNOWN", "MANIFEST_BLOB_UNKNOWN", "BLOB_UNKNOWN"];
        self.class == Class::ManifestWrite && unknown.iter().any(|code| self.has_code(code))
    }

    /// What it means, in words.
    fn meaning(&self) -> &'static str {
        match self.kind() {
            Kind::AuthenticationFailed => {
                "the credential is not accepted for this, or the repository does not exist"
            }
            Kind::AccessDenied => {
                "the credential may not do this: give it the right, or use another one"
            }
            Kind::NotFound => {
                "there is no such thing at the registry, or the credential may not see it"
            }
            Kind::RepositoryMissing => {
                "the repository does not exist, and the registry does not make it by itself: create it"
            }
            Kind::TagImmutable => "the registry lets no tag of that name be overwritten",
            Kind::RateLimited => "too many requests for the registry",
            Kind::QuotaExceeded => "the registry has no room left: free some or raise the quota",
            Kind::Unreachable => "the registry is in trouble: its log says more",
            Kind::Interrupted => {
                "the registry has forgotten the upload: if it runs several times, all must share storage and secret"
            }
            Kind::Rejected => "the registry does not accept it: its log says why",
            Kind::Tls
            | Kind::DigestMismatch
            | Kind::Refused
            | Kind::OutOfBounds
            | Kind::Protocol => "an answer that makes no sense here",
        }
    }
}

impl fmt::Display for Unexpected {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.status.as_u16())?;
        if let Some(reason) = self.status.canonical_reason() {
            write!(formatter, " {reason}")?;
        }
        if let Some(code) = &self.code {
            write!(formatter, " ({})", code.as_str())?;
        }
        write!(formatter, ": {}", self.meaning())?;
        match self.retry_at {
            Some(until) => write!(formatter, ", it may be asked again at {until:.0}"),
            None => Ok(()),
        }
    }
}

// === impl Code ===

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

#[cfg(test)]
mod tests {
    use super::super::cause::Cause;
    use super::super::error::{Action, Error};
    use super::*;
    use crate::oci::{Registry, TagOrDigest};

    fn answer(status: u16, code: &str, class: Class) -> Unexpected {
        Unexpected {
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
            (
                404,
                "MANIFEST_UNKNOWN",
                ManifestWrite,
                Kind::Rejected,
                false,
            ),
            (404, "NAME_UNKNOWN", ManifestWrite, Kind::NotFound, false),
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
                true,
            ),
            (500, "UNKNOWN", ManifestWrite, Kind::Unreachable, true),
            (507, "", Upload, Kind::QuotaExceeded, false),
            (204, "", ManifestRead, Kind::Protocol, false),
        ];
        for (status, code, class, kind, transient) in cases {
            let answer = answer(status, code, class);
            let found = (answer.kind(), answer.is_transient());
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
                r#"{"errors":[{"code":"NAME_UNKNOWN"},{"code":"DENIED"}]}"#,
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
        let mut answer = answer(429, "TOOMANYREQUESTS", Class::ManifestRead);
        answer.retry_at = Some("2026-11-20T10:00:00.5Z".parse().unwrap());
        let error = Error::new(&operation, Cause::Status(answer));
        insta::assert_snapshot!(error, @"cannot fetch the manifest docker.io/library/alpine:3: 429 Too Many Requests (TOOMANYREQUESTS): too many requests for the registry, it may be asked again at 2026-11-20T10:00:00Z");
    }
}
