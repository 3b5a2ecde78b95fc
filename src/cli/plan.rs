//! What a round would do: `transship plan` and `transship sync --dry-run`.

use super::summary;
use super::table::{Table, one_line};
use crate::oci::Digest;
use crate::plan::Selector;
use crate::plan::gates::Refusal;
use crate::plan::prune::{Fate, PrunedTag};
use crate::plan::report::{Excluded, MirrorReport, Outcome, TagReport, Totals};
use crate::sync::Report;

/// Stands where there is no destination, and no policy.
const NOTHING: &str = "-";

/// Stands in place of the policies where the mirror's own `tags` name a tag.
const TAGS: &str = "tags";

/// The table of a plan: every tag that is in with what is to be done, every tag that is out with the reason.
pub(super) fn table(report: &Report) -> String {
    let mut table = Table::new([
        "MIRROR",
        "ACTION",
        "SOURCE",
        "DESTINATION",
        "SELECTED BY",
        "WHY",
    ]);
    for mirror in &report.mirrors {
        let MirrorReport {
            mirror: name,
            failures: _,
            excluded,
            tags,
            audited: _,
            policies: _,
            notes: _,
            prune,
        } = mirror;
        for tag in tags {
            let TagReport {
                source,
                destination: _,
                target,
                source_digest: _,
                selected_by,
                outcome: _,
            } = tag;
            let (action, why) = explain(tag);
            table.row([
                name.clone(),
                action.to_owned(),
                source.clone(),
                target.clone(),
                join(selected_by),
                why,
            ]);
        }
        for Excluded { source, reason } in excluded {
            table.row([
                name.clone(),
                "leave out".to_owned(),
                source.to_string(),
                NOTHING.to_owned(),
                NOTHING.to_owned(),
                reason.to_string(),
            ]);
        }
        for tag in prune.iter().flat_map(|prune| &prune.tags) {
            let (action, why) = explain_pruned(tag);
            table.row([
                name.clone(),
                action.to_owned(),
                tag.source.clone(),
                tag.target.to_string(),
                NOTHING.to_owned(),
                why,
            ]);
        }
    }
    if table.is_empty() {
        return String::new();
    }
    table.to_string()
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
    match &tag.outcome {
        Outcome::Planned {
            completes: true, ..
        } => (
            "complete",
            format!(
                "the destination lacks what refers to {} by now",
                short(&tag.source_digest)
            ),
        ),
        Outcome::Planned { moves: false, .. } => (
            "copy",
            format!("the destination lacks {}", short(&tag.source_digest)),
        ),
        Outcome::Planned { moves: true, .. } => (
            "move",
            format!("the source moved to {}", short(&tag.source_digest)),
        ),
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

/// Everything for people: table, refusals, failures, last line.
pub(super) fn render(report: &Report) -> String {
    summary::paragraphs([
        table(report),
        summary::refusals(report),
        summary::failures(report),
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

    fn planned(moves: bool, completes: bool) -> Outcome {
        Outcome::Planned { moves, completes }
    }

    #[test]
    fn every_tag_with_what_is_to_be_done_and_why() {
        let mut report = report(vec![
            image("1.1", planned(false, false)),
            image("1.2", planned(false, true)),
            TagReport {
                selected_by: Vec::new(),
                ..image("latest", planned(true, false))
            },
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
        insta::assert_snapshot!(render(&report), @r#"
        MIRROR          ACTION      SOURCE                                                                                              DESTINATION                        SELECTED BY   WHY
        platform/base   copy        docker.io/library/app:1.1                                                                           eu.example.com/mirror/app:1.1      releases      the destination lacks sha256:b05e244762b1
        platform/base   complete    docker.io/library/app:1.2                                                                           eu.example.com/mirror/app:1.2      releases      the destination lacks what refers to sha256:77ac319bfe19 by now
        platform/base   move        docker.io/library/app:latest                                                                        eu.example.com/mirror/app:latest   tags          the source moved to sha256:5e1e2bcac305
        platform/base   none        docker.io/library/app:1.0                                                                           eu.example.com/mirror/app:1.0      releases      up to date
        platform/base   none        docker.io/library/app:old                                                                           eu.example.com/mirror/app:old      releases      the source moved, tagMutability is Freeze
        platform/base   refuse      docker.io/library/app:0.9                                                                           eu.example.com/mirror/app:0.9      releases      strict: require.user: PolicyViolation
        platform/base   wait        docker.io/library/app:0.8                                                                           eu.example.com/mirror/app:0.8      releases      strict: minAge: Quarantined
        platform/base   leave out   docker.io/library/app:2.0-rc.1                                                                      -                                  -             releases: is a prerelease
        platform/base   leave out   docker.io/library/app:sha256-0000000000000000000000000000000000000000000000000000000000000000.sig   -                                  -             is copied with its image

        quarantined: docker.io/library/app:0.8: Quarantined: policy "strict", minAge: first seen today
        refused: docker.io/library/app:0.9: PolicyViolation: policy "strict", require.user: linux/arm64 runs as root

        3 to copy, 1 unchanged, 1 frozen, 1 refused, 1 quarantined, 2 left out, 0 failed
        "#);
    }

    #[test]
    fn nothing_at_all() {
        insta::assert_snapshot!(render(&Report::default()), @"0 to copy, 0 unchanged, 0 left out, 0 failed");
    }
}
