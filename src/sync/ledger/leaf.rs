// SPDX-License-Identifier: Apache-2.0

//! What is remembered of one repository.

use std::collections::BTreeMap;

use super::keepsake::Keepsakes;
use super::record::{Ownership, Record, Sight, Tombstone};
use crate::oci::{Registry, Repository, Tag};
use crate::plan::{Claim, SourceImage};

/// All that is remembered of one repository at a destination.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Leaf {
    /// The tags that were written or found right.
    pub records: BTreeMap<Tag, Record>,
    /// The tags that wait for the end of a quarantine.
    pub waiting: BTreeMap<Tag, Sight>,
    /// The tags that were pruned and can be restored, and those whose deletion has begun.
    pub deleted: BTreeMap<Tag, Tombstone>,
    /// The manifests that those need to be restored.
    pub keepsakes: Keepsakes,
}

/// The same where it stands, without the manifests.
#[derive(Clone, Copy, Debug)]
pub struct LeafView<'a> {
    /// The tags that were written or found right.
    pub records: &'a BTreeMap<Tag, Record>,
    /// The tags that wait for the end of a quarantine.
    pub waiting: &'a BTreeMap<Tag, Sight>,
    /// The tags that were pruned and can be restored, and those whose deletion has begun.
    pub deleted: &'a BTreeMap<Tag, Tombstone>,
}

impl Leaf {
    /// The tags on record, those that wait, and those that were deleted; some are several of these.
    pub fn tags(&self) -> impl Iterator<Item = &Tag> {
        let Self {
            records,
            waiting,
            deleted,
            keepsakes: _,
        } = self;
        records.keys().chain(waiting.keys()).chain(deleted.keys())
    }

    /// The images and the tags of the repository that they have by this. `registry` is where those are of which it is not on
    /// record.
    pub fn held(
        &self,
        repository: &Repository,
        registry: Option<&Registry>,
    ) -> Vec<(SourceImage, Claim, Ownership)> {
        // Most of a repository comes from one, under the same tags.
        let mut last: Option<SourceImage> = None;
        let held = self.records.iter().filter_map(|(tag, record)| {
            let registry = record.registry.as_ref().or(registry)?;
            let mut image = SourceImage::read(&record.source)?;
            if image.tag == *tag {
                image.tag = tag.clone();
            }
            if let Some(last) = &last
                && (&last.registry, &last.repository) == (&image.registry, &image.repository)
            {
                image.registry = last.registry.clone();
                image.repository = last.repository.clone();
            }
            last = Some(image.clone());
            let claim = Claim {
                registry: registry.clone(),
                repository: repository.clone(),
                tag: tag.clone(),
                previous: None,
            };
            let ownership = record
                .unwanted
                .as_ref()
                .map_or(record.ownership(), |_| Ownership::Wanted);
            Some((image, claim, ownership))
        });
        held.collect()
    }

    /// Says that nothing of it was written by us, nor is unwanted or deleted by our word: somebody else wrote it.
    pub fn disclaim(&mut self) {
        for record in self.records.values_mut() {
            record.adopted = true;
            record.unwanted = None;
            record.own_referrers.clear();
        }
        self.deleted.clear();
    }
}
