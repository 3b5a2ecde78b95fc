// SPDX-License-Identifier: Apache-2.0

//! `kubectl transship status`: the mirrors, the worst first, or all about one of them.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::cluster::Cluster;
use super::fields::{field, fields, paragraph};
use crate::api::ImageMirror;
use crate::api::image_mirror::{FailureStatus, ImageMirrorStatus, RefusalStatus, TagCounts};
use crate::api::metadata::namespace;
use crate::api::time::{age, since};
use crate::cli::args::{ClusterArgs, StatusArgs};
use crate::cli::error::Error;
use crate::cli::exit::Exit;
use crate::cli::look::Look;
use crate::cli::output::{Document, Output};
use crate::cli::table::Table;
use crate::cli::table::paragraphs;
use crate::cli::units;
use crate::plan::health::{Checkup, Health, worst_first};
use crate::runtime::clock;

/// Most mirrors of which it is told what to do.
const MESSAGES: usize = 10;

/// The kind of what machines read.
pub(super) const KIND: &str = "MirrorList";

/// What machines read.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::cli) struct MirrorList {
    /// The worst first.
    mirrors: Vec<MirrorRow>,
    #[serde(skip)]
    now: Timestamp,
    /// Whether they are of several namespaces.
    #[serde(skip)]
    is_of_all: bool,
    /// Whether all about each is wanted.
    #[serde(skip)]
    is_detailed: bool,
}

/// A mirror.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct MirrorRow {
    namespace: String,
    name: String,
    health: Health,
    /// What is wrong, and what to do.
    #[serde(skip_serializing_if = "String::is_empty")]
    message: String,
    tags: TagCounts,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_sync_time: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_sync_time: Option<Timestamp>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    failures: Vec<FailureStatus>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    refusals: Vec<RefusalStatus>,
}

impl Document for MirrorList {
    const KIND: &'static str = KIND;
}

/// Runs `kubectl transship status`.
pub(super) async fn run(
    args: &StatusArgs,
    place: &ClusterArgs,
    output: &Output,
) -> Result<Exit, Error> {
    let mirrors = if let Some(name) = &args.name {
        let (cluster, named) = Cluster::of_mirror(place, name).await?;
        vec![cluster.mirror(&named.name).await?]
    } else {
        let cluster = Cluster::connect(place, args.all_namespaces).await?;
        let mirrors = cluster.list(output).await?;
        if mirrors.is_empty() && !output.is_quiet() {
            output.note(&format!("there is no mirror {}", cluster.place()));
        }
        mirrors
    };
    let now = clock::now();
    let list = MirrorList {
        mirrors: rows(&mirrors, now),
        now,
        is_of_all: args.all_namespaces,
        is_detailed: args.name.is_some(),
    };
    output.print_value(args.output.output, &list, render)?;
    Ok(if list.mirrors.iter().all(|row| row.health.is_good()) {
        Exit::Success
    } else {
        Exit::Failure
    })
}

/// The mirrors, the worst first.
fn rows(mirrors: &[ImageMirror], now: Timestamp) -> Vec<MirrorRow> {
    let looked = worst_first(mirrors, now).into_iter();
    looked
        .map(|(checkup, mirror)| MirrorRow::of(checkup, mirror))
        .collect()
}

// === impl MirrorList ===

impl MirrorList {
    /// The name of a mirror, with its namespace where there are several.
    fn name(&self, row: &MirrorRow) -> String {
        if self.is_of_all {
            format!("{}/{}", row.namespace, row.name)
        } else {
            row.name.clone()
        }
    }
}

// === impl MirrorRow ===

impl MirrorRow {
    fn of(checkup: Checkup, mirror: &ImageMirror) -> Self {
        let Checkup {
            health,
            is_halted: _,
            message,
        } = checkup;
        let status = mirror.status.clone().unwrap_or_default();
        let ImageMirrorStatus {
            tags,
            failures,
            refusals,
            last_sync_time,
            next_sync_time,
            ..
        } = status;
        Self {
            namespace: namespace(&mirror.metadata).to_owned(),
            name: mirror.metadata.name.clone().unwrap_or_default(),
            health,
            message,
            tags: tags.unwrap_or_default(),
            last_sync_time: last_sync_time.map(|time| time.0),
            next_sync_time: next_sync_time.map(|time| time.0),
            failures,
            refusals,
        }
    }

    fn synced(&self) -> String {
        let TagCounts {
            selected,
            synced,
            frozen,
            ..
        } = self.tags;
        format!("{}/{selected}", synced.saturating_add(frozen))
    }
}

// === for people ===

fn render(list: &MirrorList, look: Look) -> String {
    if list.is_detailed {
        let shown = list.mirrors.iter().map(|row| detail(row, list.now, look));
        return shown.collect();
    }
    if list.mirrors.is_empty() {
        return String::new();
    }
    paragraphs([table(list, look), messages(list, look), line(&list.mirrors)])
}

fn table(list: &MirrorList, look: Look) -> String {
    let mut table = Table::new([
        "MIRROR",
        "STATE",
        "SYNCED",
        "FAILED",
        "REFUSED",
        "WAITING",
        "LAST SYNC",
    ]);
    for row in &list.mirrors {
        let since = row.last_sync_time.map(|time| age(time, list.now));
        table.row([
            list.name(row),
            row.health.as_str().to_owned(),
            row.synced(),
            row.tags.failed.to_string(),
            row.tags.refused.to_string(),
            row.tags.quarantined.to_string(),
            since.unwrap_or_default(),
        ]);
    }
    table.fit(look.width)
}

/// What is wrong with the worst of them, and what to do.
fn messages(list: &MirrorList, look: Look) -> String {
    let told = list.mirrors.iter().filter(|row| !row.message.is_empty());
    let (first, rest) = (told.clone().take(MESSAGES), told.skip(MESSAGES).count());
    let first = first.map(|row| paragraph(&list.name(row), &row.message, look));
    let mut messages: String = first.collect();
    if rest > 0 {
        messages.push_str(&paragraph(
            &format!("{rest} more"),
            "-o json has them",
            look,
        ));
    }
    messages
}

/// How many there are, and how many of them are in order.
fn line(rows: &[MirrorRow]) -> String {
    let ready = rows
        .iter()
        .filter(|row| row.health == Health::Ready)
        .count();
    let all = units::count(rows.len(), "mirror", "mirrors");
    format!("{all}, {ready} ready\n")
}

/// All about a mirror.
fn detail(row: &MirrorRow, now: Timestamp, look: Look) -> String {
    let time = |time: Option<Timestamp>| time.map_or_else(String::new, |time| since(time, now));
    let TagCounts {
        failed,
        refused,
        quarantined,
        pending,
        ..
    } = row.tags;
    let tags = format!(
        "{} synced, {failed} failed, {refused} refused, {quarantined} waiting, {pending} pending",
        row.synced()
    );
    let head = fields(
        [
            ("state", row.health.as_str().to_owned()),
            ("what to do", row.message.clone()),
            ("tags", tags),
            ("last sync", time(row.last_sync_time)),
            (
                "next sync",
                row.next_sync_time
                    .map_or_else(String::new, |time| format!("{time:.0}")),
            ),
        ],
        look,
    );
    let failures = row.failures.iter().map(|failure| tell(failure, look));
    let refusals = row.refusals.iter().map(|refusal| {
        let RefusalStatus {
            image,
            policy,
            gate,
            reason,
            message,
            mode: _,
        } = refusal;
        let text = format!("{image}: {reason} by {policy}, {gate}: {message}");
        field("refused", &text, look)
    });
    let lists: String = failures.chain(refusals).collect();
    format!("{}/{}\n{head}{lists}", row.namespace, row.name)
}

/// What failed, where, and how often.
fn tell(failure: &FailureStatus, look: Look) -> String {
    let FailureStatus {
        image,
        destination,
        reason,
        message,
        attempts,
        next_attempt_time: _,
    } = failure;
    let at = destination.as_ref();
    let at = at.map_or_else(String::new, |name| format!(" (destination {name})"));
    let times = u64::try_from(*attempts).unwrap_or_default();
    let times = if times > 1 {
        format!(", {times} times")
    } else {
        String::new()
    };
    field(
        "failed",
        &format!("{image}{at}: {reason}{times}: {message}"),
        look,
    )
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::plan::fixtures::{mirror, now};

    fn status(ready: &str, reason: &str, failed: i32) -> Value {
        json!({
            "conditions": [{
                "type": "Ready", "status": ready, "reason": reason,
                "message": "38 of 40 tags are synced; registry.example.com does not answer: look whether it runs",
                "lastTransitionTime": "2026-11-20T00:00:00Z",
            }],
            "tags": {"selected": 40, "synced": 40 - failed, "failed": failed, "quarantined": 1},
            "lastSyncTime": "2026-11-27T12:00:00Z",
            "failures": (0..failed.min(1)).map(|_| json!({
                "image": "registry.example.com/mirror/library/nginx:1.27.3", "destination": "eu",
                "reason": reason, "message": "it does not answer within 10 s: look whether it runs, and whether this cluster may reach it",
                "attempts": 4,
            })).collect::<Vec<_>>(),
            "refusals": [{
                "image": "docker.io/library/nginx:1.28.0", "policy": "stable", "gate": "minAge", "reason": "Quarantined",
                "message": "first seen at 2026-11-30T00:00:00Z, let through at 2026-12-03T00:00:00Z: wait for 3d", "mode": "Enforce",
            }],
        })
    }

    fn list(is_detailed: bool, names: &[&str]) -> MirrorList {
        let mirrors = [
            mirror("fine", &json!({}), &status("True", "Succeeded", 0)),
            mirror(
                "held",
                &json!({"suspend": true}),
                &status("True", "Succeeded", 0),
            ),
            mirror(
                "some-failed",
                &json!({}),
                &status("False", "Unreachable", 2),
            ),
            mirror(
                "many-failed",
                &json!({}),
                &status("False", "Unreachable", 7),
            ),
            mirror(
                "halted",
                &json!({}),
                &status("False", "DependencyNotReady", 0),
            ),
            mirror("new", &json!({}), &json!({"observedGeneration": -1})),
        ];
        let is_wanted = |mirror: &ImageMirror| {
            names.is_empty() || names.contains(&mirror.metadata.name.as_deref().unwrap())
        };
        let mirrors: Vec<ImageMirror> = mirrors.into_iter().filter(is_wanted).collect();
        MirrorList {
            mirrors: rows(&mirrors, now()),
            now: now(),
            is_of_all: true,
            is_detailed,
        }
    }

    fn at(width: usize) -> Look {
        Look {
            is_wide: false,
            width: Some(width),
        }
    }

    #[test]
    fn the_worst_mirror_comes_first() {
        insta::assert_snapshot!(render(&list(false, &[]), at(100)));
    }

    #[test]
    fn all_about_one_mirror() {
        insta::assert_snapshot!(render(&list(true, &["some-failed"]), at(100)));
    }
}
