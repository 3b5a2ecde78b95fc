// SPDX-License-Identifier: Apache-2.0

//! What is given again to a destination that misses something of an image.
//!
//! Exactly what it names, where it names it: everything else is there. Where it names nothing, all of it
//! is looked for afresh, once. What is named again although it was found there is sent, once.

use std::collections::HashSet;

use crate::oci::Digest;

/// How often something that was named is given again: a registry may name one thing at a time.
const ROUNDS: usize = 8;

/// Some of the blobs and manifests of an image.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Parts {
    /// All of them.
    All,
    /// These: what is not there is sent.
    These(HashSet<Digest>),
    /// These are sent, there or not: the registry shows them and does not accept what names them.
    Afresh(HashSet<Digest>),
}

/// What was given again so far.
#[derive(Debug, Default)]
pub(super) struct Repair {
    named: HashSet<Digest>,
    afresh: HashSet<Digest>,
    rounds: usize,
    is_all: bool,
}

// === impl Parts ===

impl Parts {
    pub(super) fn contain(&self, digest: &Digest) -> bool {
        match self {
            Self::All => true,
            Self::These(digests) | Self::Afresh(digests) => digests.contains(digest),
        }
    }

    /// Whether they are sent without a look.
    pub(super) fn is_afresh(&self) -> bool {
        matches!(self, Self::Afresh(_))
    }
}

// === impl Repair ===

impl Repair {
    /// What is to be given again to a destination that names this as missing, of what is `known` of the image; nothing where that cannot
    /// help.
    pub(super) fn next(&mut self, known: &HashSet<&Digest>, missing: &[Digest]) -> Option<Parts> {
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
        if self.rounds >= ROUNDS {
            return None;
        }
        self.rounds += 1;
        let fresh: HashSet<Digest> = named.difference(&self.named).cloned().collect();
        if !fresh.is_empty() {
            self.named.extend(fresh.iter().cloned());
            return Some(Parts::These(fresh));
        }
        let again: HashSet<Digest> = named.difference(&self.afresh).cloned().collect();
        self.afresh.extend(again.iter().cloned());
        (!again.is_empty()).then_some(Parts::Afresh(again))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn these(names: &[u8]) -> HashSet<Digest> {
        names.iter().map(|name| Digest::sha256(&[*name])).collect()
    }

    #[test]
    fn what_is_named_is_looked_for_once_and_sent_once_and_all_of_it_looked_for_once_where_nothing_is()
     {
        let mut repair = Repair::default();
        let cases = [
            (these(&[1, 2]), Some(Parts::These(these(&[1, 2])))),
            (these(&[2, 3]), Some(Parts::These(these(&[3])))),
            (these(&[1, 3]), Some(Parts::Afresh(these(&[1, 3])))),
            (these(&[1, 2]), Some(Parts::Afresh(these(&[2])))),
            (these(&[1, 2, 3]), None),
            (these(&[]), Some(Parts::All)),
            (these(&[]), None),
            (these(&[4]), Some(Parts::These(these(&[4])))),
        ];
        for (named, expected) in cases {
            assert_eq!(repair.choose(&named), expected, "{named:?}");
        }
        let rounds = (5..=u8::MAX).take_while(|name| repair.choose(&these(&[*name])).is_some());
        assert_eq!(rounds.count(), ROUNDS - 6);
    }
}
