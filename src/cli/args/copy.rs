//! One image or repository, without a mirror: `copy`.

use clap::Args;
use clap::builder::FalseyValueParser;

use super::common::{OutputArgs, RegistryArgs};
use crate::oci::{Platform, Reference};

/// `transship copy`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  transship copy alpine:3.20 registry.example.com/mirror/alpine
  transship copy alpine:3.20 registry.example.com/alpine:stable --platform linux/amd64
  transship copy -a quay.io/acme/app registry.example.com/acme/app
  transship copy alpine@sha256:… localhost:5000/alpine:pinned --insecure localhost:5000")]
pub struct CopyArgs {
    /// The image to copy; with --all-tags a repository.
    #[arg(value_name = "SRC")]
    pub source: Reference,
    /// Where to copy it; without a tag it keeps the one of SRC.
    #[arg(value_name = "DST")]
    pub destination: Reference,
    /// Copy only these platforms of an image of several.
    #[arg(
        long,
        value_delimiter = ',',
        env = "TRANSSHIP_PLATFORM",
        value_name = "OS/ARCH[/VARIANT]"
    )]
    pub platform: Vec<Platform>,
    /// Copy every tag of the repository.
    #[arg(short, long, env = "TRANSSHIP_ALL_TAGS", value_parser = FalseyValueParser::new())]
    pub all_tags: bool,
    /// Leave signatures, SBOMs and attestations behind.
    #[arg(long, env = "TRANSSHIP_NO_REFERRERS", value_parser = FalseyValueParser::new())]
    pub no_referrers: bool,
    /// How results are printed.
    #[command(flatten)]
    pub output: OutputArgs,
    /// How registries are reached.
    #[command(flatten)]
    pub registry: RegistryArgs,
}
