// SPDX-License-Identifier: Apache-2.0

//! What a destination can do wrong.

use super::lab::Lab;
use super::{Case, Row, check, check_cases, refusal};
use crate::support::content::ImageBuilder;
use crate::support::faults::FaultRegistry;
use crate::support::http::script::Action;
use crate::support::http::{Reply, Request};

/// A digest that nothing has.
fn other_digest() -> Action {
    Action::SetHeader(
        "docker-content-digest",
        format!("sha256:{}", "0".repeat(64)),
    )
}

const BLOBS: &[Row] = &[
    (
        "stored, but answered 500",
        |lab| {
            let lost = Action::CommitThen(refusal(500, "UNKNOWN"));
            lab.upload().does(lost);
        },
        "Copied",
    ),
    (
        "stored, but not answered",
        |lab| lab.upload().does(Action::CommitThenClose),
        "Copied",
    ),
    (
        "500 and then fine",
        |lab| lab.upload().first(3).responds(refusal(500, "UNKNOWN")),
        "Copied",
    ),
    (
        "500 for ever",
        |lab| lab.upload().responds(refusal(500, "UNKNOWN")),
        "Unreachable: cannot upload the blob DESTINATION/team/app@DIGEST: 500 Internal \
         Server Error (UNKNOWN): the registry is in trouble: its log says more",
    ),
    (
        "the upload is gone",
        |lab| {
            let gone = Action::RespondEarly(refusal(404, "BLOB_UPLOAD_UNKNOWN"));
            lab.upload().first(3).does(gone);
        },
        "Copied",
    ),
    (
        "the upload is gone every time",
        |lab| {
            let gone = Action::RespondEarly(refusal(404, "BLOB_UPLOAD_UNKNOWN"));
            lab.upload().does(gone);
        },
        "Unreachable: cannot upload the blob DESTINATION/team/app@DIGEST: 404 Not Found \
         (BLOB_UPLOAD_UNKNOWN): the registry has forgotten the upload: if it runs several \
         times, all must share storage and secret",
    ),
    (
        "the connection breaks in the middle",
        |lab| lab.upload().first(3).does(Action::CutUpload(900)),
        "Copied",
    ),
    (
        "the connection breaks every time",
        |lab| lab.upload().does(Action::CutUpload(900)),
        "Unreachable: cannot upload the blob DESTINATION/team/app@DIGEST: the connection to \
         http://DESTINATION broke off",
    ),
    (
        "no room",
        |lab| lab.upload().responds(refusal(507, "UNKNOWN")),
        "QuotaExceeded: cannot upload the blob DESTINATION/team/app@DIGEST: 507 \
         Insufficient Storage (UNKNOWN): the registry has no room left: free some or raise \
         the quota",
    ),
    (
        "too large for it in every form",
        |lab| {
            lab.upload().responds(refusal(413, "SIZE_INVALID"));
            lab.at_destination("PATCH", "/uploads/")
                .responds(refusal(413, "SIZE_INVALID"));
        },
        "CopyFailed: cannot upload the blob DESTINATION/team/app@DIGEST: 413 Payload Too \
         Large (SIZE_INVALID): it is larger than the registry, or a proxy in front of it, takes: \
         raise the limit there",
    ),
    (
        "too large for it in one piece",
        |lab| {
            let in_one_piece = |request: &Request| {
                request.method == "PUT"
                    && request.path.starts_with("/v2/team/app/blobs/uploads/")
                    && request.headers.value("content-length") != Some("0")
            };
            let script = lab.destination.script();
            script
                .when(in_one_piece)
                .responds(refusal(413, "SIZE_INVALID"));
        },
        "Copied",
    ),
    (
        "not allowed",
        |lab| lab.announcement().responds(refusal(403, "DENIED")),
        "AccessDenied: cannot announce the blob DESTINATION/team/app@DIGEST: 403 Forbidden \
         (DENIED): the credential may not write this: give it the right to pull and push, or \
         use another one",
    ),
    (
        "500 to the announcement and then fine",
        |lab| {
            lab.announcement()
                .first(3)
                .responds(refusal(500, "UNKNOWN"));
        },
        "Copied",
    ),
    (
        "what is not there is said to be",
        |lab| {
            lab.at_destination("POST", "mount=")
                .responds(Reply::new(201));
        },
        "Copied",
    ),
    (
        "confirmed and not kept, once",
        |lab| lab.upload().nth(1).does(Action::Swallow),
        "Copied",
    ),
    (
        "confirmed and not kept",
        |lab| lab.upload().does(Action::Swallow),
        "CopyFailed: cannot store the manifest DESTINATION/team/app@DIGEST: 400 Bad Request \
         (MANIFEST_BLOB_UNKNOWN): the registry does not have all that the manifest names, or \
         does not show it yet",
    ),
    (
        "confirmed with another digest",
        |lab| lab.upload().does(other_digest()),
        "DigestMismatch: cannot upload the blob DESTINATION/team/app@DIGEST: the registry \
         announces DIGEST, the content has the digest DIGEST: it is damaged there, or on \
         the way",
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn blobs() {
    check(BLOBS).await;
}

const MANIFESTS: &[Row] = &[
    (
        "a child is confirmed and not kept, once",
        |lab| lab.child_write().nth(1).does(Action::Swallow),
        "Copied",
    ),
    (
        "a child is confirmed and not kept",
        |lab| lab.child_write().does(Action::Swallow),
        "CopyFailed: cannot store the manifest DESTINATION/team/app@DIGEST: 400 Bad Request \
         (MANIFEST_BLOB_UNKNOWN): the registry does not have all that the manifest names, or \
         does not show it yet",
    ),
    (
        "the tag is confirmed and not kept, once",
        |lab| lab.tag_write().nth(1).does(Action::Swallow),
        "Copied",
    ),
    (
        "the tag is confirmed and not kept",
        |lab| lab.tag_write().does(Action::Swallow),
        "CopyFailed: DESTINATION/team/app confirmed 1 but does not serve it: its storage or \
         its cache has lost it",
    ),
    (
        "500 and then fine",
        |lab| {
            lab.manifest_write()
                .first(2)
                .responds(refusal(500, "UNKNOWN"));
        },
        "Copied",
    ),
    (
        "500 for ever",
        |lab| lab.tag_write().responds(refusal(500, "UNKNOWN")),
        "Unreachable: cannot store the manifest DESTINATION/team/app:1: 500 Internal Server \
         Error (UNKNOWN): the registry is in trouble: its log says more",
    ),
    (
        "stored, but answered 500",
        |lab| {
            let lost = Action::CommitThen(refusal(500, "UNKNOWN"));
            lab.manifest_write().first(2).does(lost);
        },
        "Copied",
    ),
    (
        "stored, but not answered",
        |lab| lab.manifest_write().first(2).does(Action::CommitThenClose),
        "Copied",
    ),
    (
        "a blob is unknown, once",
        |lab| {
            let unknown = refusal(400, "MANIFEST_BLOB_UNKNOWN");
            lab.child_write().nth(1).responds(unknown);
        },
        "Copied",
    ),
    (
        "a blob is unknown",
        |lab| {
            let unknown = refusal(400, "MANIFEST_BLOB_UNKNOWN");
            lab.child_write().responds(unknown);
        },
        "CopyFailed: cannot store the manifest DESTINATION/team/app@DIGEST: 400 Bad Request \
         (MANIFEST_BLOB_UNKNOWN): the registry does not have all that the manifest names, or \
         does not show it yet",
    ),
    (
        "not allowed",
        |lab| lab.tag_write().responds(refusal(403, "DENIED")),
        "AccessDenied: cannot store the manifest DESTINATION/team/app:1: 403 Forbidden \
         (DENIED): the credential may not write this: give it the right to pull and push, or \
         use another one",
    ),
    (
        "confirmed with another digest",
        |lab| lab.child_write().does(other_digest()),
        "DigestMismatch: cannot store the manifest DESTINATION/team/app@DIGEST: the \
         registry announces DIGEST, the content has the digest DIGEST: it is damaged there, \
         or on the way",
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn manifests() {
    check(MANIFESTS).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_requests() {
    let lab = Lab::new().with_the_other_elsewhere().for_good();
    let busy = refusal(429, "TOOMANYREQUESTS").header("retry-after", "0");
    lab.child_write().responds(busy);
    let expected = "RateLimited: cannot store the manifest DESTINATION/team/app@DIGEST: 429 Too Many \
         Requests (TOOMANYREQUESTS): too many requests for the registry, it may be asked \
         again at TIME";
    check_cases([("for ever", lab, expected)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn referrers() {
    let signed = || {
        let image = ImageBuilder::new(5)
            .referrer("application/vnd.example.signature")
            .build();
        let destination = FaultRegistry::options().without_referrers_api().start();
        Lab::between(FaultRegistry::start(), destination, image)
    };
    let with = |fault: fn(&Lab)| {
        let lab = signed();
        fault(&lab);
        lab
    };
    let cases: [Case; 4] = [
        ("a registry without a list of them", signed(), "Copied"),
        (
            "their list cannot be written",
            with(|lab| {
                lab.at_destination("PUT", "/manifests/sha256-")
                    .responds(refusal(403, "DENIED"));
            }),
            "AccessDenied: listing referrers at DESTINATION/team/app: cannot store the manifest \
             DESTINATION/team/app:sha256-bbf26160673ba9f49d1bc78cbce4ded91bb8160184b475e6e6ca8d382908c01d: \
             403 Forbidden (DENIED): the credential may not write this: give it the right to pull and \
             push, or use another one",
        ),
        (
            "what stands at the tag of their list is none",
            with(|lab| {
                let page = Reply::new(200).body("<html>canary");
                lab.at_destination("GET", "/manifests/sha256-")
                    .responds(page);
            }),
            "CopyFailed: listing referrers at DESTINATION/team/app: cannot fetch the manifest \
             DESTINATION/team/app:sha256-bbf26160673ba9f49d1bc78cbce4ded91bb8160184b475e6e6ca8d382908c01d: \
             http://DESTINATION answers with a web page where a registry has something else to say: check host and \
             path, and whether a proxy or login page answers in place of the registry",
        ),
        (
            "they are not taken",
            with(|lab| {
                let signature = format!("/manifests/{}", lab.image.referrers[0].manifest.digest);
                lab.at_destination("PUT", signature)
                    .responds(refusal(403, "DENIED"));
            }),
            "AccessDenied: cannot store the manifest DESTINATION/team/app@DIGEST: 403 Forbidden \
             (DENIED): the credential may not write this: give it the right to pull and push, or \
         use another one",
        ),
    ];
    check_cases(cases).await;
}
