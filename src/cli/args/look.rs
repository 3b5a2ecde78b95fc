// SPDX-License-Identifier: Apache-2.0

//! What is there: `df` and `inspect`. They change nothing.

use std::path::PathBuf;

use clap::Args;
use clap::builder::FalseyValueParser;

use super::common::{OutputArgs, RegistryArgs};
use crate::cli::address::Place;
use crate::cli::location::Location;
use crate::oci::Platform;

/// `transship df`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  transship df registry.example.com/mirror/alpine   the tags of a repository
  transship df registry.example.com                 the repositories of a registry, where it tells
  transship df --tags registry.example.com          the tags of all of them
  transship df -f mirror.yaml                       where the mirrors of a file write to
  transship df ./mirror                             a tree of OCI layouts

SIZE is everything that a tag leads to, UNIQUE the part of it that nothing else among those looked at \
leads to, SHARED the rest. Manifests and blobs count once, compressed as they are.")]
pub struct DfArgs {
    /// A registry, a repository, or a directory of OCI layouts, which begins with a dot or a slash.
    #[arg(value_name = "REGISTRY[/REPOSITORY]|DIR|ARCHIVE")]
    pub place: Option<Place>,
    /// Without it, look at the destinations of the mirrors in these files or directories.
    #[arg(short, long, num_args = 1.., value_delimiter = ',', env = "TRANSSHIP_FILENAME", value_name = "FILE|DIR")]
    pub filename: Vec<PathBuf>,
    /// Put variables of the environment where the files say ${NAME} or ${NAME:-default}.
    #[arg(long, env = "TRANSSHIP_SET_ENV", value_parser = FalseyValueParser::new())]
    pub set_env: bool,
    /// Only these mirrors, by name or namespace/name.
    #[arg(long, num_args = 1.., value_delimiter = ',', env = "TRANSSHIP_MIRROR", value_name = "NAME")]
    pub mirror: Vec<String>,
    /// Show every tag, not only the repositories.
    #[arg(short, long, env = "TRANSSHIP_DF_TAGS", value_parser = FalseyValueParser::new())]
    pub tags: bool,
    /// How results are printed.
    #[command(flatten)]
    pub output: OutputArgs,
    /// How registries are reached.
    #[command(flatten)]
    pub registry: RegistryArgs,
}

/// `transship inspect`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  transship inspect alpine:3.20
  transship inspect alpine:3.20 --platform linux/arm64
  transship inspect --raw alpine:3.20 | sha256sum
  transship inspect --config alpine:3.20 | jq .config.Env
  transship inspect --format '{{.Config.User}}' alpine:3.20
  transship inspect app:1.4 --verify --key cosign.pub
  transship inspect app:1.4 --verify --issuer https://token.actions.githubusercontent.com \
      --subject 'https://github.com/acme/*'")]
pub struct InspectArgs {
    /// The image.
    #[arg(value_name = "REF")]
    pub reference: Location,
    /// Print the manifest or index as the registry has it, byte for byte; with --platform the manifest of that image.
    #[arg(long, env = "TRANSSHIP_INSPECT_RAW", value_parser = FalseyValueParser::new())]
    pub raw: bool,
    /// Print the config as the registry has it, byte for byte.
    #[arg(long, env = "TRANSSHIP_INSPECT_CONFIG", value_parser = FalseyValueParser::new(), conflicts_with = "raw")]
    pub config: bool,
    /// Print what a template makes of the fields of `docker image inspect`, such as '{{.Config.User}}'.
    #[arg(
        short,
        long,
        env = "TRANSSHIP_INSPECT_FORMAT",
        value_name = "TEMPLATE",
        conflicts_with_all = ["raw", "config"]
    )]
    pub format: Option<String>,
    /// Show config, layers and history for this platform [default: linux on this processor].
    #[arg(
        long,
        env = "TRANSSHIP_INSPECT_PLATFORM",
        value_name = "OS/ARCH[/VARIANT]"
    )]
    pub platform: Option<Platform>,
    /// Who must have signed it.
    #[command(flatten)]
    pub verify: VerifyArgs,
    /// How results are printed.
    #[command(flatten)]
    pub output: OutputArgs,
    /// How registries are reached.
    #[command(flatten)]
    pub registry: RegistryArgs,
}

/// Who must have signed an image.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// Show what signatures and attestations prove; the exit code is 1 where nobody who is trusted signed the image.
    #[arg(long, env = "TRANSSHIP_INSPECT_VERIFY", value_parser = FalseyValueParser::new(), conflicts_with_all = ["raw", "config", "format", "platform"])]
    pub verify: bool,
    /// Trust whoever has the private key to the public key in this file, as cosign writes it; any one of several.
    #[arg(
        long,
        env = "TRANSSHIP_INSPECT_KEY",
        value_name = "FILE",
        value_delimiter = ','
    )]
    pub key: Vec<PathBuf>,
    /// Trust identities of this issuer, compared exactly.
    #[arg(
        long,
        env = "TRANSSHIP_INSPECT_ISSUER",
        value_name = "URL",
        requires = "subject",
        alias = "certificate-oidc-issuer"
    )]
    pub issuer: Option<String>,
    /// Trust this identity; * stands for any characters.
    #[arg(
        long,
        env = "TRANSSHIP_INSPECT_SUBJECT",
        value_name = "GLOB",
        requires = "issuer",
        alias = "certificate-identity"
    )]
    pub subject: Option<String>,
    /// Verify identities with the authorities and logs of this `trusted_root.json` [default: Sigstore's public ones].
    #[arg(
        long,
        env = "TRANSSHIP_INSPECT_TRUSTED_ROOT",
        value_name = "FILE",
        requires = "issuer"
    )]
    pub trusted_root: Option<PathBuf>,
}
