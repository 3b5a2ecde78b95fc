//! What a round did, for people: a table, the failures, one line.

use std::fmt::Write;
use std::time::Duration;

use super::table::{Table, one_line};
use super::units;
use crate::sync::Report;
use crate::sync::report::{Failure, MirrorReport, Outcome, Totals};

/// The table of a round: one row for each repository at each destination.
pub(super) fn table(report: &Report) -> String {
    let mut table = Table::new([
        "MIRROR",
        "SOURCE",
        "DESTINATION",
        "TAGS",
        "COPIED",
        "UNCHANGED",
        "FAILED",
        "SIZE",
    ]);
    for mirror in &report.mirrors {
        for ((source, destination), totals) in mirror.by_repository() {
            let Totals {
                copied,
                retagged,
                planned,
                unchanged,
                frozen,
                failed,
                bytes,
            } = totals;
            table.row([
                mirror.mirror.clone(),
                source.to_owned(),
                destination.to_owned(),
                (copied + retagged + planned + unchanged + frozen + failed).to_string(),
                (copied + retagged).to_string(),
                (unchanged + frozen).to_string(),
                failed.to_string(),
                units::bytes(bytes),
            ]);
        }
    }
    if table.is_empty() {
        return String::new();
    }
    table.to_string()
}

/// Everything that failed, with its reason and message; empty where nothing did.
pub(super) fn failures(report: &Report) -> String {
    let mut text = String::new();
    for failure in report.mirrors.iter().flat_map(failures_of) {
        let Failure {
            subject,
            reason,
            message,
            next_attempt_time,
        } = failure;
        let again = next_attempt_time
            .map(|time| format!(" (next attempt not before {time:.0})"))
            .unwrap_or_default();
        let line = one_line(&format!("{subject}: {reason}: {message}{again}"));
        // Writing to memory does not fail.
        let _ = writeln!(text, "failed: {line}");
    }
    text
}

/// Failures of a mirror as a whole, then those of its tags.
pub(super) fn failures_of(mirror: &MirrorReport) -> impl Iterator<Item = &Failure> {
    let of_tags = mirror.tags.iter().filter_map(|tag| match &tag.outcome {
        Outcome::Failed(failure) => Some(failure),
        Outcome::Unchanged
        | Outcome::Planned { .. }
        | Outcome::Copied { .. }
        | Outcome::Retagged { .. }
        | Outcome::Frozen => None,
    });
    mirror.failures.iter().chain(of_tags)
}

/// The one line at the end: `12 copied, 30 unchanged, 1 failed, 123.4 MB sent in 3.2s`.
pub(super) fn line(totals: &Totals, elapsed: Duration) -> String {
    let Totals {
        copied,
        retagged,
        planned: _,
        unchanged,
        frozen,
        failed,
        bytes,
    } = totals;
    let optional = |count: usize, word: &str| match count {
        0 => String::new(),
        count => format!(", {count} {word}"),
    };
    format!(
        "{copied} copied{}, {unchanged} unchanged{}, {failed} failed, {} sent in {}",
        optional(*retagged, "retagged"),
        optional(*frozen, "frozen"),
        units::bytes(*bytes),
        units::duration(elapsed),
    )
}

/// The parts that say something, with an empty line between two of them.
pub(super) fn paragraphs<const PARTS: usize>(parts: [String; PARTS]) -> String {
    let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    parts.join("\n")
}
