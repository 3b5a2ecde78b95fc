// SPDX-License-Identifier: Apache-2.0

//! `kubectl transship approve`: shows what waits to be deleted, and approves exactly that.

use std::io::{self, IsTerminal as _};

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::cluster::Cluster;
use super::error::PluginError;
use crate::api::annotations::APPROVE_PRUNE;
use crate::api::conditions::{self, PRUNED};
use crate::api::image_mirror::PruneMode;
use crate::api::mirrored_repository::PruneCandidate;
use crate::api::time::age;
use crate::api::{ImageMirror, MirroredRepository};
use crate::cli::args::{ApproveArgs, ClusterArgs, Format};
use crate::cli::error::Error;
use crate::cli::exit::Exit;
use crate::cli::look::Look;
use crate::cli::output::Output;
use crate::cli::table::Table;
use crate::cli::units;
use crate::oci::{Reference, Tag};
use crate::plan::health::waiting_plan;
use crate::plan::prune::{Target, name_plan};
use crate::runtime::clock;

/// Runs `kubectl transship approve`.
pub(super) async fn run(
    args: &ApproveArgs,
    place: &ClusterArgs,
    output: &Output,
) -> Result<Exit, Error> {
    let ApproveArgs { name, yes } = args;
    let (cluster, label) = Cluster::of_mirror(place, name).await?;
    let name = &label.name;
    let mirror = cluster.mirror(name).await?;
    let plan = mirror.status.as_ref().and_then(waiting_plan).cloned();
    let Some(plan) = plan else {
        let why = why_nothing_waits(&mirror);
        output.print(format!(
            "{label}: no prune plan waits for approval: {why}\n"
        ))?;
        return Ok(Exit::Success);
    };
    let records = cluster.records_of(name, output).await?;
    let (now, grace) = (clock::now(), mirror.spec.prune.grace.as_std());
    let grace = SignedDuration::try_from(grace).unwrap_or(SignedDuration::MAX);
    let due = due(&records, grace, now);
    let lines = due.iter().map(|due| {
        let PruneCandidate { digest, since, .. } = due.candidate;
        (&due.target, digest, since.0)
    });
    let shown = name_plan(lines.collect());
    output.note(table(&due, now, Output::look(Format::Table)).trim_end());
    let tags = units::count(due.len(), "tag", "tags");
    if !yes && !io::stdin().is_terminal() {
        let message = "nobody can be asked here: --yes approves without asking";
        return Err(Error::Usage(message.to_owned()));
    }
    // What is approved is what was seen, and nothing else.
    if shown.as_ref() != Some(&plan) {
        let other = PluginError::OtherPlan {
            mirror: label.to_string(),
            sync: label.command("sync"),
        };
        return Err(other.into());
    }
    let question = format!("{label}: delete {tags}, plan {plan}?");
    if !yes && !output.confirm(&question) {
        output.note("nothing was approved");
        return Ok(Exit::Failure);
    }
    let change = json!({"metadata": {"annotations": {APPROVE_PRUNE: plan}}});
    cluster.change(name, &change).await?;
    output.print(format!(
        "{label}: approved {plan}: a round deletes exactly these tags now, and if others are due by then, none\n"
    ))?;
    Ok(Exit::Success)
}

/// Why there is nothing to approve.
fn why_nothing_waits(mirror: &ImageMirror) -> String {
    if mirror.spec.prune.mode != PruneMode::Delete {
        return "its spec.prune.mode is not Delete, and nothing is deleted".to_owned();
    }
    let status = mirror.status.as_ref();
    let pruned = status.and_then(|status| conditions::find(&status.conditions, PRUNED));
    pruned.map_or_else(
        || "no round has looked yet".to_owned(),
        |pruned| pruned.message.clone(),
    )
}

/// A tag that is due.
struct DueTag<'a> {
    target: Target,
    candidate: &'a PruneCandidate,
}

/// The tags that are due, in order. What a record says in a way that is not understood is left out.
fn due(records: &[MirroredRepository], grace: SignedDuration, now: Timestamp) -> Vec<DueTag<'_>> {
    let candidates = records.iter().flat_map(|record| {
        let candidates = record.status.iter().flat_map(|status| &status.candidates);
        let due = candidates.filter(|candidate| {
            let is_over = now.duration_since(candidate.since.0) >= grace;
            is_over && candidate.protected_by.is_none()
        });
        due.filter_map(|candidate| {
            let target = target(record, &candidate.tag)?;
            Some(DueTag { target, candidate })
        })
    });
    let mut due: Vec<_> = candidates.collect();
    due.sort_by(|left, right| left.target.cmp(&right.target));
    due
}

/// Where a tag of a record is: it may have been written before the destination named its registry.
fn target(record: &MirroredRepository, tag: &Tag) -> Option<Target> {
    let there: Reference = record.spec.repository.parse().ok()?;
    let mut tags = record.status.iter().flat_map(|status| &status.tags);
    let recorded = tags.find(|recorded| recorded.tag == *tag);
    let elsewhere = recorded.and_then(|recorded| recorded.registry.as_deref());
    Some(Target {
        destination: record.spec.destination.clone(),
        registry: match elsewhere {
            Some(registry) => registry.parse().ok()?,
            None => there.registry,
        },
        repository: there.repository,
        tag: tag.clone(),
    })
}

fn table(due: &[DueTag<'_>], now: Timestamp, look: Look) -> String {
    let mut table = Table::new(["TAG", "DIGEST", "WHY", "UNWANTED FOR"]);
    for DueTag { target, candidate } in due {
        let Target {
            destination: _,
            registry,
            repository,
            tag,
        } = target;
        table.row([
            format!("{registry}/{repository}:{tag}"),
            look.digest(&candidate.digest),
            candidate.reason.clone(),
            age(candidate.since.0, now),
        ]);
    }
    // What is deleted is named in full, however narrow the terminal is.
    table.fit(None)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::plan::fixtures::{mirror, now, record};

    #[test]
    fn what_is_due_is_shown() {
        let candidate = |tag: &str, since: &str| json!({"tag": tag, "digest": format!("sha256:{}", "1".repeat(64)), "reason": "NotSelected", "since": since});
        let mut kept = candidate("3", "2026-11-01T00:00:00Z");
        kept["protectedBy"] = json!("Deployment shop/web");
        let candidates = json!({"candidates": [
            candidate("2", "2026-11-27T00:00:00Z"), candidate("1", "2026-11-27T00:00:00Z"),
            candidate("0", "2026-11-30T00:00:00Z"), kept,
        ]});
        let records = [record(
            "base",
            "registry.example.com/mirror/app",
            &candidates,
        )];
        let due = due(&records, SignedDuration::from_hours(24), now());
        let look = Look {
            is_wide: false,
            width: Some(40),
        };
        insta::assert_snapshot!(table(&due, now(), look), @r"
        TAG                                 DIGEST                WHY           UNWANTED FOR
        registry.example.com/mirror/app:1   sha256:111111111111   NotSelected   3d
        registry.example.com/mirror/app:2   sha256:111111111111   NotSelected   3d
        ");
    }

    #[test]
    fn why_nothing_waits_is_said() {
        let delete = json!({"prune": {"mode": "Delete"}});
        let pruned = json!({"conditions": [{
            "type": "Pruned", "status": "True", "reason": "Succeeded", "message": "nothing is due",
            "lastTransitionTime": "2026-11-30T00:00:00Z",
        }]});
        let none = json!({});
        for (spec, status, why) in [
            (
                &none,
                &none,
                "its spec.prune.mode is not Delete, and nothing is deleted",
            ),
            (&delete, &none, "no round has looked yet"),
            (&delete, &pruned, "nothing is due"),
        ] {
            assert_eq!(why_nothing_waits(&mirror("base", spec, status)), why);
        }
    }
}
