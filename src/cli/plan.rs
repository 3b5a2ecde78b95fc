//! What a round would do: `transship plan` and `transship sync --dry-run`.

use super::summary;
use super::table::Table;
use crate::oci::Digest;
use crate::sync::Report;
use crate::sync::report::{Excluded, MirrorReport, Outcome, TagReport, Totals};

/// The table of a plan: every tag that is in with what is to be done, every tag that is out with the reason.
pub(super) fn table(report: &Report) -> String {
    let mut table = Table::new(["MIRROR", "ACTION", "SOURCE", "DESTINATION", "WHY"]);
    for mirror in &report.mirrors {
        let MirrorReport {
            mirror: name,
            failures: _,
            excluded,
            tags,
        } = mirror;
        for tag in tags {
            let TagReport { source, target, .. } = tag;
            let (action, why) = explain(tag);
            table.row([
                name.clone(),
                action.to_owned(),
                source.clone(),
                target.clone(),
                why,
            ]);
        }
        for Excluded {
            repository,
            tag,
            reason,
        } in excluded
        {
            let image = format!("{repository}:{tag}");
            let nowhere = "-".to_owned();
            table.row([
                name.clone(),
                "leave out".to_owned(),
                image,
                nowhere,
                reason.clone(),
            ]);
        }
    }
    if table.is_empty() {
        return String::new();
    }
    table.to_string()
}

/// The one line at the end.
pub(super) fn line(report: &Report) -> String {
    let Totals {
        planned,
        unchanged,
        frozen,
        failed,
        copied: _,
        retagged: _,
        bytes: _,
    } = report.totals();
    let excluded: usize = report
        .mirrors
        .iter()
        .map(|mirror| mirror.excluded.len())
        .sum();
    let frozen = if frozen > 0 {
        format!(", {frozen} frozen")
    } else {
        String::new()
    };
    format!(
        "{planned} to copy, {unchanged} unchanged{frozen}, {excluded} left out, {failed} failed"
    )
}

fn explain(tag: &TagReport) -> (&'static str, String) {
    let short = |digest: &Digest| format!("{}:{}", digest.algorithm().as_str(), digest.short());
    match &tag.outcome {
        Outcome::Planned { moves: false } => (
            "copy",
            format!("the destination lacks {}", short(&tag.source_digest)),
        ),
        Outcome::Planned { moves: true } => (
            "move",
            format!("the source moved to {}", short(&tag.source_digest)),
        ),
        Outcome::Unchanged => ("none", "up to date".to_owned()),
        Outcome::Frozen => (
            "none",
            "the source moved, tagMutability is Freeze".to_owned(),
        ),
        Outcome::Copied { .. } | Outcome::Retagged { .. } => ("none", "was copied".to_owned()),
        Outcome::Failed(failure) => ("fail", format!("{}: {}", failure.reason, failure.message)),
    }
}

/// Everything for people: table, failures, last line.
pub(super) fn render(report: &Report) -> String {
    summary::paragraphs([
        table(report),
        summary::failures(report),
        line(report) + "\n",
    ])
}
