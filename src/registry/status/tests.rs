// SPDX-License-Identifier: Apache-2.0

//! What answers mean for the one who asked, and how they read.

use super::super::cause::Cause;
use super::super::error::{Action, Error};
use super::super::error_body::ErrorBody;
use super::super::secrets::Secrets;
use super::*;
use crate::oci::{Registry, TagOrDigest};

fn answer(status: u16, code: &str, message: &str, class: Class) -> Unexpected {
    let body = serde_json::json!({"errors": [{"code": code, "message": message}]}).to_string();
    let ErrorBody { code, text } = ErrorBody::parse("application/json", body.as_bytes());
    Unexpected {
        status: StatusCode::from_u16(status).unwrap(),
        code,
        said: text.and_then(|text| Said::clean(&text, &Secrets::default())),
        class,
        side: None,
        storage: None,
        is_web_page: false,
        retry_at: None,
    }
}

#[test]
fn the_status_decides_what_an_answer_means() {
    use Class::{
        BlobRead, Lookup, ManifestDelete, ManifestRead, ManifestWrite, Upload, UploadStart,
    };
    let cases = [
        (
            401,
            "UNAUTHORIZED",
            Lookup,
            Kind::AuthenticationFailed,
            false,
        ),
        (402, "", BlobRead, Kind::AccessDenied, false),
        (403, "DENIED", ManifestRead, Kind::AccessDenied, false),
        (451, "", BlobRead, Kind::AccessDenied, false),
        (403, "QUOTA_EXCEEDED", Upload, Kind::QuotaExceeded, false),
        (404, "MANIFEST_UNKNOWN", ManifestRead, Kind::NotFound, false),
        (404, "NAME_UNKNOWN", ManifestRead, Kind::NotFound, false),
        (404, "NAME_UNKNOWN", ManifestDelete, Kind::NotFound, false),
        (
            404,
            "MANIFEST_UNKNOWN",
            ManifestWrite,
            Kind::Rejected,
            false,
        ),
        (
            404,
            "NAME_UNKNOWN",
            ManifestWrite,
            Kind::RepositoryMissing,
            false,
        ),
        (
            404,
            "NAME_UNKNOWN",
            UploadStart,
            Kind::RepositoryMissing,
            false,
        ),
        (404, "NAME_UNKNOWN", Upload, Kind::RepositoryMissing, false),
        (404, "BLOB_UPLOAD_UNKNOWN", Upload, Kind::Interrupted, true),
        (416, "RANGE_INVALID", Upload, Kind::Interrupted, true),
        (
            400,
            "MANIFEST_BLOB_UNKNOWN",
            ManifestWrite,
            Kind::Rejected,
            false,
        ),
        (412, "", ManifestWrite, Kind::TagImmutable, false),
        (412, "", ManifestDelete, Kind::Rejected, false),
        (400, "TAG_INVALID", ManifestWrite, Kind::TagImmutable, false),
        (400, "TAG_INVALID", Lookup, Kind::Protocol, false),
        (
            409,
            "TAG_IMMUTABLE",
            ManifestWrite,
            Kind::TagImmutable,
            false,
        ),
        (400, "NAME_INVALID", UploadStart, Kind::Rejected, false),
        (405, "UNSUPPORTED", Lookup, Kind::Protocol, false),
        (405, "UNSUPPORTED", UploadStart, Kind::Rejected, false),
        (413, "", ManifestWrite, Kind::Rejected, false),
        (429, "", ManifestRead, Kind::RateLimited, true),
        (
            400,
            "TOOMANYREQUESTS",
            ManifestRead,
            Kind::RateLimited,
            true,
        ),
        (500, "UNKNOWN", ManifestWrite, Kind::Unreachable, true),
        (503, "", ManifestWrite, Kind::Unreachable, true),
        (507, "", Upload, Kind::QuotaExceeded, false),
        (204, "", ManifestRead, Kind::Protocol, false),
        (302, "", ManifestWrite, Kind::Protocol, false),
    ];
    for (status, code, class, kind, transient) in cases {
        let answer = answer(status, code, "", class);
        let found = (answer.kind(), answer.is_transient());
        assert_eq!(found, (kind, transient), "{status} {code} {class:?}");
    }
}

#[test]
fn words_decide_where_a_status_has_several_meanings() {
    use Class::{Lookup, ManifestDelete, ManifestRead, ManifestWrite, Upload, UploadStart};
    let harbor = "adding 510.7 MiB of storage resource, which when updated to current usage of 9.8 GiB \
                  will exceed the configured upper limit of 10.0 GiB.";
    let cases = [
        (403, "DENIED", harbor, Upload, Kind::QuotaExceeded),
        (403, "DENIED", harbor, ManifestWrite, Kind::QuotaExceeded),
        (403, "DENIED", "quota", ManifestRead, Kind::AccessDenied),
        (
            500,
            "UNKNOWN",
            "write /data: no space left on device",
            Upload,
            Kind::QuotaExceeded,
        ),
        (
            400,
            "DENIED",
            "the tag is immutable",
            ManifestWrite,
            Kind::TagImmutable,
        ),
        (
            403,
            "DENIED",
            "immutability: the tag may not be updated",
            ManifestWrite,
            Kind::TagImmutable,
        ),
        (
            403,
            "DENIED",
            "this tag is immutable",
            Lookup,
            Kind::AccessDenied,
        ),
        (
            422,
            "UNPROCESSABLE",
            "Tag already exists",
            ManifestWrite,
            Kind::TagImmutable,
        ),
        (
            409,
            "TAG_ALREADY_EXISTS",
            "",
            ManifestWrite,
            Kind::TagImmutable,
        ),
        (
            412,
            "PRECONDITION",
            "configured as immutable",
            ManifestDelete,
            Kind::TagImmutable,
        ),
        (
            400,
            "TAG_INVALID",
            "tag must match [a-z]+",
            ManifestWrite,
            Kind::Rejected,
        ),
        (
            404,
            "NOT_FOUND",
            "project team not found",
            UploadStart,
            Kind::RepositoryMissing,
        ),
        (404, "", "404 page not found", UploadStart, Kind::NotFound),
        (
            403,
            "DENIED",
            "rate limit exceeded",
            ManifestRead,
            Kind::RateLimited,
        ),
        (
            400,
            "MANIFEST_INVALID",
            "manifest invalid: HTTP 403 Forbidden",
            ManifestWrite,
            Kind::AccessDenied,
        ),
        (
            400,
            "MANIFEST_INVALID",
            "manifest invalid",
            ManifestWrite,
            Kind::Rejected,
        ),
    ];
    for (status, code, message, class, kind) in cases {
        let answer = answer(status, code, message, class);
        assert_eq!(answer.kind(), kind, "{status} {code} {message} {class:?}");
    }
}

#[test]
fn what_somebody_has_to_do_something_about_is_not_repeated() {
    let full = answer(500, "", "no space left on device", Class::Upload);
    assert!(!full.is_passing_status());
    assert!(answer(500, "", "", Class::Upload).is_passing_status());
    assert!(!answer(404, "", "", Class::Lookup).is_passing_status());
}

#[test]
fn the_storage_is_not_the_registry() {
    for (status, kind) in [
        (400, Kind::Unreachable),
        (401, Kind::Unreachable),
        (403, Kind::Unreachable),
        (404, Kind::NotFound),
        (429, Kind::RateLimited),
        (503, Kind::Unreachable),
    ] {
        let found = Unexpected {
            storage: Some("https://storage.test".to_owned()),
            ..answer(status, "", "", Class::BlobRead)
        };
        assert_eq!(found.kind(), kind, "{status}");
    }
}

#[test]
fn messages_say_what_was_done_what_came_what_it_means_and_what_was_said() {
    let operation = Action::FetchManifest.at(
        &Registry::docker_hub(),
        Some(&"library/alpine".parse().unwrap()),
        Some(&TagOrDigest::Tag("3".parse().unwrap())),
    );
    let mut answer = answer(
        429,
        "TOOMANYREQUESTS",
        "You have reached your pull rate limit.",
        Class::ManifestRead,
    );
    answer.retry_at = Some("2026-11-20T10:00:00.5Z".parse().unwrap());
    let error = Error::new(&operation, Cause::Status(Box::new(answer)));
    insta::assert_snapshot!(error, @r#"cannot fetch the manifest docker.io/library/alpine:3: 429 Too Many Requests (TOOMANYREQUESTS): too many requests for the registry, it may be asked again at 2026-11-20T10:00:00Z; it says "You have reached your pull rate limit.""#);
}
