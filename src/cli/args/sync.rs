//! Bringing destinations up to date: `sync`, and `plan`, which only says what `sync` would do.

use clap::Args;
use clap::builder::FalseyValueParser;

use super::common::{DocumentArgs, OutputArgs, RegistryArgs};

/// `transship sync`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  transship sync -f mirror.yaml
  transship sync -f mirrors/ -f credentials.yaml --watch --state state.json
  transship sync -f mirror.yaml --to-layout usb/        and on the other side:
  transship sync -f mirror.yaml --from-layout usb/

Credentials are those of the Secret documents that a mirror names, else those of `docker login`.")]
pub struct SyncArgs {
    /// Where the documents are.
    #[command(flatten)]
    pub documents: DocumentArgs,
    /// Keep running: every mirror at its own interval or schedule.
    #[arg(long, env = "TRANSSHIP_WATCH", value_parser = FalseyValueParser::new(), conflicts_with = "dry_run")]
    pub watch: bool,
    /// Write nothing; say what would be done.
    #[arg(long, env = "TRANSSHIP_DRY_RUN", value_parser = FalseyValueParser::new())]
    pub dry_run: bool,
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
  transship plan -f mirror.yaml

Exit codes: 0 nothing to do, 2 something to do, 1 something failed.")]
pub struct PlanArgs {
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
