// SPDX-License-Identifier: Apache-2.0

//! What the entries of the mirror make of the image.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::Look;
use crate::api::mirrored_repository::WaitingTag;
use crate::oci::{Reference, Repository, Tag};
use crate::plan::select::Times;
use crate::plan::why::answer::Whereabouts;
use crate::plan::why::origins::SoughtImage;
use crate::plan::{NotSelected, Selector};

// === impl Look ===

impl Look<'_> {
    /// Why no entry takes the tag. Beside it the tags on record are taken for those of the source.
    pub(super) fn not_selected(&self, sought: &SoughtImage) -> Option<Whereabouts> {
        let tag = sought.tag.as_ref()?;
        let listing = self.listing(&sought.repository, tag);
        let mut reasons = Vec::new();
        let mut policies = BTreeSet::new();
        for entry in self.entries(&sought.repository) {
            let selected = entry.select(&listing, &BTreeSet::new(), &Times::default());
            match selected {
                Err(error) => reasons.push(error.to_string()),
                Ok(selected) if selected.tags.iter().any(|wanted| wanted.tag == *tag) => {
                    return None;
                }
                Ok(selected) => {
                    let excluded = selected.excluded.into_iter();
                    let mut excluded = excluded.filter(|(left_out, _)| left_out == tag);
                    if let Some((_, reason)) = excluded.next() {
                        reasons.push(reason.to_string());
                        policies.extend(policies_of(reason));
                    }
                }
            }
        }
        let message = reasons.join("; ");
        (!reasons.is_empty()).then(|| Whereabouts::NotSelected {
            message,
            policies: policies.into_iter().collect(),
        })
    }

    pub(super) fn listing(&self, repository: &Repository, tag: &Tag) -> Vec<Tag> {
        let recorded = self.pages().flat_map(|(_, status)| &status.tags);
        let sources = recorded.filter_map(|tag| tag.source.parse::<Reference>().ok());
        let of_it = sources.filter(|source| source.repository == *repository);
        let mut listing: BTreeSet<Tag> = of_it.filter_map(|source| source.tag).collect();
        listing.insert(tag.clone());
        listing.into_iter().collect()
    }

    /// When the last of the entry's policies lets it through.
    pub(super) fn until(&self, sought: &SoughtImage, waiting: &WaitingTag) -> Option<Timestamp> {
        let policies = self.entries(&sought.repository);
        let policies = policies.flat_map(|entry| &entry.policies);
        let ages = policies.filter_map(|policy| policy.gates.as_ref()?.min_age);
        let age = ages.max()?;
        let age = SignedDuration::try_from(age.as_std()).ok()?;
        waiting.first_seen.0.checked_add(age).ok()
    }
}

/// The policies whose rules leave a tag out.
fn policies_of(reason: NotSelected) -> Vec<String> {
    let exclusions = match reason {
        NotSelected::Policies(exclusions) => exclusions,
        NotSelected::NotNamed | NotSelected::Referrers | NotSelected::Absent => Vec::new(),
    };
    let policies = exclusions
        .into_iter()
        .filter_map(|(selector, _)| match selector {
            Selector::Policy(name) => Some(name.to_string()),
            Selector::Entry => None,
        });
    policies.collect()
}
