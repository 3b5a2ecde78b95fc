// SPDX-License-Identifier: Apache-2.0

//! What globs are made of, and whether a text is one of those that they stand for: in time linear to both, and in the
//! room of what is written. Thousands of mirrors have globs, and read them anew for each round.

/// Longest glob, in bytes.
pub const GLOB_LENGTH: usize = 128;

/// A step of a glob through a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wildcard {
    /// This character.
    Literal(char),
    /// Any one character.
    AnyOne,
    /// One of some characters, or one that is none of them.
    Set {
        /// The first and the last of each range.
        ranges: Box<[(char, char)]>,
        /// Whether it is one that is in none of them.
        is_negated: bool,
    },
    /// Any characters, also none, none of which is a slash.
    WithinComponent,
    /// Any characters, also none.
    Anything,
    /// Whole components with the slash behind them, or none. [`Wildcard::InComponents`] comes next.
    Components,
    /// More of them.
    InComponents,
}

/// The steps of a glob: at most one for each character.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wildcards(pub(super) Box<[Wildcard]>);

/// Whether upper and lower case are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Case {
    /// They are.
    Told,
    /// They are not.
    Folded,
}

/// The steps before which a text may stand.
struct Places {
    at: [bool; GLOB_LENGTH + 1],
    /// There is none: what comes changes nothing.
    is_empty: bool,
}

// === impl Wildcards ===

impl Wildcards {
    /// Whether the whole text is one of those that the glob stands for.
    pub(super) fn match_whole(&self, text: &str, case: Case) -> bool {
        let end = self.0.len();
        let mut places = Places::none();
        self.enter(0, &mut places);
        for character in text.chars() {
            if places.is_empty {
                return false;
            }
            let mut next = Places::none();
            for (place, step) in self.0.iter().enumerate() {
                if !places.has(place) {
                    continue;
                }
                let is_slash = character == '/';
                match step {
                    Wildcard::Literal(literal) if case.is_same(*literal, character) => {
                        self.enter(place + 1, &mut next);
                    }
                    Wildcard::AnyOne => self.enter(place + 1, &mut next),
                    Wildcard::Set { ranges, is_negated }
                        if case.is_among(character, ranges) != *is_negated =>
                    {
                        self.enter(place + 1, &mut next);
                    }
                    Wildcard::WithinComponent if !is_slash => self.enter(place, &mut next),
                    Wildcard::Anything => self.enter(place, &mut next),
                    // It begins with a character, also where that is a slash.
                    Wildcard::Components => next.add(place + 1),
                    Wildcard::InComponents => {
                        next.add(place);
                        if is_slash {
                            self.enter(place + 1, &mut next);
                        }
                    }
                    Wildcard::Literal(_) | Wildcard::Set { .. } | Wildcard::WithinComponent => {}
                }
            }
            places = next;
        }
        places.has(end)
    }

    /// Comes before a step, and past those that may stand for nothing.
    fn enter(&self, place: usize, places: &mut Places) {
        let mut place = place;
        loop {
            if places.has(place) {
                return;
            }
            places.add(place);
            place += match self.0.get(place) {
                Some(Wildcard::WithinComponent | Wildcard::Anything) => 1,
                Some(Wildcard::Components) => 2,
                Some(
                    Wildcard::Literal(_)
                    | Wildcard::AnyOne
                    | Wildcard::Set { .. }
                    | Wildcard::InComponents,
                )
                | None => return,
            };
        }
    }
}

// === impl Case ===

impl Case {
    fn is_same(self, one: char, other: char) -> bool {
        match self {
            Self::Told => one == other,
            Self::Folded => one.eq_ignore_ascii_case(&other),
        }
    }

    fn is_among(self, character: char, ranges: &[(char, char)]) -> bool {
        let forms = match self {
            Self::Told => [character, character],
            Self::Folded => [
                character.to_ascii_lowercase(),
                character.to_ascii_uppercase(),
            ],
        };
        let mut ranges = ranges.iter();
        ranges.any(|(from, to)| forms.iter().any(|form| (from..=to).contains(&form)))
    }
}

// === impl Places ===

impl Places {
    fn none() -> Self {
        Self {
            at: [false; GLOB_LENGTH + 1],
            is_empty: true,
        }
    }

    fn has(&self, place: usize) -> bool {
        self.at.get(place) == Some(&true)
    }

    fn add(&mut self, place: usize) {
        if let Some(at) = self.at.get_mut(place) {
            *at = true;
            self.is_empty = false;
        }
    }
}
