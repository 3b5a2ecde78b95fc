// SPDX-License-Identifier: Apache-2.0

//! Holds what the other tool takes against what the converted documents take, on the tags that are there by now.

use std::collections::BTreeSet;

use futures::{StreamExt, stream};

use crate::cli::args::ConvertArgs;
use crate::cli::connect::Connector;
use crate::cli::documents;
use crate::cli::error::Error;
use crate::cli::exit::Exit;
use crate::cli::output::Output;
use crate::convert::{Gap, Theirs};
use crate::oci::{Registry, Repository, Tag};
use crate::plan::select::Times;
use crate::plan::{Mirror, RepositorySelector};

/// Repositories that are listed at once. What a registry bears is decided by its own limits.
const LISTS: usize = 8;

/// What is taken of a repository of which the tags are known.
#[derive(Debug, Default, PartialEq, Eq)]
struct Compared {
    theirs: BTreeSet<Tag>,
    ours: BTreeSet<Tag>,
}

/// Prints a line for each repository; a difference, or what cannot be compared, is the code 1.
pub(super) async fn run(
    args: &ConvertArgs,
    yaml: &str,
    (theirs, gaps): (Vec<Theirs>, Vec<Gap>),
    output: &Output,
) -> Result<Exit, Error> {
    let mirrors = documents::read_mirrors(yaml, "converted")?;
    let connector = Connector::open(&args.registry)?;
    let mut exit = Exit::Success;
    for gap in &gaps {
        output.note(&format!("not compared: {gap}"));
        exit = Exit::Failure;
    }
    let (repositories, are_all) = repositories(&connector, &theirs, &mirrors, output).await?;
    if !are_all {
        exit = Exit::Failure;
    }
    if repositories.is_empty() {
        let form = args.form.name();
        output.note(&format!(
            "nothing to compare: no image is named in the form of {form}: is it another tool's file?"
        ));
        exit = Exit::Failure;
    }
    let reads = repositories.into_iter().map(|(registry, repository)| {
        let (connector, theirs, mirrors) = (&connector, &theirs, &mirrors);
        async move {
            let listed = list(connector, &registry, &repository).await;
            let compared =
                listed.map(|tags| compare(&registry, &repository, &tags, theirs, mirrors));
            (format!("{registry}/{repository}"), compared)
        }
    });
    let mut reads = stream::iter(reads).buffered(LISTS);
    let mut text = String::new();
    while let Some((name, compared)) = reads.next().await {
        match compared {
            Ok(compared) => {
                if compared.theirs != compared.ours {
                    exit = Exit::Failure;
                }
                text.push_str(&compared.line(&name, args.form.name()));
            }
            Err(error) => {
                output.note(&format!("not compared: {name}: {error}"));
                exit = Exit::Failure;
            }
        }
    }
    output.print(text)?;
    Ok(exit)
}

/// Every repository that either of them names, or finds by a pattern among those of its registry, and whether these
/// could be listed.
async fn repositories(
    connector: &Connector,
    theirs: &[Theirs],
    mirrors: &[Mirror],
    output: &Output,
) -> Result<(BTreeSet<(Registry, Repository)>, bool), Error> {
    let mut found = BTreeSet::new();
    let mut are_all = true;
    let mut searched: BTreeSet<&Registry> = BTreeSet::new();
    for one in theirs {
        match one.repository() {
            Some(repository) => {
                found.insert((one.source.clone(), repository.clone()));
            }
            None => {
                searched.insert(&one.source);
            }
        }
    }
    for mirror in mirrors {
        let registry = &mirror.source.registry;
        for entry in &mirror.images {
            match &entry.repository {
                RepositorySelector::Literal(repository) => {
                    found.insert((registry.clone(), repository.clone()));
                }
                RepositorySelector::Glob(_) => {
                    searched.insert(registry);
                }
            }
        }
    }
    for registry in searched {
        let client = connector.client(registry, None).await?;
        match client.list_repositories().await {
            Ok(listed) => {
                let is_meant =
                    |repository: &Repository| is_meant(registry, repository, theirs, mirrors);
                let meant = listed.into_iter().filter(is_meant);
                found.extend(meant.map(|repository| (registry.clone(), repository)));
            }
            Err(error) => {
                output.note(&format!(
                    "not compared: the repositories of {registry}: {error}"
                ));
                are_all = false;
            }
        }
    }
    Ok((found, are_all))
}

fn is_meant(
    registry: &Registry,
    repository: &Repository,
    theirs: &[Theirs],
    mirrors: &[Mirror],
) -> bool {
    let by_them = theirs
        .iter()
        .any(|one| one.source == *registry && one.covers(repository));
    by_them
        || mirrors.iter().any(|mirror| {
            let mut entries = mirror.images.iter();
            mirror.source.registry == *registry
                && entries.any(|entry| entry.repository.covers(repository))
        })
}

async fn list(
    connector: &Connector,
    registry: &Registry,
    repository: &Repository,
) -> Result<Vec<Tag>, Error> {
    let client = connector.client(registry, Some(repository)).await?;
    let mut tags = client.list_tags(repository).await?;
    // Signatures and the like come with their images.
    tags.retain(|tag| tag.attachment().is_none());
    Ok(tags)
}

fn compare(
    registry: &Registry,
    repository: &Repository,
    tags: &[Tag],
    theirs: &[Theirs],
    mirrors: &[Mirror],
) -> Compared {
    let meant = theirs
        .iter()
        .filter(|one| one.source == *registry && one.covers(repository));
    let theirs = meant.flat_map(|one| one.take(tags)).cloned().collect();
    let entries = mirrors
        .iter()
        .filter(|mirror| mirror.source.registry == *registry)
        .flat_map(|mirror| &mirror.images)
        .filter(|entry| entry.repository.covers(repository));
    let mut ours = BTreeSet::new();
    for entry in entries {
        // Rules without `limit` always select.
        let selected = entry.select(tags, &BTreeSet::new(), &Times::default());
        let wanted = selected.unwrap_or_default().tags.into_iter();
        let of_tags = wanted.filter(|wanted| wanted.pin.is_none());
        ours.extend(
            of_tags
                .map(|wanted| wanted.tag)
                .filter(|tag| tags.contains(tag)),
        );
    }
    Compared { theirs, ours }
}

// === impl Compared ===

impl Compared {
    fn line(&self, name: &str, tool: &str) -> String {
        let Self { theirs, ours } = self;
        if theirs == ours {
            return format!("{name}: the same {} tags\n", ours.len());
        }
        let only = |who: &str, tags: std::collections::btree_set::Difference<'_, Tag>| {
            let tags: Vec<&str> = tags.map(Tag::as_str).collect();
            (!tags.is_empty()).then(|| format!("; only {who}: {}", tags.join(" ")))
        };
        let both = theirs.intersection(ours).count();
        let differences = [
            only(tool, theirs.difference(ours)),
            only("transship", ours.difference(theirs)),
        ];
        let differences: String = differences.into_iter().flatten().collect();
        format!("{name}: {both} tags in both{differences}\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::convert::{Form, Surroundings, convert, read_theirs};

    const FILE: &str = "version: 1\nsync:\n- {source: a.test/team/app, target: b.test/app, type: repository, tags: {allow: ['1\\..*']}}\n";

    fn compared(change: impl Fn(String) -> String) -> String {
        let surroundings = Surroundings::default();
        let yaml = convert(Form::Regsync, FILE, "f", &surroundings)
            .unwrap()
            .yaml;
        let (theirs, gaps) = read_theirs(Form::Regsync, FILE, "f", &surroundings).unwrap();
        assert!(gaps.is_empty());
        let mirrors = documents::read_mirrors(&change(yaml), "converted").unwrap();
        let tags: Vec<Tag> = ["1.0", "1.1", "2.0"].map(|tag| tag.parse().unwrap()).into();
        let repository = "team/app".parse().unwrap();
        let found = compare(&theirs[0].source, &repository, &tags, &theirs, &mirrors);
        found.line("a.test/team/app", "regsync")
    }

    #[test]
    fn a_difference_is_named_for_both_sides() {
        assert_eq!(compared(|yaml| yaml), "a.test/team/app: the same 2 tags\n");
        assert_eq!(
            compared(|yaml| yaml.replace("1.*", "*.0")),
            "a.test/team/app: 1 tags in both; only regsync: 1.1; only transship: 2.0\n"
        );
    }
}
