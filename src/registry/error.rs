// SPDX-License-Identifier: Apache-2.0

//! Why an operation of a registry failed.
//!
//! Messages are made of our own words, hosts, names, status, the specification's error code and, behind
//! all that, the first words of the peer, cleaned: never of a query, which may be a signature, nor of
//! what we sent to prove who we are.

use std::sync::Arc;

use jiff::Timestamp;

use super::cause::Cause;
use super::kind::Kind;
use crate::oci::{Digest, Registry, Repository, TagOrDigest};

/// Why an operation failed: what was to be done, and what went wrong with it, in one line.
#[derive(Clone, Debug, thiserror::Error)]
#[error("cannot {operation}: {cause}")]
pub struct Error {
    operation: Arc<str>,
    cause: Arc<Cause>,
}

/// What was to be done.
#[derive(Clone, Copy, Debug)]
pub(super) enum Action {
    Connect,
    LogIn,
    ListRepositories,
    Search,
    ListTags,
    Resolve,
    FetchManifest,
    PutManifest,
    DeleteTag,
    DeleteManifest,
    FetchBlob,
    FindBlob,
    StartUpload,
    Upload,
    ListReferrers,
}

impl Error {
    pub(super) fn new(operation: &str, cause: Cause) -> Self {
        Self {
            operation: operation.into(),
            cause: Arc::new(cause),
        }
    }

    /// What the error means.
    pub fn kind(&self) -> Kind {
        self.cause.kind()
    }

    /// Whether the registry speaks plain HTTP, and was called with HTTPS.
    pub fn is_plain(&self) -> bool {
        self.cause.is_plain()
    }

    /// Whether nobody is trusted who vouches for the certificate of the registry.
    pub fn is_stranger(&self) -> bool {
        self.cause.is_stranger()
    }

    /// When the registry may be asked again, where it wants to be left alone.
    pub fn retry_at(&self) -> Option<Timestamp> {
        self.cause.retry_at()
    }

    /// Whether the same operation may well succeed when it is started anew: later, where
    /// [`retry_at`](Self::retry_at) says so, else at once.
    pub fn is_transient(&self) -> bool {
        self.cause.is_transient()
    }

    /// Whether nothing was asked, because of what others met: they know what is wrong.
    pub fn is_consequence(&self) -> bool {
        self.cause.is_consequence()
    }

    /// What the registry does not have of what a manifest names, where it refused the manifest for that.
    /// Empty where it does not name it.
    pub fn missing(&self) -> Option<&[Digest]> {
        self.cause.missing()
    }

    /// The error code that the registry gave, such as `MANIFEST_BLOB_UNKNOWN`.
    pub fn code(&self) -> Option<&str> {
        self.cause.code()
    }
}

impl Action {
    /// The action with what it is done to, as it stands behind "cannot".
    pub(super) fn at(
        self,
        registry: &Registry,
        repository: Option<&Repository>,
        target: Option<&TagOrDigest>,
    ) -> String {
        let words = match self {
            Self::Connect => "speak to",
            Self::LogIn => "log in to",
            Self::ListRepositories => "list the repositories of",
            Self::Search => "search",
            Self::ListTags => "list the tags of",
            Self::Resolve => "look up",
            Self::FetchManifest => "fetch the manifest",
            Self::PutManifest => "store the manifest",
            Self::DeleteTag => "delete the tag",
            Self::DeleteManifest => "delete the manifest",
            Self::FetchBlob => "fetch the blob",
            Self::FindBlob => "look for the blob",
            Self::StartUpload => "announce the blob",
            Self::Upload => "upload the blob",
            Self::ListReferrers => "list what refers to",
        };
        let mut text = format!("{words} {registry}");
        if let Some(repository) = repository {
            text.push('/');
            text.push_str(repository.as_str());
        }
        match target {
            Some(TagOrDigest::Tag(tag)) => format!("{text}:{tag}"),
            Some(TagOrDigest::Digest(digest)) => format!("{text}@{digest}"),
            None => text,
        }
    }
}
