// SPDX-License-Identifier: Apache-2.0

//! Looks over a repository for what is left of images whose last tag went.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt, TryStreamExt, stream};

use crate::copy::endpoint::{Error, Referrers};
use crate::copy::{self, Endpoint};
use crate::oci::{Content, Descriptor, Digest, Repository, Tag, TagOrDigest};
use crate::plan::prune::{Landscape, Leftover, find_leftovers, is_referred_to};

/// Requests that are on their way at once. What a registry bears is decided by its own limits.
pub(super) const LOOKS: usize = 32;

/// The repository that is looked over.
pub(super) struct Survey<'a> {
    pub(super) endpoint: &'a Endpoint,
    pub(super) repository: &'a Repository,
    /// What deleted tags named that can still be restored.
    pub(super) restorable: BTreeSet<Digest>,
    /// What was copied with the images that are gone.
    pub(super) own: BTreeSet<Digest>,
}

impl Survey<'_> {
    /// What refers to the images of deleted tags that are gone. The whole repository is read only where something
    /// does.
    pub(super) async fn find(
        &self,
        deleted: &BTreeMap<Tag, Digest>,
    ) -> Result<Vec<Leftover>, Error> {
        let names: BTreeSet<Tag> = match self.endpoint.list_tags(self.repository).await {
            Ok(tags) => tags.into_iter().collect(),
            Err(error) if error.is_not_found() => BTreeSet::new(),
            Err(error) => return Err(error),
        };
        // A tag that is there again moved away from its image: nobody saw that it was deleted.
        let gone = deleted.iter().filter(|(tag, _)| !names.contains(*tag));
        let gone = &gone
            .map(|(_, digest)| digest.clone())
            .collect::<BTreeSet<Digest>>();
        if gone.is_empty() {
            return Ok(Vec::new());
        }
        let mut landscape = Landscape {
            restorable: self.restorable.clone(),
            own: self.own.clone(),
            ..Landscape::default()
        };
        landscape.below.extend(self.below_all(gone.clone()).await?);
        let below = landscape.below.values().flatten();
        let subjects: BTreeSet<Digest> = gone.iter().chain(below).cloned().collect();
        self.ask_for_referrers(&mut landscape, &subjects).await?;
        let is_listed = landscape.referrers.values().any(|list| !list.is_empty());
        if !is_listed && !is_referred_to(&names, &subjects) {
            return Ok(Vec::new());
        }
        landscape.tags.extend(self.resolve_all(names).await?);
        loop {
            let known = landscape.tags.values();
            let known = known.chain(&landscape.restorable);
            let known = known.chain(landscape.referrers.values().flatten());
            let unread = known.filter(|digest| !landscape.below.contains_key(digest));
            let unread = unread.cloned().collect();
            landscape.below.extend(self.below_all(unread).await?);
            let leftovers = find_leftovers(&landscape, gone);
            let mut unasked = leftovers.lost;
            unasked.retain(|digest| !landscape.referrers.contains_key(digest));
            if unasked.is_empty() {
                return Ok(leftovers.parts);
            }
            self.ask_for_referrers(&mut landscape, &unasked).await?;
        }
    }

    /// What each of these names; those that went meanwhile are left out.
    async fn resolve_all(&self, tags: BTreeSet<Tag>) -> Result<Vec<(Tag, Digest)>, Error> {
        let lookups: Vec<_> = tags.into_iter().map(|tag| self.resolve(tag)).collect();
        let resolved: Vec<Option<(Tag, Digest)>> = together(lookups).await?;
        Ok(resolved.into_iter().flatten().collect())
    }

    async fn resolve(&self, tag: Tag) -> Result<Option<(Tag, Digest)>, Error> {
        let target = TagOrDigest::Tag(tag.clone());
        let digest = self.endpoint.resolve(self.repository, &target, None);
        Ok(digest.await?.map(|digest| (tag, digest)))
    }

    async fn below_all(
        &self,
        digests: BTreeSet<Digest>,
    ) -> Result<Vec<(Digest, Vec<Digest>)>, Error> {
        let reads: Vec<_> = digests
            .into_iter()
            .map(|digest| self.below(digest))
            .collect();
        together(reads).await
    }

    /// The manifests below an index. An image is not read for what it does not list.
    async fn below(&self, root: Digest) -> Result<(Digest, Vec<Digest>), Error> {
        let may_list = |child: &Descriptor| !child.media_type.is_image();
        let manifests = copy::walk(self.endpoint, self.repository, &root, may_list).await?;
        let below = manifests
            .iter()
            .flat_map(|manifest| match manifest.content() {
                Content::Index(index) => index.manifests.as_slice(),
                Content::Image(_) => &[],
            });
        let below: BTreeSet<Digest> = below.map(|child| child.digest.clone()).collect();
        Ok((root, below.into_iter().collect()))
    }

    async fn ask_for_referrers(
        &self,
        landscape: &mut Landscape,
        subjects: &BTreeSet<Digest>,
    ) -> Result<(), Error> {
        let questions: Vec<_> = subjects
            .iter()
            .map(|subject| self.referrers(subject.clone()))
            .collect();
        let answers: Vec<(Digest, Vec<Digest>)> = together(questions).await?;
        landscape.referrers.extend(answers);
        Ok(())
    }

    async fn referrers(&self, subject: Digest) -> Result<(Digest, Vec<Digest>), Error> {
        let found = self.endpoint.referrers(self.repository, &subject).await?;
        let listed = match found {
            Referrers::Listed(list) => list,
            // Its tags tell, if anything does.
            Referrers::Unsupported => Vec::new(),
        };
        let listed = listed.into_iter().map(|entry| entry.digest);
        Ok((subject, listed.collect()))
    }
}

async fn together<T>(
    requests: Vec<impl Future<Output = Result<T, Error>>>,
) -> Result<Vec<T>, Error> {
    stream::iter(requests)
        .buffer_unordered(LOOKS)
        .try_collect()
        .await
}
