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
use crate::plan::health::{
    Checkup, Health, further_causes, tell_failure, tell_job, tell_refusal, worst_first,
};
use crate::plan::mirror_home::MirrorHome;
use crate::plan::named_mirror::NamedMirror;
use crate::runtime::clock;

/// Most mirrors of which it is told what to do.
const MESSAGES: usize = 10;
/// Most causes of failures that are told of each of them.
const CAUSES: usize = 3;

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
    /// The reason of the condition that says so, where one does.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// What is wrong, and what to do.
    #[serde(skip_serializing_if = "String::is_empty")]
    message: String,
    /// What to do where the message does not say it.
    #[serde(skip)]
    mend: String,
    tags: TagCounts,
    /// The Job that copies now.
    #[serde(skip_serializing_if = "Option::is_none")]
    job: Option<CopyingJob>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_sync_time: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_sync_time: Option<Timestamp>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    failures: Vec<FailureStatus>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    refusals: Vec<RefusalStatus>,
}

/// A Job that copies.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct CopyingJob {
    name: String,
    /// Parts that the repositories are shared out in, one for each pod.
    parts: i32,
    /// Parts that are done.
    done: i32,
    /// Parts that failed.
    failed: i32,
    /// How far it is, and what keeps its pods from running.
    message: String,
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
            output.note(&nothing(&cluster.place(), args.all_namespaces));
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

/// That there is no mirror, and where else to look.
fn nothing(place: &str, is_all: bool) -> String {
    let elsewhere = if is_all {
        ""
    } else {
        ": look at all namespaces with -A"
    };
    format!("there is no mirror {place}{elsewhere}")
}

/// The mirrors, the worst first.
fn rows(mirrors: &[ImageMirror], now: Timestamp) -> Vec<MirrorRow> {
    let looked = worst_first(mirrors, &MirrorHome::Cluster, now).into_iter();
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
        let mend = checkup.mend(&NamedMirror::of(mirror), &MirrorHome::Cluster);
        let Checkup {
            health,
            is_halted: _,
            reason,
            message,
            step,
        } = checkup;
        let mend = mend.unwrap_or_default();
        // A step that follows from the state is a part of what is said of it.
        let (message, mend) = match step {
            Some(_) => (format!("{message}: {mend}"), String::new()),
            None => (message, mend),
        };
        let status = mirror.status.clone().unwrap_or_default();
        let job = CopyingJob::of(&status);
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
            reason,
            message,
            mend,
            tags: tags.unwrap_or_default(),
            job,
            last_sync_time: last_sync_time.map(|time| time.0),
            next_sync_time: next_sync_time.map(|time| time.0),
            failures,
            refusals,
        }
    }

    /// The reason where it is another word than the state.
    fn other_reason(&self) -> Option<&str> {
        let reason = self.reason.as_deref();
        reason.filter(|reason| *reason != self.health.as_str())
    }

    fn named(&self) -> NamedMirror {
        NamedMirror::new(&self.namespace, &self.name)
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

// === impl CopyingJob ===

impl CopyingJob {
    fn of(status: &ImageMirrorStatus) -> Option<Self> {
        let (job, told) = status.job.as_ref().zip(tell_job(status))?;
        Some(Self {
            name: job.name.to_string(),
            parts: job.indexes,
            done: job.succeeded,
            failed: job.failed,
            message: told.text,
        })
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
        "REASON",
        "SYNCED",
        "FAILED",
        "REFUSED",
        "QUARANTINED",
        "LAST SYNC",
    ]);
    for row in &list.mirrors {
        let since = row.last_sync_time.map(|time| age(time, list.now));
        table.row([
            list.name(row),
            row.health.as_str().to_owned(),
            row.other_reason().unwrap_or_default().to_owned(),
            row.synced(),
            row.tags.failed.to_string(),
            row.tags.refused.to_string(),
            row.tags.quarantined.to_string(),
            since.unwrap_or_default(),
        ]);
    }
    table.fit_without(&["LAST SYNC", "QUARANTINED"], look.width)
}

/// What is wrong with the worst of them, and what to do.
fn messages(list: &MirrorList, look: Look) -> String {
    let told = list.mirrors.iter();
    let told = told.filter(|row| !row.message.is_empty() || row.job.is_some());
    let (first, rest) = (told.clone().take(MESSAGES), told.skip(MESSAGES).count());
    let first =
        first.map(|row| paragraph(&list.name(row), &row.message, look) + &causes(row, look));
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

/// What else a mirror fails with, and what to do.
fn causes(row: &MirrorRow, look: Look) -> String {
    let causes = further_causes(&row.failures, &row.message);
    let told = causes.iter().take(CAUSES);
    let told = told.filter_map(|cause| {
        let (first, others) = cause.split_first()?;
        let told = tell_failure(first, others.len());
        Some(field(told.label, &told.text, look))
    });
    let rest = match causes.iter().skip(CAUSES).map(Vec::len).sum() {
        0 => String::new(),
        rest => {
            let count = units::count(rest, "other failure", "other failures");
            format!("{count}: {}", row.named().command("status"))
        }
    };
    let last = [
        ("failed", rest),
        ("job", job(row)),
        ("do", row.mend.clone()),
    ];
    told.collect::<String>() + &fields(last, look)
}

fn job(row: &MirrorRow) -> String {
    let job = row.job.as_ref();
    job.map_or_else(String::new, |job| job.message.clone())
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
        "{} synced, {failed} failed, {refused} refused, {quarantined} quarantined, {pending} pending",
        row.synced()
    );
    let head = fields(
        [
            ("state", row.health.as_str().to_owned()),
            ("because", row.message.clone()),
            ("do", row.mend.clone()),
            ("job", job(row)),
            ("tags", tags),
            ("last sync", time(row.last_sync_time)),
            (
                "next sync",
                // Rounds without news write none: what is past says nothing of the next.
                row.next_sync_time
                    .filter(|time| *time > now)
                    .map_or_else(String::new, |time| format!("{time:.0}")),
            ),
        ],
        look,
    );
    let failures = row.failures.iter();
    let failures = failures.map(|failure| tell_failure(failure, 0));
    let refusals = row.refusals.iter().map(tell_refusal);
    let lists = failures.chain(refusals);
    let lists: String = lists
        .map(|told| field(told.label, &told.text, look))
        .collect();
    format!("{}/{}\n{head}{lists}", row.namespace, row.name)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::plan::fixtures::{mirror, now};

    /// Two causes, and others from the fourth on.
    fn failure(number: i32) -> Value {
        let (tag, at) = (
            format!("1.27.{number}"),
            "registry.example.com/mirror/library/nginx",
        );
        let (reason, message) = match number {
            0 | 2 => (
                "Unreachable",
                format!(
                    "cannot look up {at}:{tag}: it does not answer within 10 s: look whether it runs"
                ),
            ),
            1 | 4 => (
                "QuotaExceeded",
                format!("cannot push {at}:{tag}: there is no room for more: make room there"),
            ),
            _ => (
                "CopyFailed",
                format!("it is broken in way {number}: mend it"),
            ),
        };
        json!({"image": format!("{at}:{tag}"), "destination": "eu", "reason": reason, "message": message, "attempts": 4})
    }

    fn status(ready: &str, reason: &str, failed: i32) -> Value {
        let message = match (reason, failed) {
            ("DependencyNotReady", _) => {
                "spec.policyRefs[0].name: there is no ImagePolicy \"stabel\"".to_owned()
            }
            (_, 0) => "40 of 40 tags are synced".to_owned(),
            _ => format!(
                "{} of 40 tags are synced; {}",
                40 - failed,
                failure(2)["message"].as_str().unwrap()
            ),
        };
        json!({
            "conditions": [{
                "type": "Ready", "status": ready, "reason": reason, "message": message,
                "lastTransitionTime": "2026-11-20T00:00:00Z",
            }],
            "tags": {"selected": 40, "synced": 40 - failed, "failed": failed, "refused": 2, "quarantined": 1},
            "lastSyncTime": "2026-11-27T12:00:00Z",
            "failures": (0..failed).map(failure).collect::<Vec<_>>(),
            "refusals": [{
                "image": "docker.io/library/nginx:1.26.0", "policy": "stable", "gate": "require.user", "reason": "PolicyViolation",
                "message": "runs as root: build it with a user", "mode": "Enforce",
            }, {
                "image": "docker.io/library/nginx:1.26.0", "policy": "new", "gate": "minAge", "reason": "Quarantined",
                "message": "first seen at 2026-11-30T00:00:00Z", "mode": "Audit",
            }, {
                "image": "docker.io/library/nginx:1.28.0", "policy": "stable", "gate": "minAge", "reason": "Quarantined",
                "message": "first seen at 2026-11-30T00:00:00Z, let through 72h later, at 2026-12-03T00:00:00Z: wait until then", "mode": "Enforce",
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
    fn whoever_sees_nothing_is_told_where_else_to_look() {
        let here = "there is no mirror in namespace \"shop\": look at all namespaces with -A";
        assert_eq!(nothing("in namespace \"shop\"", false), here);
        let everywhere = "there is no mirror in all namespaces";
        assert_eq!(nothing("in all namespaces", true), everywhere);
    }

    #[test]
    fn the_worst_mirror_comes_first() {
        insta::assert_snapshot!(render(&list(false, &[]), at(100)));
    }

    #[test]
    fn how_far_a_job_is_and_what_keeps_its_pods_from_running() {
        let told = |is_detailed: bool, stopping: bool| {
            let waits = "Job base-1 copies: 2 of 4 parts are done, 1 failed; pod base-1-3 waits: ImagePullBackOff: no such image";
            let condition = |r#type: &str, status: &str, message: &str| {
                json!({
                    "type": r#type, "status": status, "reason": "Progressing", "message": message,
                    "lastTransitionTime": "2026-11-20T00:00:00Z",
                })
            };
            let job = json!({"name": "base-1", "uid": "1", "indexes": 4, "succeeded": 2, "failed": 1, "stopping": stopping});
            let status = json!({
                "conditions": [condition("Ready", "False", ""), condition("Reconciling", "True", waits)], "job": job,
            });
            let mirrors = [mirror("base", &json!({}), &status)];
            let list = MirrorList {
                mirrors: rows(&mirrors, now()),
                now: now(),
                is_of_all: true,
                is_detailed,
            };
            let json = serde_json::to_value(&list).unwrap();
            assert_eq!(json["mirrors"][0]["job"]["done"], 2, "{json}");
            render(&list, Look::default())
        };
        let copies = "  job           Job base-1 copies: 2 of 4 parts are done, 1 failed; pod base-1-3 waits: ImagePullBackOff: no such image\n";
        let ends =
            "  job           Job base-1 ends: 2 of 4 parts are done, and its pods are waited for\n";
        for is_detailed in [false, true] {
            for (stopping, expected) in [(false, copies), (true, ends)] {
                let told = told(is_detailed, stopping);
                assert!(told.contains(expected), "{told}");
            }
        }
    }

    #[test]
    fn all_about_one_mirror() {
        insta::assert_snapshot!(render(&list(true, &["some-failed"]), at(100)));
    }
}
