// SPDX-License-Identifier: Apache-2.0

//! Why the content of an image cannot be told.

use std::sync::Arc;

use super::endpoint;
use super::telling::{Rank, Telling};
use crate::oci::subset::SubsetError;
use crate::oci::{Digest, Platform, limits};

/// Why the content of an image cannot be told.
#[derive(Clone, Debug, thiserror::Error)]
pub enum GraphError {
    /// The source could not be read.
    #[error("{0}")]
    Read(#[from] endpoint::Error),
    /// What refers to the image could not be read.
    #[error("{0}; with referrers set to Skip the image is copied without what refers to it")]
    Referrers(endpoint::Error),
    /// What may prove something of the image could not be read.
    #[error("{0}")]
    Evidence(endpoint::Error),
    /// No platform of the list is there.
    #[error("{0}")]
    Subset(Arc<SubsetError>),
    /// A platform of the list is not there.
    #[error("the image has no {}: add it at the source, or set platforms.absent to Skip", join(.0))]
    PlatformAbsent(Vec<Platform>),
    /// The image is for another platform.
    #[error("the image is for {found}, none of {}", join(.wanted))]
    OtherPlatform {
        /// The platform by the image's config.
        found: Box<Platform>,
        /// The platforms of the list.
        wanted: Vec<Platform>,
    },
    /// The config cannot be read: it is damaged, too large, or ambiguous.
    #[error("the config of {0} is not one that every program reads alike: build the image again")]
    Config(Digest),
    /// One blob with two sizes, by two manifests of the image.
    #[error("{digest} is said to have {first} bytes and {second} bytes: build the image again")]
    SizeConflict {
        /// Whose size.
        digest: Digest,
        /// The size by one manifest.
        first: u64,
        /// The size by another one.
        second: u64,
    },
    /// Too deep.
    #[error(
        "the index nests deeper than {} levels: mirror the inner images by tags of their own",
        limits::INDEX_DEPTH
    )]
    TooDeep,
    /// Too much.
    #[error(
        "the image and what refers to it are more than {} manifests: choose platforms, or set referrers to Skip",
        limits::GRAPH_NODES
    )]
    TooMany,
    /// Too much of it.
    #[error(
        "the manifests of the image and of what refers to it have more than {} bytes: \
         choose platforms, or set referrers to Skip",
        limits::GRAPH_BYTES
    )]
    TooLarge,
}

// === impl GraphError ===

impl GraphError {
    /// The same error, of something that refers to the image.
    pub(super) fn of_referrer(self) -> Self {
        if let Self::Read(error) = self {
            return Self::Referrers(error);
        }
        self
    }
}

impl Telling for GraphError {
    fn rank(&self) -> Rank {
        match self {
            Self::Read(error) | Self::Referrers(error) | Self::Evidence(error) => error.rank(),
            Self::Subset(_)
            | Self::PlatformAbsent(_)
            | Self::OtherPlatform { .. }
            | Self::Config(_)
            | Self::SizeConflict { .. }
            | Self::TooDeep
            | Self::TooMany
            | Self::TooLarge => Rank::Lasting,
        }
    }
}

fn join(platforms: &[Platform]) -> String {
    platforms
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(", ")
}
