// SPDX-License-Identifier: Apache-2.0

//! What is no longer wanted: `prune` deletes it, and `restore` brings it back.

use std::path::PathBuf;

use clap::Args;
use clap::builder::FalseyValueParser;

use super::common::{DocumentArgs, OutputArgs, RegistryArgs};
use crate::cli::in_use::LISTED;
use crate::cli::named_tag::NamedTag;
use crate::controller::workloads::Extra;
use crate::oci::Digest;

/// `transship prune`
#[derive(Debug, Args)]
#[command(after_help = after_help())]
pub struct PruneArgs {
    /// Where the documents are.
    #[command(flatten)]
    pub documents: DocumentArgs,
    /// Protect what workloads use: those of the cluster of a kubeconfig (or of the word kubeconfig), or the images in files; - is stdin.
    #[arg(
        long,
        value_delimiter = ',',
        env = "TRANSSHIP_IN_USE_FROM",
        value_name = "KUBECONFIG|FILE"
    )]
    pub in_use_from: Vec<PathBuf>,
    /// List these kinds of the cluster, too: any of their strings may name an image, such as in configmaps, nodes or scaledjobs.keda.sh.
    #[arg(
        long,
        value_delimiter = ',',
        env = "TRANSSHIP_IN_USE_EXTRA",
        value_name = "RESOURCE[.GROUP]"
    )]
    pub in_use_extra: Vec<Extra>,
    /// Delete what is due, inside spec.prune.maxDeletes and maxPercent.
    #[arg(long, env = "TRANSSHIP_PRUNE_DELETE", value_parser = FalseyValueParser::new())]
    pub delete: bool,
    /// Delete beyond these limits, if what is due is exactly this plan.
    #[arg(
        long,
        env = "TRANSSHIP_PRUNE_APPROVE",
        value_name = "DIGEST",
        requires = "delete"
    )]
    pub approve: Option<Digest>,
    /// Prune what is on record of destinations that were elsewhere, too: the mirrors moved.
    #[arg(long, env = "TRANSSHIP_PRUNE_MOVED", value_parser = FalseyValueParser::new())]
    pub moved: bool,
    /// How results are printed.
    #[command(flatten)]
    pub output: OutputArgs,
    /// How registries are reached.
    #[command(flatten)]
    pub registry: RegistryArgs,
}

fn after_help() -> String {
    format!(
        "\
Examples:
  transship prune -f mirror.yaml --state state.json --in-use-from ~/.kube/config
  transship prune -f mirror.yaml --state state.json --in-use-from ~/.kube/config --delete
  kubectl get {LISTED} -A -o json |
    transship prune -f mirror.yaml --state state.json --in-use-from - --delete

Only tags that are in the state file are ever deleted: those that `transship sync --state` wrote. \
Without --delete nothing changes but the state file, which remembers since when a tag is not wanted.

Exit codes: 0 nothing is due, or all that was due is deleted; 2 something is due, or wrong use; 1 something failed."
    )
}

/// `transship restore`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  transship restore -f mirror.yaml --state state.json              list what can be restored
  transship restore -f mirror.yaml --state state.json mirror/alpine:3.19
  transship restore -f mirror.yaml --state state.json --all

A tag can be restored until spec.prune.grace has passed after it was deleted, as long as the registry \
still has its manifest. What the mirror still does not want is pruned again after another grace.")]
pub struct RestoreArgs {
    /// The tags to restore; without any they are only listed.
    #[arg(value_name = "[REPOSITORY:]TAG")]
    pub tags: Vec<NamedTag>,
    /// Restore every tag that can be restored.
    #[arg(short, long, env = "TRANSSHIP_RESTORE_ALL", value_parser = FalseyValueParser::new(), conflicts_with = "tags")]
    pub all: bool,
    /// Where the documents are.
    #[command(flatten)]
    pub documents: DocumentArgs,
    /// How results are printed.
    #[command(flatten)]
    pub output: OutputArgs,
    /// How registries are reached.
    #[command(flatten)]
    pub registry: RegistryArgs,
}
