// SPDX-License-Identifier: Apache-2.0

//! `transship delete`: takes tags away, each by its name, and says what else stands for the same image.

mod beside;

use std::io::{self, IsTerminal as _};

use futures::{StreamExt, TryStreamExt, stream};
use schemars::JsonSchema;
use serde::Serialize;

use self::beside::{Along, Beside};
use super::address::image_name;
use super::args::{DeleteArgs, OutputArgs};
use super::connect::Connector;
use super::error::Error;
use super::exit::Exit;
use super::image::{Named, Source};
use super::in_use;
use super::location::Location;
use super::look::Look;
use super::open::open;
use super::output::{Document, Output};
use super::table::Table;
use crate::api::Reason;
use crate::copy::{self, Deletion};
use crate::oci::{Digest, Tag, TagOrDigest};
use crate::plan::in_use::{InUse, Subject};
use crate::plan::report::Failure;
use crate::runtime::shutdown::until_signal;

/// Other tags that are looked at together.
const LOOKS: usize = 32;
/// The most other tags that are looked at for each tag that goes.
const SIBLINGS: usize = 2_000;

/// Why a tag stays that would take others along.
const SHARED: &str =
    "the registry deletes all tags of an image at once, and this one has others: it was left alone";
/// Why the last tag of an image stays that an index lists.
const NEEDED: &str = "the registry deletes an image with its last tag, and an index lists this one: it was left alone";

/// The kind of what machines read.
pub(super) const KIND: &str = "DeleteReport";

/// What machines read.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct DeleteReport {
    tags: Vec<Doomed>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    failures: Vec<Failure>,
}

/// A tag that is to go.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Doomed {
    #[serde(skip)]
    source: Option<Source>,
    /// What was read of it, where nothing else is looked at before it goes.
    #[serde(skip)]
    beside: Option<Beside>,
    /// The tag as it was named.
    target: String,
    tag: Tag,
    digest: Digest,
    /// Other tags that stand for the same image. They stay. None where nobody looked: with `--yes` alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    same_image: Option<Vec<Tag>>,
    /// What uses it.
    #[serde(skip_serializing_if = "Option::is_none")]
    used_by: Option<String>,
    action: Action,
}

/// What is done about a tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
enum Action {
    /// It would be deleted.
    Planned,
    /// Something uses it: it stays.
    Kept,
    /// It is gone, by this command or by somebody else meanwhile.
    Deleted,
    /// It is there.
    Failed,
}

impl Document for DeleteReport {
    const KIND: &'static str = KIND;
}

/// Runs `transship delete`.
pub(super) async fn run(args: &DeleteArgs, output: &Output) -> Result<Exit, Error> {
    let DeleteArgs {
        references,
        yes,
        dry_run,
        output: OutputArgs { output: format },
        registry,
        ..
    } = args;
    references.iter().try_for_each(require_tag)?;
    if !yes && !dry_run && !io::stdin().is_terminal() {
        return Err(Error::Usage(
            "nobody can be asked here: --yes deletes without asking, --dry-run deletes nothing"
                .to_owned(),
        ));
    }
    let connector = Connector::open(registry)?;
    let looks = look(&connector, args);
    let Some(looked) = until_signal(looks).await else {
        return Ok(Exit::Interrupted);
    };
    let mut report = DeleteReport {
        tags: looked?,
        failures: Vec::new(),
    };
    let doomed = report
        .tags
        .iter()
        .filter(|tag| tag.action == Action::Planned)
        .count();
    if doomed > 0 && !dry_run {
        if !yes {
            output.note(table(&report.tags, Look::default()).trim_end());
            if !output.confirm(question(doomed)) {
                output.note("nothing was deleted");
                return Ok(Exit::Failure);
            }
        }
        if until_signal(delete(&mut report)).await.is_none() {
            output.note("interrupted: what is deleted is gone, the rest is there");
            return Ok(Exit::Interrupted);
        }
    }
    output.print_value(*format, &report, |report, look| table(&report.tags, look))?;
    report
        .failures
        .iter()
        .for_each(|failure| output.fail(failure));
    let is_kept = report.tags.iter().any(|tag| tag.action == Action::Kept);
    Ok(if report.failures.is_empty() && !is_kept {
        Exit::Success
    } else {
        Exit::Failure
    })
}

/// A digest takes every tag of it along, and a name without a tag says nothing of what is to go.
fn require_tag(location: &Location) -> Result<(), Error> {
    let what = match location {
        Location::Archive { .. } => {
            "is in an archive, which is not changed: write another one".to_owned()
        }
        _ if location.digest().is_some() => {
            "names a digest, which would take every tag of it along: name the tags".to_owned()
        }
        _ if location.tag().is_none() => format!("names no tag: write {location}:TAG"),
        Location::Registry(_) | Location::Layout { .. } => return Ok(()),
    };
    Err(Error::Usage(format!("{location} {what}")))
}

/// Looks at everything before anything is deleted.
async fn look(connector: &Connector, args: &DeleteArgs) -> Result<Vec<Doomed>, Error> {
    let DeleteArgs {
        references,
        yes,
        dry_run,
        in_use_from,
        ..
    } = args;
    // A person decides by what stays; whoever said yes before pays for no look at other tags.
    let with_siblings = *dry_run || !yes;
    // One tag that nobody is asked about goes as soon as it was looked at.
    let is_at_once = !with_siblings && references.len() == 1 && in_use_from.is_empty();
    let workloads = in_use::read_workloads(in_use_from, &[]).await?;
    let used = match workloads {
        Some(workloads) => Some(
            workloads
                .look()
                .await
                .map_err(|error| Error::Image(error.to_string()))?,
        ),
        None => None,
    };
    let mut doomed: Vec<Doomed> = Vec::new();
    for location in references {
        let Named { source, target } = open(connector, location).await?;
        let Some(tag) = location.tag() else { continue };
        let (digest, beside) = if is_at_once {
            let Some(beside) = Beside::read(&source, &tag).await? else {
                return Err(source.missing(&target).await);
            };
            (beside.digest().clone(), Some(beside))
        } else {
            (source.resolve(&target).await?, None)
        };
        let used_by = match &used {
            Some(used) => find_use(used, &source, location, &digest).await?,
            None => None,
        };
        doomed.push(Doomed {
            target: image_name(&source.name, &target),
            same_image: if with_siblings {
                Some(siblings(&source, &tag, &digest).await?)
            } else {
                None
            },
            action: if used_by.is_some() {
                Action::Kept
            } else {
                Action::Planned
            },
            used_by,
            tag,
            digest,
            source: Some(source),
            beside,
        });
    }
    leave_out_each_other(&mut doomed);
    Ok(doomed)
}

/// What goes in the same run is none of those that stay.
fn leave_out_each_other(doomed: &mut [Doomed]) {
    let going: Vec<String> = doomed.iter().map(|tag| tag.target.clone()).collect();
    for tag in doomed {
        let name = tag
            .source
            .as_ref()
            .map(|source| source.name.clone())
            .unwrap_or_default();
        let stays = |other: &Tag| !going.contains(&image_name(&name, &other.clone().into()));
        if let Some(same_image) = &mut tag.same_image {
            same_image.retain(stays);
        }
    }
}

/// What uses the image, by its tag or by any digest below it.
async fn find_use(
    used: &InUse,
    source: &Source,
    location: &Location,
    digest: &Digest,
) -> Result<Option<String>, Error> {
    let Location::Registry(reference) = location else {
        return Ok(None);
    };
    let mut digests = vec![digest.clone()];
    digests.extend(copy::closure(&source.endpoint, &source.repository, digest).await?);
    let Some(tag) = &reference.tag else {
        return Ok(None);
    };
    let name = (&reference.registry, &source.repository, tag);
    let subject = Subject {
        destination: name,
        source: name,
        digests: &digests,
    };
    Ok(used.user_of(&subject).map(str::to_owned))
}

/// Other tags of the repository that stand for the same image.
async fn siblings(source: &Source, tag: &Tag, digest: &Digest) -> Result<Vec<Tag>, Error> {
    let mut tags = source.endpoint.list_tags(&source.repository).await?;
    tags.retain(|other| other != tag && other.attachment().is_none());
    tags.truncate(SIBLINGS);
    let found: Vec<Option<Tag>> = stream::iter(tags)
        .map(|other| async move {
            let target = TagOrDigest::Tag(other.clone());
            let named = source
                .endpoint
                .resolve(&source.repository, &target, None)
                .await?;
            Ok::<_, Error>((named.as_ref() == Some(digest)).then_some(other))
        })
        .buffered(LOOKS)
        .try_collect()
        .await?;
    Ok(found.into_iter().flatten().collect())
}

fn question(count: usize) -> &'static str {
    if count == 1 {
        "Delete this tag?"
    } else {
        "Delete these tags?"
    }
}

async fn delete(report: &mut DeleteReport) {
    for doomed in &mut report.tags {
        let Some(source) = doomed.source.clone() else {
            continue;
        };
        if doomed.action != Action::Planned {
            continue;
        }
        if let Err(failure) = doomed.delete(&source).await {
            if doomed.action == Action::Planned {
                doomed.action = Action::Failed;
            }
            report.failures.push(failure);
        }
    }
}

// === impl Doomed ===

impl Doomed {
    /// Deletes the tag, as long as it stands for the same image.
    async fn delete(&mut self, source: &Source) -> Result<(), Failure> {
        let mut beside = self.beside.take();
        if beside.is_none() {
            let read = Beside::read(source, &self.tag).await;
            beside = read.map_err(|error| error.as_failure(&self.target))?;
        }
        let Some(beside) = beside else {
            self.action = Action::Deleted;
            return Ok(());
        };
        let deleted = if *beside.digest() == self.digest {
            let (endpoint, repository) = (&source.endpoint, &source.repository);
            let deleted =
                endpoint.delete_seen_tag(repository, &self.tag, &self.digest, beside.seen);
            deleted.await
        } else {
            Ok(Deletion::Moved)
        };
        let (reason, message) = match deleted {
            Ok(Deletion::Deleted | Deletion::Missing) => {
                let seen = self.same_image.as_deref().unwrap_or_default();
                // First of all comes what may have to be brought back.
                let told = match beside.bring_back(source, seen).await {
                    Ok(along) => went_along(&along, source, &self.digest)
                        .map(|message| (Reason::PruneUnsupported, message)),
                    Err(error) => Some((error.as_failure(&self.target).reason, lost(&error))),
                };
                if told.is_none() && self.is_left(source).await? {
                    return Err(Failure::undeleted(&self.target));
                }
                self.action = Action::Deleted;
                match told {
                    None => return Ok(()),
                    Some(told) => told,
                }
            }
            Ok(Deletion::Moved) => (
                Reason::TagMoved,
                "stands for another image by now, and was left alone".to_owned(),
            ),
            Ok(Deletion::Shared) => (Reason::PruneUnsupported, SHARED.to_owned()),
            Ok(Deletion::Needed) => (Reason::PruneUnsupported, NEEDED.to_owned()),
            Ok(Deletion::Unsupported | Deletion::TooLate) => {
                let along = match &self.same_image {
                    Some(tags) => Ok(tags.clone()),
                    None => siblings(source, &self.tag, &self.digest).await,
                };
                (Reason::PruneUnsupported, unsupported(along.ok().as_deref()))
            }
            Err(error) => (error.reason(), error.to_string()),
        };
        Err(self.failure(reason, message))
    }

    fn failure(&self, reason: Reason, message: String) -> Failure {
        Failure {
            subject: self.target.clone(),
            reason,
            message,
            next_attempt_time: None,
            is_of_tag: false,
        }
    }

    /// Whether the tag still stands for its image: what a registry answers to a delete is no proof of what it did.
    async fn is_left(&self, source: &Source) -> Result<bool, Failure> {
        let target = self.tag.clone().into();
        let left = source.endpoint.resolve(&source.repository, &target, None);
        let left = left.await.map_err(|error| {
            let message = format!("nobody saw whether it is gone: {error}");
            self.failure(error.reason(), message)
        })?;
        Ok(left.as_ref() == Some(&self.digest))
    }
}

/// None where nothing else was gone.
fn went_along(along: &Along, source: &Source, digest: &Digest) -> Option<String> {
    let Along { back, unsure } = along;
    let join = |tags: &[Tag]| {
        let tags: Vec<&str> = tags.iter().map(Tag::as_str).collect();
        tags.join(", ")
    };
    let mut told = Vec::new();
    if !back.is_empty() {
        let tags = join(back);
        told.push(format!("{tags} went along, and were pushed again"));
    }
    if let Some(first) = unsure.first() {
        let (tags, name) = (join(unsure), &source.name);
        told.push(format!(
            "{tags} are gone, too, and nobody saw whether they named it: the image is there by its digest again, and \
             transship copy {name}@{digest} {name}:{first} names it"
        ));
    }
    let told = told.join("; ");
    (!told.is_empty()).then(|| format!("the registry deleted the image with the tag: {told}"))
}

fn lost(error: &Error) -> String {
    format!(
        "the registry may have deleted the image with the tag, and other tags of it, and they could not be pushed again: {error}"
    )
}

fn unsupported(same_image: Option<&[Tag]>) -> String {
    let along = match same_image {
        None => "every other tag of it".to_owned(),
        Some([]) => "all that refers to it".to_owned(),
        Some(tags) => tags.iter().map(Tag::as_str).collect::<Vec<_>>().join(", "),
    };
    format!(
        "the registry cannot delete a tag by its name, and nothing was deleted: its digest would take {along} along"
    )
}

fn table(tags: &[Doomed], look: Look) -> String {
    let looked = tags.iter().any(|tag| tag.same_image.is_some());
    let columns = ["ACTION", "TAG", "DIGEST", "SAME IMAGE", "USED BY"];
    let shown = |column: &&str| looked || *column != "SAME IMAGE";
    let headings: Vec<&str> = columns.into_iter().filter(shown).collect();
    let mut table = Table::with_headings(&headings);
    for doomed in tags {
        let action = match doomed.action {
            Action::Planned => "delete",
            Action::Kept => "keep",
            Action::Deleted => "deleted",
            Action::Failed => "failed",
        };
        let mut cells = vec![
            action.to_owned(),
            doomed.target.clone(),
            look.digest(&doomed.digest),
        ];
        if looked {
            let same = doomed.same_image.iter().flatten().map(Tag::as_str);
            cells.push(same.collect::<Vec<_>>().join(","));
        }
        cells.push(doomed.used_by.clone().unwrap_or_default());
        table.push(cells);
    }
    table.fit(look.width)
}
