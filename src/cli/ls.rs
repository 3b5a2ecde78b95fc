//! `transship ls`: the repositories of a registry, or the tags of a repository.

use std::collections::HashMap;

use futures::{StreamExt, TryStreamExt, stream};
use serde::Serialize;

use super::address::Address;
use super::args::{Format, LsArgs, OutputArgs};
use super::connect::Connector;
use super::error::Error;
use super::exit::Exit;
use super::image::{self, Entry, Source};
use super::output::Output;
use super::table::Table;
use super::trust::Trust;
use super::units;
use crate::oci::{Digest, Registry, Repository, Tag};
use crate::runtime::shutdown::until_signal;

/// Tags that are looked at together. What a registry bears is decided by its own limits.
const LOOKS: usize = 32;

/// One tag.
#[derive(Clone, Debug, Serialize)]
struct TagRow {
    tag: Tag,
    digest: Digest,
    /// Platforms, or the types of artifacts.
    platforms: Vec<String>,
    /// Bytes of configs and layers of all platforms, each blob counted once.
    size: u64,
}

/// Runs `transship ls`.
pub(super) async fn run(args: &LsArgs, output: &Output) -> Result<Exit, Error> {
    let LsArgs {
        address,
        output: OutputArgs { output: format },
        registry,
    } = args;
    let connector = Connector::new(Trust::read(registry)?);
    let listing = async {
        match address {
            Address::Registry(registry) => {
                list_repositories(&connector, registry, *format, output).await
            }
            Address::Repository(registry, repository) => {
                list_tags(&connector, registry, repository, *format, output).await
            }
        }
    };
    match until_signal(listing).await {
        Some(listed) => listed.map(|()| Exit::Success),
        None => Ok(Exit::Interrupted),
    }
}

async fn list_repositories(
    connector: &Connector,
    registry: &Registry,
    format: Format,
    output: &Output,
) -> Result<(), Error> {
    let client = connector.client(registry, None).await?;
    let repositories = client.list_repositories().await?;
    output.print_value(format, &repositories, |all| lines(all))
}

async fn list_tags(
    connector: &Connector,
    registry: &Registry,
    repository: &Repository,
    format: Format,
    output: &Output,
) -> Result<(), Error> {
    let source = Source {
        client: connector.client(registry, Some(repository)).await?,
        repository: repository.clone(),
    };
    let tags = source.client.list_tags(repository).await?;
    if output.is_quiet() {
        return output.print_value(format, &tags, |all| lines(all));
    }
    let rows = describe(&source, tags).await?;
    output.print_value(format, &rows, |rows| table(rows))
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

fn table(rows: &[TagRow]) -> String {
    let mut table = Table::new(["TAG", "DIGEST", "PLATFORMS", "SIZE"]);
    for TagRow {
        tag,
        digest,
        platforms,
        size,
    } in rows
    {
        table.row([
            tag.to_string(),
            digest.to_string(),
            platforms.join(","),
            units::bytes(*size),
        ]);
    }
    table.to_string()
}

fn lines<T: ToString>(items: &[T]) -> String {
    items.iter().map(|item| item.to_string() + "\n").collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_with_what_they_stand_for() {
        let rows = [
            TagRow {
                tag: "3.20".parse().unwrap(),
                digest: Digest::sha256(b"a"),
                platforms: vec!["linux/amd64".to_owned(), "linux/arm64/v8".to_owned()],
                size: 7_100_000,
            },
            TagRow {
                tag: "chart".parse().unwrap(),
                digest: Digest::sha256(b"b"),
                platforms: vec!["application/vnd.cncf.helm.config.v1+json".to_owned()],
                size: 812,
            },
        ];
        insta::assert_snapshot!(table(&rows), @r"
        TAG     DIGEST                                                                    PLATFORMS                                  SIZE
        3.20    sha256:ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb   linux/amd64,linux/arm64/v8                 7.1 MB
        chart   sha256:3e23e8160039594a33894f6564e1b1348bbd7a0088d42c4acb73eeaed59c009d   application/vnd.cncf.helm.config.v1+json   812 B
        ");
    }
}
