// SPDX-License-Identifier: Apache-2.0

//! `transship restore`: brings back tags that were pruned, or says which can be.

use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::Serialize;

use super::args::{Format, OutputArgs, RestoreArgs};
use super::error::Error;
use super::exit::Exit;
use super::look::Look;
use super::named_tag::NamedTag;
use super::output::{Document, Output};
use super::progress::Progress;
use super::prune::require_state;
use super::session::{Remembering, Session};
use super::table::{Table, paragraphs};
use crate::oci::Digest;
use crate::plan::Mirror;
use crate::plan::report::Failure;
use crate::runtime::shutdown::until_signal;
use crate::sync::ledger::{Slot, Tombstone};
use crate::sync::prune::{PruneRun, Restoration};

/// A tag that can be restored.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Restorable {
    mirror: String,
    /// The tag with its registry and repository.
    image: String,
    digest: Digest,
    source: String,
    deleted_at: Timestamp,
    /// When it can be restored no more.
    until: Timestamp,
}

/// What became of the tags of one mirror.
#[derive(Debug, Serialize, JsonSchema)]
struct Restored {
    mirror: String,
    tags: Vec<Restoration>,
}

/// Runs `transship restore`.
pub(super) async fn run(args: &RestoreArgs, output: &Output) -> Result<Exit, Error> {
    let RestoreArgs {
        tags,
        all,
        documents,
        output: OutputArgs { output: format },
        registry,
    } = args;
    require_state(documents, "transship restore")?;
    // A person in trouble suspends a mirror first.
    let remembering = Remembering::Known { is_moved: false };
    let session = Session::open_all(documents, registry, Progress::new(output), remembering)?;
    let Some(unsettled) = until_signal(settle(&session)).await else {
        return Ok(Exit::Interrupted);
    };
    let unsettled = unsettled?;
    for failure in &unsettled {
        output.fail(failure);
    }
    let exit = if !all && tags.is_empty() {
        list(&session, *format, output)?;
        Exit::Success
    } else {
        refuse_unknown(&session, tags)?;
        match until_signal(restore(&session, tags)).await {
            Some(restored) => print(&restored?, *format, output)?,
            None => return Ok(Exit::Interrupted),
        }
    };
    Ok(if unsettled.is_empty() {
        exit
    } else {
        Exit::Failure
    })
}

/// What machines read of what was restored.
#[derive(Serialize, JsonSchema)]
pub(super) struct RestoreReport<'a> {
    mirrors: &'a [Restored],
}

/// What machines read of what can be restored.
#[derive(Serialize, JsonSchema)]
pub(super) struct RestorableList {
    tags: Vec<Restorable>,
}

impl Document for RestoreReport<'_> {
    const KIND: &'static str = "RestoreReport";
}

impl Document for RestorableList {
    const KIND: &'static str = "RestorableList";
}

/// A run that was interrupted may have deleted what it did not see go.
async fn settle(session: &Session) -> Result<Vec<Failure>, Error> {
    let mut failures = Vec::new();
    for input in &session.inputs {
        let pruning = PruneRun::new(&session.state, input);
        failures.extend(pruning.settle_deletions().await?);
    }
    Ok(failures)
}

async fn restore(session: &Session, wanted: &[NamedTag]) -> Result<Vec<Restored>, Error> {
    let mut restored = Vec::new();
    for input in &session.inputs {
        let is_wanted = |slot: &Slot, tombstone: &Tombstone| {
            wanted.is_empty() || wanted.iter().any(|wanted| wanted.means(slot, tombstone))
        };
        let pruning = PruneRun::new(&session.state, input);
        restored.push(Restored {
            mirror: input.mirror.name.clone(),
            tags: pruning.restore_tags(is_wanted).await?,
        });
    }
    Ok(restored)
}

/// A name that means nothing is a slip: nothing is restored before it is put right.
fn refuse_unknown(session: &Session, wanted: &[NamedTag]) -> Result<(), Error> {
    let deleted: Vec<(Slot, Tombstone)> = session
        .mirrors()
        .flat_map(|mirror| session.state.deleted_tags(mirror))
        .collect();
    let means_nothing = |wanted: &&NamedTag| {
        let mut deleted = deleted.iter();
        !deleted.any(|(slot, tombstone)| wanted.means(slot, tombstone))
    };
    match wanted.iter().find(means_nothing) {
        Some(unknown) => Err(Error::Usage(format!(
            "{unknown} is not among the tags that can be restored: without a tag the command lists them"
        ))),
        None => Ok(()),
    }
}

fn print(restored: &[Restored], format: Format, output: &Output) -> Result<Exit, Error> {
    let all = restored.iter().flat_map(|restored| &restored.tags);
    let failed = all.clone().filter(|tag| tag.failure.is_some()).count();
    let done = all.count() - failed;
    let document = RestoreReport { mirrors: restored };
    output.print_value(format, &document, |document, look| {
        let line = format!("{done} restored, {failed} failed\n");
        paragraphs([table(document.mirrors, look), line])
    })?;
    let tags = restored.iter().flat_map(|restored| &restored.tags);
    let failures = tags.filter_map(|tag| tag.failure.as_ref());
    failures.for_each(|failure| output.fail(failure));
    if done > 0 {
        output.note("note: what the mirror does not select is pruned again after another grace");
    }
    Ok(if failed > 0 {
        Exit::Failure
    } else {
        Exit::Success
    })
}

fn table(restored: &[Restored], look: Look) -> String {
    let mut table = Table::new(["MIRROR", "ACTION", "TAG", "DIGEST"]);
    for Restored { mirror, tags } in restored {
        for Restoration {
            destination: _,
            registry,
            repository,
            tag,
            digest,
            failure,
        } in tags
        {
            let action = if failure.is_some() {
                "failed"
            } else {
                "restored"
            };
            table.row([
                mirror.clone(),
                action.to_owned(),
                format!("{registry}/{repository}:{tag}"),
                look.digest(digest),
            ]);
        }
    }
    shown(table, look)
}

// === what can be restored ===

fn list(session: &Session, format: Format, output: &Output) -> Result<(), Error> {
    let restorable: Vec<Restorable> = session
        .mirrors()
        .flat_map(|mirror| {
            let deleted = session.state.deleted_tags(mirror).into_iter();
            deleted.map(|(slot, tombstone)| restorable(mirror, &slot, tombstone))
        })
        .collect();
    let document = RestorableList { tags: restorable };
    output.print_value(format, &document, |document, look| {
        let all = &document.tags;
        paragraphs([
            list_table(all, look),
            format!("{} can be restored\n", all.len()),
        ])
    })
}

fn restorable(mirror: &Mirror, slot: &Slot, tombstone: Tombstone) -> Restorable {
    let image = image(slot, &tombstone);
    let Tombstone {
        source,
        source_digest: _,
        digest,
        shape: _,
        registry: _,
        deleted_at,
        approved: _,
        cleared: _,
        referrers: _,
        shared_with: _,
        took: _,
    } = tombstone;
    let grace = SignedDuration::try_from(mirror.prune.grace.as_std());
    let until = grace
        .ok()
        .and_then(|grace| deleted_at.checked_add(grace).ok());
    Restorable {
        mirror: mirror.name.clone(),
        image,
        digest,
        source,
        deleted_at,
        until: until.unwrap_or(Timestamp::MAX),
    }
}

fn list_table(all: &[Restorable], look: Look) -> String {
    let mut table = Table::new(["MIRROR", "TAG", "DIGEST", "SOURCE", "DELETED", "UNTIL"]);
    for Restorable {
        mirror,
        image,
        digest,
        source,
        deleted_at,
        until,
    } in all
    {
        table.row([
            mirror.clone(),
            image.clone(),
            look.digest(digest),
            source.clone(),
            format!("{deleted_at:.0}"),
            format!("{until:.0}"),
        ]);
    }
    shown(table, look)
}

fn shown(table: Table, look: Look) -> String {
    if table.is_empty() {
        return String::new();
    }
    table.fit_without(&["SOURCE", "DELETED"], look.width)
}

fn image(slot: &Slot, tombstone: &Tombstone) -> String {
    let Slot { page, tag } = slot;
    format!("{}/{}:{tag}", tombstone.registry, page.repository)
}
