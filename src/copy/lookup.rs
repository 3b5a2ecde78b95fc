// SPDX-License-Identifier: Apache-2.0

//! What stands at a destination before it is written to.

use super::endpoint::{Endpoint, Error};
use crate::oci::{Digest, Repository, Tag, TagOrDigest};

/// What a destination says of a tag or digest that is to be written.
#[derive(Clone, Debug)]
pub enum Lookup {
    /// There is no such thing.
    Missing,
    /// It stands for this manifest.
    Found(Digest),
    /// The registry does not say. Artifactory answers 403 to whoever asks for a tag that is absent
    /// (go-containerregistry#1691): whether the credential may write shows when it does.
    Untold(Error),
}

// === impl Endpoint ===

impl Endpoint {
    /// Asks what a tag or digest stands for that is to be written.
    pub async fn look_up(
        &self,
        repository: &Repository,
        target: &TagOrDigest,
        known: Option<&Digest>,
    ) -> Result<Lookup, Error> {
        match self.resolve(repository, target, known).await {
            Ok(Some(digest)) => Ok(Lookup::Found(digest)),
            Ok(None) => Ok(Lookup::Missing),
            Err(error) if error.is_access_denied() => Ok(Lookup::Untold(error)),
            Err(error) => Err(error),
        }
    }

    /// Whether the tag is absent from the list of tags, where the endpoint shows one.
    pub async fn is_unlisted(&self, repository: &Repository, tag: &Tag) -> bool {
        match self
            .list_tags_matching(repository, |listed| listed == tag)
            .await
        {
            Ok(listed) => listed.is_empty(),
            Err(error) => error.is_not_found(),
        }
    }
}
