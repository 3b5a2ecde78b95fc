// SPDX-License-Identifier: Apache-2.0

//! Cells made shorter, so that what differs between them is still seen.

use std::collections::{BTreeMap, BTreeSet};

/// What stands for the part of a text that was left out.
const ELLIPSIS: char = '…';

/// Shortens the cells of a column to so many characters. Texts of which the middle is left out, and which then would
/// look the same, show where they differ in its place.
pub(super) fn shorten_all<'a>(cells: impl Iterator<Item = &'a mut String>, most: usize) {
    let mut long: Vec<&mut String> = cells.filter(|cell| length(cell) > most).collect();
    let mut alike: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for cell in &long {
        let texts = alike.entry(without_middle(cell, most)).or_default();
        texts.insert((*cell).clone());
    }
    let mut shortened: BTreeMap<String, String> = BTreeMap::new();
    for (short, texts) in alike {
        let ends = Ends::of(&texts);
        for text in texts {
            let short = match &ends {
                Some(ends) => ends.shorten(&text, most),
                None => short.clone(),
            };
            shortened.insert(text, short);
        }
    }
    for cell in &mut long {
        if let Some(short) = shortened.get(cell.as_str()) {
            (*cell).clone_from(short);
        }
    }
}

/// A text without its end.
pub(super) fn without_end(text: &str, most: usize) -> String {
    let kept = text.chars().take(most.saturating_sub(1));
    kept.chain([ELLIPSIS]).collect()
}

/// A text without its middle.
fn without_middle(text: &str, most: usize) -> String {
    let kept = most.saturating_sub(1);
    let tail = kept / 2;
    let skipped = length(text).saturating_sub(tail);
    let head = text.chars().take(kept - tail);
    head.chain([ELLIPSIS])
        .chain(text.chars().skip(skipped))
        .collect()
}

/// How many characters different texts have in common at their ends.
struct Ends {
    front: usize,
    back: usize,
}

// === impl Ends ===

impl Ends {
    /// Those of several texts.
    fn of(texts: &BTreeSet<String>) -> Option<Self> {
        let mut others = texts.iter();
        let first = others.next()?;
        let shortest = texts.iter().map(|text| length(text)).min()?;
        let mut ends: Option<Self> = None;
        for other in others {
            let front = common(first.chars(), other.chars());
            let back = common(first.chars().rev(), other.chars().rev());
            ends = Some(ends.map_or(Self { front, back }, |ends| Self {
                front: front.min(ends.front),
                back: back.min(ends.back),
            }));
        }
        // What both ends claim belongs to the front.
        ends.map(|Self { front, back }| Self {
            front,
            back: back.min(shortest.saturating_sub(front)),
        })
    }

    /// The front, what differs, and the back, with what is left out between them.
    fn shorten(&self, text: &str, most: usize) -> String {
        let differing = length(text).saturating_sub(self.front + self.back);
        // Room for both ellipses.
        let Some(rest) = most.checked_sub(differing + 2) else {
            let inner: String = text.chars().skip(self.front).take(differing).collect();
            let room = most.saturating_sub(1);
            let inner = if length(&inner) > room {
                without_middle(&inner, room)
            } else {
                inner
            };
            return [ELLIPSIS].into_iter().chain(inner.chars()).collect();
        };
        let front = self.front.min(rest / 2);
        let back = self.back.min(rest - front);
        let front = self.front.min(rest - back);
        let chars = || text.chars();
        let mut short: String = chars().take(front).collect();
        if front < self.front {
            short.push(ELLIPSIS);
        }
        short.extend(chars().skip(self.front).take(differing));
        if back < self.back {
            short.push(ELLIPSIS);
        }
        short.extend(chars().skip(length(text).saturating_sub(back)));
        short
    }
}

/// How many characters a text has.
pub(super) fn length(text: &str) -> usize {
    text.chars().count()
}

fn common(one: impl Iterator<Item = char>, other: impl Iterator<Item = char>) -> usize {
    one.zip(other)
        .take_while(|(one, other)| one == other)
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shortened(texts: &[&str], most: usize) -> Vec<String> {
        let mut cells: Vec<String> = texts.iter().map(ToString::to_string).collect();
        shorten_all(cells.iter_mut(), most);
        for cell in &cells {
            assert!(length(cell) <= most, "{cell}");
        }
        cells
    }

    #[test]
    fn what_differs_in_the_middle_is_seen() {
        let orders = "registry.example.com/platform/orders/service:1.27.3-alpine";
        let refund = "registry.example.com/platform/refund/service:1.27.3-alpine";
        assert_eq!(
            shortened(&[orders, refund, "a:1"], 30),
            [
                "registry.ex…orders…27.3-alpine",
                "registry.ex…refund…27.3-alpine",
                "a:1"
            ]
        );
        // One alone loses its middle.
        assert_eq!(
            shortened(&[orders, orders], 30)[0],
            "registry.exampl…:1.27.3-alpine"
        );
    }

    #[test]
    fn so_is_what_differs_beside_an_end() {
        let most = 24;
        let cases = [
            [
                "a.test/team/one/application:1",
                "a.test/team/two/application:1",
            ],
            [
                "one.registry.test/team/application:1",
                "two.registry.test/team/application:1",
            ],
            [
                "registry.test/team/application:1.0-one",
                "registry.test/team/application:1.0-two",
            ],
            [
                "registry.test/aa/application:1.0",
                "registry.test/aaa/application:1.0",
            ],
        ];
        for texts in cases {
            let cells = shortened(&texts, most);
            assert_ne!(cells[0], cells[1], "{texts:?}");
        }
    }

    #[test]
    fn more_may_differ_than_there_is_room_for() {
        let long = |letter: &str| format!("registry.test/{}/application:1.0", letter.repeat(40));
        let cells = shortened(&[&long("a"), &long("b")], 20);
        assert_eq!(cells, ["…aaaaaaaaa…aaaaaaaaa", "…bbbbbbbbb…bbbbbbbbb"]);
    }
}
