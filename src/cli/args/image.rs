// SPDX-License-Identifier: Apache-2.0

//! One image, or two: `digest`, `manifest`, `config`, `history`, `verify`, `diff`.

use std::path::PathBuf;

use clap::Args;
use clap::builder::FalseyValueParser;

use super::common::{OutputArgs, RegistryArgs};
use crate::cli::location::Location;
use crate::oci::Platform;

/// `transship digest`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  transship digest alpine:3.20                          one request, which is no pull
  transship digest alpine:3.20 --platform linux/arm64   that of one of its images")]
pub struct DigestArgs {
    /// The image.
    #[arg(value_name = "REF")]
    pub reference: Location,
    /// Of an image of several platforms: that of this one.
    #[arg(
        long,
        env = "TRANSSHIP_DIGEST_PLATFORM",
        value_name = "OS/ARCH[/VARIANT]"
    )]
    pub platform: Option<Platform>,
    /// How results are printed.
    #[command(flatten)]
    pub output: OutputArgs,
    /// How registries are reached.
    #[command(flatten)]
    pub registry: RegistryArgs,
}

/// `transship manifest`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  transship manifest alpine:3.20 | sha256sum
  transship manifest alpine:3.20 --platform linux/arm64 | jq .layers[].size")]
pub struct ManifestArgs {
    /// The image.
    #[arg(value_name = "REF")]
    pub reference: Location,
    /// Of an image of several platforms: that of this one [default: the index of all].
    #[arg(
        long,
        env = "TRANSSHIP_MANIFEST_PLATFORM",
        value_name = "OS/ARCH[/VARIANT]"
    )]
    pub platform: Option<Platform>,
    /// How registries are reached.
    #[command(flatten)]
    pub registry: RegistryArgs,
}

/// `transship config`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  transship config alpine:3.20 | jq .config.Env
  transship config alpine:3.20 --platform linux/arm64")]
pub struct ConfigArgs {
    /// The image.
    #[arg(value_name = "REF")]
    pub reference: Location,
    /// Of an image of several platforms: that of this one [default: linux on this processor].
    #[arg(
        long,
        env = "TRANSSHIP_CONFIG_PLATFORM",
        value_name = "OS/ARCH[/VARIANT]"
    )]
    pub platform: Option<Platform>,
    /// How registries are reached.
    #[command(flatten)]
    pub registry: RegistryArgs,
}

/// `transship history`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  transship history alpine:3.20
  transship history --no-trunc alpine:3.20 --platform linux/arm64

SIZE is that of the layer as it is stored, compressed. docker history shows what it takes unpacked.")]
pub struct HistoryArgs {
    /// The image.
    #[arg(value_name = "REF")]
    pub reference: Location,
    /// Of an image of several platforms: that of this one [default: linux on this processor].
    #[arg(
        long,
        env = "TRANSSHIP_HISTORY_PLATFORM",
        value_name = "OS/ARCH[/VARIANT]"
    )]
    pub platform: Option<Platform>,
    /// Show all of every step.
    #[arg(long, env = "TRANSSHIP_HISTORY_NO_TRUNC", value_parser = FalseyValueParser::new())]
    pub no_trunc: bool,
    /// How results are printed.
    #[command(flatten)]
    pub output: OutputArgs,
    /// How registries are reached.
    #[command(flatten)]
    pub registry: RegistryArgs,
}

/// `transship verify`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  transship verify registry.example.com/mirror/alpine:3.20
  transship verify --deep ./mirror/library/alpine:3.20
  transship verify -f mirrors/ --state state.json

With -f the destinations of mirrors are looked at: whether every tag that a mirror wants is there, as it is at \
the source, and complete; what else is there is listed, and is no failure.

Everything counts that the image leads to: the images of all platforms, their configs and layers, \
and what refers to them, such as signatures. Who signed it is for `transship inspect --verify`.

Exit codes: 0 complete, 1 something is missing or damaged, 2 wrong use.")]
pub struct VerifyImageArgs {
    /// The images.
    #[arg(required_unless_present = "filename", value_name = "REF")]
    pub references: Vec<Location>,
    /// Without images, look at the destinations of the mirrors in these files or directories.
    #[arg(short, long, num_args = 1.., value_delimiter = ',', env = "TRANSSHIP_FILENAME", value_name = "FILE|DIR")]
    pub filename: Vec<PathBuf>,
    /// Put variables of the environment where the files say ${NAME} or ${NAME:-default}.
    #[arg(long, env = "TRANSSHIP_SET_ENV", value_parser = FalseyValueParser::new(), requires = "filename")]
    pub set_env: bool,
    /// Only these mirrors, by name or namespace/name.
    #[arg(long, num_args = 1.., value_delimiter = ',', env = "TRANSSHIP_MIRROR", value_name = "NAME", requires = "filename")]
    pub mirror: Vec<String>,
    /// What runs remember, for policies that count from when an image was first seen; it is only read.
    #[arg(
        long,
        env = "TRANSSHIP_STATE",
        value_name = "FILE",
        requires = "filename"
    )]
    pub state: Option<PathBuf>,
    /// Read every byte, and compare it with its digest.
    #[arg(long, env = "TRANSSHIP_VERIFY_DEEP", value_parser = FalseyValueParser::new())]
    pub deep: bool,
    /// How results are printed.
    #[command(flatten)]
    pub output: OutputArgs,
    /// How registries are reached.
    #[command(flatten)]
    pub registry: RegistryArgs,
}

/// `transship diff`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  transship diff alpine:3.19 alpine:3.20
  transship diff app:1 registry.example.com/mirror/app:1 --platform linux/amd64

Of environment variables only the names are shown: values may be secrets.

Exit codes: 0 the same, 1 something is wrong, 2 not the same.")]
pub struct DiffArgs {
    /// An image.
    #[arg(value_name = "A")]
    pub left: Location,
    /// What it is compared with.
    #[arg(value_name = "B")]
    pub right: Location,
    /// Compare only this platform.
    #[arg(
        long,
        env = "TRANSSHIP_DIFF_PLATFORM",
        value_name = "OS/ARCH[/VARIANT]"
    )]
    pub platform: Option<Platform>,
    /// How results are printed.
    #[command(flatten)]
    pub output: OutputArgs,
    /// How registries are reached.
    #[command(flatten)]
    pub registry: RegistryArgs,
}
