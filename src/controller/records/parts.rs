// SPDX-License-Identifier: Apache-2.0

//! Which objects hold the tags of a repository.
//!
//! A tag stays in the part that it first came to, so that a new tag changes one object and no others. So does
//! a manifest that is kept for deleted tags. A part has tags or manifests: either may fill an object.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use crate::api::mirrored_repository::{OBJECT_BYTES, OBJECT_MANIFESTS, TAGS};
use crate::oci::{Digest, Tag};
use crate::sync::ledger::{Keepsake, Keepsakes, Leaf};

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
    /// The manifests that it keeps.
    pub(super) manifests: BTreeSet<Digest>,
    /// Whether there is no object for it.
    pub(super) is_new: bool,
}

#[derive(Debug, Default)]
struct Part {
    tags: BTreeSet<Tag>,
    manifests: BTreeSet<Digest>,
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
            tags: leaf.tags().cloned().collect(),
            manifests: leaf.keepsakes.keys().cloned().collect(),
            ..Part::default()
        };
        self.parts.insert(number, part);
        self.written(number, object, leaf);
    }

    /// Gives every tag a part, and says which parts are not written as they should be.
    pub(super) fn arrange(&mut self, leaf: &Leaf) -> Vec<ChangedPart> {
        let wanted: BTreeSet<&Tag> = leaf.tags().collect();
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
        self.arrange_manifests(&leaf.keepsakes);
        let changed = self.parts.iter().filter(|(_, part)| part.is_changed(leaf));
        changed
            .map(|(number, part)| ChangedPart {
                number: *number,
                tags: part.tags.clone(),
                manifests: part.manifests.clone(),
                is_new: part.object.is_none(),
            })
            .collect()
    }

    /// Gives every manifest a part with room for it.
    fn arrange_manifests(&mut self, keepsakes: &Keepsakes) {
        let mut placed = HashSet::new();
        for part in self.parts.values_mut() {
            part.manifests
                .retain(|digest| keepsakes.contains_key(digest) && placed.insert(digest.clone()));
        }
        let mut rooms: BTreeMap<i32, usize> = self
            .parts
            .iter()
            .map(|(number, part)| (*number, part.room(keepsakes)))
            .collect();
        for (digest, keepsake) in keepsakes {
            if placed.contains(digest) {
                continue;
            }
            let size = keepsake.size();
            let mut open = rooms.iter().filter(|(_, room)| **room >= size);
            let number = match open.next() {
                Some((number, _)) => *number,
                None => rooms.last_key_value().map_or(0, |(last, _)| last + 1),
            };
            let part = self.parts.entry(number).or_default();
            part.manifests.insert(digest.clone());
            rooms.insert(number, part.room(keepsakes));
        }
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
        let open = self.parts.iter().find(|(_, part)| part.takes_tags());
        let number = match open {
            Some((number, _)) => *number,
            None => self.parts.last_key_value().map_or(0, |(last, _)| last + 1),
        };
        self.parts.entry(number).or_default()
    }
}

// === impl Part ===

impl Part {
    fn takes_tags(&self) -> bool {
        self.manifests.is_empty() && self.tags.len() < TAGS
    }

    /// How many bytes of manifests it may still take.
    fn room(&self, keepsakes: &Keepsakes) -> usize {
        if !self.tags.is_empty() || self.manifests.len() >= OBJECT_MANIFESTS {
            return 0;
        }
        let kept = self.manifests.iter();
        let kept = kept.filter_map(|digest| keepsakes.get(digest));
        OBJECT_BYTES.saturating_sub(kept.map(Keepsake::size).sum())
    }

    fn is_changed(&self, leaf: &Leaf) -> bool {
        self.object.is_none() || self.fingerprint(leaf) != self.written
    }

    /// A fingerprint of what is to stand in the object.
    fn fingerprint(&self, leaf: &Leaf) -> u64 {
        let Leaf {
            records,
            waiting,
            deleted,
            keepsakes: _,
        } = leaf;
        let mut hasher = DefaultHasher::new();
        for tag in &self.tags {
            (tag, records.get(tag), waiting.get(tag), deleted.get(tag)).hash(&mut hasher);
        }
        // Their bytes are what their digests say.
        self.manifests.hash(&mut hasher);
        hasher.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oci::Manifest;
    use crate::sync::ledger::Sight;
    use crate::sync::ledger::keepsake_samples::{kept, sized};

    /// The number of a part, and how many tags and manifests it has.
    type Written = (i32, usize, usize);

    /// So many tags, and these manifests.
    fn leaf(tags: usize, manifests: &[&Manifest]) -> Leaf {
        let sight = Sight {
            source_digest: Digest::sha256(b"source"),
            first_seen: jiff::Timestamp::UNIX_EPOCH,
        };
        let tags = (0..tags).map(|number| (format!("t{number}").parse().unwrap(), sight.clone()));
        Leaf {
            waiting: tags.collect(),
            keepsakes: kept(manifests),
            ..Leaf::default()
        }
    }

    /// Manifests of so many bytes and some.
    fn manifests(sizes: &[usize]) -> Vec<Manifest> {
        let sizes = sizes.iter().enumerate();
        sizes
            .map(|(number, size)| sized(&format!("m{number}"), *size))
            .collect()
    }

    /// What is written of it, each part with its tags and manifests.
    fn write(parts: &mut Parts, leaf: &Leaf) -> Vec<Written> {
        let changed = parts.arrange(leaf);
        changed
            .iter()
            .map(|part| {
                parts.written(part.number, &format!("part-{}", part.number), leaf);
                (part.number, part.tags.len(), part.manifests.len())
            })
            .collect()
    }

    fn all(manifests: &[Manifest]) -> Vec<&Manifest> {
        manifests.iter().collect()
    }

    #[test]
    fn manifests_have_parts_of_their_own_that_are_not_too_large() {
        let large = OBJECT_BYTES / 2 - 1_000;
        let many = manifests(&[large, large, large]);
        let few = manifests(&vec![0; OBJECT_MANIFESTS + 1]);
        let cases: [(Leaf, &[Written]); 4] = [
            (leaf(2, &[]), &[(0, 2, 0)]),
            (leaf(2, &all(&many)), &[(0, 2, 0), (1, 0, 2), (2, 0, 1)]),
            (leaf(0, &all(&few)), &[(0, 0, OBJECT_MANIFESTS), (1, 0, 1)]),
            (
                leaf(TAGS + 1, &all(&many[..1])),
                &[(0, TAGS, 0), (1, 1, 0), (2, 0, 1)],
            ),
        ];
        for (leaf, expected) in cases {
            let mut parts = Parts::default();
            assert_eq!(write(&mut parts, &leaf), expected);
            assert_eq!(write(&mut parts, &leaf), [], "nothing changed");
        }
    }

    #[test]
    fn manifests_stay_where_they_are() {
        let many = manifests(&[10, 20, 30]);
        let mut parts = Parts::default();
        write(&mut parts, &leaf(1, &all(&many[..2])));
        // The tags that come go elsewhere.
        let more = leaf(TAGS + 1, &all(&many[..2]));
        assert_eq!(write(&mut parts, &more), [(0, TAGS, 0), (2, 1, 0)]);
        // One comes and one goes.
        let other = leaf(TAGS + 1, &all(&many[1..]));
        assert_eq!(write(&mut parts, &other), [(1, 0, 2)]);
        // What is empty takes tags.
        let none = leaf(TAGS + 1, &[]);
        assert_eq!(write(&mut parts, &none), [(1, 0, 0)]);
        let tags = leaf(TAGS * 2 + 1, &[]);
        assert_eq!(write(&mut parts, &tags), [(1, TAGS, 0)]);
    }

    #[test]
    fn the_next_process_finds_manifests_where_they_are() {
        let many = manifests(&[10, 20]);
        let mut parts = Parts::default();
        parts.restore(0, "part-0", &leaf(1, &[]));
        parts.restore(1, "part-1", &leaf(0, &all(&many)));
        let known = leaf(1, &all(&many));
        assert_eq!(write(&mut parts, &known), []);
    }
}
