// SPDX-License-Identifier: Apache-2.0

//! `kubectl transship restore`: which tags that were pruned can be restored, and how.

use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::Serialize;

use super::cluster::{Cluster, MirrorWithRecords};
use crate::api::time::age;
use crate::api::{ImageMirror, MirroredRepository};
use crate::cli::args::{ClusterArgs, ShownMirrorArgs};
use crate::cli::error::Error;
use crate::cli::exit::Exit;
use crate::cli::look::Look;
use crate::cli::output::{Document, Output};
use crate::cli::table::paragraphs;
use crate::cli::table::{Table, one_line};
use crate::cli::units;
use crate::oci::Digest;
use crate::runtime::clock;

/// The kind of what machines read.
pub(super) const KIND: &str = "RestorableTags";

/// What machines read.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::cli) struct RestorableTags {
    mirror: String,
    tags: Vec<RestorableTag>,
    #[serde(skip)]
    now: Timestamp,
}

/// A tag that can be restored.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct RestorableTag {
    /// The tag with its registry and repository.
    image: String,
    /// The same without the tag.
    #[serde(skip)]
    repository: String,
    digest: Digest,
    source: String,
    deleted_at: Timestamp,
    /// When it can be restored no more.
    until: Timestamp,
}

impl Document for RestorableTags {
    const KIND: &'static str = KIND;
}

/// Runs `kubectl transship restore`.
pub(super) async fn run(
    args: &ShownMirrorArgs,
    place: &ClusterArgs,
    output: &Output,
) -> Result<Exit, Error> {
    let MirrorWithRecords {
        cluster: _,
        named,
        mirror,
        records,
    } = Cluster::mirror_with_records(place, &args.name, output).await?;
    let list = RestorableTags {
        mirror: named.to_string(),
        tags: restorable(&mirror, &records),
        now: clock::now(),
    };
    output.print_value(args.output.output, &list, render)?;
    Ok(Exit::Success)
}

fn restorable(mirror: &ImageMirror, records: &[MirroredRepository]) -> Vec<RestorableTag> {
    let grace = SignedDuration::try_from(mirror.spec.prune.grace.as_std()).ok();
    let deleted = records.iter().flat_map(|record| {
        let deleted = record.status.iter().flat_map(|status| &status.deleted);
        deleted.map(|deleted| (record.spec.repository.as_str(), deleted))
    });
    let deleted = deleted.filter(|(_, deleted)| !deleted.cleared);
    deleted
        .map(|(repository, deleted)| {
            let at = deleted.deleted_at.0;
            let until = grace.and_then(|grace| at.checked_add(grace).ok());
            RestorableTag {
                image: format!("{repository}:{}", deleted.tag),
                repository: repository.to_owned(),
                digest: deleted.digest.clone(),
                source: deleted.source.clone(),
                deleted_at: at,
                until: until.unwrap_or(Timestamp::MAX),
            }
        })
        .collect()
}

fn render(list: &RestorableTags, look: Look) -> String {
    let count = format!(
        "{} can be restored\n",
        units::count(list.tags.len(), "tag", "tags")
    );
    if list.tags.is_empty() {
        return count;
    }
    let mut table = Table::new(["TAG", "DIGEST", "DELETED", "UNTIL"]);
    for tag in &list.tags {
        table.row([
            tag.image.clone(),
            look.digest(&tag.digest),
            format!("{} ago", age(tag.deleted_at, list.now)),
            format!("{:.0}", tag.until),
        ]);
    }
    paragraphs([table.fit(look.width), count, recipe(list)])
}

/// How they come back: by the mirror, or with a person's own login.
fn recipe(list: &RestorableTags) -> String {
    let (namespace, name) = list.mirror.split_once('/').unwrap_or_default();
    let copies = list.tags.iter().map(|tag| {
        let RestorableTag {
            image,
            repository,
            digest,
            ..
        } = tag;
        one_line(&format!("transship copy {repository}@{digest} {image}"))
    });
    let copies = copies.collect::<Vec<_>>().join("\n  ");
    format!(
        "A tag comes back with the next round when the mirror selects it again:
  kubectl -n {namespace} edit imir/{name}
  kubectl transship -n {namespace} sync {name}
or now, where the registry still has it, by its digest and with a login of yours:
  {copies}
What a mirror did not write itself is never pruned.
"
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::plan::fixtures::{mirror, now, record};

    #[test]
    fn what_can_be_restored_and_how() {
        let deleted = |tag: &str, cleared: bool| {
            let digest = format!("sha256:{}", "1".repeat(64));
            json!({
                "tag": tag, "source": format!("docker.io/library/app:{tag}"), "sourceDigest": digest, "digest": digest,
                "shape": "all", "deletedAt": "2026-11-30T00:00:00Z", "cleared": cleared,
            })
        };
        let status = json!({"deleted": [deleted("1", false), deleted("2", true)]});
        let mirror = mirror(
            "base",
            &json!({"prune": {"mode": "Delete", "grace": "48h"}}),
            &json!({}),
        );
        let list = RestorableTags {
            mirror: "platform/base".to_owned(),
            tags: restorable(
                &mirror,
                &[record("base", "registry.example.com/mirror/app", &status)],
            ),
            now: now(),
        };
        let look = Look {
            is_wide: false,
            width: Some(100),
        };
        insta::assert_snapshot!(render(&list, look));
    }
}
