// SPDX-License-Identifier: Apache-2.0

//! Bringing destinations up to date: `sync`, and `plan`, which only says what `sync` would do.

use std::path::PathBuf;

use clap::Args;
use clap::builder::FalseyValueParser;

use super::common::{DocumentArgs, OutputArgs, RegistryArgs};
use super::page_address::PageAddress;

/// `transship sync`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  transship sync -f mirror.yaml
  transship sync -f mirrors/ -f credentials.yaml --watch --state state.json --page 8082
  transship sync -f mirror.yaml --to-layout usb/        and on the other side:
  transship sync -f mirror.yaml --from-layout usb/

Credentials are those of the Secret documents that a mirror names, else those of `docker login`.")]
pub struct SyncArgs {
    /// Where the documents are.
    #[command(flatten)]
    pub documents: DocumentArgs,
    /// Keep running: every mirror at its own interval or schedule.
    #[arg(long, env = "TRANSSHIP_SYNC_WATCH", value_parser = FalseyValueParser::new(), conflicts_with_all = ["dry_run", "timeout"])]
    pub watch: bool,
    /// With --watch: show a page for browsers on this machine at this port, such as 8082.
    #[arg(
        long,
        env = "TRANSSHIP_SYNC_PAGE",
        value_name = "PORT|IP:PORT",
        requires = "watch"
    )]
    pub page: Option<PageAddress>,
    /// Write the page into this file after each round, for those who carry it elsewhere.
    #[arg(
        long,
        env = "TRANSSHIP_SYNC_PAGE_FILE",
        value_name = "FILE",
        conflicts_with = "dry_run"
    )]
    pub page_file: Option<PathBuf>,
    /// Write nothing; say what would be done.
    #[arg(long, env = "TRANSSHIP_SYNC_DRY_RUN", value_parser = FalseyValueParser::new())]
    pub dry_run: bool,
    /// With --dry-run: show only what would change.
    #[arg(long, env = "TRANSSHIP_CHANGES_ONLY", value_parser = FalseyValueParser::new(), requires = "dry_run")]
    pub changes_only: bool,
    /// How results are printed.
    #[command(flatten)]
    pub output: OutputArgs,
    /// How registries are reached.
    #[command(flatten)]
    pub registry: RegistryArgs,
}

/// `transship plan`
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  transship plan -f mirror.yaml --changes-only

Exit codes: 0 in sync, 1 something is wrong, 2 there is something to do.")]
pub struct PlanArgs {
    /// Where the documents are.
    #[command(flatten)]
    pub documents: DocumentArgs,
    /// Show only what would change, not what is right or left out.
    #[arg(long, env = "TRANSSHIP_CHANGES_ONLY", value_parser = FalseyValueParser::new())]
    pub changes_only: bool,
    /// How results are printed.
    #[command(flatten)]
    pub output: OutputArgs,
    /// How registries are reached.
    #[command(flatten)]
    pub registry: RegistryArgs,
}
