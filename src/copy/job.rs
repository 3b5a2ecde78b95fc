// SPDX-License-Identifier: Apache-2.0

//! What is to be copied where, and what was done.

use std::collections::BTreeMap;

use super::endpoint::Endpoint;
use super::error::Error;
use super::pipe::Origin;
use super::seen::Seen;
use crate::api::IndexMode;
use crate::oci::{Digest, Repository, Tag};
use crate::plan::{Platforms, ReferrerTypes};

/// One image and where it goes. The tag was resolved before: everything speaks of its digest.
#[derive(Clone, Debug)]
pub struct Job {
    /// Where it is read.
    pub origin: Origin,
    /// Which manifest.
    pub digest: Digest,
    /// Which of its platforms.
    pub platforms: Platforms,
    /// Which of what refers to it comes along.
    pub referrers: ReferrerTypes,
    /// What comes along whatever its type: it is why a policy admits the image.
    pub evidence: Vec<Digest>,
    /// Whether only what was judged may run at the targets: what refers to the image comes along where no node
    /// would run it.
    pub is_gated: bool,
    /// Where it goes.
    pub targets: Vec<Target>,
}

/// A repository that is to have the image.
#[derive(Clone, Debug)]
pub struct Target {
    /// The registry or directory.
    pub endpoint: Endpoint,
    /// The repository there.
    pub repository: Repository,
    /// The tags that are to name it; with none it is stored under its digest only.
    pub tags: Vec<TagPush>,
}

/// A tag that is to name an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagPush {
    /// The tag.
    pub tag: Tag,
    /// What it names now.
    pub current: Option<Digest>,
    /// A tag that is to keep naming what it names now.
    pub previous: Option<Tag>,
}

/// What was done at one destination.
#[derive(Clone, Debug)]
pub struct Done {
    /// The digest that the tags name now. It differs from the source's where an index was rewritten.
    pub digest: Digest,
    /// What it took.
    pub action: Action,
    /// Bytes of blobs that were sent.
    pub bytes: u64,
    /// The tags, of several, that do not name it, and why.
    pub unmoved: Unmoved,
    /// What refers to it at the source; None where nobody looked.
    pub seen: Option<Seen>,
    /// The manifests that refer to it and were brought along.
    pub attached: Vec<Digest>,
}

/// Tags that could not be moved, and why.
pub type Unmoved = BTreeMap<Tag, Error>;

/// What it took to bring an image to a destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Nothing: it was there.
    Unchanged,
    /// Only tags: the content was in the same repository.
    Retagged,
    /// Blobs and manifests, as far as they were missing.
    Copied,
    /// What refers to the image, as far as it was missing: the image itself was there.
    Completed,
}

// === impl Job ===

impl Job {
    /// Whether it is about tags only: all targets are the repository that has the image, as whole as it is there.
    pub(super) fn is_retag(&self) -> bool {
        let is_at = |target: &Target| target.is_at(&self.origin);
        self.platforms == Platforms::All && self.targets.iter().all(is_at)
    }

    /// Whether what its targets have, or are to have, is one image of the index at the source.
    pub(super) fn is_unwrapped(&self, expected: &Digest) -> bool {
        let index = match &self.platforms {
            Platforms::All => return false,
            Platforms::List { index, .. } => index,
        };
        *index == IndexMode::Unwrap && *expected != self.digest
    }
}

// === impl Target ===

impl Target {
    /// The repository, as people write it.
    pub fn name(&self) -> String {
        format!("{}/{}", self.endpoint.name(), self.repository)
    }

    /// The tags that do not name this digest yet.
    pub(super) fn moving(&self, digest: &Digest) -> Vec<&TagPush> {
        let tags = self.tags.iter();
        tags.filter(|tag| tag.current.as_ref() != Some(digest))
            .collect()
    }

    /// Whether it is the very repository that an image comes from: nothing but tags is missing.
    pub(super) fn is_at(&self, origin: &Origin) -> bool {
        origin.endpoint.place() == self.endpoint.place() && origin.repository == self.repository
    }

    /// Whether blobs and manifests of an image may be missing.
    pub(super) fn may_lack(&self, origin: &Origin, digest: &Digest) -> bool {
        !self.is_at(origin) && (self.tags.is_empty() || !self.moving(digest).is_empty())
    }

    /// The repository as a place to read from.
    pub(super) fn origin(&self) -> Origin {
        Origin {
            endpoint: self.endpoint.clone(),
            repository: self.repository.clone(),
        }
    }
}

// === impl Done ===

impl Done {
    /// What was done about one of the tags.
    pub fn about(&self, tag: &Tag) -> Result<&Self, &Error> {
        self.unmoved.get(tag).map_or(Ok(self), Err)
    }
}
