// SPDX-License-Identifier: Apache-2.0

//! What a round did, for people: a table, the failures, one line.

use std::collections::BTreeSet;
use std::time::Duration;

use super::look::Look;
use super::table::{Table, one_line};
use super::units;
use crate::plan::gates::Refusal;
use crate::plan::report::{Failure, MirrorReport, Outcome, Totals};
use crate::plan::status;
use crate::sync::Report;

/// A count that most rounds do not have, under its heading.
type Column = (&'static str, fn(&Totals) -> usize);

/// What stands in a column of its own only where there is any.
const RARE: [Column; 5] = [
    ("RETAGGED", |totals| totals.retagged),
    ("COMPLETED", |totals| totals.completed),
    ("FROZEN", |totals| totals.frozen),
    ("REFUSED", |totals| totals.refused),
    ("QUARANTINED", |totals| totals.quarantined),
];

/// The table of a round: one row for each repository at each destination. Its columns add up to what the last line
/// says, but for what failed at a source, which is at no destination; those that are always there come first, the others
/// where they have something to say.
pub(super) fn table(report: &Report, look: Look) -> String {
    let totals = report.totals();
    let rare = RARE.map(|(heading, count)| (heading, count, count(&totals) > 0));
    let rare: Vec<_> = rare
        .into_iter()
        .filter(|(_, _, is_shown)| *is_shown)
        .collect();
    let mut headings = vec![
        "MIRROR",
        "SOURCE",
        "DESTINATION",
        "TAGS",
        "COPIED",
        "UNCHANGED",
    ];
    headings.extend(rare.iter().map(|(heading, _, _)| *heading));
    headings.extend(["FAILED", "SENT"]);
    let mut table = Table::with_headings(&headings);
    for mirror in &report.mirrors {
        for ((source, destination), totals) in mirror.by_repository() {
            let mut cells = vec![
                mirror.mirror.clone(),
                source.to_owned(),
                destination.to_owned(),
                totals.tags().to_string(),
                totals.copied.to_string(),
                totals.unchanged.to_string(),
            ];
            cells.extend(rare.iter().map(|(_, count, _)| count(&totals).to_string()));
            cells.extend([totals.failed.to_string(), units::bytes(totals.bytes)]);
            table.push(cells);
        }
    }
    if table.is_empty() {
        return String::new();
    }
    table.fit(look.width)
}

/// What failed, on one line.
pub(super) fn failure_line(failure: &Failure) -> String {
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
    format!("failed: {}\n", one_line(&line))
}

/// Every image that a policy does not admit, or would not; empty where all are admitted.
pub(super) fn refusals(report: &Report) -> String {
    let mut lines = BTreeSet::new();
    for mirror in &report.mirrors {
        lines.extend(mirror.tags.iter().filter_map(|tag| {
            let (word, refusal) = match &tag.outcome {
                Outcome::Refused(refusal) => ("refused", refusal),
                Outcome::Quarantined(quarantine) => ("quarantined", &quarantine.refusal),
                Outcome::Unchanged
                | Outcome::Planned { .. }
                | Outcome::Copied { .. }
                | Outcome::Retagged { .. }
                | Outcome::Completed { .. }
                | Outcome::Frozen
                | Outcome::Failed(_) => return None,
            };
            Some(refusal_line(word, &tag.source, refusal))
        }));
        let audited = mirror.audited.iter();
        lines.extend(
            audited.map(|audited| refusal_line("audited", &audited.source, &audited.refusal)),
        );
    }
    lines.into_iter().collect()
}

fn refusal_line(word: &str, image: &str, refusal: &Refusal) -> String {
    let Refusal {
        policy: _,
        gate: _,
        reason,
        message,
    } = refusal;
    let line = format!("{image}: {reason}: {message}");
    format!("{word}: {}\n", one_line(&line))
}

/// Failures of a mirror as a whole, then those of its tags.
pub(super) fn failures_of(mirror: &MirrorReport) -> impl Iterator<Item = &Failure> {
    status::failures(mirror).map(|(_, failure)| failure)
}

/// The one line at the end: `12 copied, 30 unchanged, 1 failed, 123.4 MB sent in 3.2s`.
pub(super) fn line(totals: &Totals, elapsed: Duration) -> String {
    let Totals {
        copied,
        retagged,
        completed,
        planned: _,
        unchanged,
        frozen,
        refused,
        quarantined,
        pruned,
        failed,
        bytes,
    } = totals;
    let optional = |count: usize, word: &str| match count {
        0 => String::new(),
        count => format!(", {count} {word}"),
    };
    format!(
        "{copied} copied{}{}, {unchanged} unchanged{}{}{}{}, {failed} failed, {} sent in {}",
        optional(*retagged, "retagged"),
        optional(*completed, "completed"),
        optional(*frozen, "frozen"),
        optional(*refused, "refused"),
        optional(*quarantined, "quarantined"),
        optional(*pruned, "pruned"),
        units::bytes(*bytes),
        units::duration(elapsed),
    )
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::api::Reason;
    use crate::oci::Digest;
    use crate::plan::gates::{Gate, Quarantine};
    use crate::plan::report::{Audited, TagReport};

    /// A tag of one repository at one destination.
    pub(in super::super) fn image(tag: &str, outcome: Outcome) -> TagReport {
        TagReport {
            source: format!("docker.io/library/app:{tag}"),
            destination: "eu".to_owned(),
            target: format!("eu.example.com/mirror/app:{tag}"),
            source_digest: Digest::sha256(tag.as_bytes()),
            previous_digest: None,
            selected_by: vec!["releases".parse().unwrap()],
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

    fn refusal(gate: Gate, what: &str) -> Refusal {
        Refusal {
            policy: "strict".parse().unwrap(),
            gate,
            reason: gate.reason(),
            message: format!("policy \"strict\", {gate}: {what}"),
        }
    }

    /// A policy does not admit the image.
    pub(in super::super) fn refused(what: &str) -> Outcome {
        Outcome::Refused(refusal(Gate::User, &format!("{what} runs as root")))
    }

    /// A policy admits the image later.
    pub(in super::super) fn quarantined() -> Outcome {
        Outcome::Quarantined(Quarantine {
            until: "2026-11-23T10:00:00Z".parse().unwrap(),
            refusal: refusal(Gate::MinAge, "first seen today"),
        })
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
            image("0.7", refused("0.7")),
            image("0.6", quarantined()),
        ]);
        insta::assert_snapshot!(table(&report, Look::default()), @r"
        MIRROR          SOURCE                  DESTINATION                 TAGS   COPIED   UNCHANGED   RETAGGED   REFUSED   QUARANTINED   FAILED   SENT
        platform/base   docker.io/library/app   eu.example.com/mirror/app   7      2        1           1          1         1             1        3.4 MB
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
        let lines: String = report
            .mirrors
            .iter()
            .flat_map(failures_of)
            .map(failure_line)
            .collect();
        insta::assert_snapshot!(lines, @r"
        failed: docker.io: RateLimited: too many requests
        failed: eu.example.com/mirror/app:1.1: RateLimited: too many \u{1b}[2J requests (next attempt not before 2026-11-20T10:00:00Z)
        ");
    }

    #[test]
    fn refusals_on_a_line_each_whatever_the_number_of_destinations() {
        let mut report = report(vec![
            image("1.0", refused("linux/arm64")),
            image("1.0", refused("linux/arm64")),
            image("1.1", quarantined()),
            copied("1.2", 1),
        ]);
        report.mirrors[0].audited = vec![Audited {
            source: "docker.io/library/app:1.2".to_owned(),
            refusal: refusal(Gate::Labels, "no label\u{1b}[2J"),
        }];
        insta::assert_snapshot!(refusals(&report), @r#"
        audited: docker.io/library/app:1.2: PolicyViolation: policy "strict", require.labels: no label\u{1b}[2J
        quarantined: docker.io/library/app:1.1: Quarantined: policy "strict", minAge: first seen today
        refused: docker.io/library/app:1.0: PolicyViolation: policy "strict", require.user: linux/arm64 runs as root
        "#);
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
                image("1.4", refused("it")),
                image("1.5", quarantined()),
            ],
        ]
        .map(|tags| line(&report(tags).totals(), Duration::from_millis(3_200)));
        insta::assert_snapshot!(lines.join("\n"), @r"
        0 copied, 0 unchanged, 0 failed, 0 B sent in 3.2s
        0 copied, 1 unchanged, 0 failed, 0 B sent in 3.2s
        1 copied, 1 retagged, 0 unchanged, 1 frozen, 1 refused, 1 quarantined, 1 failed, 123.4 MB sent in 3.2s
        ");
    }
}
