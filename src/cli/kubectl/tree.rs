// SPDX-License-Identifier: Apache-2.0

//! `kubectl transship tree`: a mirror with its policies, records and receivers.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::cluster::{Cluster, MirrorWithRecords};
use crate::api::conditions::{self, READY};
use crate::api::metadata::namespace;
use crate::api::{ImageMirror, ImagePolicy, ImageReceiver, MirroredRepository};
use crate::cli::args::{ClusterArgs, ShownMirrorArgs};
use crate::cli::error::Error;
use crate::cli::exit::Exit;
use crate::cli::look::Look;
use crate::cli::output::{Document, Output};
use crate::cli::table::Table;
use crate::cli::units;
use crate::oci::Registry;
use crate::plan::health::{Checkup, Health};
use crate::runtime::clock;

/// The kind of what machines read.
pub(super) const KIND: &str = "MirrorTree";

/// What machines read.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::cli) struct MirrorTree {
    namespace: String,
    name: String,
    health: Health,
    /// The reason of the condition that says so, where one does.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    source: String,
    policies: Vec<Branch>,
    destinations: Vec<DestinationBranch>,
    /// Those of the namespace whose events may be about the source.
    receivers: Vec<Branch>,
}

/// A policy or a receiver.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Branch {
    name: String,
    /// The reason of its condition Ready; `Missing` where there is no such object.
    state: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    message: String,
}

/// A destination.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct DestinationBranch {
    name: String,
    registry: String,
    repositories: Vec<RepositoryBranch>,
}

/// What is on record of a repository.
#[derive(Debug, Default, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct RepositoryBranch {
    repository: String,
    /// Tags on record.
    tags: usize,
    /// Of these, tags that are no longer wanted.
    candidates: usize,
    /// Tags in quarantine: they wait for their minAge.
    waiting: usize,
    /// Tags that were pruned and can be restored.
    deleted: usize,
}

impl Document for MirrorTree {
    const KIND: &'static str = KIND;
}

/// Runs `kubectl transship tree`.
pub(super) async fn run(
    args: &ShownMirrorArgs,
    place: &ClusterArgs,
    output: &Output,
) -> Result<Exit, Error> {
    let MirrorWithRecords {
        cluster,
        named: _,
        mirror,
        records,
    } = Cluster::mirror_with_records(place, &args.name, output).await?;
    let (policies, receivers) = tokio::try_join!(cluster.list(output), cluster.list(output))?;
    let tree = MirrorTree::of(&mirror, &policies, &records, &receivers, clock::now());
    output.print_value(args.output.output, &tree, render)?;
    Ok(Exit::Success)
}

// === impl MirrorTree ===

impl MirrorTree {
    fn of(
        mirror: &ImageMirror,
        policies: &[ImagePolicy],
        records: &[MirroredRepository],
        receivers: &[ImageReceiver],
        now: Timestamp,
    ) -> Self {
        let source = mirror.spec.source.registry.as_str();
        let Checkup { health, reason, .. } = Checkup::of(mirror, now);
        Self {
            namespace: namespace(&mirror.metadata).to_owned(),
            name: mirror.metadata.name.clone().unwrap_or_default(),
            health,
            reason,
            source: source.to_owned(),
            policies: names_of_policies(mirror)
                .into_iter()
                .map(|name| policy(name, policies))
                .collect(),
            destinations: destinations(mirror, records),
            receivers: receivers
                .iter()
                .filter(|receiver| may_tell_of(receiver, source))
                .map(receiver)
                .collect(),
        }
    }
}

/// The policies of all entries, each once.
fn names_of_policies(mirror: &ImageMirror) -> BTreeSet<&str> {
    let entries = mirror.spec.images.iter();
    let of_entries = entries.flat_map(|image| &image.policy_refs);
    let all = mirror.spec.policy_refs.iter().chain(of_entries);
    all.map(|reference| reference.name.as_str()).collect()
}

fn policy(name: &str, policies: &[ImagePolicy]) -> Branch {
    let mut policies = policies.iter();
    let found = policies.find(|policy| policy.metadata.name.as_deref() == Some(name));
    let Some(policy) = found else {
        return Branch {
            name: name.to_owned(),
            state: "Missing".to_owned(),
            message: "there is no such ImagePolicy: create it, or take it out of the mirror"
                .to_owned(),
        };
    };
    let status = policy.status.as_ref();
    let conditions = status.map_or(&[][..], |status| &status.conditions);
    branch(name, conditions)
}

fn receiver(receiver: &ImageReceiver) -> Branch {
    let status = receiver.status.as_ref();
    let conditions = status.map_or(&[][..], |status| &status.conditions);
    branch(
        receiver.metadata.name.as_deref().unwrap_or_default(),
        conditions,
    )
}

fn branch(
    name: &str,
    conditions: &[k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition],
) -> Branch {
    let ready = conditions::find(conditions, READY);
    Branch {
        name: name.to_owned(),
        state: ready.map_or_else(|| "Unknown".to_owned(), |ready| ready.reason.clone()),
        message: ready.map_or_else(String::new, |ready| ready.message.clone()),
    }
}

/// Whether events of a receiver may be about this source: those of one that names no registry may be about any.
fn may_tell_of(receiver: &ImageReceiver, source: &str) -> bool {
    let source: Result<Registry, _> = source.parse();
    let named = receiver.spec.registry.as_ref();
    named.is_none_or(|named| {
        let named: Result<Registry, _> = named.parse();
        matches!((source, named), (Ok(source), Ok(named)) if source.may_be(&named))
    })
}

/// The destinations of the spec, with the parts of each record put together.
fn destinations(mirror: &ImageMirror, records: &[MirroredRepository]) -> Vec<DestinationBranch> {
    let destinations = mirror.spec.destinations.iter();
    let branches = destinations.map(|destination| {
        let mut repositories: BTreeMap<&str, RepositoryBranch> = BTreeMap::new();
        let of_it = records
            .iter()
            .filter(|record| record.spec.destination == destination.name);
        for record in of_it {
            let repository = record.spec.repository.as_str();
            let branch = repositories.entry(repository).or_default();
            repository.clone_into(&mut branch.repository);
            if let Some(status) = &record.status {
                branch.tags += status.tags.len();
                branch.candidates += status.candidates.len();
                branch.waiting += status.waiting.len();
                branch.deleted += status.deleted.iter().filter(|tag| !tag.cleared).count();
            }
        }
        DestinationBranch {
            name: destination.name.clone(),
            registry: destination.registry.clone(),
            repositories: repositories.into_values().collect(),
        }
    });
    branches.collect()
}

// === for people ===

/// A line of the tree: how deep it is, what it is, and how.
type TreeLine = (usize, String, String);

fn render(tree: &MirrorTree, look: Look) -> String {
    let lines = lines(tree);
    let mut table = Table::new(["OBJECT", "STATE"]);
    for (place, (depth, object, state)) in lines.iter().enumerate() {
        let rest = lines.get(place + 1..).unwrap_or_default();
        table.row([format!("{}{object}", bars(*depth, rest)), state.clone()]);
    }
    table.fit(look.width)
}

fn lines(tree: &MirrorTree) -> Vec<TreeLine> {
    let MirrorTree {
        namespace,
        name,
        health,
        reason,
        source,
        policies,
        destinations,
        receivers,
    } = tree;
    let root = format!("ImageMirror {namespace}/{name}");
    let reason = reason.as_ref().filter(|reason| *reason != health.as_str());
    let reason = reason.map_or_else(String::new, |reason| format!(" ({reason})"));
    let state = format!("{}{reason}, from {source}", health.as_str());
    let mut lines = vec![(0, root, state)];
    lines.extend(policies.iter().map(|policy| policy.line("ImagePolicy")));
    for destination in destinations {
        let DestinationBranch {
            name,
            registry,
            repositories,
        } = destination;
        let count = units::count(repositories.len(), "repository", "repositories");
        lines.push((
            1,
            format!("destination {name}"),
            format!("{registry}, {count}"),
        ));
        lines.extend(repositories.iter().map(RepositoryBranch::line));
    }
    lines.extend(
        receivers
            .iter()
            .map(|receiver| receiver.line("ImageReceiver")),
    );
    lines
}

/// What stands in front of a line; of those behind it, which is the next as deep, or less?
fn bars(depth: usize, rest: &[TreeLine]) -> String {
    let goes_on = |level: usize| {
        let mut behind = rest.iter().map(|(depth, _, _)| *depth);
        behind.find(|depth| *depth <= level) == Some(level)
    };
    let above = (1..depth).map(|level| if goes_on(level) { "│  " } else { "   " });
    let own = match (depth, goes_on(depth)) {
        (0, _) => "",
        (_, true) => "├─ ",
        (_, false) => "└─ ",
    };
    above.chain([own]).collect()
}

impl Branch {
    fn line(&self, kind: &str) -> TreeLine {
        let Self {
            name,
            state,
            message,
        } = self;
        let told = if state == "Succeeded" || message.is_empty() {
            state.clone()
        } else {
            format!("{state}: {message}")
        };
        (1, format!("{kind} {name}"), told)
    }
}

impl RepositoryBranch {
    fn line(&self) -> TreeLine {
        let Self {
            repository,
            tags,
            candidates,
            waiting,
            deleted,
        } = self;
        let others = [
            (candidates, "no longer wanted"),
            (waiting, "quarantined"),
            (deleted, "to restore"),
        ];
        let others = others.into_iter().filter(|(count, _)| **count > 0);
        let others = others.map(|(count, words)| format!(", {count} {words}"));
        let told = units::count(*tags, "tag", "tags") + &others.collect::<String>();
        (2, repository.clone(), told)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::plan::fixtures::{mirror, now, policy, record};

    #[test]
    fn a_mirror_with_all_that_belongs_to_it() {
        let spec = json!({
            "policyRefs": [{"name": "stable"}, {"name": "missing"}],
            "destinations": [
                {"name": "eu", "registry": "registry.eu.example.com"},
                {"name": "us", "registry": "registry.us.example.com"},
            ],
        });
        let status = json!({"conditions": [{
            "type": "Ready", "status": "False", "reason": "DependencyNotReady", "observedGeneration": 3,
            "message": "spec.policyRefs[1].name: there is no ImagePolicy \"missing\" in the namespace \"platform\"",
            "lastTransitionTime": "2026-11-20T00:00:00Z",
        }]});
        let digest = format!("sha256:{}", "1".repeat(64));
        let waiting = json!({
            "waiting": [{"tag": "2", "sourceDigest": digest, "firstSeen": "2026-11-30T00:00:00Z"}],
        });
        let receiver = |name: &str, registry: &str| -> ImageReceiver {
            serde_json::from_value(json!({
                "apiVersion": "transship.dev/v1alpha1", "kind": "ImageReceiver", "metadata": {"name": name},
                "spec": {"type": "Zot", "registry": registry, "secretRef": {"name": "token"}},
            }))
            .unwrap()
        };
        let tree = MirrorTree::of(
            &mirror("base", &spec, &status),
            &[policy("stable", &json!({"select": {"include": [".*"]}}))],
            &[
                record(
                    "base",
                    "registry.eu.example.com/mirror/library/nginx",
                    &waiting,
                ),
                record(
                    "base",
                    "registry.eu.example.com/mirror/library/redis",
                    &json!({}),
                ),
            ],
            &[
                receiver("hub", "index.docker.io"),
                receiver("other", "quay.io"),
            ],
            now(),
        );
        let look = Look {
            is_wide: false,
            width: Some(100),
        };
        insta::assert_snapshot!(render(&tree, look));
    }
}
