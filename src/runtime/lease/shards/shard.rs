// SPDX-License-Identifier: Apache-2.0

//! A part of the work.

use sha2::{Digest, Sha256};

/// How many shards there are. It never changes: a process of another version would find another shard for a name.
const COUNT: u8 = 16;

/// One of the parts that the work is divided into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Shard(u8);

// === impl Shard ===

impl Shard {
    /// All of them.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..COUNT).map(Self)
    }

    /// The shard of an object.
    pub fn of(namespace: &str, name: &str) -> Self {
        let hash = hash(&[namespace, name]);
        // The remainder fits.
        Self(u8::try_from(hash % u64::from(COUNT)).unwrap_or_default())
    }

    /// The name of its lease, where the one of the gate has this name.
    pub fn lease_name(self, gate: &str) -> String {
        format!("{gate}-shard-{:02}", self.0)
    }

    /// How much a member is preferred for it, by rendezvous hashing.
    pub(super) fn preference(self, member: &str) -> u64 {
        hash(&[member, &self.0.to_string()])
    }
}

/// The same in all processes, of all versions.
fn hash(parts: &[&str]) -> u64 {
    let mut hasher = Sha256::new();
    for part in parts {
        // No name has it in it, so that no two lists of parts are the same bytes.
        hasher.update(part.as_bytes());
        hasher.update([0]);
    }
    let digest = hasher.finalize();
    let first = digest.iter().take(8);
    first.fold(0, |hash, byte| hash << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_never_changes_its_shard() {
        let cases = [
            ("a", "b", "transship-shard-05"),
            ("team", "redis", "transship-shard-09"),
            ("team", "nginx", "transship-shard-14"),
        ];
        for (namespace, name, expected) in cases {
            let lease = Shard::of(namespace, name).lease_name("transship");
            assert_eq!(lease, expected, "{namespace}/{name}");
        }
    }

    #[test]
    fn objects_are_spread_evenly() {
        let mut counts = std::collections::BTreeMap::<Shard, u32>::new();
        for index in 0..16_000 {
            let shard = Shard::of("team", &format!("mirror-{index}"));
            *counts.entry(shard).or_default() += 1;
        }
        assert_eq!(counts.len(), Shard::all().count());
        for (shard, count) in counts {
            assert!((850..1_150).contains(&count), "{shard:?} has {count}");
        }
    }
}
