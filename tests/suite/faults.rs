// SPDX-License-Identifier: Apache-2.0

//! Copies between registries that misbehave: every fault with its right outcome, the whole way.
//!
//! A case is one run that copies two images. The fault meets the first of them; the second arrives
//! whatever happens. Where the first fails, nothing of it is visible, the message says where and
//! what to do and repeats nothing of what a registry said, and the next run makes it good once the
//! fault is gone.

mod cancel;
mod content;
mod destination;
mod fan_out;
mod garbage;
mod hops;
mod lab;
mod lease;
mod mounts;
mod refused;
mod rounds;
mod source;
mod tags;
mod together;
mod unlisted;
mod writes;

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::join_all;

use crate::support::http::Reply;
use lab::Lab;

/// How the client under test names itself.
const AGENT: &str = "transship/test";
/// A word of registries and logins that no message repeats.
const CANARY: &str = "canary";
/// Longer than anything takes that does not hang.
const HANGING: Duration = Duration::from_secs(60);

/// A fault, where it happens, and how the run tells of it.
///
/// In messages `SOURCE`, `DESTINATION` and `BYSTANDER` stand for hosts; digests and times are left
/// out, and what the system says of a connection.
type Row = (&'static str, fn(&Lab), &'static str);
/// The same with a lab of its own.
type Case = (&'static str, Lab, &'static str);

/// Proves all rows of a table side by side, each in an ordinary lab of its own.
async fn check(rows: &[Row]) {
    let cases = rows.iter().map(|(name, fault, expected)| {
        let lab = Lab::new();
        fault(&lab);
        (*name, lab, *expected)
    });
    check_cases(cases).await;
}

/// Proves all cases side by side.
async fn check_cases(cases: impl IntoIterator<Item = Case>) {
    let proofs = cases.into_iter().map(|(name, lab, expected)| async move {
        let proof = AssertUnwindSafe(lab.prove(name)).catch_unwind().await;
        let found = proof.unwrap_or_else(|_| "it panicked, see above".to_owned());
        (name, found, expected)
    });
    assert_outcomes(join_all(proofs).await);
}

/// Compares what was found with what was expected, and shows all that is wrong at once.
fn assert_outcomes(outcomes: Vec<(&str, String, &str)>) {
    let wrong = outcomes
        .into_iter()
        .filter(|(_, found, expected)| found != expected);
    let wrong: Vec<String> = wrong
        .map(|(name, found, expected)| format!("{name}\n   found: {found}\nexpected: {expected}\n"))
        .collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// An error as a registry sends it, with a word that must not be repeated.
fn refusal(status: u16, code: &str) -> Reply {
    Reply::error(
        status,
        code,
        &format!("told so: https://r.test/?sig={CANARY}"),
    )
}

/// A message without the registry's own words, which the rows leave out.
fn without_words(text: &str) -> String {
    const SAYS: &str = "; it says \"";
    match text.split_once(SAYS) {
        Some((before, words)) => {
            let behind = words.split_once('"').map_or("", |(_, behind)| behind);
            format!("{before}{}", without_words(behind))
        }
        None => text.to_owned(),
    }
}

/// Why a connection broke off is a matter of chance.
fn without_details(text: &str) -> &str {
    const BROKE_OFF: &str = "broke off";
    let end = text.find(BROKE_OFF).map(|start| start + BROKE_OFF.len());
    text.get(..end.unwrap_or(text.len())).unwrap_or(text)
}

fn without_digests(text: &str) -> String {
    let mut parts = text.split("sha256:");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| {
        let rest = part.trim_start_matches(|c: char| c.is_ascii_hexdigit());
        format!("{text}DIGEST{rest}")
    })
}
