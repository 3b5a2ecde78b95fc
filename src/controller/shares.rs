// SPDX-License-Identifier: Apache-2.0

//! Places of the process that namespaces share: one that has fewer than others always finds one, and nobody can take
//! all of them by writing many objects.

use std::collections::BTreeMap;

/// How many places there are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shares {
    /// For all namespaces.
    pub(super) most: usize,
    /// For one.
    pub(super) most_of_namespace: usize,
}

/// Whether there is a place for one more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Room {
    /// There is.
    Free,
    /// There is as soon as one of this namespace, which has more than others, gives up its own.
    InPlaceOf(String),
    /// There is not.
    None,
}

// === impl Shares ===

impl Shares {
    /// Whether there is a place for one more of a namespace, among those whose namespaces these are. Nothing moves back
    /// and forth: whoever gives up a place has no fewer than the others after it, so that it takes none from them.
    pub(super) fn room<'a>(self, namespace: &str, taken: impl Iterator<Item = &'a str>) -> Room {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for namespace in taken {
            *counts.entry(namespace).or_default() += 1;
        }
        let own = counts.get(namespace).copied().unwrap_or_default();
        if own >= self.most_of_namespace {
            return Room::None;
        }
        if counts.values().sum::<usize>() < self.most {
            return Room::Free;
        }
        let largest = counts.iter().max_by_key(|(_, count)| **count);
        match largest {
            Some((largest, count)) if *count > own + 1 => Room::InPlaceOf((*largest).to_owned()),
            Some(_) | None => Room::None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_finds_a_place() {
        let shares = Shares {
            most: 6,
            most_of_namespace: 3,
        };
        let instead = |namespace: &str| Room::InPlaceOf(namespace.to_owned());
        for (taken, namespace, expected) in [
            ("", "a", Room::Free),
            ("aa", "a", Room::Free),
            ("aaa", "a", Room::None),
            ("aaa", "b", Room::Free),
            ("aaabbb", "c", instead("b")),
            ("aaabbc", "c", instead("a")),
            ("aabbcc", "c", Room::None),
            ("aabbcc", "d", instead("c")),
            ("aabbcd", "d", Room::None),
            ("abcdef", "g", Room::None),
        ] {
            let taken = taken.split("").filter(|namespace| !namespace.is_empty());
            assert_eq!(shares.room(namespace, taken), expected, "{namespace}");
        }
    }
}
