// SPDX-License-Identifier: Apache-2.0

//! What destination tags are like, and what they should name.

use std::sync::Arc;

use super::deps::Deps;
use crate::api::TagMutability;
use crate::copy::{Endpoint, Engine, Lookup, endpoint};
use crate::oci::{Digest, TagOrDigest};
use crate::plan::report::Failure;
use crate::plan::{Claim, Destination, Mirror};
use crate::sync::connect::Connect;
use crate::sync::ledger::{Page, Record, Slot};
use crate::sync::sighting::{Image, Missed, Sighting};

/// What a destination tag is like, whatever the source has.
pub(super) struct Look {
    slot: Slot,
    endpoint: Endpoint,
    current: Option<Digest>,
    recorded: Option<Record>,
}

/// Looks at one destination tag.
pub(super) async fn look<C: Connect>(
    deps: &Deps<'_, C>,
    mirror: &Mirror,
    destination: &Destination,
    claim: &Claim,
) -> Result<Look, Failure> {
    let subject = claim.to_string();
    let endpoint = deps
        .connection
        .destination(destination, &claim.repository)
        .await
        .map_err(|error| Failure::connecting(&subject, error))?;
    let slot = slot(mirror, destination, claim);
    let recorded = deps.ledger.read(&slot).filter(|record| {
        let registry = record.registry.as_ref();
        registry.is_none_or(|registry| *registry == claim.registry)
    });
    let current = current(mirror, &endpoint, claim, recorded.as_ref())
        .await
        .map_err(|error| Failure::requesting(&subject, &error))?;
    Ok(Look {
        slot,
        endpoint,
        current,
        recorded,
    })
}

/// Where a destination tag is on record.
pub(super) fn slot(mirror: &Mirror, destination: &Destination, claim: &Claim) -> Slot {
    Slot {
        page: Page {
            mirror: mirror.name.clone(),
            destination: destination.name.clone(),
            repository: claim.repository.clone(),
        },
        tag: claim.tag.clone(),
    }
}

/// Puts together what the source has and what the destination tag is like.
pub(super) async fn compare<C>(
    deps: &Deps<'_, C>,
    image: &Arc<Image>,
    (destination, claim): (&Destination, Claim),
    look: Result<Look, Failure>,
) -> Result<Sighting, Missed> {
    let missed = |failure| Missed {
        image: image.clone(),
        destination: destination.name.clone(),
        claim: claim.clone(),
        failure,
    };
    let Look {
        slot,
        endpoint,
        current,
        recorded,
    } = look.map_err(missed)?;
    let expected = expected(deps.engine, image, recorded.as_ref())
        .await
        .map_err(missed)?;
    Ok(Sighting {
        image: image.clone(),
        claim,
        slot,
        endpoint,
        current,
        expected,
        recorded,
    })
}

/// The digest that the destination is to have: on record, or told by the source's index.
async fn expected(
    engine: &Engine,
    image: &Image,
    recorded: Option<&Record>,
) -> Result<Digest, Failure> {
    let Image {
        origin,
        digest,
        shape,
        ..
    } = image;
    if let Some(record) = recorded.filter(|record| record.is_of(digest, shape)) {
        return Ok(record.digest.clone());
    }
    engine
        .expected_digest(origin, digest, &shape.platforms)
        .await
        .map_err(|error| Failure::copying(&image.source.to_string(), &error))
}

/// What a destination tag names. Where the registry does not say, it is taken for absent and the push
/// shows whether the credential will do; unless it was written before or must not be written over: then
/// the list of tags has to be without it.
async fn current(
    mirror: &Mirror,
    endpoint: &Endpoint,
    claim: &Claim,
    recorded: Option<&Record>,
) -> Result<Option<Digest>, endpoint::Error> {
    let Claim {
        repository, tag, ..
    } = claim;
    let known = recorded.map(|record| &record.digest);
    let target = TagOrDigest::Tag(tag.clone());
    let error = match endpoint.look_up(repository, &target, known).await? {
        Lookup::Missing => return Ok(None),
        Lookup::Found(digest) => return Ok(Some(digest)),
        Lookup::Untold(error) => error,
    };
    let was_written = recorded.is_some_and(|record| !record.is_pending());
    let may_write = !was_written && mirror.tag_mutability == TagMutability::Follow;
    if may_write || endpoint.is_unlisted(repository, tag).await {
        return Ok(None);
    }
    Err(error)
}
