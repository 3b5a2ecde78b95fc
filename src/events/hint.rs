// SPDX-License-Identifier: Apache-2.0

//! What an event hints at.

use jiff::Timestamp;
use serde_json::Value;

use super::sender::Sender;
use crate::oci::{Registry, Repository, Tag};

/// Most hints of one event. Those behind them are left to the next round.
pub(super) const HINTS: usize = 256;

/// A tag, or a repository, that is worth a look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hint {
    /// The registry.
    pub registry: Registry,
    /// The repository.
    pub repository: Repository,
    /// The tag; any where the event names none.
    pub tag: Option<Tag>,
    /// When it was pushed, where the event says so.
    pub pushed: Option<Timestamp>,
}

/// What a sender's format says, before it is known whether it names anything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) registry: Option<String>,
    pub(super) repository: Option<String>,
    pub(super) tag: Option<String>,
    pub(super) pushed: Option<Timestamp>,
}

// === impl Said ===

impl Said {
    /// An image as people write it: `registry/repository:tag@digest`, of which tag and digest may be missing, and of
    /// the tag its name.
    pub(super) fn of_image(image: &str) -> Self {
        let image = image.split_once('@').map_or(image, |(named, _)| named);
        let (registry, rest) = image.split_once('/').unwrap_or(("", image));
        let (repository, tag) = split_tag(rest);
        Self {
            registry: Some(registry.to_owned()),
            repository: Some(repository.to_owned()),
            tag: tag.map(str::to_owned),
            pushed: None,
        }
    }

    /// What stands in these fields.
    pub(super) fn of_parts(registry: Option<&str>, repository: &str, tag: Option<&str>) -> Self {
        Self {
            registry: registry.map(str::to_owned),
            repository: Some(repository.to_owned()),
            tag: tag.map(str::to_owned),
            pushed: None,
        }
    }

    /// The same, pushed then.
    pub(super) fn at(self, pushed: Option<Timestamp>) -> Self {
        Self { pushed, ..self }
    }

    /// A hint, where the names are ones. What a receiver says of its registry counts more than what an event does.
    pub(super) fn named(self, sender: &Sender) -> Option<Hint> {
        let Self {
            registry,
            repository,
            tag,
            pushed,
        } = self;
        let registry = match (&sender.registry, registry) {
            (Some(registry), _) => registry.clone(),
            (None, registry) => registry?.parse().ok()?,
        };
        let tag = match tag.filter(|tag| !tag.is_empty()) {
            Some(tag) => Some(tag.parse().ok()?),
            None => None,
        };
        Some(Hint {
            registry,
            repository: repository?.parse().ok()?,
            tag,
            pushed,
        })
    }
}

/// The tag behind a repository, where there is one.
pub(super) fn split_tag(text: &str) -> (&str, Option<&str>) {
    match text.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => (repository, Some(tag)),
        Some(_) | None => (text, None),
    }
}

/// A text at a place (RFC 6901).
pub(super) fn text<'a>(value: &'a Value, pointer: &str) -> Option<&'a str> {
    value.pointer(pointer)?.as_str()
}

/// The items of a list at a place; none where there is no list.
pub(super) fn items<'a>(value: &'a Value, pointer: &str) -> impl Iterator<Item = &'a Value> {
    let list = value.pointer(pointer).and_then(Value::as_array);
    list.into_iter().flatten().take(HINTS)
}

/// A time: RFC 3339, with a colon in its offset or without, or seconds since 1970.
pub(super) fn time(value: Option<&Value>) -> Option<Timestamp> {
    let value = value?;
    if let Some(text) = value.as_str() {
        return text.parse().ok();
    }
    let seconds = value.as_i64().or_else(|| whole(value.as_f64()?))?;
    Timestamp::from_second(seconds).ok()
}

/// The whole seconds of a time with a fraction.
fn whole(seconds: f64) -> Option<i64> {
    format!("{:.0}", seconds.floor()).parse().ok()
}
