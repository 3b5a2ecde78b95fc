// SPDX-License-Identifier: Apache-2.0

//! Images without a mirror: `copy`.

use clap::Args;
use clap::builder::FalseyValueParser;

use super::common::{OutputArgs, RegistryArgs};
use crate::cli::location::Location;
use crate::oci::Platform;

/// `transship copy`
#[derive(Debug, Args)]
#[command(
    override_usage = "transship copy [OPTIONS] <SRC>... <DST>",
    after_help = "\
Examples:
  transship copy alpine:3.20 registry.example.com/mirror/alpine
  transship copy alpine:3.20 registry.example.com/alpine:stable --platform linux/amd64
  transship copy -a quay.io/acme/app registry.example.com/acme/app
  transship copy alpine@sha256:… localhost:5000/alpine:pinned --insecure localhost:5000
  transship copy alpine:3.20 ./alpine                           an OCI image layout
  transship copy alpine:3.20 busybox:1.36 docker-archive:images.tar     for docker load
  transship copy docker-archive:images.tar:alpine:3.20 registry.example.com/alpine:3.20

Images are at registries, in directories (./DIR or oci:DIR) and in archives (oci-archive:FILE and \
docker-archive:FILE), each with :TAG or :NAME:TAG behind it."
)]
pub struct CopyArgs {
    /// What to copy, and last where to; a destination without a tag keeps the one of the source.
    #[arg(required = true, num_args = 1.., value_name = "SRC|DST")]
    pub places: Vec<Location>,
    /// Copy only these platforms of an image of several.
    #[arg(
        long,
        value_delimiter = ',',
        env = "TRANSSHIP_COPY_PLATFORM",
        value_name = "OS/ARCH[/VARIANT]"
    )]
    pub platform: Vec<Platform>,
    /// Copy every tag of the repository.
    #[arg(short, long, env = "TRANSSHIP_COPY_ALL_TAGS", value_parser = FalseyValueParser::new())]
    pub all_tags: bool,
    /// Leave signatures, SBOMs and attestations behind.
    #[arg(long, env = "TRANSSHIP_COPY_NO_REFERRERS", value_parser = FalseyValueParser::new())]
    pub no_referrers: bool,
    /// What is not written.
    #[command(flatten)]
    pub sparing: SparingArgs,
    /// How results are printed.
    #[command(flatten)]
    pub output: OutputArgs,
    /// How registries are reached.
    #[command(flatten)]
    pub registry: RegistryArgs,
}

// === impl CopyArgs ===

impl CopyArgs {
    /// What is copied, and where to; None where only one of both is named.
    pub(in super::super) fn split(&self) -> Option<(&[Location], &Location)> {
        let (destination, sources) = self.places.split_last()?;
        (!sources.is_empty()).then_some((sources, destination))
    }

    /// What is copied, as it was written.
    pub(in super::super) fn source(&self) -> String {
        self.places
            .first()
            .map(Location::to_string)
            .unwrap_or_default()
    }
}

/// What a copy does not write.
#[derive(Debug, Args)]
pub struct SparingArgs {
    /// Leave a tag alone that names another image at the destination; with --all-tags every tag that is listed there.
    #[arg(short, long, env = "TRANSSHIP_COPY_NO_CLOBBER", value_parser = FalseyValueParser::new())]
    pub no_clobber: bool,
    /// Write nothing; say what would be copied.
    #[arg(long, env = "TRANSSHIP_COPY_DRY_RUN", value_parser = FalseyValueParser::new())]
    pub dry_run: bool,
}
