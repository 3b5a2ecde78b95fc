// SPDX-License-Identifier: Apache-2.0

//! How a list of names goes on where the registry names no next page. Pure.
//!
//! "A Link header MAY be included" (distribution specification, listing tags), and registries that
//! leave it out cut their lists without a word: Nexus (sonatype/nexus-public#209), ggcr's own
//! (`crane registry serve`, 2026-11). So a page that may not be the last is asked on:
//!
//! - `last` with the last name of the page, where the page has as many names as were asked for, as many
//!   as the largest page of the list, or a number at which registries cut of their own accord;
//!   Neither of the latter where the registry is known to name next pages, as distribution and its kin do;
//! - a larger `n`, where `last` is refused, or ignored so that known names come again, or cannot be
//!   relied on because a page is not sorted.
//!
//! Some begin a page with `last` itself, which is known then, and go on behind it.
//!
//! A page with nothing new on it is the end, unless it is as full as was asked for: some registries
//! begin again behind the last name. A list that goes on, but not for us, is an error and never cut.

/// The longest name behind which a list is asked on, in bytes.
const LONGEST_NAME: usize = 1_024;

/// What to ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ask {
    /// So many names; as many as the registry likes where it does not want to be told.
    pub(super) size: Option<u32>,
    /// Those behind this one.
    pub(super) last: Option<String>,
}

/// A page without a next one.
#[derive(Clone, Debug)]
pub(super) struct Page {
    /// Names on it, of whatever form.
    pub(super) listed: usize,
    /// Names on it that no page before had.
    pub(super) fresh: usize,
    /// Whether each name stands behind the one before it.
    pub(super) is_sorted: bool,
    /// The last name.
    pub(super) last: Option<String>,
}

/// What comes after a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// That was all.
    End,
    /// Another page.
    Ask(Ask),
    /// There is more, and the registry does not say what.
    Cut,
}

/// How a list is asked on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Means {
    /// Not yet, or as the registry says.
    Given,
    /// By `last`.
    Last,
    /// By a larger `n`.
    Size,
}

/// Whether a registry names the next page where there is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum NamesNext {
    Unknown,
    /// It is known to do so behind pages that are shorter than was asked for.
    OfShortPages,
    /// It did so in this list.
    Always,
}

/// The way through a list.
#[derive(Debug)]
pub(super) struct Onward {
    /// How the page that is awaited was asked for.
    means: Means,
    /// How many names the page that is awaited was asked to have.
    size: Option<u32>,
    /// The size that was asked for first.
    first_size: Option<u32>,
    /// One more than that, until it has been tried.
    raised: Option<u32>,
    /// The name behind which the list goes on.
    last: Option<String>,
    /// Whether the page before the one that is awaited had as many names as were asked for.
    was_full: bool,
    /// The most names of a page without a next one.
    largest: usize,
    /// Whether the registry names the next page where there is one.
    names_next: NamesNext,
    /// Names on the page that came last.
    listed: usize,
    /// Whether the names of every page so far are sorted.
    is_sorted: bool,
}

impl Onward {
    /// A list whose first page is asked to have so many names.
    pub(super) fn new(size: Option<u32>) -> Self {
        Self {
            means: Means::Given,
            size,
            first_size: size,
            raised: size.map(|size| size.saturating_add(1)),
            last: None,
            was_full: false,
            largest: 0,
            names_next: NamesNext::Unknown,
            listed: 0,
            is_sorted: true,
        }
    }

    /// The registry names the next page.
    pub(super) fn linked(&mut self) {
        self.means = Means::Given;
        self.names_next = NamesNext::Always;
    }

    /// The registry is one that names the next page where a page is shorter than was asked for.
    pub(super) fn names_next(&mut self) {
        self.names_next = self.names_next.max(NamesNext::OfShortPages);
    }

    /// Whether the page that is awaited was asked for without a word of the registry.
    pub(super) fn is_guess(&self) -> bool {
        self.means != Means::Given
    }

    /// A page came, and no next one with it.
    pub(super) fn came(&mut self, page: Page) -> Next {
        let Page {
            listed,
            fresh,
            is_sorted,
            last,
        } = page;
        let is_full = self.size.is_some_and(|size| listed == size as usize);
        let may_be_cut = match self.largest {
            _ if self.names_next == NamesNext::Always => false,
            _ if is_full => true,
            _ if self.names_next == NamesNext::OfShortPages => false,
            0 => is_round(listed),
            largest => listed >= largest,
        };
        let is_stale = fresh < listed;
        // `last` is the first name of the page, and all behind it are new.
        let is_inclusive = fresh > 1 && listed == fresh + 1 && self.is_sorted && is_sorted;
        let is_the_same = listed == self.listed;
        self.largest = self.largest.max(listed);
        self.listed = listed;
        self.was_full = is_full;
        self.is_sorted &= is_sorted;
        match self.means {
            // `last` is ignored, or means something else in a list that is not sorted.
            Means::Last
                if is_stale && !is_inclusive && (is_full || !self.is_sorted && !is_the_same) =>
            {
                self.by_size()
            }
            Means::Last if is_stale && !is_inclusive => Next::End,
            Means::Size if is_full => self.by_size(),
            Means::Given | Means::Last if may_be_cut && listed > 0 => {
                self.last = last.filter(|name| name.len() <= LONGEST_NAME);
                self.by_last()
            }
            // What stands behind a name is not sure to be the rest.
            Means::Last if !self.is_sorted => self.by_size(),
            Means::Given | Means::Last | Means::Size => Next::End,
        }
    }

    /// The registry does not give the page.
    pub(super) fn refused(&mut self) -> Next {
        match self.means {
            // It may be the size, and not the name.
            Means::Last if self.size != self.first_size => {
                self.size = self.first_size;
                self.by_last()
            }
            Means::Last if self.was_full => self.by_size(),
            Means::Size if self.was_full => Next::Cut,
            Means::Given | Means::Last | Means::Size => Next::End,
        }
    }

    fn by_last(&mut self) -> Next {
        let Some(last) = self.last.clone() else {
            return self.by_size();
        };
        // One more than at first: whoever ignores `last` answers with a name more than before, unless there
        // is none.
        if self.was_full
            && let Some(raised) = self.raised.take()
        {
            self.size = Some(raised);
        }
        self.means = Means::Last;
        Next::Ask(Ask {
            size: self.size,
            last: Some(last),
        })
    }

    fn by_size(&mut self) -> Next {
        let Some(size) = self.size else {
            return Next::End;
        };
        let size = size.saturating_mul(2);
        self.size = Some(size);
        self.means = Means::Size;
        Next::Ask(Ask {
            size: Some(size),
            last: None,
        })
    }
}

/// Whether registries are known to end a page at such a number of names, whatever they are asked for.
fn is_round(listed: usize) -> bool {
    listed >= 50 && (listed.is_multiple_of(50) || listed.is_power_of_two())
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    /// What a registry answers to a size and a name; nothing where it refuses.
    type Server =
        fn(names: &[String], size: Option<u32>, last: Option<&str>) -> Option<Vec<String>>;

    fn names(count: usize) -> Vec<String> {
        (0..count).map(|number| format!("t{number:05}")).collect()
    }

    fn behind(names: &[String], last: Option<&str>) -> Vec<String> {
        let is_behind = |name: &&String| last.is_none_or(|last| name.as_str() > last);
        names.iter().filter(is_behind).cloned().collect()
    }

    fn cut(mut names: Vec<String>, size: u32) -> Vec<String> {
        names.truncate(size as usize);
        names
    }

    #[expect(
        clippy::unnecessary_wraps,
        reason = "one of the servers: others refuse"
    )]
    fn honest(names: &[String], size: Option<u32>, last: Option<&str>) -> Option<Vec<String>> {
        Some(cut(behind(names, last), size.unwrap_or(u32::MAX)))
    }

    /// Takes `last` for the first name of a page.
    #[expect(
        clippy::unnecessary_wraps,
        reason = "one of the servers: others refuse"
    )]
    fn from(names: &[String], size: Option<u32>, last: Option<&str>) -> Option<Vec<String>> {
        let is_wanted = |name: &&String| last.is_none_or(|last| name.as_str() >= last);
        let rest = names.iter().filter(is_wanted).cloned().collect();
        Some(cut(rest, size.unwrap_or(u32::MAX)))
    }

    /// Reads a list as if no page named the next one: how many names were found in how many requests;
    /// nothing where it is known to be cut.
    fn walk(server: Server, names: &[String]) -> Option<(usize, usize)> {
        let mut onward = Onward::new(Some(1_000));
        let mut known = HashSet::new();
        let mut ask = Ask {
            size: Some(1_000),
            last: None,
        };
        for requests in 1..100 {
            let next = match server(names, ask.size, ask.last.as_deref()) {
                None => onward.refused(),
                Some(page) => {
                    let listed = page.len();
                    let fresh = page.iter().filter(|name| known.insert((*name).clone()));
                    onward.came(Page {
                        listed,
                        fresh: fresh.count(),
                        is_sorted: page.is_sorted(),
                        last: page.last().cloned(),
                    })
                }
            };
            match next {
                Next::End => return Some((known.len(), requests)),
                Next::Cut => return None,
                Next::Ask(next) => ask = next,
            }
        }
        panic!("no end");
    }

    /// distribution 2: everything in any order, whatever it is asked for.
    #[expect(
        clippy::unnecessary_wraps,
        reason = "one of the servers: others refuse"
    )]
    fn in_disorder(names: &[String], _: Option<u32>, _: Option<&str>) -> Option<Vec<String>> {
        Some(names.iter().rev().cloned().collect())
    }

    /// crane: where nothing is behind the last name, it begins again.
    fn circular(names: &[String], size: Option<u32>, last: Option<&str>) -> Option<Vec<String>> {
        match behind(names, last) {
            none if none.is_empty() => honest(names, size, None),
            rest => Some(cut(rest, size.unwrap_or(u32::MAX))),
        }
    }

    #[test]
    fn pages_that_begin_with_the_last_name_go_on() {
        let capped: Server = |names, size, last| from(names, size.map(|size| size.min(100)), last);
        let cases: [(Server, usize, usize); 5] = [
            (from, 1_000, 2),
            (from, 1_500, 2),
            (from, 5_003, 6),
            (capped, 1_534, 16),
            (capped, 298, 4),
        ];
        for (server, count, requests) in cases {
            assert_eq!(walk(server, &names(count)), Some((count, requests)));
        }
    }

    #[test]
    fn no_list_is_cut_without_a_word() {
        let capped: Server =
            |names, size, last| honest(names, size.map(|size| size.min(100)), last);
        let refuses_large: Server = |names, size, last| match size {
            Some(size) if size > 1_000 => None,
            _ => honest(names, size, last),
        };
        let ignores_last: Server = |names, size, _| honest(names, size, None);
        let refuses_last: Server = |names, size, last| match last {
            Some(_) => None,
            None => honest(names, size, None),
        };
        let ignores_all: Server = |names, _, _| honest(names, None, None);
        let refuses_the_end: Server =
            |names, size, last| honest(names, size, last).filter(|page| !page.is_empty());
        let unsorted: Server = |names, size, _| {
            let turned = names.iter().rev().cloned().collect();
            Some(cut(turned, size.unwrap_or(u32::MAX)))
        };
        let unsorted_by_place: Server = |names, size, last| {
            if size.is_some_and(|size| size > 1_001) {
                return None;
            }
            let turned = names.iter().rev().cloned();
            let rest = turned.skip_while(|name| last.is_some_and(|last| name.as_str() != last));
            let rest = rest.skip(usize::from(last.is_some())).collect();
            Some(cut(rest, size.unwrap_or(u32::MAX)))
        };
        let unsorted_by_name: Server = |names, size, last| {
            let turned = behind(names, last).into_iter().rev().collect();
            Some(cut(turned, size.unwrap_or(u32::MAX)))
        };
        let stubborn: Server = |names, size, last| match (size, last) {
            (Some(1_000), None) => honest(names, size, None),
            _ => None,
        };
        let cases: [(&str, Server, usize, Option<usize>); 33] = [
            ("none", honest, 0, Some(1)),
            ("one", honest, 1, Some(1)),
            ("fewer than a page", honest, 999, Some(1)),
            ("a page", honest, 1_000, Some(2)),
            ("more than a page", honest, 1_500, Some(2)),
            ("two pages", honest, 2_000, Some(3)),
            ("many pages", honest, 10_500, Some(11)),
            ("begins again: a page", circular, 1_000, Some(2)),
            ("begins again: more than a page", circular, 1_500, Some(2)),
            ("begins again: two pages", circular, 2_000, Some(4)),
            ("pages of its own", capped, 1_534, Some(16)),
            ("pages of its own, fewer", capped, 99, Some(1)),
            ("pages of its own, full", capped, 300, Some(4)),
            ("no larger pages", refuses_large, 1_000, Some(3)),
            ("no larger pages, more", refuses_large, 3_400, Some(5)),
            ("ignores last: fewer", ignores_last, 999, Some(1)),
            ("ignores last: a page", ignores_last, 1_000, Some(2)),
            ("ignores last: more", ignores_last, 1_500, Some(3)),
            ("ignores last: many", ignores_last, 5_003, Some(5)),
            ("refuses last: fewer", refuses_last, 999, Some(1)),
            ("refuses last: a page", refuses_last, 1_000, Some(4)),
            ("refuses last: more", refuses_last, 1_500, Some(4)),
            (
                "refuses what is behind the end",
                refuses_the_end,
                1_000,
                Some(4),
            ),
            ("ignores both: a page", ignores_all, 1_000, Some(2)),
            ("ignores both: more", ignores_all, 1_501, Some(1)),
            ("ignores both: a round number", ignores_all, 100, Some(2)),
            (
                "ignores both, in disorder: a page",
                in_disorder,
                1_000,
                Some(2),
            ),
            (
                "ignores both, in disorder: more",
                in_disorder,
                1_501,
                Some(1),
            ),
            (
                "ignores both, in disorder: a round number",
                in_disorder,
                100,
                Some(2),
            ),
            ("unsorted", unsorted, 1_500, Some(3)),
            ("unsorted, by name", unsorted_by_name, 1_500, Some(3)),
            (
                "unsorted, no larger pages",
                unsorted_by_place,
                3_500,
                Some(5),
            ),
            ("refuses everything", stubborn, 1_000, None),
        ];
        for (name, server, count, requests) in cases {
            let expected = requests.map(|requests| (count, requests));
            assert_eq!(walk(server, &names(count)), expected, "{name}");
        }
    }

    #[test]
    fn numbers_at_which_registries_cut() {
        for listed in [50, 64, 100, 128, 250, 256, 500, 512, 1_000, 5_000, 10_000] {
            assert!(is_round(listed), "{listed}");
        }
        for listed in [0, 1, 2, 10, 32, 49, 51, 99, 101, 999, 1_001] {
            assert!(!is_round(listed), "{listed}");
        }
    }

    #[test]
    fn a_registry_that_names_next_pages_is_believed_where_it_names_none() {
        let page = |listed| Page {
            listed,
            fresh: listed,
            is_sorted: true,
            last: Some("x".to_owned()),
        };
        let mut linked = Onward::new(Some(1_000));
        linked.linked();
        assert!(!linked.is_guess());
        assert_eq!(linked.came(page(1_000)), Next::End);

        let mut known = Onward::new(Some(1_000));
        known.names_next();
        assert_eq!(known.came(page(100)), Next::End);
        assert_ne!(known.came(page(1_000)), Next::End);
        assert!(known.is_guess());
    }
}
