// SPDX-License-Identifier: Apache-2.0

//! What pruning came to, for people.

use super::totals::{Totals, waits_for_approval};
use crate::cli::look::Look;
use crate::cli::table::{Table, paragraphs};
use crate::cli::{units, unpruned};
use crate::oci::Tag;
use crate::plan::Mirror;
use crate::plan::prune::{Fate, PrunedTag};
use crate::sync::Report;

/// Everything: table, why nothing is deleted, how to approve it, and one line.
pub(super) fn render<'a>(
    mirrors: impl Iterator<Item = &'a Mirror>,
    report: &Report,
    totals: &Totals,
    is_quiet: bool,
    look: Look,
) -> String {
    let table = if is_quiet {
        String::new()
    } else {
        table(report, look)
    };
    paragraphs([
        table,
        unpruned::stops(report) + &approvals(mirrors, report),
        line(totals) + "\n",
    ])
}

/// Every tag that is not wanted any more.
fn table(report: &Report, look: Look) -> String {
    let mut table = Table::new([
        "MIRROR",
        "ACTION",
        "TAG",
        "DIGEST",
        "WHY",
        "SINCE",
        "DUE",
        "KEPT BY",
        "SAME IMAGE",
    ]);
    for mirror in &report.mirrors {
        for tag in mirror.prune.iter().flat_map(|prune| &prune.tags) {
            let PrunedTag {
                target,
                source: _,
                digest,
                reason,
                since,
                due,
                shared_with,
                fate,
            } = tag;
            let (action, kept_by) = explain(fate);
            table.row([
                mirror.mirror.clone(),
                action.to_owned(),
                target.to_string(),
                look.digest(digest),
                reason.to_string(),
                format!("{since:.0}"),
                format!("{due:.0}"),
                kept_by.to_owned(),
                shared_with
                    .iter()
                    .map(Tag::as_str)
                    .collect::<Vec<_>>()
                    .join(","),
            ]);
        }
    }
    if table.is_empty() {
        return String::new();
    }
    table.fit_without(&["KEPT BY", "SINCE", "DIGEST"], look.width)
}

fn explain(fate: &Fate) -> (&'static str, &str) {
    match fate {
        Fate::Waiting => ("wait", ""),
        Fate::Protected {
            rule: _,
            protected_by,
        } => ("keep", protected_by),
        Fate::Due => ("delete", ""),
        Fate::Deleted => ("deleted", ""),
        Fate::Gone => ("was gone", ""),
        Fate::Disowned => ("leave", "somebody else, who wrote it"),
        Fate::Failed => ("failed", ""),
    }
}

/// How a person lets more go than the mirror allows by itself.
fn approvals<'a>(mirrors: impl Iterator<Item = &'a Mirror>, report: &Report) -> String {
    let pairs = mirrors.zip(&report.mirrors);
    let waiting = pairs.filter_map(|(mirror, report)| {
        let prune = report.prune.as_ref()?;
        let plan = prune
            .plan
            .as_ref()
            .filter(|_| waits_for_approval(mirror, prune))?;
        Some(format!(
            "to approve exactly these tags: --mirror {} --delete --approve {plan}\n",
            mirror.name
        ))
    });
    waiting.collect()
}

/// The one line at the end: `3 due, which would free 1.2 MB; 4 waiting, 2 kept, 40 on record`.
fn line(totals: &Totals) -> String {
    let Totals {
        recorded,
        due,
        waiting,
        protected,
        deleted,
        referrers,
        failed,
        freed,
    } = totals;
    let optional = |count: usize, word: &str| match count {
        0 => String::new(),
        count => format!("{count} {word}, "),
    };
    let freed = match freed.filter(|_| *due > 0) {
        Some(freed) => format!(" (frees {})", units::bytes(freed)),
        None => String::new(),
    };
    format!(
        "{}{}{}{due} to delete{freed}, {waiting} waiting, {protected} kept, {recorded} on record",
        optional(*deleted, "deleted"),
        optional(*referrers, "referrers deleted"),
        optional(*failed, "failed"),
    )
}
