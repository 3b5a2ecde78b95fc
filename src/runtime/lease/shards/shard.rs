// SPDX-License-Identifier: Apache-2.0

//! The parts of the work.

use std::fmt;
use std::num::NonZeroU8;

/// How many shards there are: the same for all members, which the joint lease sees to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Division(NonZeroU8);

/// One of the parts that the work is divided into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Shard(u8);

// === impl Division ===

impl Division {
    /// So many shards.
    pub fn of(count: NonZeroU8) -> Self {
        Self(count)
    }

    /// All of them.
    pub fn shards(self) -> impl Iterator<Item = Shard> {
        (0..self.0.get()).map(Shard)
    }

    /// The shard of an object.
    pub fn shard_of(self, namespace: &str, name: &str) -> Shard {
        let hash = hash(&[namespace.as_bytes(), name.as_bytes()]);
        // The remainder fits.
        Shard(u8::try_from(hash % u64::from(self.0.get())).unwrap_or_default())
    }

    /// The first one, with which everything goes that is done once for all of them.
    pub fn first(self) -> Shard {
        Shard(0)
    }

    /// The shard whose lease has this name, where the one of the joint lease has that one.
    pub(super) fn shard_with(self, name: &str, joint: &str) -> Option<Shard> {
        let mut shards = self.shards();
        shards.find(|shard| shard.lease_name(joint) == name)
    }

    /// How many there are.
    pub fn count(self) -> usize {
        usize::from(self.0.get())
    }
}

impl fmt::Display for Division {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} shards", self.0)
    }
}

// === impl Shard ===

impl Shard {
    /// The name of its lease, where the one of the joint lease has this name.
    pub fn lease_name(self, joint: &str) -> String {
        format!("{joint}-shard-{self}")
    }

    /// How much a member is preferred for it, by rendezvous hashing.
    pub(super) fn preference(self, member: &str) -> u64 {
        hash(&[member.as_bytes(), &[self.0]])
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// The same in all processes, of all versions: FNV-1a, with the last step of `SplitMix64` so that names that differ
/// in their last character only are spread, too. Who names an object badly has a busy shard, and harms nobody else.
fn hash(parts: &[&[u8]]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for part in parts {
        // No name has a zero in it, so that no two lists of parts are the same bytes.
        for byte in part.iter().chain(&[0]) {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn divided(count: u8) -> Division {
        Division::of(NonZeroU8::new(count).unwrap())
    }

    #[test]
    fn an_object_never_changes_its_shard() {
        let cases = [
            ("a", "b", "transship-shard-9"),
            ("team", "redis", "transship-shard-12"),
            ("team", "nginx", "transship-shard-1"),
        ];
        for (namespace, name, expected) in cases {
            let lease = divided(16)
                .shard_of(namespace, name)
                .lease_name("transship");
            assert_eq!(lease, expected, "{namespace}/{name}");
        }
    }

    #[test]
    fn objects_are_spread_evenly() {
        for count in [1, 3, 16, 64] {
            let division = divided(count);
            let mut counts = BTreeMap::<Shard, u32>::new();
            for index in 0..u32::from(count) * 1_000 {
                let shard = division.shard_of("team", &format!("mirror-{index}"));
                *counts.entry(shard).or_default() += 1;
            }
            assert_eq!(counts.len(), division.count());
            for (shard, found) in counts {
                assert!(
                    (850..1_150).contains(&found),
                    "{shard} of {division} has {found}"
                );
            }
        }
    }
}
