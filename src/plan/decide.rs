//! What is to be done about one tag at one destination.

use crate::api::TagMutability;
use crate::oci::Digest;

/// What is known of a tag at the source and at a destination.
#[derive(Clone, Copy, Debug)]
pub struct Observation<'a> {
    /// What the tag names at the source.
    pub source: &'a Digest,
    /// What it should name at the destination: another digest where an index is reduced.
    pub expected: &'a Digest,
    /// What the tag names at the destination.
    pub current: Option<&'a Digest>,
    /// The digest that the source tag had when the last round wrote it.
    pub recorded: Option<&'a Digest>,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Nothing: the destination has it.
    Unchanged,
    /// Copy it: the tag is new there, or somebody changed or removed what was written.
    Copy,
    /// Copy it over what the tag names now, because the source tag moved.
    Move,
    /// Leave the tag where it is, although the source tag moved.
    Freeze,
    /// Report that the source tag moved.
    Refuse,
}

/// Decides by digests alone.
pub fn decide(observation: Observation<'_>, mutability: TagMutability) -> Decision {
    let Observation {
        source,
        expected,
        current,
        recorded,
    } = observation;
    match current {
        None => return Decision::Copy,
        Some(current) if current == expected => return Decision::Unchanged,
        Some(_) => {}
    }
    if recorded == Some(source) {
        // The source did not move, the destination did: what was written is restored.
        return Decision::Copy;
    }
    match mutability {
        TagMutability::Follow => Decision::Move,
        TagMutability::Freeze => Decision::Freeze,
        TagMutability::Fail => Decision::Refuse,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_decide() {
        use Decision::{Copy, Move, Refuse, Unchanged};
        use TagMutability::{Fail, Follow, Freeze};
        let (a, b, c) = (
            &Digest::sha256(b"a"),
            &Digest::sha256(b"b"),
            &Digest::sha256(b"c"),
        );
        let cases = [
            ("new at the destination", a, a, None, None, Follow, Copy),
            (
                "new there, even where moving is forbidden",
                a,
                a,
                None,
                None,
                Fail,
                Copy,
            ),
            (
                "removed at the destination",
                a,
                a,
                None,
                Some(a),
                Follow,
                Copy,
            ),
            (
                "the same without a record",
                a,
                a,
                Some(a),
                None,
                Follow,
                Unchanged,
            ),
            (
                "the same with a record",
                a,
                a,
                Some(a),
                Some(a),
                Follow,
                Unchanged,
            ),
            (
                "a reduced index, as expected",
                a,
                b,
                Some(b),
                None,
                Freeze,
                Unchanged,
            ),
            (
                "a reduced index, of other platforms",
                a,
                b,
                Some(c),
                Some(a),
                Freeze,
                Copy,
            ),
            (
                "overwritten by somebody else",
                a,
                a,
                Some(c),
                Some(a),
                Follow,
                Copy,
            ),
            (
                "overwritten, even where moving is forbidden",
                a,
                a,
                Some(c),
                Some(a),
                Fail,
                Copy,
            ),
            ("moved at the source", b, b, Some(a), Some(a), Follow, Move),
            ("moved without a record", b, b, Some(a), None, Follow, Move),
            (
                "moved, frozen",
                b,
                b,
                Some(a),
                Some(a),
                Freeze,
                Decision::Freeze,
            ),
            ("moved, refused", b, b, Some(a), Some(a), Fail, Refuse),
        ];
        for (name, source, expected, current, recorded, mutability, decision) in cases {
            let observation = Observation {
                source,
                expected,
                current,
                recorded,
            };
            assert_eq!(decide(observation, mutability), decision, "{name}");
        }
    }
}
