// SPDX-License-Identifier: Apache-2.0

//! Who else has a tag on record.

use std::cmp::Ordering;

use super::record::{Ownership, Record, Tombstone};
use super::slot::RecordPlace;
use crate::oci::Tag;
use crate::plan::Mirror;
use crate::plan::conflicts::Seniority;
use crate::plan::prune::Claimable;

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
    /// The mirror.
    pub mirror: &'a Seniority,
    /// The image.
    pub source: &'a str,
    /// What it had of the tag before.
    pub ownership: Ownership,
}

/// How a mirror that has a tag on record stands to it by its spec, as that is now.
#[derive(Clone, Debug)]
pub struct Rival {
    /// Its age; nothing where its spec is not known.
    age: Option<Seniority>,
    /// Whether it writes to that registry.
    is_there: bool,
    /// Whether it may ask for the tag.
    may_claim: bool,
}

// === impl Rival ===

impl Rival {
    /// How a mirror stands to a tag. One whose spec is not known, or not valid, wants what it wanted before.
    pub fn of(spec: Option<&Mirror>, (registry, repository): &RecordPlace, tag: &Tag) -> Self {
        Self {
            age: spec.map(Mirror::seniority),
            is_there: spec.is_none_or(|spec| {
                let mut destinations = spec.destinations.iter();
                destinations.any(|it| it.registry.may_be(registry))
            }),
            may_claim: spec.is_none_or(|spec| Claimable::of(spec, registry, repository).has(tag)),
        }
    }

    /// Whether it comes before somebody who has as much of a tag. Of whom it is not known comes first.
    fn is_senior(&self, to: &Seniority) -> bool {
        let age = self.age.as_ref().map(Seniority::age);
        age.is_none_or(|its| its < to.age())
    }
}

/// Whether what another mirror has on record of a tag keeps somebody from writing it. Both decide the same of the same
/// records, and of two that announce a push at once each gives way that sees the other.
pub(super) fn keeps(
    wanting: &Wanting<'_>,
    (other, rival): (&str, &Rival),
    (record, tombstone): (&Record, Option<&Tombstone>),
) -> Option<Contender> {
    let contender = |stand| Contender {
        mirror: other.to_owned(),
        source: record.source.clone(),
        stand,
    };
    let is_deleted = tombstone.is_some_and(|tombstone| tombstone.is_about(record));
    if is_deleted && rival.is_there {
        return Some(contender(Stand::Deletes));
    }
    if !rival.may_claim || record.unwanted.is_some() || record.source == wanting.source {
        return None;
    }
    let (own, its) = (wanting.ownership, record.ownership());
    match own.cmp(&its) {
        Ordering::Greater => None,
        Ordering::Less => Some(contender(Stand::Has)),
        // Neither has it: who comes again finds that the other one has it, or not.
        Ordering::Equal if own == Ownership::Wanted => Some(contender(Stand::Announces)),
        Ordering::Equal => rival
            .is_senior(wanting.mirror)
            .then(|| contender(Stand::Has)),
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

    /// A mirror of this second, with this UID.
    fn aged(created: i64, uid: &str) -> Seniority {
        Seniority {
            created: Timestamp::from_second(created).ok(),
            order: 0,
            uid: Some(uid.to_owned()),
            name: format!("team/{uid}"),
        }
    }

    /// One that may ask for the tag.
    fn rival(age: &Seniority) -> Rival {
        Rival {
            age: Some(age.clone()),
            is_there: true,
            may_claim: true,
        }
    }

    fn tombstone(record: &Record) -> Tombstone {
        Tombstone {
            source: record.source.clone(),
            source_digest: record.source_digest.clone(),
            digest: record.digest.clone(),
            shape: record.shape.clone(),
            registry: "registry.example.com".parse().unwrap(),
            deleted_at: Timestamp::UNIX_EPOCH,
            approved: false,
            cleared: false,
            referrers: Vec::new(),
            shared_with: Vec::new(),
            took: None,
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
            let record = record("b.example/b:1", its);
            keeps(&wanting, ("b", &rival(other)), (&record, None)).is_none()
        };
        let ages = [(aged(1, "b"), aged(2, "a")), (aged(1, "a"), aged(1, "b"))];
        for (older, younger) in &ages {
            for own in [Wanted, Right, Written] {
                for its in [Wanted, Right, Written] {
                    let one = writes(older, own, younger, its);
                    let other = writes(younger, its, older, own);
                    assert!(!(one && other), "{own:?} {its:?}");
                    let nobody = own == Wanted && its == Wanted;
                    assert_eq!(one || other, !nobody, "{own:?} {its:?}");
                    // As much of it: the older one has it, whatever their names are.
                    let is_first = own > its || own == its && !nobody;
                    assert_eq!(one, is_first, "{own:?} {its:?}");
                }
            }
        }
    }

    #[test]
    fn the_same_image_is_no_conflict_and_what_is_about_to_go_is() {
        let own = aged(1, "a");
        let wanting = Wanting {
            mirror: &own,
            source: "a.example/a:1",
            ownership: Ownership::Wanted,
        };
        let same = record("a.example/a:1", Ownership::Written);
        let other = rival(&aged(2, "b"));
        assert_eq!(keeps(&wanting, ("b", &other), (&same, None)), None);
        let tombstone = tombstone(&same);
        let kept = keeps(&wanting, ("b", &other), (&same, Some(&tombstone)));
        assert_eq!(kept.map(|contender| contender.stand), Some(Stand::Deletes));
    }

    #[test]
    fn what_a_spec_does_not_ask_for_bars_nobody() {
        let own = aged(2, "b");
        let wanting = Wanting {
            mirror: &own,
            source: "a.example/a:1",
            ownership: Ownership::Wanted,
        };
        let record = record("b.example/b:1", Ownership::Written);
        let tombstone = tombstone(&record);
        let stands = |is_there, may_claim, tombstone| {
            let rival = Rival {
                age: Some(aged(1, "a")),
                is_there,
                may_claim,
            };
            keeps(&wanting, ("a", &rival), (&record, tombstone)).map(|it| it.stand)
        };
        assert_eq!(stands(true, true, None), Some(Stand::Has));
        assert_eq!(stands(true, false, None), None);
        // What was wanted and is about to go may still go.
        assert_eq!(stands(true, false, Some(&tombstone)), Some(Stand::Deletes));
        assert_eq!(stands(false, false, Some(&tombstone)), None);
    }
}
