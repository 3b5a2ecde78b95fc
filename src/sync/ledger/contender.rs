// SPDX-License-Identifier: Apache-2.0

//! Who else has a tag on record.

use std::cmp::Ordering;

use super::record::{Ownership, Record, Tombstone};

/// A mirror of another process that has a tag on record, or is about to delete it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contender {
    /// The mirror, `namespace/name`.
    pub mirror: String,
    /// The image that it has there.
    pub source: String,
    /// How it stands to the tag.
    pub stand: Stand,
}

/// How a mirror of another process stands to a tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stand {
    /// It has it.
    Has,
    /// It has announced a push, as whoever asks has: which of them comes first is open.
    Announces,
    /// It has begun to delete it.
    Deletes,
}

/// Somebody who wants a tag.
#[derive(Clone, Copy, Debug)]
pub struct Wanting<'a> {
    /// The mirror, `namespace/name`.
    pub mirror: &'a str,
    /// The image.
    pub source: &'a str,
    /// What it had of the tag before.
    pub ownership: Ownership,
}

/// Whether what another mirror has on record of a tag keeps somebody from writing it. Both decide the same of the same
/// records, and of two that announce a push at once each gives way that sees the other.
pub(super) fn keeps(
    wanting: &Wanting<'_>,
    (other, record, tombstone): (&str, &Record, Option<&Tombstone>),
) -> Option<Contender> {
    let contender = |stand| Contender {
        mirror: other.to_owned(),
        source: record.source.clone(),
        stand,
    };
    if tombstone.is_some_and(|tombstone| tombstone.is_about(record)) {
        return Some(contender(Stand::Deletes));
    }
    if record.unwanted.is_some() || record.source == wanting.source {
        return None;
    }
    let (own, its) = (wanting.ownership, record.ownership());
    match own.cmp(&its) {
        Ordering::Greater => None,
        Ordering::Less => Some(contender(Stand::Has)),
        // Neither has it: who comes again finds that the other one has it, or not.
        Ordering::Equal if own == Ownership::Wanted => Some(contender(Stand::Announces)),
        Ordering::Equal => (other < wanting.mirror).then(|| contender(Stand::Has)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oci::Digest;
    use jiff::Timestamp;

    fn record(source: &str, ownership: Ownership) -> Record {
        Record {
            source: source.to_owned(),
            source_digest: Digest::sha256(b"source"),
            digest: Digest::sha256(b"destination"),
            shape: "all platforms".to_owned(),
            first_seen: Timestamp::UNIX_EPOCH,
            copied_at: (ownership != Ownership::Wanted).then_some(Timestamp::UNIX_EPOCH),
            adopted: ownership == Ownership::Right,
            refused: false,
            registry: None,
            unwanted: None,
            verified: None,
            referrers: None,
            checked_at: None,
            own_referrers: Vec::new(),
        }
    }

    #[test]
    fn never_both_of_two_mirrors_write_what_both_have_announced() {
        use Ownership::{Right, Wanted, Written};
        let writes = |mirror, own, other, its| {
            let wanting = Wanting {
                mirror,
                source: "a.example/a:1",
                ownership: own,
            };
            keeps(&wanting, (other, &record("b.example/b:1", its), None)).is_none()
        };
        for own in [Wanted, Right, Written] {
            for its in [Wanted, Right, Written] {
                let (one, other) = (writes("a", own, "b", its), writes("b", its, "a", own));
                assert!(!(one && other), "{own:?} {its:?}");
                let nobody = own == Wanted && its == Wanted;
                assert_eq!(one || other, !nobody, "{own:?} {its:?}");
                assert_eq!(one && own != its, own > its, "{own:?} {its:?}");
            }
        }
    }

    #[test]
    fn the_same_image_is_no_conflict_and_what_is_about_to_go_is() {
        let wanting = Wanting {
            mirror: "a",
            source: "a.example/a:1",
            ownership: Ownership::Wanted,
        };
        let same = record("a.example/a:1", Ownership::Written);
        assert_eq!(keeps(&wanting, ("b", &same, None)), None);
        let tombstone = Tombstone {
            source: same.source.clone(),
            source_digest: same.source_digest.clone(),
            digest: same.digest.clone(),
            shape: same.shape.clone(),
            registry: "registry.example.com".parse().unwrap(),
            deleted_at: Timestamp::UNIX_EPOCH,
            approved: false,
            cleared: false,
            referrers: Vec::new(),
            shared_with: Vec::new(),
            took: None,
        };
        let kept = keeps(&wanting, ("b", &same, Some(&tombstone)));
        assert_eq!(kept.map(|contender| contender.stand), Some(Stand::Deletes));
    }
}
