// SPDX-License-Identifier: Apache-2.0

//! Repositories and tags: `ls` and `delete`.

use std::path::PathBuf;

use clap::builder::FalseyValueParser;
use clap::{Args, ValueEnum};

use super::common::{OutputArgs, RegistryArgs};
use crate::cli::address::Place;
use crate::cli::location::Location;
use crate::policy::TagGlob;

/// `transship ls`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  transship ls registry.example.com                     the repositories, where the registry tells
  transship ls registry.example.com/mirror/alpine       the tags of a repository
  transship ls --match '3.*' --last 5 alpine            the five newest of them
  transship ls --by-digest alpine                       a line for each image, with its tags
  transship ls -q alpine                                only the names, which costs no pulls
  transship ls ./mirror                                 a tree of OCI layouts, or one of them
  transship ls docker-archive:images.tar                an archive")]
pub struct LsArgs {
    /// A registry, a repository, a directory or an archive; a name without a registry is one of Docker Hub.
    #[arg(value_name = "REGISTRY[/REPOSITORY]|DIR|ARCHIVE")]
    pub place: Place,
    /// Only tags that match one of these globs; * stands for any characters.
    #[arg(
        short,
        long,
        value_delimiter = ',',
        value_parser = TagGlob::parse,
        env = "TRANSSHIP_LS_MATCH",
        value_name = "GLOB"
    )]
    pub r#match: Vec<TagGlob>,
    /// Only the last so many tags, in their order.
    #[arg(long, env = "TRANSSHIP_LS_LAST", value_name = "NUMBER")]
    pub last: Option<usize>,
    /// In which order: version (numbers as numbers, the newest last), name, or registry (as the registry lists them).
    #[arg(
        long,
        value_enum,
        default_value_t,
        env = "TRANSSHIP_LS_ORDER",
        value_name = "ORDER",
        hide_possible_values = true
    )]
    pub order: Order,
    /// A line for each image, with all of its tags.
    #[arg(long, env = "TRANSSHIP_LS_BY_DIGEST", value_parser = FalseyValueParser::new())]
    pub by_digest: bool,
    /// Tags of signatures and other referrers, too: sha256-….
    #[arg(short, long, env = "TRANSSHIP_LS_ALL", value_parser = FalseyValueParser::new())]
    pub all: bool,
    /// How results are printed.
    #[command(flatten)]
    pub output: OutputArgs,
    /// How registries are reached.
    #[command(flatten)]
    pub registry: RegistryArgs,
}

// === impl DeleteArgs ===

impl DeleteArgs {
    /// What is to be deleted, as it was written.
    pub(in super::super) fn subject(&self) -> String {
        let written: Vec<String> = self.references.iter().map(Location::to_string).collect();
        written.join(", ")
    }
}

/// The order of tags.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Order {
    /// Runs of digits as numbers.
    #[default]
    Version,
    /// By characters.
    Name,
    /// As they come.
    Registry,
}

/// `transship delete`
#[derive(Debug, Args)]
#[command(
    visible_alias = "rm",
    after_help = "\
Examples:
  transship delete registry.example.com/team/app:1.0
  transship delete --yes registry.example.com/team/app:1.0 registry.example.com/team/app:1.1
  transship delete --dry-run ./mirror/library/alpine:3.19

Only tags are deleted, never what they stand for: other tags of the same image stay. Where a registry \
cannot delete a tag by its name, nothing is deleted."
)]
pub struct DeleteArgs {
    /// The tags to delete.
    #[arg(required = true, value_name = "REF")]
    pub references: Vec<Location>,
    /// Do not ask.
    #[arg(short, long, env = "TRANSSHIP_DELETE_YES", value_parser = FalseyValueParser::new())]
    pub yes: bool,
    /// Delete nothing; say what would be deleted.
    #[arg(long, env = "TRANSSHIP_DELETE_DRY_RUN", value_parser = FalseyValueParser::new())]
    pub dry_run: bool,
    /// Leave alone what workloads use: of the cluster of a kubeconfig, or in what kubectl printed.
    #[arg(
        long,
        value_delimiter = ',',
        env = "TRANSSHIP_IN_USE_FROM",
        value_name = "KUBECONFIG|FILE"
    )]
    pub in_use_from: Vec<PathBuf>,
    /// How results are printed.
    #[command(flatten)]
    pub output: OutputArgs,
    /// How registries are reached.
    #[command(flatten)]
    pub registry: RegistryArgs,
}
