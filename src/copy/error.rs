// SPDX-License-Identifier: Apache-2.0

//! Why an image did not arrive at a destination.

use super::endpoint;
use super::fallback::FallbackError;
use super::graph_error::GraphError;
use super::pipe::{BlobError, Origin};
use super::telling::{Rank, Telling};
use crate::api::Reason;
use crate::oci::subset::SubsetError;
use crate::oci::{Digest, TagOrDigest};

/// A copy that failed. Cheap to clone: what goes wrong at the source is told to every destination.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// The source could not be read, or what it has cannot be copied.
    #[error("reading {image}: {error}")]
    Source {
        /// The image at the source.
        image: String,
        /// What is wrong.
        error: GraphError,
    },
    /// A blob did not arrive.
    #[error("{}", describe(.destination, .digest, .error))]
    Blob {
        /// The repository it was for.
        destination: String,
        /// The blob.
        digest: Digest,
        /// What is wrong.
        error: BlobError,
    },
    /// A manifest could not be written or looked at.
    #[error("{error}")]
    Destination {
        /// The repository it was for.
        destination: String,
        /// The tag or digest.
        target: TagOrDigest,
        /// What is wrong.
        error: endpoint::Error,
    },
    /// The registry does not take an index with missing entries.
    #[error(
        "{destination} refuses an index of which some platforms are missing: {error}; \
         set platforms.index to Rewrite"
    )]
    SparseIndex {
        /// The repository it was for.
        destination: String,
        /// What the registry answered.
        error: endpoint::Error,
    },
    /// The destination confirmed a manifest and does not serve it.
    #[error("{}", describe_read_back(.destination, .target, .found.as_ref()))]
    ReadBack {
        /// The repository.
        destination: String,
        /// The tag or digest.
        target: TagOrDigest,
        /// What it serves in its place, which it did not before.
        found: Option<Digest>,
    },
    /// The fallback tag for referrers could not be written.
    #[error("listing referrers at {destination}: {error}")]
    Referrers {
        /// The repository.
        destination: String,
        /// What is wrong.
        error: FallbackError,
    },
}

impl Error {
    pub(super) fn source(origin: &Origin, digest: &Digest, error: GraphError) -> Self {
        Self::Source {
            image: format!("{}@{digest}", origin.name()),
            error,
        }
    }

    /// The category that statuses and metrics use.
    pub fn reason(&self) -> Reason {
        match self {
            Self::Source { error, .. } => source_reason(error),
            Self::Blob { error, .. } => match error {
                BlobError::Source(error) | BlobError::Destination(error) => error.reason(),
                BlobError::DigestMismatch { .. } | BlobError::TooLong { .. } => {
                    Reason::DigestMismatch
                }
                BlobError::Slow => Reason::Unreachable,
                BlobError::Cancelled => Reason::Progressing,
            },
            Self::Destination { error, .. } => error.reason(),
            Self::SparseIndex { .. } => Reason::SparseIndexRefused,
            Self::ReadBack { .. } => Reason::CopyFailed,
            Self::Referrers { error, .. } => match error {
                FallbackError::Registry(error) => error.reason(),
                FallbackError::NotAnIndex { .. } => Reason::CopyFailed,
            },
        }
    }

    /// When to try again at the earliest, where a registry said so.
    pub fn retry_at(&self) -> Option<jiff::Timestamp> {
        match self {
            Self::Source {
                error:
                    GraphError::Read(error) | GraphError::Referrers(error) | GraphError::Evidence(error),
                ..
            }
            | Self::Blob {
                error: BlobError::Source(error) | BlobError::Destination(error),
                ..
            }
            | Self::Destination { error, .. }
            | Self::SparseIndex { error, .. }
            | Self::Referrers {
                error: FallbackError::Registry(error),
                ..
            } => error.retry_at(),
            Self::Source { .. }
            | Self::Blob { .. }
            | Self::ReadBack { .. }
            | Self::Referrers { .. } => None,
        }
    }

    /// Whether a registry that works refuses to let one tag name something else, as one does whose
    /// tags are immutable. Everything before the tag is there.
    pub(super) fn is_of_one_tag(&self) -> bool {
        match self {
            Self::Destination { error, .. } => {
                matches!(
                    error.reason(),
                    Reason::AccessDenied | Reason::CopyFailed | Reason::TagImmutable
                )
            }
            Self::ReadBack { .. } => true,
            Self::Source { .. }
            | Self::Blob { .. }
            | Self::SparseIndex { .. }
            | Self::Referrers { .. } => false,
        }
    }

    /// What the destination misses, where that is what is wrong: it may help to give it that again. Empty
    /// where it does not name it. What is refused for any other reason is refused again.
    pub(super) fn missing(&self) -> Option<&[Digest]> {
        match self {
            Self::Destination { error, .. }
            | Self::Referrers {
                error: FallbackError::Registry(error),
                ..
            } => error.missing(),
            Self::ReadBack { found: None, .. } => Some(&[]),
            Self::ReadBack { found: Some(_), .. }
            | Self::Source { .. }
            | Self::Blob { .. }
            | Self::SparseIndex { .. }
            | Self::Referrers {
                error: FallbackError::NotAnIndex { .. },
                ..
            } => None,
        }
    }
}

impl Telling for Error {
    fn rank(&self) -> Rank {
        match self {
            Self::Source { error, .. } => error.rank(),
            Self::Blob { error, .. } => error.rank(),
            Self::Destination { error, .. }
            | Self::SparseIndex { error, .. }
            | Self::Referrers {
                error: FallbackError::Registry(error),
                ..
            } => error.rank(),
            Self::ReadBack { .. }
            | Self::Referrers {
                error: FallbackError::NotAnIndex { .. },
                ..
            } => Rank::Lasting,
        }
    }
}

/// An endpoint's own error names the blob and the repository.
fn describe(destination: &str, digest: &Digest, error: &BlobError) -> String {
    match error {
        BlobError::Source(_)
        | BlobError::Destination(_)
        | BlobError::DigestMismatch { .. }
        | BlobError::TooLong { .. } => error.to_string(),
        BlobError::Slow | BlobError::Cancelled => {
            format!("copying blob {digest} to {destination}: {error}")
        }
    }
}

fn describe_read_back(destination: &str, target: &TagOrDigest, found: Option<&Digest>) -> String {
    match found {
        None => format!(
            "{destination} confirmed {target} but does not serve it: its storage or its cache has lost it"
        ),
        Some(found) => format!(
            "{destination} confirmed {target} but serves {found} under it: somebody else writes this tag, \
             the registry takes upper and lower case of tags for the same, or it keeps tags as they are"
        ),
    }
}

fn source_reason(error: &GraphError) -> Reason {
    match error {
        GraphError::Read(error) | GraphError::Referrers(error) | GraphError::Evidence(error) => {
            error.reason()
        }
        GraphError::Subset(error) => match **error {
            SubsetError::Empty { .. } => Reason::NotFound,
            SubsetError::NotAnIndex(_) | SubsetError::Json(_) | SubsetError::Rewritten(_) => {
                Reason::CopyFailed
            }
        },
        GraphError::PlatformAbsent(_) | GraphError::OtherPlatform { .. } => Reason::NotFound,
        GraphError::Config(_)
        | GraphError::SizeConflict { .. }
        | GraphError::TooDeep
        | GraphError::TooMany
        | GraphError::TooLarge => Reason::CopyFailed,
    }
}
