// SPDX-License-Identifier: Apache-2.0

//! What a selected tag names at its source.

use std::collections::HashMap;

use crate::copy::endpoint::Described;
use crate::oci::{Digest, MediaType, Tag, TagOrDigest};
use crate::plan::report::Failure;
use crate::plan::{Mirror, SourceImage};
use crate::sync::shape::Shape;
use crate::sync::sighting::{Image, Selected};

/// What a selected tag names.
pub(super) enum Resolved {
    Image(Image),
    /// Nothing, and that is no failure.
    Absent(SourceImage),
}

/// Asks what a selected tag names; a digest that it is pinned to must be there.
pub(super) async fn find_image(
    mirror: &Mirror,
    known: &HashMap<String, Digest>,
    selected: Selected,
) -> Result<Resolved, Failure> {
    let Selected {
        origin,
        tag,
        pin,
        is_optional,
        namings: _,
        selected_by,
        policies,
    } = selected;
    let source = SourceImage {
        registry: mirror.source.registry.clone(),
        repository: origin.repository.clone(),
        tag,
    };
    let name = source.to_string();
    let tag = TagOrDigest::Tag(source.tag.clone());
    let describe = async |target: &TagOrDigest| {
        // It is about the tag.
        let known = known.get(&name).filter(|_| *target == tag);
        let described = origin.endpoint.describe(&origin.repository, target, known);
        let described = described.await;
        described.map_err(|error| Failure::requesting(&name, &error))
    };
    let target = pin.clone().map_or(tag.clone(), TagOrDigest::Digest);
    let Some(Described { digest, media_type }) = describe(&target).await? else {
        return match pin {
            // Nothing but its digest is wanted: no tag can name another one.
            Some(pin) if source.tag == Tag::of_digest(&pin) => {
                if is_optional {
                    return Ok(Resolved::Absent(source));
                }
                let SourceImage {
                    registry,
                    repository,
                    ..
                } = source;
                Err(Failure::missing(&format!("{registry}/{repository}@{pin}")))
            }
            Some(pin) => {
                let named = describe(&tag).await?;
                let named = named.map(|described| described.digest);
                Err(Failure::not_as_pinned(&name, &pin, named.as_ref()))
            }
            None if is_optional => Ok(Resolved::Absent(source)),
            None => Err(Failure::missing(&name)),
        };
    };
    Ok(Resolved::Image(Image {
        source,
        origin,
        digest,
        is_index: media_type.as_ref().and_then(is_index),
        shape: Shape::of(mirror),
        selected_by,
        policies,
    }))
}

/// Whether a media type is that of an index; None where it says neither.
fn is_index(media_type: &MediaType) -> Option<bool> {
    let is_index = media_type.is_index();
    (is_index || media_type.is_image()).then_some(is_index)
}
