//! Which objects hold the tags of a repository.
//!
//! A tag stays in the part that it first came to, so that a new tag changes one object and no others.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use crate::api::mirrored_repository::TAGS;
use crate::oci::Tag;
use crate::sync::ledger::Leaf;

/// The parts of a repository.
#[derive(Debug, Default)]
pub(super) struct Parts {
    parts: BTreeMap<i32, Part>,
}

/// A part that has to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ChangedPart {
    /// Its number.
    pub(super) number: i32,
    /// Its tags.
    pub(super) tags: BTreeSet<Tag>,
    /// Whether there is no object for it.
    pub(super) is_new: bool,
}

#[derive(Debug, Default)]
struct Part {
    tags: BTreeSet<Tag>,
    /// A fingerprint of what stands in the object: with thousands of mirrors, all of it would be held twice.
    written: u64,
    /// The name of the object, where there is one.
    object: Option<String>,
}

// === impl Parts ===

impl Parts {
    /// Takes over a part that an earlier process wrote.
    pub(super) fn restore(&mut self, number: i32, object: &str, leaf: &Leaf) {
        let part = Part {
            tags: tags(leaf).cloned().collect(),
            ..Part::default()
        };
        self.parts.insert(number, part);
        self.written(number, object, leaf);
    }

    /// Gives every tag a part, and says which parts are not written as they should be.
    pub(super) fn arrange(&mut self, leaf: &Leaf) -> Vec<ChangedPart> {
        let wanted: BTreeSet<&Tag> = tags(leaf).collect();
        for part in self.parts.values_mut() {
            part.tags.retain(|tag| wanted.contains(tag));
        }
        let known: BTreeSet<&Tag> = self.parts.values().flat_map(|part| &part.tags).collect();
        let new: Vec<Tag> = wanted
            .into_iter()
            .filter(|tag| !known.contains(tag))
            .cloned()
            .collect();
        for tag in new {
            self.open_part().tags.insert(tag);
        }
        let changed = self.parts.iter().filter(|(_, part)| part.is_changed(leaf));
        changed
            .map(|(number, part)| ChangedPart {
                number: *number,
                tags: part.tags.clone(),
                is_new: part.object.is_none(),
            })
            .collect()
    }

    /// Takes note that a part was written.
    pub(super) fn written(&mut self, number: i32, object: &str, leaf: &Leaf) {
        if let Some(part) = self.parts.get_mut(&number) {
            part.written = part.fingerprint(leaf);
            part.object = Some(object.to_owned());
        }
    }

    /// Takes note that an object is gone.
    pub(super) fn lose(&mut self, object: &str) {
        for part in self.parts.values_mut() {
            if part.object.as_deref() == Some(object) {
                part.object = None;
            }
        }
    }

    /// A part that has room for one more tag.
    fn open_part(&mut self) -> &mut Part {
        let open = self.parts.iter().find(|(_, part)| part.tags.len() < TAGS);
        let number = match open {
            Some((number, _)) => *number,
            None => self.parts.last_key_value().map_or(0, |(last, _)| last + 1),
        };
        self.parts.entry(number).or_default()
    }
}

// === impl Part ===

impl Part {
    fn is_changed(&self, leaf: &Leaf) -> bool {
        self.object.is_none() || self.fingerprint(leaf) != self.written
    }

    /// A fingerprint of what is to stand in the object.
    fn fingerprint(&self, leaf: &Leaf) -> u64 {
        let Leaf {
            records,
            waiting,
            deleted,
        } = leaf;
        let mut hasher = DefaultHasher::new();
        for tag in &self.tags {
            (tag, records.get(tag), waiting.get(tag), deleted.get(tag)).hash(&mut hasher);
        }
        hasher.finish()
    }
}

/// The tags on record, those that wait, and those that were deleted; some are several of these.
fn tags(leaf: &Leaf) -> impl Iterator<Item = &Tag> {
    let Leaf {
        records,
        waiting,
        deleted,
    } = leaf;
    records.keys().chain(waiting.keys()).chain(deleted.keys())
}
