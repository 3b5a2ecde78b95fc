// SPDX-License-Identifier: Apache-2.0

//! Repositories by words: `search`.

use std::str::FromStr;

use clap::Args;
use clap::builder::{FalseyValueParser, RangedU64ValueParser};

use super::common::{OutputArgs, RegistryArgs};
use crate::cli::address::is_host;
use crate::oci::Registry;

/// `transship search`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  transship search nginx                                Docker Hub
  transship search --filter is-official=true --filter stars=100 postgres
  transship search quay.io/prometheus                   another registry
  transship search registry.example.com/app             by name, where a registry has a list and no search")]
pub struct SearchArgs {
    /// What to search for, at Docker Hub or behind the name of another registry.
    #[arg(value_name = "[REGISTRY/]WORDS")]
    pub query: Query,
    /// Show at most so many repositories, up to 100.
    #[arg(
        long,
        default_value_t = 25,
        value_parser = RangedU64ValueParser::<usize>::new().range(1..=100),
        env = "TRANSSHIP_SEARCH_LIMIT",
        value_name = "NUMBER"
    )]
    pub limit: usize,
    /// Show only what is-official=true (or false), or has stars=N at least.
    #[arg(
        short,
        long,
        value_delimiter = ',',
        env = "TRANSSHIP_SEARCH_FILTER",
        value_name = "FILTER"
    )]
    pub filter: Vec<Filter>,
    /// Show descriptions as they are.
    #[arg(long, env = "TRANSSHIP_SEARCH_NO_TRUNC", value_parser = FalseyValueParser::new())]
    pub no_trunc: bool,
    /// How results are printed.
    #[command(flatten)]
    pub output: OutputArgs,
    /// How registries are reached.
    #[command(flatten)]
    pub registry: RegistryArgs,
}

/// Words, and where to search for them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// The registry.
    pub registry: Registry,
    /// The words.
    pub words: String,
}

/// Which of the repositories that were found are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filter {
    /// Those that the registry vouches for, or those that it does not.
    IsOfficial(bool),
    /// Those with so many stars at least.
    Stars(u64),
}

impl FromStr for Query {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (registry, words) = match text.split_once('/') {
            Some((host, words)) if is_host(host) || host.contains(':') => {
                (host.parse(), words.to_owned())
            }
            None if text.contains(':') || text == "localhost" => {
                return Err(format!(
                    "{text:?} names a registry: write the words behind it, {text}/WORDS"
                ));
            }
            _ => (Ok(Registry::docker_hub()), text.to_owned()),
        };
        let registry = registry.map_err(|error| error.to_string())?;
        if words.trim().is_empty() {
            return Err(format!("{text:?} has no word to search for"));
        }
        Ok(Self { registry, words })
    }
}

impl FromStr for Filter {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong =
            || format!("{text:?} is none of is-official=true, is-official=false and stars=N");
        match text.split_once('=') {
            Some(("is-official", "true" | "1")) => Ok(Self::IsOfficial(true)),
            Some(("is-official", "false" | "0")) => Ok(Self::IsOfficial(false)),
            Some(("stars", number)) => number.parse().map(Self::Stars).map_err(|_| wrong()),
            _ => Err(wrong()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_at_docker_hub_or_behind_a_registry() {
        let parsed = |text: &str| {
            let query: Query = text.parse().unwrap();
            format!("{} {}", query.registry, query.words)
        };
        assert_eq!(parsed("nginx"), "docker.io nginx");
        assert_eq!(parsed("library/nginx"), "docker.io library/nginx");
        assert_eq!(parsed("web server"), "docker.io web server");
        assert_eq!(parsed("quay.io/prometheus/node"), "quay.io prometheus/node");
        assert_eq!(parsed("localhost:5000/app"), "localhost:5000 app");
        for wrong in ["", " ", "quay.io/", "localhost", "localhost:5000"] {
            wrong.parse::<Query>().unwrap_err();
        }
    }

    #[test]
    fn filters_as_docker_writes_them() {
        assert_eq!("is-official=true".parse(), Ok(Filter::IsOfficial(true)));
        assert_eq!("stars=3".parse(), Ok(Filter::Stars(3)));
        for wrong in ["is-automated=true", "stars=many", "stars", ""] {
            wrong.parse::<Filter>().unwrap_err();
        }
    }
}
