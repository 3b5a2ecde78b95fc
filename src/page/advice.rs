// SPDX-License-Identifier: Apache-2.0

//! What to do, once for each reason, however many mirrors have it.

use std::collections::HashMap;

use super::bounded::FEW;
use super::text::Text;
use super::unreadable::UnreadableMirror;
use crate::api::ImageMirror;
use crate::api::text::shorten;
use crate::plan::health::{Checkup, Health};
use crate::plan::mirror_home::MirrorHome;
use crate::plan::named_mirror::NamedMirror;

/// Longest name of a mirror that is told here, in characters: the table has all of it.
const NAME: usize = 64;

/// What to do about a reason.
#[derive(Debug)]
pub(super) struct Advice {
    pub(super) reason: Text,
    /// The mirrors that have it, as far as they are named.
    pub(super) mirrors: Text,
    pub(super) text: Text,
}

/// Mirrors of one reason.
struct Group<'a> {
    reason: &'a str,
    /// The checkup of the first one.
    checkup: Option<&'a Checkup>,
    mirrors: Vec<NamedMirror>,
}

/// What to do about mirrors, in their order, those that cannot be understood first.
pub(super) fn advice(
    unreadable: &[&UnreadableMirror],
    looked: &[(Checkup, &ImageMirror)],
    home: &MirrorHome,
) -> Vec<Advice> {
    let strange = Group {
        reason: "not understood",
        checkup: None,
        mirrors: unreadable.iter().map(|one| one.mirror.clone()).collect(),
    };
    let mut groups = vec![strange];
    let mut places: HashMap<(Health, &str), usize> = HashMap::new();
    for (checkup, mirror) in looked.iter().filter(|(checkup, _)| checkup.has_mend()) {
        let reason = checkup.reason.as_deref();
        let reason = reason.unwrap_or(checkup.health.as_str());
        let place = *places
            .entry((checkup.health, reason))
            .or_insert(groups.len());
        if place == groups.len() {
            groups.push(Group {
                reason,
                checkup: Some(checkup),
                mirrors: Vec::new(),
            });
        }
        if let Some(group) = groups.get_mut(place) {
            group.mirrors.push(NamedMirror::of(mirror));
        }
    }
    groups.iter().filter_map(|group| group.told(home)).collect()
}

// === impl Group ===

impl Group<'_> {
    fn told(&self, home: &MirrorHome) -> Option<Advice> {
        let anyone = NamedMirror::new("NAMESPACE", "NAME");
        let about = match self.mirrors.as_slice() {
            [] => return None,
            [only] => only,
            [_, _, ..] => &anyone,
        };
        let text = match self.checkup {
            Some(checkup) => checkup.mend(about, home)?,
            None => home.edit(about),
        };
        Some(Advice {
            reason: Text::of(self.reason),
            mirrors: Text::of(&self.names()),
            text: Text::of(&text),
        })
    }

    fn names(&self) -> String {
        let first = self.mirrors.iter().take(FEW);
        let first = first.map(|mirror| shorten(&mirror.to_string(), NAME));
        let first = first.collect::<Vec<_>>().join(", ");
        match self.mirrors.len().saturating_sub(FEW) {
            0 => first,
            more => format!("{first} and {more} more"),
        }
    }
}
