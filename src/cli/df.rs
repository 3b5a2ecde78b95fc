// SPDX-License-Identifier: Apache-2.0

//! `transship df`: how much room the tags of repositories take, alone and together.

mod read;
mod spots;
mod usage;

use std::collections::{HashMap, HashSet};

use futures::{StreamExt, stream};
use schemars::JsonSchema;
use serde::Serialize;

use self::spots::Spot;
use self::usage::{Owners, Piece, Usage};
use super::args::{DfArgs, OutputArgs};
use super::connect::Connector;
use super::error::Error;
use super::exit::Exit;
use super::look::Look;
use super::output::{self, Output};
use super::table::{Table, paragraphs};
use super::units;
use crate::oci::{Digest, Tag};
use crate::plan::report::Failure;
use crate::runtime::shutdown::until_signal;

pub(super) use self::read::weigh;
pub(super) use self::usage::{Weighed, freed};

/// Repositories that are looked at together.
const REPOSITORIES: usize = 4;

/// What machines read.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Document {
    repositories: Vec<RepositoryUsage>,
    totals: Totals,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    failures: Vec<Failure>,
}

/// What the tags of one repository take.
#[derive(Debug, Serialize, JsonSchema)]
struct RepositoryUsage {
    repository: String,
    /// Different images.
    images: usize,
    #[serde(flatten)]
    usage: Usage,
    tags: Vec<TagUsage>,
}

/// What one tag takes.
#[derive(Debug, Serialize, JsonSchema)]
struct TagUsage {
    tag: Tag,
    digest: Digest,
    #[serde(flatten)]
    usage: Usage,
}

/// What all of them take.
#[derive(Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
struct Totals {
    repositories: usize,
    tags: usize,
    images: usize,
    /// Bytes, each manifest and blob once.
    size: u64,
}

impl output::Document for Document {
    const KIND: &'static str = "Usage";
}

/// Runs `transship df`.
pub(super) async fn run(args: &DfArgs, output: &Output) -> Result<Exit, Error> {
    let DfArgs {
        place,
        filename,
        set_env,
        mirror,
        tags,
        output: OutputArgs { output: format },
        registry,
    } = args;
    let connector = Connector::open(registry)?;
    let looked = until_signal(async {
        let spots = match place {
            Some(place) => spots::of_place(&connector, place).await?,
            None if filename.is_empty() => return Err(nowhere()),
            None => spots::of_mirrors(connector, filename, *set_env, mirror).await?,
        };
        Ok(look(spots).await)
    });
    let Some(document) = looked.await else {
        return Ok(Exit::Interrupted);
    };
    let document = document?;
    let is_detailed = *tags || document.repositories.len() == 1;
    output.print_value(*format, &document, |document, look| {
        render(document, is_detailed && !output.is_quiet(), look)
    })?;
    Ok(output.fail_all(&document.failures))
}

fn nowhere() -> Error {
    Error::Usage(
        "name a registry, a repository or a directory to look at, or the files of mirrors with -f"
            .to_owned(),
    )
}

/// Reads all repositories; one that fails does not hold up the others.
async fn look(spots: Vec<Spot>) -> Document {
    let reads = stream::iter(spots).map(|spot| async move {
        let weighed = weigh(&spot.endpoint, &spot.repository).await;
        (spot, weighed)
    });
    let mut weighed = Vec::new();
    let mut failures = Vec::new();
    for (spot, read) in reads.buffered(REPOSITORIES).collect::<Vec<_>>().await {
        match read {
            Ok(tags) => weighed.push((spot.name(), tags)),
            Err(error) if spot.may_be_missing && error.is_not_found() => {}
            Err(error) => failures.push(Failure {
                subject: spot.name(),
                reason: error.reason(),
                message: error.to_string(),
                next_attempt_time: error.retry_at(),
                is_of_tag: false,
            }),
        }
    }
    add_up(&weighed, failures)
}

fn add_up(weighed: &[(String, Vec<Weighed>)], failures: Vec<Failure>) -> Document {
    let mut by_tag = Owners::new();
    let mut by_repository = Owners::new();
    for (repository, (_, tags)) in weighed.iter().enumerate() {
        for (tag, found) in tags.iter().enumerate() {
            by_tag.add((repository, tag), &found.content);
            by_repository.add(repository, &found.content);
        }
    }
    let repositories: Vec<RepositoryUsage> = weighed
        .iter()
        .map(|(repository, tags)| {
            let pieces: HashMap<&Digest, &Piece> = tags
                .iter()
                .flat_map(|tag| tag.content.iter())
                .map(|piece| (&piece.digest, piece))
                .collect();
            RepositoryUsage {
                repository: repository.clone(),
                images: count_images(tags),
                usage: by_repository.usage(pieces.into_values()),
                tags: tags
                    .iter()
                    .map(
                        |Weighed {
                             tag,
                             digest,
                             content,
                         }| TagUsage {
                            tag: tag.clone(),
                            digest: digest.clone(),
                            usage: by_tag.usage(content.iter()),
                        },
                    )
                    .collect(),
            }
        })
        .collect();
    let totals = Totals {
        repositories: repositories.len(),
        tags: repositories.iter().map(|found| found.tags.len()).sum(),
        images: count_images(weighed.iter().flat_map(|(_, tags)| tags)),
        size: by_tag.total(),
    };
    Document {
        repositories,
        totals,
        failures,
    }
}

fn count_images<'a>(tags: impl IntoIterator<Item = &'a Weighed>) -> usize {
    let digests: HashSet<&Digest> = tags.into_iter().map(|tag| &tag.digest).collect();
    digests.len()
}

fn render(document: &Document, is_detailed: bool, look: Look) -> String {
    let table = if is_detailed {
        tags_table(document)
    } else {
        repositories_table(document)
    };
    let table = if table.is_empty() {
        String::new()
    } else {
        table.fit(look.width)
    };
    let Totals {
        repositories,
        tags,
        images,
        size,
    } = &document.totals;
    let line = format!(
        "{}, {}, {}, {}\n",
        units::count(*repositories, "repository", "repositories"),
        units::count(*tags, "tag", "tags"),
        units::count(*images, "image", "images"),
        units::bytes(*size)
    );
    paragraphs([table, line])
}

fn tags_table(document: &Document) -> Table {
    let mut table = Table::new(["REPOSITORY", "TAG", "DIGEST", "SIZE", "SHARED", "UNIQUE"]);
    for repository in &document.repositories {
        for TagUsage { tag, digest, usage } in &repository.tags {
            let [size, shared, unique] = cells(*usage);
            table.row([
                repository.repository.clone(),
                tag.to_string(),
                format!("{}:{}", digest.algorithm(), digest.short()),
                size,
                shared,
                unique,
            ]);
        }
    }
    table
}

fn repositories_table(document: &Document) -> Table {
    let mut table = Table::new(["REPOSITORY", "TAGS", "IMAGES", "SIZE", "SHARED", "UNIQUE"]);
    for RepositoryUsage {
        repository,
        images,
        usage,
        tags,
    } in &document.repositories
    {
        let [size, shared, unique] = cells(*usage);
        table.row([
            repository.clone(),
            tags.len().to_string(),
            images.to_string(),
            size,
            shared,
            unique,
        ]);
    }
    table
}

fn cells(usage: Usage) -> [String; 3] {
    let Usage {
        size,
        shared,
        unique,
    } = usage;
    [size, shared, unique].map(units::bytes)
}
