// SPDX-License-Identifier: Apache-2.0

//! What is on record of immutable tags: that they are as they were is taken from there, until a look is due.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::deps::Deps;
use super::destination::slot;
use crate::oci::Digest;
use crate::plan::integrity::LastCheck;
use crate::plan::{Claim, Destination, Mirror, SourceImage};
use crate::sync::connect::Connect;
use crate::sync::ledger::{Record, Slot};
use crate::sync::shape::Shape;
use crate::sync::sighting::{Image, Selected, Sighted, Sighting};

/// What all tags of a mirror are compared with.
pub(super) struct RecordedMirror<'a> {
    mirror: &'a Mirror,
    /// The source digests on record, by their images.
    known: &'a HashMap<String, Digest>,
    shape: Shape,
    /// The shape as records have it.
    shape_text: String,
    now: Timestamp,
}

impl<'a> RecordedMirror<'a> {
    pub(super) fn of(
        mirror: &'a Mirror,
        known: &'a HashMap<String, Digest>,
        now: Timestamp,
    ) -> Self {
        let shape = Shape::of(mirror);
        Self {
            mirror,
            known,
            shape_text: shape.to_string(),
            shape,
            now,
        }
    }
}

/// A selected tag as it is on record at all of its destinations, without a request. None where the tag may move, where
/// anything is not on record as it should be, where another mirror may have written over it, or where a look is due.
pub(super) async fn recall<C: Connect>(
    deps: &Deps<'_, C>,
    wanted: &RecordedMirror<'_>,
    selected: &Selected,
) -> Option<Sighted> {
    let RecordedMirror {
        mirror,
        known,
        shape,
        shape_text,
        now,
    } = wanted;
    if !mirror.immutable.cover(&selected.tag) || !selected.origin.endpoint.is_registry() {
        return None;
    }
    let source = SourceImage {
        registry: mirror.source.registry.clone(),
        repository: selected.origin.repository.clone(),
        tag: selected.tag.clone(),
    };
    let digest = known.get(&source.to_string())?;
    if selected.pin.as_ref().is_some_and(|pin| pin != digest) {
        return None;
    }
    let claims = selected
        .namings
        .iter()
        .flat_map(|naming| mirror.claims(naming, &source.repository, &source.tag, Some(digest)));
    let mut found = Vec::new();
    for (destination, claim) in claims {
        let claim = claim.ok()?;
        let slot = slot(mirror, destination, &claim);
        let record = deps.ledger.read(&slot)?;
        let last = LastCheck {
            image: digest,
            at: record.seen_whole_at(),
        };
        let is_right = record.is_right(&source, digest, shape_text, &claim)
            && !deps.ledger.is_overwritten(&slot, &claim.registry, &record);
        if !is_right || last.is_over(mirror.immutable.verify_interval, *now) {
            return None;
        }
        found.push((destination, claim, slot, record));
    }
    let (.., first) = found.first()?;
    let image = Arc::new(Image {
        origin: selected.origin.clone(),
        digest: digest.clone(),
        is_index: first.referrers.map(|looked| looked.seen.is_index),
        shape: shape.clone(),
        selected_by: selected.selected_by.clone(),
        policies: selected.policies.clone(),
        source,
    });
    let mut sighted = Sighted::default();
    for (destination, claim, slot, record) in found {
        let sighting = sighting(deps, &image, (destination, claim), (slot, record)).await?;
        sighted.sightings.push(Ok(sighting));
    }
    Some(sighted)
}

async fn sighting<C: Connect>(
    deps: &Deps<'_, C>,
    image: &Arc<Image>,
    (destination, claim): (&Destination, Claim),
    (slot, record): (Slot, Record),
) -> Option<Sighting> {
    let endpoint = deps.connection.destination(destination, &claim.repository);
    let endpoint = endpoint.await.ok()?;
    if !endpoint.is_registry() {
        return None;
    }
    Some(Sighting {
        image: image.clone(),
        slot,
        endpoint,
        current: Some(record.digest.clone()),
        expected: record.digest.clone(),
        recorded: Some(record),
        claim,
    })
}
