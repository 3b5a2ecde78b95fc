// SPDX-License-Identifier: Apache-2.0

//! What is known of an image at one destination of a mirror.

mod former;
mod naming;
mod records;
mod selection;
mod status;

use super::answer::{MirrorAnswer, Whereabouts};
use super::asked::AskedImage;
use super::evidence::RecordKeeper;
use super::origins::{SoughtImage, origins};
use crate::api::MirroredRepository;
use crate::api::image_mirror::ImageMirrorStatus;
use crate::oci::Tag;
use crate::plan::{Destination, Mirror};

/// One destination of a mirror, with what is on record there.
#[derive(Clone, Copy)]
pub(super) struct Look<'a> {
    pub(super) mirror: &'a Mirror,
    pub(super) status: &'a ImageMirrorStatus,
    /// Generation of the spec.
    pub(super) generation: i64,
    pub(super) destination: &'a Destination,
    /// Those of the mirror.
    pub(super) records: &'a [&'a MirroredRepository],
}

// === impl Look ===

impl Look<'_> {
    /// What is known of all that the name may mean here.
    pub(super) fn answers(&self, asked: &AskedImage) -> Vec<MirrorAnswer> {
        let sought = origins(asked, self.mirror, self.destination, self.records);
        let answers = sought.iter().map(|sought| {
            let whereabouts = self.whereabouts(asked, sought);
            let is_there = matches!(whereabouts, Whereabouts::Mirrored { .. });
            MirrorAnswer {
                mirror: self.mirror.name.clone(),
                destination: Some(self.destination.name.clone()),
                source: sought.tag.as_ref().map(|tag| self.source(sought, tag)),
                suspended: self.mirror.suspend,
                former: (!is_there).then(|| self.former(sought)).flatten(),
                whereabouts,
            }
        });
        answers.collect()
    }

    /// What is known of it without what is on record, which somebody else has.
    pub(super) fn with_other(
        &self,
        asked: &AskedImage,
        keeper: &RecordKeeper,
    ) -> Vec<MirrorAnswer> {
        let sought = origins(asked, self.mirror, self.destination, &[]);
        let answers = sought.iter().map(|sought| {
            let keeper = keeper.told();
            let message = if let Some(failure) = self.failure(sought) {
                let (reason, wrong) = (&failure.reason, &failure.message);
                format!("{keeper}; the last round failed with it: {reason}: {wrong}")
            } else if let Some(refusal) = self.refusal(sought) {
                format!("{keeper}; a policy keeps it out: {}", refusal.message)
            } else {
                keeper
            };
            MirrorAnswer {
                mirror: self.mirror.name.clone(),
                destination: Some(self.destination.name.clone()),
                source: sought.tag.as_ref().map(|tag| self.source(sought, tag)),
                suspended: self.mirror.suspend,
                former: None,
                whereabouts: Whereabouts::KnownElsewhere { message },
            }
        });
        answers.collect()
    }

    fn source(&self, sought: &SoughtImage, tag: &Tag) -> String {
        format!(
            "{}/{}:{tag}",
            self.mirror.source.registry, sought.repository
        )
    }

    fn whereabouts(&self, asked: &AskedImage, sought: &SoughtImage) -> Whereabouts {
        if let Some((target, tag)) = self.recorded(asked, sought) {
            return self.of_record(asked, sought, target, tag);
        }
        if sought.tag.is_none() {
            let pruned = self.pruned(asked, sought);
            return pruned.unwrap_or_else(|| Whereabouts::Awaited {
                message: "the repository is mirrored, and no tag on record has this digest"
                    .to_owned(),
            });
        }
        let known = self.quarantined(sought);
        known
            .or_else(|| self.refused(sought))
            .or_else(|| self.failed(sought))
            .or_else(|| self.pruned(asked, sought))
            .or_else(|| self.not_selected(sought))
            .unwrap_or_else(|| self.awaited())
    }
}
