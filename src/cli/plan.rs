// SPDX-License-Identifier: Apache-2.0

//! What a round would do: `transship plan` and `transship sync --dry-run`.

use super::look::Look;
use super::summary;
use super::table::{Table, one_line, paragraphs};
use crate::oci::Digest;
use crate::plan::Selector;
use crate::plan::gates::Refusal;
use crate::plan::prune::{Fate, PrunedTag};
use crate::plan::report::{Excluded, MirrorReport, Moved, Outcome, TagReport, Totals};
use crate::sync::Report;

/// Stands where there is no destination, and no policy.
const NOTHING: &str = "-";

/// Stands in place of the policies where the mirror's own `tags` name a tag.
const TAGS: &str = "tags";

/// The table of a plan: every tag that is in with what is to be done, every tag that is out with the reason; in brief
/// only what would change.
fn table(report: &Report, is_brief: bool, look: Look) -> String {
    let with_mirror = look.is_wide || report.mirrors.len() > 1;
    let mut table = if with_mirror {
        Table::with_headings(&[
            "MIRROR",
            "ACTION",
            "SOURCE",
            "DESTINATION",
            "SELECTED BY",
            "WHY",
        ])
    } else {
        Table::new(["ACTION", "SOURCE", "DESTINATION", "SELECTED BY", "WHY"])
    };
    for mirror in &report.mirrors {
        for row in rows(mirror) {
            if is_brief && !row.is_change {
                continue;
            }
            let name = with_mirror.then(|| mirror.mirror.clone());
            table.push(name.into_iter().chain(row.cells));
        }
    }
    if table.is_empty() {
        return String::new();
    }
    table.fit_without(&["SELECTED BY"], look.width)
}

/// A line of a plan.
struct Row {
    /// Action, source, destination, policies, reason.
    cells: [String; 5],
    /// Whether something is to be done about it.
    is_change: bool,
}

fn rows(mirror: &MirrorReport) -> impl Iterator<Item = Row> {
    let copies = mirror.tags.iter().map(|tag| {
        let (action, why) = explain(tag);
        Row {
            cells: [
                action.to_owned(),
                tag.source.clone(),
                tag.target.clone(),
                join(&tag.selected_by),
                why,
            ],
            is_change: matches!(tag.outcome, Outcome::Planned { .. } | Outcome::Failed(_)),
        }
    });
    let excluded = mirror
        .excluded
        .iter()
        .map(|Excluded { source, reason }| Row {
            cells: [
                "leave out".to_owned(),
                source.to_string(),
                NOTHING.to_owned(),
                NOTHING.to_owned(),
                reason.to_string(),
            ],
            is_change: false,
        });
    let pruned = mirror.prune.iter().flat_map(|prune| &prune.tags);
    let pruned = pruned.map(|tag| {
        let (action, why) = explain_pruned(tag);
        Row {
            cells: [
                action.to_owned(),
                tag.source.clone(),
                tag.target.to_string(),
                NOTHING.to_owned(),
                why,
            ],
            is_change: matches!(tag.fate, Fate::Due | Fate::Failed),
        }
    });
    copies.chain(excluded).chain(pruned)
}

/// What is to become of a tag at a destination that is not wanted any more, and why.
fn explain_pruned(tag: &PrunedTag) -> (&'static str, String) {
    let reason = tag.reason;
    match &tag.fate {
        Fate::Waiting => ("prune later", format!("{reason}, due {}", tag.due)),
        Fate::Due => ("prune", reason.to_string()),
        Fate::Protected {
            rule: _,
            protected_by,
        } => ("keep", format!("{reason}, but {protected_by}")),
        Fate::Deleted => ("none", "was deleted".to_owned()),
        Fate::Gone => ("none", "was gone".to_owned()),
        Fate::Disowned => ("none", "somebody else wrote it".to_owned()),
        Fate::Failed => ("fail", reason.to_string()),
    }
}

/// Why nothing is deleted, one line for each mirror.
pub(super) fn stops(report: &Report) -> String {
    let stopped = report.mirrors.iter().filter_map(|mirror| {
        let stop = mirror.prune.as_ref()?.stop.as_ref()?;
        Some(format!(
            "not pruned: {}: {}: {}\n",
            mirror.mirror, stop.reason, stop.message
        ))
    });
    stopped.collect()
}

/// What there is to know of rules that select little or nothing.
fn notes(report: &Report) -> String {
    let mirrors = report.mirrors.iter();
    let notes = mirrors.flat_map(|mirror| {
        let notes = mirror.notes.iter();
        notes.map(|note| format!("note: {}: {}\n", mirror.mirror, one_line(note)))
    });
    notes.collect()
}

/// The one line at the end.
pub(super) fn line(report: &Report) -> String {
    let Totals {
        planned,
        unchanged,
        frozen,
        refused,
        quarantined,
        failed,
        pruned: _,
        copied: _,
        retagged: _,
        completed: _,
        bytes: _,
    } = report.totals();
    let excluded = report
        .mirrors
        .iter()
        .flat_map(|mirror| &mirror.excluded)
        .count();
    let optional = |count: usize, word: &str| match count {
        0 => String::new(),
        count => format!(", {count} {word}"),
    };
    let prunable: usize = report.mirrors.iter().map(prunable).sum();
    format!(
        "{planned} to copy, {unchanged} unchanged{}{}{}{}, {excluded} left out, {failed} failed",
        optional(frozen, "frozen"),
        optional(refused, "refused"),
        optional(quarantined, "quarantined"),
        optional(prunable, "to prune"),
    )
}

/// Tags that are due and that nothing stands in the way of, but that a plan deletes nothing.
fn prunable(mirror: &MirrorReport) -> usize {
    let prune = mirror.prune.as_ref();
    prune.map_or(0, |prune| prune.count(|fate| *fate == Fate::Due))
}

fn join(selectors: &[Selector]) -> String {
    if selectors.is_empty() {
        return TAGS.to_owned();
    }
    let names: Vec<String> = selectors.iter().map(Selector::to_string).collect();
    names.join(",")
}

fn explain(tag: &TagReport) -> (&'static str, String) {
    let short = |digest: &Digest| format!("{}:{}", digest.algorithm().as_str(), digest.short());
    let source = short(&tag.source_digest);
    match &tag.outcome {
        Outcome::Planned {
            completes: true, ..
        } => (
            "complete",
            format!("the destination lacks what refers to {source} by now"),
        ),
        Outcome::Planned {
            destination_digest: None,
            ..
        } => ("copy", format!("the destination lacks {source}")),
        Outcome::Planned {
            destination_digest: Some(there),
            moved,
            ..
        } => {
            let there = short(there);
            let why = match moved {
                Some(Moved::Source) => {
                    format!("the source moved to {source}, the destination has {there}")
                }
                Some(Moved::Destination) => {
                    format!("the destination was moved to {there}, the source has {source}")
                }
                None => format!("the source has {source}, the destination {there}"),
            };
            ("move", why)
        }
        Outcome::Unchanged => ("none", "up to date".to_owned()),
        Outcome::Frozen => (
            "none",
            "the source moved, tagMutability is Freeze".to_owned(),
        ),
        Outcome::Copied { .. } | Outcome::Retagged { .. } => ("none", "was copied".to_owned()),
        Outcome::Completed { .. } => ("none", "was completed".to_owned()),
        Outcome::Refused(refusal) => ("refuse", explain_refusal(refusal)),
        Outcome::Quarantined(quarantine) => ("wait", explain_refusal(&quarantine.refusal)),
        // The message stands below the table.
        Outcome::Failed(failure) => ("fail", failure.reason.to_string()),
    }
}

/// In short; the message stands below the table.
fn explain_refusal(refusal: &Refusal) -> String {
    let Refusal {
        policy,
        gate,
        reason,
        message: _,
    } = refusal;
    format!("{policy}: {gate}: {reason}")
}

/// Everything for people: table, refusals, last line.
pub(super) fn render(report: &Report, is_brief: bool, look: Look) -> String {
    paragraphs([
        table(report, is_brief, look),
        summary::refusals(report),
        notes(report),
        stops(report),
        line(report) + "\n",
    ])
}

#[cfg(test)]
mod tests {
    use super::super::summary::tests::{image, quarantined, refused, report};
    use super::*;
    use crate::plan::{NotSelected, SourceImage};
    use crate::policy::select::Exclusion;

    fn planned(there: &str, moved: Option<Moved>) -> Outcome {
        let there = (!there.is_empty()).then(|| Digest::sha256(there.as_bytes()));
        Outcome::Planned {
            moves: there.is_some(),
            completes: false,
            destination_digest: there,
            moved,
        }
    }

    fn completed() -> Outcome {
        Outcome::Planned {
            moves: false,
            completes: true,
            destination_digest: None,
            moved: None,
        }
    }

    #[test]
    fn every_tag_with_what_is_to_be_done_and_why() {
        let mut report = report(vec![
            image("1.1", planned("", None)),
            image("1.2", completed()),
            TagReport {
                selected_by: Vec::new(),
                ..image("latest", planned("a", Some(Moved::Source)))
            },
            image("1.3", planned("a", Some(Moved::Destination))),
            image("1.4", planned("a", None)),
            image("1.0", Outcome::Unchanged),
            image("old", Outcome::Frozen),
            image("0.9", refused("linux/arm64")),
            image("0.8", quarantined()),
        ]);
        let left_out = |tag: &str, reason: NotSelected| Excluded {
            source: SourceImage {
                registry: "docker.io".parse().unwrap(),
                repository: "library/app".parse().unwrap(),
                tag: tag.parse().unwrap(),
            },
            reason,
        };
        let prerelease = ("releases".parse().unwrap(), Exclusion::Prerelease);
        let signature = format!("sha256-{}.sig", "0".repeat(64));
        report.mirrors[0].excluded = vec![
            left_out("2.0-rc.1", NotSelected::Policies(vec![prerelease])),
            left_out(&signature, NotSelected::Referrers),
        ];
        let narrow = |width| {
            let look = Look {
                is_wide: false,
                width: Some(width),
            };
            render(&report, true, look)
        };
        insta::assert_snapshot!([80, 100, 200].map(narrow).join("\n"));
        insta::assert_snapshot!(render(&report, false, Look::default()));
    }

    #[test]
    fn names_that_differ_in_the_middle_of_much_that_is_the_same() {
        let of_team = |team: &str| {
            let path = format!("platform/services/{team}/checkout-service:1.27.3-alpine");
            TagReport {
                source: format!("registry.internal.example.com/{path}"),
                target: format!("123456789012.dkr.ecr.eu-central-1.amazonaws.com/mirror/{path}"),
                ..image("1.27.3-alpine", planned("", None))
            }
        };
        let report = report(["orders", "refunds", "tax"].map(of_team).into());
        let narrow = |width| {
            let look = Look {
                is_wide: false,
                width: Some(width),
            };
            let (planned, synced) = (table(&report, true, look), summary::table(&report, look));
            format!("{planned}\n{synced}")
        };
        insta::assert_snapshot!([80, 100, 200].map(narrow).join("\n"));
    }

    #[test]
    fn nothing_at_all() {
        insta::assert_snapshot!(render(&Report::default(), false, Look::default()), @"0 to copy, 0 unchanged, 0 left out, 0 failed");
    }
}
