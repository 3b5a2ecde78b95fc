// SPDX-License-Identifier: Apache-2.0

//! Whether an image that has another name by now is there under it. Until then the old name is the only way to it.

use std::collections::HashMap;

use super::recorded::Recorded;
use super::wanted::Selection;
use crate::oci::{Repository, Tag};
use crate::plan::conflicts::SourceImage;
use crate::plan::mirror::Mirror;

/// The tags that are wanted and there, by the names of their destinations and their images.
pub(super) struct Arrivals<'a>(HashMap<(&'a str, &'a SourceImage), Vec<&'a Recorded<'a>>>);

impl<'a> Arrivals<'a> {
    pub(super) fn of(mirror: &Mirror, recorded: &'a [Recorded<'a>]) -> Self {
        let mut arrivals: HashMap<_, Vec<&Recorded<'_>>> = HashMap::new();
        let wanted = recorded.iter().filter(|tag| tag.is_claimed);
        for tag in wanted.filter(|tag| tag.is_present(mirror)) {
            if let Some(source) = &tag.source {
                let key = (tag.target.destination, source);
                arrivals.entry(key).or_default().push(tag);
            }
        }
        Self(arrivals)
    }

    /// Whether the image of a tag is at its destination under every name that the spec gives it now.
    pub(super) fn has_all_of(
        &self,
        mirror: &Mirror,
        selection: &Selection,
        tag: &Recorded<'_>,
    ) -> bool {
        let Some(source) = &tag.source else {
            return false;
        };
        let there = self.0.get(&(tag.target.destination, source));
        let there = there.map_or(&[][..], Vec::as_slice);
        let is_there = |repository: &Repository, name: &Tag| {
            let mut there = there.iter();
            there.any(|tag| tag.target.repository == repository && tag.target.tag == name)
        };
        there.iter().any(|arrived| {
            let names = selection.names(mirror, tag, arrived.source_digest);
            let mut names = names.iter();
            names.all(|claim| is_there(&claim.repository, &claim.tag))
        })
    }
}
