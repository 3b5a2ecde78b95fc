//! What a round did, for people: a table, the failures, one line.

use std::fmt::Write;
use std::time::Duration;

use super::table::{Table, one_line};
use super::units;
use crate::plan::report::{Failure, MirrorReport, Outcome, Totals};
use crate::sync::Report;

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
            is_of_tag: _,
        } = failure;
        let again = next_attempt_time
            .map(|time| format!(" (next attempt not before {time:.0})"))
            .unwrap_or_default();
        let line = if message.contains(subject) {
            format!("{reason}: {message}{again}")
        } else {
            format!("{subject}: {reason}: {message}{again}")
        };
        // Writing to memory does not fail.
        let _ = writeln!(text, "failed: {}", one_line(&line));
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

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::api::Reason;
    use crate::oci::Digest;
    use crate::plan::report::TagReport;

    /// A tag of one repository at one destination.
    pub(in super::super) fn image(tag: &str, outcome: Outcome) -> TagReport {
        TagReport {
            source: format!("docker.io/library/app:{tag}"),
            destination: "eu".to_owned(),
            target: format!("eu.example.com/mirror/app:{tag}"),
            source_digest: Digest::sha256(tag.as_bytes()),
            outcome,
        }
    }

    /// The report of a round over one mirror.
    pub(in super::super) fn report(tags: Vec<TagReport>) -> Report {
        Report {
            mirrors: vec![MirrorReport {
                tags,
                ..MirrorReport::new("platform/base")
            }],
        }
    }

    fn failure(subject: &str, message: &str) -> Failure {
        Failure {
            subject: subject.to_owned(),
            reason: Reason::RateLimited,
            message: message.to_owned(),
            next_attempt_time: Some("2026-11-20T10:00:00Z".parse().unwrap()),
            is_of_tag: false,
        }
    }

    fn copied(tag: &str, bytes: u64) -> TagReport {
        let digest = Digest::sha256(tag.as_bytes());
        image(tag, Outcome::Copied { digest, bytes })
    }

    #[test]
    fn repositories_in_a_table() {
        let report = report(vec![
            copied("1.1", 3_400_000),
            copied("1.0", 200),
            image(
                "latest",
                Outcome::Retagged {
                    digest: Digest::sha256(b"x"),
                },
            ),
            image("0.9", Outcome::Unchanged),
            image("0.8", Outcome::Failed(failure("a", "b"))),
        ]);
        insta::assert_snapshot!(table(&report), @r"
        MIRROR          SOURCE                  DESTINATION                 TAGS   COPIED   UNCHANGED   FAILED   SIZE
        platform/base   docker.io/library/app   eu.example.com/mirror/app   5      3        1           1        3.4 MB
        ");
    }

    #[test]
    fn failures_on_a_line_each_without_what_would_speak_to_the_terminal() {
        let mut report = report(vec![
            copied("1.0", 1),
            image(
                "1.1",
                Outcome::Failed(failure(
                    "eu.example.com/mirror/app:1.1",
                    "too\nmany \u{1b}[2J requests",
                )),
            ),
        ]);
        report.mirrors[0].failures = vec![Failure {
            next_attempt_time: None,
            is_of_tag: false,
            ..failure("docker.io", "too many requests")
        }];
        insta::assert_snapshot!(failures(&report), @r"
        failed: docker.io: RateLimited: too many requests
        failed: eu.example.com/mirror/app:1.1: RateLimited: too many \u{1b}[2J requests (next attempt not before 2026-11-20T10:00:00Z)
        ");
    }

    #[test]
    fn the_last_line_names_what_there_is() {
        let lines = [
            Vec::new(),
            vec![image("1.0", Outcome::Unchanged)],
            vec![
                copied("1.0", 123_400_000),
                image(
                    "1.1",
                    Outcome::Retagged {
                        digest: Digest::sha256(b"x"),
                    },
                ),
                image("1.2", Outcome::Frozen),
                image("1.3", Outcome::Failed(failure("a", "b"))),
            ],
        ]
        .map(|tags| line(&report(tags).totals(), Duration::from_millis(3_200)));
        insta::assert_snapshot!(lines.join("\n"), @r"
        0 copied, 0 unchanged, 0 failed, 0 B sent in 3.2s
        0 copied, 1 unchanged, 0 failed, 0 B sent in 3.2s
        1 copied, 1 retagged, 0 unchanged, 1 frozen, 1 failed, 123.4 MB sent in 3.2s
        ");
    }
}
