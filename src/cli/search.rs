// SPDX-License-Identifier: Apache-2.0

//! `transship search`: repositories by words, at registries that search; by name, at those that only list.

use schemars::JsonSchema;
use serde::Serialize;

use super::args::{Filter, OutputArgs, Query, SearchArgs};
use super::connect::Connector;
use super::error::Error;
use super::exit::Exit;
use super::look::Look;
use super::output::{Document, Output};
use super::table::Table;
use crate::oci::Registry;
use crate::registry::FoundRepository;
use crate::runtime::shutdown::until_signal;

/// The kind of what machines read.
pub(super) const KIND: &str = "SearchResults";

/// The most that registries find at once.
const MOST: usize = 100;

/// The longest description in a table, in characters: that of docker.
const DESCRIPTION: usize = 45;

/// What machines read.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct SearchResults {
    repositories: Vec<Found>,
}

/// A repository that was found.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Found {
    /// The repository as other commands take it.
    repository: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    /// How many people like it, where the registry tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    stars: Option<u64>,
    /// How often it was pulled, where the registry tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    pulls: Option<u64>,
    /// Whether the registry vouches for it.
    official: bool,
}

impl Document for SearchResults {
    const KIND: &'static str = KIND;
}

/// Runs `transship search`.
pub(super) async fn run(args: &SearchArgs, output: &Output) -> Result<Exit, Error> {
    let SearchArgs {
        query,
        limit,
        filter,
        no_trunc,
        output: OutputArgs { output: format },
        registry,
    } = args;
    let connector = Connector::open(registry)?;
    // What filters leave out takes nothing from what is shown.
    let asked = if filter.is_empty() { *limit } else { MOST };
    let Some(found) = until_signal(find(&connector, query, asked)).await else {
        return Ok(Exit::Interrupted);
    };
    let mut repositories = found?;
    repositories.retain(|found| filter.iter().all(|filter| is_shown(*filter, found)));
    repositories.truncate(*limit);
    if repositories.is_empty() {
        let Query { registry, words } = query;
        output.note(&format!(
            "note: nothing at {registry} is found by {words:?}"
        ));
    }
    let results = SearchResults { repositories };
    output.print_value(*format, &results, |results, look| {
        table(&results.repositories, look, *no_trunc)
    })?;
    Ok(Exit::Success)
}

/// Asks the registry to search, or else for its list of repositories.
async fn find(connector: &Connector, query: &Query, limit: usize) -> Result<Vec<Found>, Error> {
    let Query { registry, words } = query;
    let client = connector.client(registry, None).await?;
    if let Some(found) = client.search(words, limit).await? {
        let found = found.into_iter().map(|found| Found::of(registry, found));
        return Ok(found.collect());
    }
    let words: Vec<String> = words.split_whitespace().map(str::to_lowercase).collect();
    let has_all = |name: &str| words.iter().all(|word| name.contains(word));
    let listed = client
        .list_repositories_matching(None, |repository| has_all(repository.as_str()))
        .await?;
    let named = listed.into_iter().take(limit).map(|repository| Found {
        repository: format!("{registry}/{repository}"),
        description: None,
        stars: None,
        pulls: None,
        official: false,
    });
    Ok(named.collect())
}

fn is_shown(filter: Filter, found: &Found) -> bool {
    match filter {
        Filter::IsOfficial(official) => found.official == official,
        Filter::Stars(least) => found.stars.unwrap_or(0) >= least,
    }
}

// === impl Found ===

impl Found {
    fn of(registry: &Registry, found: FoundRepository) -> Self {
        let FoundRepository {
            repository,
            description,
            stars,
            pulls,
            is_official,
        } = found;
        let name = repository.as_str();
        let repository = if registry.is_docker_hub() {
            name.strip_prefix("library/").unwrap_or(name).to_owned()
        } else {
            format!("{registry}/{name}")
        };
        Self {
            repository,
            description,
            stars,
            pulls,
            official: is_official,
        }
    }
}

fn table(found: &[Found], look: Look, no_trunc: bool) -> String {
    let mut table = Table::new(["NAME", "DESCRIPTION", "STARS", "PULLS", "OFFICIAL"]);
    let number = |number: Option<u64>| number.map(|number| number.to_string()).unwrap_or_default();
    for Found {
        repository,
        description,
        stars,
        pulls,
        official,
    } in found
    {
        let description = description.as_deref().unwrap_or_default();
        let is_whole = no_trunc || look.is_wide || description.chars().count() <= DESCRIPTION;
        table.row([
            repository.clone(),
            if is_whole {
                description.to_owned()
            } else {
                let cut: String = description.chars().take(DESCRIPTION - 1).collect();
                format!("{}…", cut.trim_end())
            },
            number(*stars),
            number(*pulls),
            if *official { "[OK]" } else { "" }.to_owned(),
        ]);
    }
    if table.is_empty() {
        return String::new();
    }
    table.fit(look.width)
}
