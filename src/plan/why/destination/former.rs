// SPDX-License-Identifier: Apache-2.0

//! What is on record of a registry that the spec named before: it is no answer, and explains what people still see.

use super::Look;
use crate::api::mirrored_repository::RecordedTag;
use crate::oci::{Reference, Registry};
use crate::plan::why::origins::SoughtImage;

impl Look<'_> {
    /// Whether a page of records is about the registry that the destination has.
    pub(super) fn is_here(&self, repository: &str) -> bool {
        is_at(repository, &self.destination.registry)
    }

    /// What is on record of the image and of a former registry.
    pub(super) fn former(&self, sought: &SoughtImage) -> Option<String> {
        let targets = self.targets(sought, None);
        self.all_pages().find_map(|(repository, status)| {
            let is_here = self.is_here(repository);
            let is_former = |tag: &&RecordedTag| {
                if is_here {
                    targets.contains(&tag.tag) && !is_at(&tag.source, &self.mirror.source.registry)
                } else {
                    self.is_sought(sought, &tag.source, &tag.tag)
                }
            };
            let RecordedTag { tag, source, .. } = status.tags.iter().find(is_former)?;
            Some(if is_here {
                format!("{repository}:{tag} is on record as a copy of {source}, of the former source registry")
            } else {
                format!("{repository}:{tag} is on record of the registry that the destination had before")
            })
        })
    }
}

fn is_at(image: &str, registry: &Registry) -> bool {
    let image: Option<Reference> = image.parse().ok();
    image.is_some_and(|image| image.registry.may_be(registry))
}
