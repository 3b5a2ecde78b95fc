// SPDX-License-Identifier: Apache-2.0

//! What tags take, alone and together: pure arithmetic over what they lead to.

use std::collections::HashMap;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Serialize;

use crate::oci::{Digest, Tag};

/// Everything that an image leads to, itself included: manifests, configs and layers, each once.
pub(in super::super) type Content = Arc<[Piece]>;

/// A manifest or blob.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct Piece {
    pub(in super::super) digest: Digest,
    /// In bytes.
    pub(in super::super) size: u64,
}

/// A tag and everything that it leads to.
#[derive(Clone, Debug)]
pub(in super::super) struct Weighed {
    pub(in super::super) tag: Tag,
    pub(in super::super) digest: Digest,
    pub(in super::super) content: Content,
}

/// What something takes, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub(in super::super) struct Usage {
    /// Everything that it leads to, each manifest and blob once.
    pub(in super::super) size: u64,
    /// Of that, what others among those looked at lead to as well.
    pub(in super::super) shared: u64,
    /// Of that, what would be free if it alone were gone, once the registry has collected its garbage.
    pub(in super::super) unique: u64,
}

/// Who leads to each piece: one of the owners, or several.
#[derive(Debug)]
pub(in super::super) struct Owners<'a, O>(HashMap<&'a Digest, (u64, Owner<O>)>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner<O> {
    One(O),
    Several,
}

impl<'a, O: Copy + Eq> Owners<'a, O> {
    /// Nobody leads to anything.
    pub(in super::super) fn new() -> Self {
        Self(HashMap::new())
    }

    /// Takes note of what an owner leads to, once or again.
    pub(in super::super) fn add(&mut self, owner: O, content: &'a [Piece]) {
        for Piece { digest, size } in content {
            let (_, known) = self.0.entry(digest).or_insert((*size, Owner::One(owner)));
            if *known != Owner::One(owner) {
                *known = Owner::Several;
            }
        }
    }

    /// What an owner takes that leads to these pieces, each of which is given once.
    pub(in super::super) fn usage(&self, content: impl IntoIterator<Item = &'a Piece>) -> Usage {
        let mut usage = Usage::default();
        for Piece { digest, size } in content {
            usage.size += size;
            match self.0.get(digest) {
                Some((_, Owner::Several)) => usage.shared += size,
                Some((_, Owner::One(_))) | None => usage.unique += size,
            }
        }
        usage
    }

    /// The bytes that this owner alone leads to.
    pub(in super::super) fn owned_by(&self, owner: O) -> u64 {
        let pieces = self.0.values();
        let own = pieces.filter(|(_, known)| *known == Owner::One(owner));
        own.map(|(size, _)| size).sum()
    }

    /// The bytes of everything, each manifest and blob once.
    pub(in super::super) fn total(&self) -> u64 {
        self.0.values().map(|(size, _)| size).sum()
    }
}

/// What would be free if the tags were gone that go, and no others.
pub(in super::super) fn freed<'a>(tags: impl IntoIterator<Item = (bool, &'a Weighed)>) -> u64 {
    let mut owners = Owners::new();
    for (goes, tag) in tags {
        owners.add(goes, &tag.content);
    }
    owners.owned_by(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A tag that leads to pieces, each of as many bytes as its name has letters.
    fn weighed(tag: &str, pieces: &[&str]) -> Weighed {
        let piece = |name: &&str| Piece {
            digest: Digest::sha256(name.as_bytes()),
            size: name.len() as u64,
        };
        Weighed {
            tag: tag.parse().unwrap(),
            digest: Digest::sha256(pieces.concat().as_bytes()),
            content: pieces.iter().map(piece).collect(),
        }
    }

    #[test]
    fn what_is_shared_and_what_is_not() {
        let tags = [
            weighed("1.0", &["base", "one"]),
            weighed("1.1", &["base", "other"]),
            weighed("alone", &["sole"]),
            weighed("twin", &["sames"]),
            weighed("twin-2", &["sames"]),
        ];
        let mut owners = Owners::new();
        for (owner, tag) in tags.iter().enumerate() {
            owners.add(owner, &tag.content);
        }
        let usages: Vec<_> = tags
            .iter()
            .map(|tag| {
                let Usage {
                    size,
                    shared,
                    unique,
                } = owners.usage(tag.content.iter());
                (size, shared, unique)
            })
            .collect();
        let expected = [(7, 4, 3), (9, 4, 5), (4, 0, 4), (5, 5, 0), (5, 5, 0)];
        assert_eq!(usages, expected);
        assert_eq!(owners.total(), 4 + 3 + 5 + 4 + 5);
    }

    #[test]
    fn what_goes_together_frees_what_it_shares_with_nothing_else() {
        let tags = [
            weighed("1.0", &["base", "one"]),
            weighed("1.1", &["base", "other"]),
            weighed("2.0", &["fresh", "other"]),
        ];
        let cases: [(&[&str], u64); 5] = [
            (&[], 0),
            (&["1.0"], 3),
            (&["1.0", "1.1"], 7),
            (&["1.1", "2.0"], 10),
            (&["1.0", "1.1", "2.0"], 17),
        ];
        for (going, expected) in cases {
            let goes = |weighed: &Weighed| going.contains(&weighed.tag.as_str());
            let found = freed(tags.iter().map(|weighed| (goes(weighed), weighed)));
            assert_eq!(found, expected, "{going:?}");
        }
    }
}
