// SPDX-License-Identifier: Apache-2.0

//! Any JSON, by pointers.

use serde_json::Value;

use crate::api::image_receiver::GenericEvent;
use crate::events::hint::{Said, items, split_tag, text, time};

/// What stands at these places.
pub(super) fn generic(places: &GenericEvent, event: &Value) -> Vec<Said> {
    let of = |event: &Value| read(places, event);
    match places.items.as_deref() {
        None => of(event).into_iter().collect(),
        Some(list) => items(event, list).filter_map(of).collect(),
    }
}

fn read(places: &GenericEvent, event: &Value) -> Option<Said> {
    let at = |pointer: &Option<String>| pointer.as_deref().and_then(|place| text(event, place));
    let registry = at(&places.registry);
    let written = text(event, &places.repository)?;
    let written = written.split_once('@').map_or(written, |(named, _)| named);
    let (mut repository, behind) = split_tag(written);
    if let Some(registry) = registry {
        let rest = repository.strip_prefix(registry);
        repository = rest
            .and_then(|rest| rest.strip_prefix('/'))
            .unwrap_or(repository);
    }
    let tag = at(&places.tag).or(behind);
    let pushed = places
        .time
        .as_deref()
        .and_then(|place| event.pointer(place));
    Some(Said::of_parts(registry, repository, tag).at(time(pushed)))
}
