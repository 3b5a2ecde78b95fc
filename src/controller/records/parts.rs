//! Which objects hold the tags of a repository.
//!
//! A tag stays in the part that it first came to, so that a new tag changes one object and no others.

use std::collections::{BTreeMap, BTreeSet};

use crate::api::mirrored_repository::TAGS;
use crate::oci::Tag;
use crate::sync::ledger::Record;

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
    /// What stands in the object, tag by tag.
    written: BTreeMap<Tag, Record>,
    /// The name of the object, where there is one.
    object: Option<String>,
}

// === impl Parts ===

impl Parts {
    /// Takes over a part that an earlier process wrote.
    pub(super) fn restore(&mut self, number: i32, object: &str, records: &BTreeMap<Tag, Record>) {
        let part = Part {
            tags: records.keys().cloned().collect(),
            written: records.clone(),
            object: Some(object.to_owned()),
        };
        self.parts.insert(number, part);
    }

    /// Gives every tag a part, and says which parts are not written as they should be.
    pub(super) fn arrange(&mut self, records: &BTreeMap<Tag, Record>) -> Vec<ChangedPart> {
        let known: BTreeSet<&Tag> = self.parts.values().flat_map(|part| &part.tags).collect();
        let new: Vec<Tag> = records
            .keys()
            .filter(|tag| !known.contains(tag))
            .cloned()
            .collect();
        for tag in new {
            self.open_part().tags.insert(tag);
        }
        let changed = self
            .parts
            .iter()
            .filter(|(_, part)| part.is_changed(records));
        changed
            .map(|(number, part)| ChangedPart {
                number: *number,
                tags: part.tags.clone(),
                is_new: part.object.is_none(),
            })
            .collect()
    }

    /// Takes note that a part was written.
    pub(super) fn written(&mut self, number: i32, object: &str, records: &BTreeMap<Tag, Record>) {
        if let Some(part) = self.parts.get_mut(&number) {
            let records = part
                .tags
                .iter()
                .filter_map(|tag| Some((tag.clone(), records.get(tag)?.clone())));
            part.written = records.collect();
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
    fn is_changed(&self, records: &BTreeMap<Tag, Record>) -> bool {
        let wanted = self
            .tags
            .iter()
            .filter_map(|tag| records.get_key_value(tag));
        self.object.is_none() || !wanted.eq(&self.written)
    }
}
