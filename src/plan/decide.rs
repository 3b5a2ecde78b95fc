// SPDX-License-Identifier: Apache-2.0

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
    /// Whether other parts of the image were wanted then: the same digest may stand for less.
    pub is_reshaped: bool,
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
        is_reshaped,
    } = observation;
    match current {
        None => return Decision::Copy,
        Some(current) if current == expected && !is_reshaped => return Decision::Unchanged,
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

    /// The digest that a letter stands for; `-` is none.
    fn digest(letter: &str) -> Option<Digest> {
        (letter != "-").then(|| Digest::sha256(letter.as_bytes()))
    }

    #[test]
    fn digests_decide() {
        use Decision::{Copy, Move, Refuse, Unchanged};
        use TagMutability::{Fail, Follow, Freeze};
        // Letters: source, expected, current, recorded.
        let cases = [
            ("new at the destination", "a a - -", Follow, Copy),
            ("new, though moving is forbidden", "a a - -", Fail, Copy),
            ("removed at the destination", "a a - a", Follow, Copy),
            ("the same without a record", "a a a -", Follow, Unchanged),
            ("the same with a record", "a a a a", Follow, Unchanged),
            ("a reduced index, as expected", "a b b -", Freeze, Unchanged),
            ("other platforms than before", "a b c a", Freeze, Copy),
            ("overwritten by somebody", "a a c a", Follow, Copy),
            ("overwritten, moving forbidden", "a a c a", Fail, Copy),
            ("moved at the source", "b b a a", Follow, Move),
            ("moved without a record", "b b a -", Follow, Move),
            ("moved, frozen", "b b a a", Freeze, Decision::Freeze),
            ("moved, refused", "b b a a", Fail, Refuse),
        ];
        for (name, letters, mutability, decision) in cases {
            let digests: Vec<Option<Digest>> = letters.split(' ').map(digest).collect();
            let [Some(source), Some(expected), current, recorded] = digests.as_slice() else {
                panic!("{name}: four letters");
            };
            let (current, recorded) = (current.as_ref(), recorded.as_ref());
            let observation = Observation {
                source,
                expected,
                current,
                recorded,
                is_reshaped: false,
            };
            assert_eq!(decide(observation, mutability), decision, "{name}");
        }
    }
}
