//! What a source can do wrong.

use futures::future::join_all;
use jiff::fmt::rfc2822::DateTimePrinter;
use jiff::{SignedDuration, Timestamp};
use transship::copy::{Engine, Progress};
use transship::registry::Pool;

use super::{AGENT, CANARY, Case, Lab, Row, check, check_cases, refusal};
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

/// A lab with a rule for the layer.
fn layer(lab: Lab, action: Action) -> Lab {
    lab.at_source("GET", lab.layer()).does(action);
    lab
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
        lab.at_source("GET", lab.layer())
            .nth(1)
            .does(Action::CutBody(cut));
        let (engine, pool) = (Engine::new(Progress::none()), Pool::new(AGENT));
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

#[tokio::test(flavor = "multi_thread")]
async fn blobs() {
    let rows: [Row; 15] = [
        (
            "the part that is asked for comes with everything before it",
            |lab| {
                lab.at_source("GET", lab.layer())
                    .nth(1)
                    .does(Action::CutBody(20_000));
                lab.at_source("GET", lab.layer())
                    .nth(2)
                    .does(Action::IgnoreRange);
            },
            "Copied",
        ),
        (
            "another part comes than the one that is asked for",
            |lab| {
                let wrong = Action::SetHeader("content-range", "bytes 0-9/10".to_owned());
                lab.at_source("GET", lab.layer())
                    .nth(1)
                    .does(Action::CutBody(20_000));
                lab.at_source("GET", lab.layer()).nth(2).does(wrong);
            },
            "Copied",
        ),
        (
            "the part that is asked for is damaged",
            |lab| {
                lab.at_source("GET", lab.layer())
                    .nth(1)
                    .does(Action::CutBody(20_000));
                lab.at_source("GET", lab.layer())
                    .nth(2)
                    .does(Action::flip_byte(7));
            },
            "Copied",
        ),
        (
            "a byte is flipped once",
            |lab| {
                lab.at_source("GET", lab.layer())
                    .nth(1)
                    .does(Action::flip_byte(7))
            },
            "Copied",
        ),
        (
            "a byte is flipped",
            |lab| lab.at_source("GET", lab.layer()).does(Action::flip_byte(7)),
            "",
        ),
        (
            "one byte too many",
            |lab| {
                let longer = Action::map_body(|body| [&body[..], b"x"].concat().into());
                lab.at_source("GET", lab.layer()).does(longer);
            },
            "",
        ),
        (
            "one byte too few",
            |lab| {
                lab.at_source("GET", lab.layer())
                    .does(Action::map_body(|body| body.slice(1..)))
            },
            "",
        ),
        (
            "no bytes at all",
            |lab| {
                lab.at_source("GET", lab.layer())
                    .does(Action::map_body(|body| body.slice(..0)))
            },
            "",
        ),
        (
            "the length is announced and nothing comes, as after a garbage collection",
            |lab| lab.at_source("GET", lab.layer()).does(Action::CutBody(0)),
            "",
        ),
        (
            "a body without end",
            |lab| lab.at_source("GET", lab.layer()).does(Action::Endless),
            "",
        ),
        (
            "compressed on the way",
            |lab| {
                let gzip = Action::AddHeader("content-encoding", "gzip".to_owned());
                lab.at_source("GET", lab.layer()).does(gzip);
            },
            "",
        ),
        (
            "missing",
            |lab| {
                lab.at_source("GET", lab.layer())
                    .responds(refusal(404, "BLOB_UNKNOWN"))
            },
            "",
        ),
        (
            "500 and then fine",
            |lab| {
                lab.at_source("GET", lab.layer())
                    .first(2)
                    .responds(refusal(500, "UNKNOWN"))
            },
            "Copied",
        ),
        (
            "500 for ever",
            |lab| {
                lab.at_source("GET", lab.layer())
                    .responds(refusal(500, "UNKNOWN"))
            },
            "",
        ),
        (
            "a web page",
            |lab| lab.at_source("GET", lab.layer()).responds(page()),
            "",
        ),
    ];
    check(&rows).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn manifests() {
    let rows: [Row; 10] = [
        (
            "one byte more than four mebibytes",
            |lab| {
                let large = |_| vec![b' '; 4 * 1024 * 1024 + 1].into();
                lab.at_source("GET", lab.root())
                    .does(Action::map_body(large));
            },
            "",
        ),
        (
            "without end",
            |lab| lab.at_source("GET", lab.root()).does(Action::Endless),
            "",
        ),
        (
            "a byte is flipped",
            |lab| lab.at_source("GET", lab.root()).does(Action::flip_byte(7)),
            "",
        ),
        (
            "another digest in the header",
            |lab| {
                let other = format!("sha256:{}", "0".repeat(64));
                let other = Action::SetHeader("docker-content-digest", other);
                lab.at_source("GET", lab.root()).does(other);
            },
            "",
        ),
        (
            "a child is missing",
            |lab| {
                lab.at_source("GET", lab.child())
                    .responds(refusal(404, "MANIFEST_UNKNOWN"))
            },
            "",
        ),
        (
            "a child was replaced by another",
            |lab| {
                let other = lab.image.children[1].bytes.clone();
                let other = Action::map_body(move |_| other.clone());
                lab.at_source("GET", lab.child()).does(other);
            },
            "",
        ),
        (
            "compressed on the way",
            |lab| {
                let gzip = Action::AddHeader("content-encoding", "gzip".to_owned());
                lab.at_source("GET", lab.child()).does(gzip);
            },
            "",
        ),
        (
            "a web page",
            |lab| lab.at_source("GET", lab.root()).responds(page()),
            "",
        ),
        (
            "500 and then fine",
            |lab| {
                lab.at_source("GET", lab.root())
                    .first(2)
                    .responds(refusal(500, "UNKNOWN"))
            },
            "Copied",
        ),
        (
            "closed without an answer",
            |lab| lab.at_source("GET", lab.root()).does(Action::Close),
            "",
        ),
    ];
    check(&rows).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_requests() {
    let once = |reply: Reply| {
        let lab = Lab::new();
        lab.at_source("GET", lab.layer()).nth(1).responds(reply);
        lab
    };
    let ever = |reply: Reply| {
        let lab = Lab::new().with_the_other_elsewhere().for_good();
        layer(lab, Action::Respond(reply))
    };
    let cases: [Case; 5] = [
        ("come back in a second", once(busy("1")), "Copied"),
        ("come back at a time", once(busy(&in_seconds(1))), "Copied"),
        ("come back in an hour", ever(busy("3600")), ""),
        (
            "come back at a time in an hour",
            ever(busy(&in_seconds(3_600))),
            "",
        ),
        (
            "come back when you like",
            ever(refusal(429, "TOOMANYREQUESTS")),
            "",
        ),
    ];
    check_cases(cases).await;
}
