// SPDX-License-Identifier: Apache-2.0

//! What a source can do wrong.

use futures::future::join_all;
use jiff::fmt::rfc2822::DateTimePrinter;
use jiff::{SignedDuration, Timestamp};

use super::lab::{Lab, process};
use super::{AGENT, CANARY, Case, Row, check, check_cases, refusal};
use crate::support::content::ImageBuilder;
use crate::support::http::Reply;
use crate::support::http::script::{Action, Recorded};

fn busy(retry_after: &str) -> Reply {
    refusal(429, "TOOMANYREQUESTS").header("retry-after", retry_after)
}

#[expect(clippy::disallowed_methods, reason = "a server has to know the time")]
fn in_seconds(seconds: i64) -> String {
    let time = Timestamp::now() + SignedDuration::from_secs(seconds);
    DateTimePrinter::new()
        .timestamp_to_rfc9110_string(&time)
        .unwrap()
}

/// The largest part of a page that must not be repeated.
fn page() -> Reply {
    Reply::new(200).body(format!("<html>{CANARY}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blob_that_breaks_off_is_resumed_inside_the_running_upload() {
    join_all((0..10).map(|tenth| async move {
        let lab = Lab::copying(ImageBuilder::new(4).layers(&[500_000]).build());
        let blob = lab
            .image
            .blobs
            .iter()
            .max_by_key(|blob| blob.bytes.len())
            .unwrap();
        let (size, digest) = (blob.bytes.len(), blob.digest.replace(':', "%3A"));
        let cut = size * tenth / 10;
        lab.layer_read().nth(1).does(Action::CutBody(cut));
        let (engine, pool) = process();
        lab.run(&engine, &pool).await.unwrap();

        let is_ours = |request: &Recorded| request.headers.value("user-agent") == Some(AGENT);
        let (read, written) = (lab.source.requests(), lab.destination.requests());
        let read: Vec<(Option<&str>, usize)> = read
            .iter()
            .filter(|request| is_ours(request) && request.path.ends_with(&lab.layer()))
            .map(|request| (request.headers.value("range"), request.body_sent))
            .collect();
        let rest = (cut > 0).then(|| format!("bytes={cut}-{}", size - 1));
        assert_eq!(
            read,
            [(None, cut), (rest.as_deref(), size - cut)],
            "{tenth} tenths"
        );
        let written: Vec<(&str, usize)> = written
            .iter()
            .filter(|request| is_ours(request) && request.query.contains(&digest))
            .map(|request| (request.method.as_str(), request.body_length))
            .collect();
        assert_eq!(written, [("POST", 0), ("PUT", size)], "{tenth} tenths");
    }))
    .await;
}

const BLOBS: &[Row] = &[
    (
        "the part that is asked for comes with everything before it",
        |lab| {
            lab.layer_read().nth(1).does(Action::CutBody(20_000));
            lab.layer_read().nth(2).does(Action::IgnoreRange);
        },
        "Copied",
    ),
    (
        "another part comes than the one that is asked for",
        |lab| {
            let wrong = Action::SetHeader("content-range", "bytes 0-9/10".to_owned());
            lab.layer_read().nth(1).does(Action::CutBody(20_000));
            lab.layer_read().nth(2).does(wrong);
        },
        "Copied",
    ),
    (
        "the part that is asked for is damaged",
        |lab| {
            lab.layer_read().nth(1).does(Action::CutBody(20_000));
            lab.layer_read().nth(2).does(Action::flip_byte(7));
        },
        "Copied",
    ),
    (
        "a byte is flipped once",
        |lab| lab.layer_read().nth(1).does(Action::flip_byte(7)),
        "Copied",
    ),
    (
        "a byte is flipped",
        |lab| lab.layer_read().does(Action::flip_byte(7)),
        "DigestMismatch: SOURCE/team/app serves content with the digest DIGEST as DIGEST: \
         the blob is damaged there, push the image to it again",
    ),
    (
        "one byte too many",
        |lab| {
            let longer = Action::map_body(|body| [&body[..], b"x"].concat().into());
            lab.layer_read().does(longer);
        },
        "DigestMismatch: cannot fetch the blob SOURCE/team/app@DIGEST: the registry has \
         51736 bytes where the manifest says 51735: the blob is damaged there, push the \
         image to it again",
    ),
    (
        "one byte too few",
        |lab| {
            lab.layer_read()
                .does(Action::map_body(|body| body.slice(1..)));
        },
        "DigestMismatch: cannot fetch the blob SOURCE/team/app@DIGEST: the registry has \
         51734 bytes where the manifest says 51735: the blob is damaged there, push the \
         image to it again",
    ),
    (
        "no bytes at all",
        |lab| {
            lab.layer_read()
                .does(Action::map_body(|body| body.slice(..0)));
        },
        "DigestMismatch: cannot fetch the blob SOURCE/team/app@DIGEST: the registry has 0 \
         bytes where the manifest says 51735: the blob is damaged there, push the image to \
         it again",
    ),
    (
        "the length is announced and nothing comes, as after a garbage collection",
        |lab| lab.layer_read().does(Action::CutBody(0)),
        "Unreachable: cannot fetch the blob SOURCE/team/app@DIGEST: the connection to \
         http://SOURCE broke off",
    ),
    (
        "a body without end",
        |lab| lab.layer_read().does(Action::Endless),
        "DigestMismatch: cannot fetch the blob SOURCE/team/app@DIGEST: the registry sends \
         more than the 51735 bytes that the manifest says: the blob is damaged there, push \
         the image to it again",
    ),
    (
        "compressed on the way",
        |lab| {
            let gzip = Action::AddHeader("content-encoding", "gzip".to_owned());
            lab.layer_read().does(gzip);
        },
        "CopyFailed: cannot fetch the blob SOURCE/team/app@DIGEST: the answer is compressed \
         although that was declined: a proxy on the way must leave it as it is",
    ),
    (
        "missing",
        |lab| lab.layer_read().responds(refusal(404, "BLOB_UNKNOWN")),
        "NotFound: cannot fetch the blob SOURCE/team/app@DIGEST: 404 Not Found \
         (BLOB_UNKNOWN): there is no such thing at the registry, or the credential may not \
         see it",
    ),
    (
        "500 and then fine",
        |lab| lab.layer_read().first(2).responds(refusal(500, "UNKNOWN")),
        "Copied",
    ),
    (
        "500 for ever",
        |lab| lab.layer_read().responds(refusal(500, "UNKNOWN")),
        "Unreachable: cannot fetch the blob SOURCE/team/app@DIGEST: 500 Internal Server \
         Error (UNKNOWN): the registry is in trouble: its log says more",
    ),
    (
        "a web page",
        |lab| lab.layer_read().responds(page()),
        "DigestMismatch: cannot fetch the blob SOURCE/team/app@DIGEST: the registry has 12 \
         bytes where the manifest says 51735: the blob is damaged there, push the image to \
         it again",
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn blobs() {
    check(BLOBS).await;
}

const MANIFESTS: &[Row] = &[
    (
        "one byte more than four mebibytes",
        |lab| {
            let large = |_| vec![b' '; 4 * 1024 * 1024 + 1].into();
            lab.root_read().does(Action::map_body(large));
        },
        "CopyFailed: reading SOURCE/team/app@DIGEST: cannot fetch the manifest \
         SOURCE/team/app@DIGEST: the answer is larger than 4194304 bytes, the most that is \
         read",
    ),
    (
        "without end",
        |lab| lab.root_read().does(Action::Endless),
        "CopyFailed: reading SOURCE/team/app@DIGEST: cannot fetch the manifest \
         SOURCE/team/app@DIGEST: the answer is larger than 4194304 bytes, the most that is \
         read",
    ),
    (
        "a byte is flipped",
        |lab| lab.root_read().does(Action::flip_byte(7)),
        "DigestMismatch: reading SOURCE/team/app@DIGEST: cannot fetch the manifest \
         SOURCE/team/app@DIGEST: the manifest has the digest DIGEST, expected DIGEST",
    ),
    (
        "another digest in the header",
        |lab| {
            let other = format!("sha256:{}", "0".repeat(64));
            let other = Action::SetHeader("docker-content-digest", other);
            lab.root_read().does(other);
        },
        "DigestMismatch: reading SOURCE/team/app@DIGEST: cannot fetch the manifest \
         SOURCE/team/app@DIGEST: the registry announces DIGEST, the content has the digest \
         DIGEST: it is damaged there, or on the way",
    ),
    (
        "a child is missing",
        |lab| lab.child_read().responds(refusal(404, "MANIFEST_UNKNOWN")),
        "NotFound: reading SOURCE/team/app@DIGEST: cannot fetch the manifest \
         SOURCE/team/app@DIGEST: 404 Not Found (MANIFEST_UNKNOWN): there is no such thing \
         at the registry, or the credential may not see it",
    ),
    (
        "a child was replaced by another",
        |lab| {
            let other = lab.image.children[1].bytes.clone();
            let other = Action::map_body(move |_| other.clone());
            lab.child_read().does(other);
        },
        "DigestMismatch: reading SOURCE/team/app@DIGEST: cannot fetch the manifest \
         SOURCE/team/app@DIGEST: the manifest has the digest DIGEST, expected DIGEST",
    ),
    (
        "compressed on the way",
        |lab| {
            let gzip = Action::AddHeader("content-encoding", "gzip".to_owned());
            lab.child_read().does(gzip);
        },
        "CopyFailed: reading SOURCE/team/app@DIGEST: cannot fetch the manifest \
         SOURCE/team/app@DIGEST: the answer is compressed although that was declined: a \
         proxy on the way must leave it as it is",
    ),
    (
        "a web page",
        |lab| lab.root_read().responds(page()),
        "CopyFailed: reading SOURCE/team/app@DIGEST: cannot fetch the manifest \
         SOURCE/team/app@DIGEST: http://SOURCE answers with a web page where a registry has something \
         else to say: check host and path, and whether a proxy or login page answers in place of the registry",
    ),
    (
        "500 and then fine",
        |lab| lab.root_read().first(2).responds(refusal(500, "UNKNOWN")),
        "Copied",
    ),
    (
        "closed without an answer",
        |lab| lab.root_read().does(Action::Close),
        "Unreachable: reading SOURCE/team/app@DIGEST: cannot fetch the manifest \
         SOURCE/team/app@DIGEST: the connection to http://SOURCE broke off",
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn manifests() {
    check(MANIFESTS).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_requests() {
    let once = |reply: Reply| {
        let lab = Lab::new();
        lab.layer_read().nth(1).responds(reply);
        lab
    };
    // Nothing else is under way when the root is read, which could be the first to give up.
    let ever = |reply: Reply| {
        let lab = Lab::new().with_the_other_elsewhere().for_good();
        lab.root_read().responds(reply);
        lab
    };
    let cases: [Case; 5] = [
        ("come back in a second", once(busy("1")), "Copied"),
        ("come back at a time", once(busy(&in_seconds(1))), "Copied"),
        (
            "come back in an hour",
            ever(busy("3600")),
            "RateLimited: reading SOURCE/team/app@DIGEST: cannot fetch the manifest SOURCE/team/app@DIGEST: 429 Too Many Requests \
             (TOOMANYREQUESTS): too many requests for the registry, it may be asked again at \
             TIME",
        ),
        (
            "come back at a time in an hour",
            ever(busy(&in_seconds(3_600))),
            "RateLimited: reading SOURCE/team/app@DIGEST: cannot fetch the manifest SOURCE/team/app@DIGEST: 429 Too Many Requests \
             (TOOMANYREQUESTS): too many requests for the registry, it may be asked again at \
             TIME",
        ),
        (
            "come back when you like",
            ever(refusal(429, "TOOMANYREQUESTS")),
            "RateLimited: reading SOURCE/team/app@DIGEST: cannot fetch the manifest SOURCE/team/app@DIGEST: 429 Too Many Requests \
             (TOOMANYREQUESTS): too many requests for the registry, it may be asked again at \
             TIME",
        ),
    ];
    check_cases(cases).await;
}
