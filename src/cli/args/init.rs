// SPDX-License-Identifier: Apache-2.0

//! `init`: a first mirror.

use std::path::PathBuf;

use clap::Args;
use clap::builder::FalseyValueParser;

use super::answers::{PushSecret, SourceRepository, TagChoice, UnwantedTags};
use super::common::RegistryArgs;
use crate::api::ObjectName;
use crate::convert::Prefix;

/// `transship init`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  transship init                          asks, and writes mirror.yaml
  transship init alpine.yaml --from alpine --tags 3.20,3.21* --to registry.example.com/mirror --yes
  transship init - --from ghcr.io/acme/app --tags '>=1.2' --to registry.example.com --secret push --yes | kubectl apply -f -

Each of the five questions has a flag: --from, --tags, --to, --secret and --prune. What a flag answers is not asked.")]
pub struct InitArgs {
    /// The file to write; - is stdout.
    #[arg(
        value_name = "FILE",
        default_value = "mirror.yaml",
        hide_default_value = true
    )]
    pub file: PathBuf,
    /// The repository that is mirrored, such as docker.io/library/alpine.
    #[arg(long, env = "TRANSSHIP_INIT_FROM", value_name = "REPOSITORY")]
    pub from: Option<SourceRepository>,
    /// Its tags: tags and globs with commas between them, such as 3.20,3.21*, or a range of versions, such as '>=1.26'.
    #[arg(long, env = "TRANSSHIP_INIT_TAGS", value_name = "TAGS|RANGE")]
    pub tags: Option<TagChoice>,
    /// Where to: a registry, or a path in it.
    #[arg(long, env = "TRANSSHIP_INIT_TO", value_name = "REGISTRY[/PREFIX]")]
    pub to: Option<Prefix>,
    /// The Secret of the cluster that may push there; '' for what `docker login` keeps on this machine.
    #[arg(long, env = "TRANSSHIP_INIT_SECRET", value_name = "NAME")]
    pub secret: Option<PushSecret>,
    /// What becomes of tags there that are not wanted any more: keep, plan or delete.
    #[arg(
        long,
        env = "TRANSSHIP_INIT_PRUNE",
        value_name = "WHAT",
        hide_possible_values = true
    )]
    pub prune: Option<UnwantedTags>,
    /// The name of the mirror [default: that of the repository].
    #[arg(long, env = "TRANSSHIP_INIT_NAME", value_name = "NAME")]
    pub name: Option<ObjectName>,
    /// Its namespace [default: that of kubectl].
    #[arg(long, env = "TRANSSHIP_INIT_NAMESPACE", value_name = "NAME")]
    pub namespace: Option<ObjectName>,
    /// Ask nothing: what no flag says is as usual (the tag latest, no Secret, keep).
    #[arg(short, long, env = "TRANSSHIP_INIT_YES", value_parser = FalseyValueParser::new())]
    pub yes: bool,
    /// Write over the file where it is there.
    #[arg(long, env = "TRANSSHIP_INIT_FORCE", value_parser = FalseyValueParser::new())]
    pub force: bool,
    /// Look at no registry.
    #[arg(long, env = "TRANSSHIP_INIT_OFFLINE", value_parser = FalseyValueParser::new())]
    pub offline: bool,
    /// How registries are reached.
    #[command(flatten)]
    pub registry: RegistryArgs,
}
