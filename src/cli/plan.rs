// SPDX-License-Identifier: Apache-2.0

//! What a round would do: `transship plan` and `transship sync --dry-run`.

use std::collections::HashMap;

use super::look::Look;
use super::summary;
use super::table::{Table, one_line, paragraphs};
use super::unpruned;
use crate::oci::Digest;
use crate::plan::Selector;
use crate::plan::gates::Refusal;
use crate::plan::mirror_home::MirrorHome;
use crate::plan::prune::{Fate, PrunedTag};
use crate::plan::report::{Excluded, MirrorReport, Moved, Outcome, TagReport, Totals};
use crate::sync::Report;

/// Stands where there is no destination, and no policy.
const NOTHING: &str = "-";

/// Stands in place of the policies where the mirror's own `tags` name a tag.
const TAGS: &str = "tags";

/// Most lines of a plan about tags that stay as they are, and about those that are left out, that are read one by one.
const READ_ALONE: usize = 20;

/// The table of a plan: every tag that is in with what is to be done, every tag that is out with the reason; in brief
/// only what would change. Where there are many that stay as they are, or are left out, those that are alike share a line.
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
    let all = || report.mirrors.iter().flat_map(rows);
    let is_folded = |kind: RowKind| {
        let count = all().filter(|row| row.kind == kind).count();
        !look.is_wide && count > READ_ALONE
    };
    let folded = [RowKind::Unchanged, RowKind::LeftOut].map(|kind| (kind, is_folded(kind)));
    for mirror in &report.mirrors {
        let rows = rows(mirror).filter(|row| !is_brief || row.kind == RowKind::Change);
        let (mut shown, mut alike) = (Vec::new(), Vec::new());
        for row in rows {
            let is_folded = folded.contains(&(row.kind, true));
            if is_folded { &mut alike } else { &mut shown }.push(row);
        }
        shown.extend(fold(alike));
        for row in shown {
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
    kind: RowKind,
}

/// What a line of a plan is about.
#[derive(Clone, Copy, PartialEq, Eq)]
enum RowKind {
    /// Something is to be done.
    Change,
    /// A tag that is as it should be.
    Unchanged,
    /// A tag of the source that is not wanted.
    LeftOut,
    /// What a person may want to know.
    Other,
}

/// One line for those that are alike but for the tag, in the order of the first of each.
fn fold(rows: Vec<Row>) -> Vec<Row> {
    let mut folded: Vec<(Row, usize)> = Vec::new();
    let mut places: HashMap<[String; 5], usize> = HashMap::new();
    for row in rows {
        let [action, source, destination, selected_by, why] = &row.cells;
        let key = [
            action.clone(),
            repository(source).to_owned(),
            repository(destination).to_owned(),
            selected_by.clone(),
            why.clone(),
        ];
        let place = *places.entry(key).or_insert(folded.len());
        match folded.get_mut(place) {
            Some((_, count)) => *count += 1,
            None => folded.push((row, 1)),
        }
    }
    let rows = folded.into_iter().map(|(mut row, count)| {
        let [_, source, destination, _, why] = &mut row.cells;
        if count > 1 {
            *source = repository(source).to_owned();
            *destination = repository(destination).to_owned();
            *why = format!("{count} tags: {why}");
        }
        row
    });
    rows.collect()
}

/// The repository of an image that has a tag.
fn repository(image: &str) -> &str {
    image
        .rsplit_once(':')
        .map_or(image, |(repository, _)| repository)
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
            kind: match tag.outcome {
                Outcome::Planned { .. } | Outcome::Failed(_) => RowKind::Change,
                Outcome::Unchanged => RowKind::Unchanged,
                Outcome::Copied { .. }
                | Outcome::Retagged { .. }
                | Outcome::Completed { .. }
                | Outcome::Frozen
                | Outcome::Refused(_)
                | Outcome::Quarantined(_) => RowKind::Other,
            },
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
            kind: RowKind::LeftOut,
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
            kind: match tag.fate {
                Fate::Due | Fate::Failed => RowKind::Change,
                Fate::Waiting
                | Fate::Protected { .. }
                | Fate::Deleted
                | Fate::Gone
                | Fate::Disowned => RowKind::Other,
            },
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
pub(super) fn render(report: &Report, is_brief: bool, home: &MirrorHome, look: Look) -> String {
    paragraphs([
        table(report, is_brief, look),
        summary::refusals(report),
        notes(report),
        unpruned::stops(report) + &unpruned::due(report, home),
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
            render(&report, true, &MirrorHome::Cluster, look)
        };
        insta::assert_snapshot!([80, 100, 200].map(narrow).join("\n"));
        insta::assert_snapshot!(render(
            &report,
            false,
            &MirrorHome::Cluster,
            Look::default()
        ));
    }

    #[test]
    fn what_many_tags_are_alike_in_is_said_once() {
        let tags =
            |count: usize| (0..count).map(|tag| image(&format!("1.{tag}"), Outcome::Unchanged));
        let left_out = |repository: &str, tag: usize| Excluded {
            source: SourceImage {
                registry: "docker.io".parse().unwrap(),
                repository: repository.parse().unwrap(),
                tag: format!("2.{tag}").parse().unwrap(),
            },
            reason: NotSelected::Referrers,
        };
        let report_of = |unchanged: usize, excluded: usize| {
            let changed = image("2.0", planned("", None));
            let mut report = report(std::iter::once(changed).chain(tags(unchanged)).collect());
            report.mirrors[0].excluded = (0..excluded)
                .map(|tag| {
                    left_out(
                        if tag == 0 {
                            "library/web"
                        } else {
                            "library/app"
                        },
                        tag,
                    )
                })
                .collect();
            report
        };
        let shown = |report: &Report, is_wide: bool| {
            let look = Look {
                is_wide,
                ..Look::default()
            };
            render(report, false, &MirrorHome::Cluster, look)
        };
        let few = report_of(READ_ALONE, READ_ALONE);
        assert_eq!(shown(&few, false).lines().count(), 2 * READ_ALONE + 4);
        let many = report_of(READ_ALONE + 1, READ_ALONE + 1);
        assert_eq!(shown(&many, true).lines().count(), 2 * READ_ALONE + 6);
        insta::assert_snapshot!(shown(&many, false), @r"
        ACTION      SOURCE                      DESTINATION                     SELECTED BY   WHY
        copy        docker.io/library/app:2.0   eu.example.com/mirror/app:2.0   releases      the destination lacks sha256:d84bdb34d4ee
        none        docker.io/library/app       eu.example.com/mirror/app       releases      21 tags: up to date
        leave out   docker.io/library/web:2.0   -                               -             is copied with its image
        leave out   docker.io/library/app       -                               -             20 tags: is copied with its image

        1 to copy, 21 unchanged, 21 left out, 0 failed
        ");
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
        insta::assert_snapshot!(render(&Report::default(), false, &MirrorHome::Cluster, Look::default()), @"0 to copy, 0 unchanged, 0 left out, 0 failed");
    }
}
