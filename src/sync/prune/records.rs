// SPDX-License-Identifier: Apache-2.0

//! What is on record of a mirror, as pruning sees it.

use std::collections::HashSet;

use crate::plan::prune::{Candidate, Place, PrunedTag, Recorded, Standing, Target};
use crate::plan::{Mirror, SourceImage};
use crate::sync::ledger::{Leaf, Page, Record, Slot};

/// The tags on record in a repository.
pub(super) fn recorded<'a>(
    page: &'a Page,
    leaf: &'a Leaf,
    claimed: &'a HashSet<&Slot>,
) -> impl Iterator<Item = Recorded<'a>> {
    let records = leaf.records.iter();
    records.map(move |(tag, record)| {
        let slot = page.slot(tag);
        Recorded {
            target: Place {
                destination: &page.destination,
                registry: record.registry.as_ref(),
                repository: &page.repository,
                tag,
            },
            source: SourceImage::read(&record.source),
            source_digest: &record.source_digest,
            digest: &record.digest,
            first_seen: record.first_seen,
            standing: standing(record),
            is_claimed: claimed.contains(&slot),
            unwanted: record.unwanted.as_deref(),
        }
    })
}

fn standing(record: &Record) -> Standing {
    if record.is_pending() {
        Standing::Pending
    } else if record.adopted {
        Standing::Adopted
    } else {
        Standing::Written
    }
}

/// The candidates as earlier rounds put them on record, for a round that finds out nothing.
pub(super) fn unmarked(recorded: &[Recorded<'_>], mirror: &Mirror) -> Vec<PrunedTag> {
    let known = recorded.iter().filter(|tag| !tag.is_claimed);
    let mut tags: Vec<PrunedTag> = known
        .filter_map(|tag| {
            let candidate = Candidate {
                target: Target {
                    destination: tag.target.destination.to_owned(),
                    registry: tag.target.registry?.clone(),
                    repository: tag.target.repository.clone(),
                    tag: tag.target.tag.clone(),
                },
                source: tag.source.clone()?,
                source_digest: tag.source_digest.clone(),
                digest: tag.digest.clone(),
                unwanted: tag.unwanted?.clone(),
                held_by: None,
                is_over: false,
                shared_with: Vec::new(),
            };
            Some(PrunedTag::of(&candidate, mirror.prune.grace))
        })
        .collect();
    tags.sort_by(|left, right| left.target.cmp(&right.target));
    tags
}
