// SPDX-License-Identifier: Apache-2.0

//! What several commands take.

use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use clap::builder::FalseyValueParser;
use clap::{ArgAction, Args, ValueEnum};

use crate::oci::{CloudRegistry, Registry};
use crate::policy::Duration;
use crate::registry::Rate;

/// The flags that every command has.
#[derive(Debug, Args)]
#[command(next_help_heading = "Common options")]
pub struct CommonArgs {
    /// Log more: -v what is done, -vv every decision, -vvv everything.
    #[arg(short, long, global = true, action = ArgAction::Count, env = "TRANSSHIP_VERBOSE")]
    pub verbose: u8,
    /// Print nothing but results, failures and the summary.
    #[arg(short, long, global = true, env = "TRANSSHIP_QUIET", value_parser = FalseyValueParser::new())]
    pub quiet: bool,
    /// Log from this level on: off, error, warn, info, debug or trace [default: warn, info for what keeps running].
    #[arg(
        long,
        global = true,
        env = "TRANSSHIP_LOG",
        value_name = "LEVEL",
        hide_possible_values = true
    )]
    pub log_level: Option<LogLevel>,
    /// How log lines look: human or json [default: human, json for the controller].
    #[arg(
        long,
        global = true,
        env = "TRANSSHIP_LOG_FORMAT",
        value_name = "FORMAT",
        hide_possible_values = true
    )]
    pub log_format: Option<LogFormat>,
}

/// How much is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogLevel {
    /// Nothing.
    Off,
    /// What failed.
    Error,
    /// And what is doubtful.
    Warn,
    /// And what is done.
    Info,
    /// And why.
    Debug,
    /// And everything else.
    Trace,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// One readable line.
    Human,
    /// One JSON object.
    Json,
}

/// How results are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Table,
    /// The same with everything there is to say, however wide it gets.
    Wide,
    /// JSON, and nothing else on stdout.
    Json,
    /// YAML, and nothing else on stdout.
    Yaml,
}

/// Where the documents are.
#[derive(Debug, Args)]
pub struct DocumentArgs {
    /// Files or directories with mirrors, policies and Secrets, as YAML or JSON; - is stdin.
    #[arg(short, long, required = true, num_args = 1.., value_delimiter = ',', env = "TRANSSHIP_FILENAME", value_name = "FILE|DIR")]
    pub filename: Vec<PathBuf>,
    /// Put variables of the environment where the files say ${NAME} or ${NAME:-default}.
    #[arg(long, env = "TRANSSHIP_SET_ENV", value_parser = FalseyValueParser::new())]
    pub set_env: bool,
    /// Only these mirrors, by name or namespace/name.
    #[arg(long, num_args = 1.., value_delimiter = ',', env = "TRANSSHIP_MIRROR", value_name = "NAME")]
    pub mirror: Vec<String>,
    /// Read all images from this tree of OCI layouts in place of the source registries.
    #[arg(long, env = "TRANSSHIP_FROM_LAYOUT", value_name = "DIR")]
    pub from_layout: Option<PathBuf>,
    /// Write all images to this tree of OCI layouts in place of the destination registries.
    #[arg(long, env = "TRANSSHIP_TO_LAYOUT", value_name = "DIR")]
    pub to_layout: Option<PathBuf>,
    /// Remember in this file what was written, from one run to the next.
    #[arg(long, env = "TRANSSHIP_STATE", value_name = "FILE")]
    pub state: Option<PathBuf>,
    /// Where another run has the state file, wait for so long, such as 10m, before giving up [default: 0s].
    #[arg(
        long,
        env = "TRANSSHIP_LOCK_TIMEOUT",
        value_name = "DURATION",
        requires = "state"
    )]
    pub lock_timeout: Option<Duration>,
}

impl DocumentArgs {
    /// The mirrors of files as they are written: both ends are registries.
    pub fn as_written(
        filename: &[PathBuf],
        set_env: bool,
        mirror: &[String],
        state: Option<&Path>,
    ) -> Self {
        Self {
            filename: filename.to_vec(),
            set_env,
            mirror: mirror.to_vec(),
            from_layout: None,
            to_layout: None,
            state: state.map(Path::to_owned),
            lock_timeout: None,
        }
    }
}

/// How registries are reached.
#[derive(Clone, Debug, Default, Args)]
pub struct RegistryArgs {
    /// Speak plain HTTP to these registries.
    #[arg(
        long,
        value_delimiter = ',',
        env = "TRANSSHIP_INSECURE",
        value_name = "HOST[:PORT]",
        value_parser = insecure_registry
    )]
    pub insecure: Vec<Registry>,
    /// Trust the authorities of this PEM file besides those of the system.
    #[arg(long, env = "TRANSSHIP_CA_FILE", value_name = "FILE")]
    pub ca_file: Option<PathBuf>,
    /// Send credentials to token servers on these hosts, too.
    #[arg(
        long,
        value_delimiter = ',',
        env = "TRANSSHIP_TRUSTED_REALMS",
        value_name = "HOST[:PORT]"
    )]
    pub trusted_realms: Vec<Registry>,
    /// Ask a registry for at most so many things of a kind at once, such as layers [default: by what it bears, up to 64].
    #[arg(long, env = "TRANSSHIP_CONCURRENCY", value_name = "N")]
    pub concurrency: Option<NonZeroU32>,
    /// Send a registry at most so many requests a second, or with /m a minute, or with /h an hour [default: what it bears].
    #[arg(long, env = "TRANSSHIP_RATE", value_name = "N[/s|/m|/h]")]
    pub rate: Option<Rate>,
    /// Log in to registries of these clouds, aws, gcp, azure or quay, with the identity of this shell or CI job, where no login is kept for them.
    #[arg(
        long,
        value_delimiter = ',',
        ignore_case = true,
        env = "TRANSSHIP_PROVIDER",
        value_name = "CLOUD",
        hide_possible_values = true
    )]
    pub provider: Vec<Cloud>,
    /// Give up after so long, such as 10m [default: never].
    #[arg(long, env = "TRANSSHIP_TIMEOUT", value_name = "DURATION")]
    pub timeout: Option<Duration>,
}

/// A cloud with registries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Cloud {
    /// Amazon ECR.
    Aws,
    /// Artifact Registry and gcr.io.
    Gcp,
    /// Azure Container Registry.
    Azure,
    /// quay.io.
    Quay,
}

impl Cloud {
    /// Whether a registry belongs to it.
    pub fn has(self, registry: &CloudRegistry) -> bool {
        self == match registry {
            CloudRegistry::Ecr(_) | CloudRegistry::EcrPublic => Self::Aws,
            CloudRegistry::Google => Self::Gcp,
            CloudRegistry::Azure(_) => Self::Azure,
            CloudRegistry::Quay => Self::Quay,
        }
    }
}

/// How results are printed.
#[derive(Debug, Args)]
pub struct OutputArgs {
    /// How results are printed: table, wide, json or yaml.
    #[arg(
        short,
        long,
        value_enum,
        default_value_t,
        env = "TRANSSHIP_OUTPUT",
        value_name = "FORMAT",
        hide_possible_values = true
    )]
    pub output: Format,
}

/// Reads a registry that is spoken to in plain HTTP: the port of HTTPS is no part of a name, so it would be
/// another port that is spoken to.
fn insecure_registry(text: &str) -> Result<Registry, String> {
    if Registry::is_https_port_named(text) {
        return Err(format!(
            "{text:?} names the port of HTTPS, and this is for plain HTTP: leave out the port, or the registry"
        ));
    }
    text.parse::<Registry>().map_err(|error| error.to_string())
}
