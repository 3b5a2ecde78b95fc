//! What is given again to a destination that misses something of an image.
//!
//! Exactly what it names, where it names it: everything else is there. Where it names nothing, all of it
//! is looked for afresh, once.

use std::collections::HashSet;

use super::image::Content;
use crate::oci::Digest;

/// How often something that was named is given again: a registry may name one thing at a time.
const ROUNDS: usize = 8;

/// Some of the blobs and manifests of an image.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Parts {
    All,
    These(HashSet<Digest>),
}

/// What was given again so far.
#[derive(Debug, Default)]
pub(super) struct Repair {
    named: HashSet<Digest>,
    rounds: usize,
    is_all: bool,
}

// === impl Parts ===

impl Parts {
    pub(super) fn contain(&self, digest: &Digest) -> bool {
        match self {
            Self::All => true,
            Self::These(digests) => digests.contains(digest),
        }
    }
}

// === impl Repair ===

impl Repair {
    /// What is to be given again to a destination that names this as missing; nothing where that cannot
    /// help.
    pub(super) fn next(&mut self, content: &Content, missing: &[Digest]) -> Option<Parts> {
        let known = content.digests();
        let named: HashSet<Digest> = missing
            .iter()
            .filter(|digest| known.contains(digest))
            .cloned()
            .collect();
        self.choose(&named)
    }

    fn choose(&mut self, named: &HashSet<Digest>) -> Option<Parts> {
        if named.is_empty() {
            let was_all = std::mem::replace(&mut self.is_all, true);
            return (!was_all).then_some(Parts::All);
        }
        let fresh: HashSet<Digest> = named.difference(&self.named).cloned().collect();
        if fresh.is_empty() || self.rounds >= ROUNDS {
            return None;
        }
        self.rounds += 1;
        self.named.extend(fresh.iter().cloned());
        Some(Parts::These(fresh))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn these(names: &[u8]) -> HashSet<Digest> {
        names.iter().map(|name| Digest::sha256(&[*name])).collect()
    }

    #[test]
    fn what_is_named_is_given_again_once_and_all_of_it_once_where_nothing_is() {
        let mut repair = Repair::default();
        let cases = [
            (these(&[1, 2]), Some(Parts::These(these(&[1, 2])))),
            (these(&[2, 3]), Some(Parts::These(these(&[3])))),
            (these(&[1, 3]), None),
            (these(&[]), Some(Parts::All)),
            (these(&[]), None),
            (these(&[4]), Some(Parts::These(these(&[4])))),
        ];
        for (named, expected) in cases {
            assert_eq!(repair.choose(&named), expected, "{named:?}");
        }
        let rounds = (5..=u8::MAX).take_while(|name| repair.choose(&these(&[*name])).is_some());
        assert_eq!(rounds.count(), ROUNDS - 3);
    }
}
