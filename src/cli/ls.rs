// SPDX-License-Identifier: Apache-2.0

//! `transship ls`: the repositories of a registry, or the tags of a repository, layout or archive.

mod order;
mod render;
mod row;

use std::collections::HashMap;

use futures::{StreamExt, TryStreamExt, stream};
use schemars::JsonSchema;
use serde::Serialize;

use self::row::TagRow;
use super::address::{Address, Place};
use super::args::{LsArgs, OutputArgs};
use super::connect::Connector;
use super::error::Error;
use super::exit::Exit;
use super::image::{self, Entry, Source};
use super::open;
use super::output::{Document, Output};
use crate::copy::Endpoint;
use crate::layout::Layout;
use crate::oci::{Digest, Repository, Tag};
use crate::runtime::shutdown::until_signal;

/// The kind of what machines read.
pub(super) const KIND: &str = "TagList";

/// Tags that are looked at together. What a registry bears is decided by its own limits.
const LOOKS: usize = 32;

/// The repositories of a place.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct RepositoryList {
    repositories: Vec<Repository>,
}

/// The names of tags.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct NameList {
    repository: String,
    tags: Vec<NameRow>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct NameRow {
    tag: Tag,
}

/// The tags of a repository.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct TagList {
    repository: String,
    tags: Vec<TagRow>,
}

impl Document for RepositoryList {
    const KIND: &'static str = "RepositoryList";
}

impl Document for NameList {
    const KIND: &'static str = KIND;
}

impl Document for TagList {
    const KIND: &'static str = KIND;
}

/// Runs `transship ls`.
pub(super) async fn run(args: &LsArgs, output: &Output) -> Result<Exit, Error> {
    let connector = Connector::open(&args.registry)?;
    let listed = until_signal(list(&connector, args, output)).await;
    match listed {
        Some(listed) => listed.map(|()| Exit::Success),
        None => Ok(Exit::Interrupted),
    }
}

async fn list(connector: &Connector, args: &LsArgs, output: &Output) -> Result<(), Error> {
    let source = match &args.place {
        Place::Address(Address::Registry(registry)) => {
            let client = connector.client(registry, None).await?;
            return list_repositories(&Endpoint::Registry(client), args, output).await;
        }
        Place::Address(Address::Repository(registry, repository)) => {
            let client = connector.client(registry, Some(repository)).await?;
            Source {
                endpoint: Endpoint::Registry(client),
                repository: repository.clone(),
                name: format!("{registry}/{repository}"),
            }
        }
        Place::Directory(path) if !Layout::is_layout(path) => {
            let endpoint = Endpoint::Layout(Layout::open(path.clone()));
            return list_repositories(&endpoint, args, output).await;
        }
        Place::Directory(path) => Source {
            endpoint: Endpoint::Layout(Layout::single(path.clone())),
            repository: open::local()?,
            name: path.display().to_string(),
        },
        Place::Archive(archive) => open::open_all(archive).await?,
    };
    list_tags(&source, args, output).await
}

async fn list_repositories(
    endpoint: &Endpoint,
    args: &LsArgs,
    output: &Output,
) -> Result<(), Error> {
    let repositories = endpoint.list_repositories().await?;
    let document = RepositoryList { repositories };
    let OutputArgs { output: format } = args.output;
    output.print_value(format, &document, |all, _| lines(&all.repositories))
}

async fn list_tags(source: &Source, args: &LsArgs, output: &Output) -> Result<(), Error> {
    let LsArgs {
        place: _,
        r#match,
        last,
        order,
        by_digest,
        all,
        output: OutputArgs { output: format },
        registry: _,
    } = args;
    let listed = source.endpoint.list_tags(&source.repository).await?;
    let tags = order::choose(listed, r#match, *all, *order, *last);
    if tags.is_empty() && !r#match.is_empty() {
        output.note(&format!("note: no tag of {} matches", source.name));
    }
    let repository = source.name.clone();
    if output.is_quiet() {
        let tags = tags.into_iter().map(|tag| NameRow { tag }).collect();
        let document = NameList { repository, tags };
        return output.print_value(*format, &document, |all, _| {
            lines(&all.tags.iter().map(|row| &row.tag).collect::<Vec<_>>())
        });
    }
    let rows = describe(source, tags).await?;
    let document = TagList {
        repository,
        tags: rows,
    };
    output.print_value(*format, &document, |all, look| {
        if *by_digest {
            render::by_digest(&all.tags, look)
        } else {
            render::by_tag(&all.tags, look)
        }
    })
}

/// Looks at tags: one lookup for each, and one read for each digest that they share.
async fn describe(source: &Source, tags: Vec<Tag>) -> Result<Vec<TagRow>, Error> {
    let resolved: Vec<(Tag, Digest)> = stream::iter(tags)
        .map(|tag| async move {
            let digest = source.resolve(&tag.clone().into()).await?;
            Ok::<_, Error>((tag, digest))
        })
        .buffered(LOOKS)
        .try_collect()
        .await?;
    let mut digests: Vec<Digest> = resolved.iter().map(|(_, digest)| digest.clone()).collect();
    digests.sort();
    digests.dedup();
    let images: HashMap<Digest, Vec<Entry>> = stream::iter(digests)
        .map(|digest| async move {
            let root = source.fetch(&digest.clone().into()).await?;
            Ok::<_, Error>((digest, source.entries(&root).await?))
        })
        .buffer_unordered(LOOKS)
        .try_collect()
        .await?;
    let row = |(tag, digest): (Tag, Digest)| {
        let entries = images.get(&digest).map_or(&[][..], Vec::as_slice);
        TagRow {
            platforms: entries.iter().map(Entry::kind).collect(),
            size: image::size(entries),
            tag,
            digest,
        }
    };
    Ok(resolved.into_iter().map(row).collect())
}

fn lines<T: ToString>(items: &[T]) -> String {
    items.iter().map(|item| item.to_string() + "\n").collect()
}
