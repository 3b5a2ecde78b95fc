// SPDX-License-Identifier: Apache-2.0

//! Rules of other tools, tried on tags.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use regex::{Regex, RegexBuilder};

use super::ranges::{Ranges, Version};
use crate::convert::conversion::Gap;
use crate::convert::fields::Place;
use crate::oci::Tag;

/// Any character of a tag.
pub(super) const TAG: &str = ".";
/// Any character of a component of a name.
pub(super) const COMPONENT: &str = "[^/]";
/// Largest compiled expression, in bytes.
const SIZE: usize = 1 << 20;

/// What is taken by any of several rules.
#[derive(Clone, Debug, Default)]
pub(super) struct Take(pub(super) Vec<Narrow>);

/// A rule: all of its parts must hold.
#[derive(Clone, Debug, Default)]
pub(super) struct Narrow {
    /// Of which one must hold, where there are some.
    pub(super) allow: Vec<Test>,
    /// Of which none may hold.
    pub(super) deny: Vec<Test>,
    /// What is read in place of the whole tag, where the tag matches.
    pub(super) extract: Option<(Regex, String)>,
    pub(super) ranges: Option<Ranges>,
    /// So many of the last ones.
    pub(super) last: Option<(usize, Order)>,
}

#[derive(Clone, Debug)]
pub(super) enum Test {
    Tag(String),
    Expression(Regex),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Version,
    Number,
    /// Character by character.
    Name,
}

/// Names of repositories.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    pub(super) allow: Vec<Regex>,
    pub(super) deny: Vec<Regex>,
}

/// An expression that is looked for anywhere.
pub(super) fn expression(text: &str, place: &Place) -> Result<Regex, Gap> {
    let built = RegexBuilder::new(text).size_limit(SIZE).build();
    built.map_err(|_| place.gap(format!("{text:?} is no expression of RE2")))
}

/// Expressions, each looked for anywhere.
pub(super) fn tests(texts: &[String], place: &Place) -> Result<Vec<Test>, Gap> {
    let test = |text: &String| expression(text, place).map(Test::Expression);
    texts.iter().map(test).collect()
}

/// A glob as an expression. In names of repositories one star stays within a component.
pub(super) fn glob(glob: &str, within: &str, place: &Place) -> Result<Regex, Gap> {
    let mut text = String::from("^");
    let mut rest = glob;
    let mut depth = 0;
    while let Some(character) = rest.chars().next() {
        rest = rest.get(character.len_utf8()..).unwrap_or_default();
        match character {
            '*' => match rest.strip_prefix('*') {
                Some(behind) => {
                    rest = behind;
                    text.push_str(".*");
                }
                None => text.extend([within, "*"]),
            },
            '?' => text.push_str(within),
            '{' => {
                depth += 1;
                text.push('(');
            }
            '}' if depth > 0 => {
                depth -= 1;
                text.push(')');
            }
            ',' if depth > 0 => text.push('|'),
            '[' | ']' | '-' | '^' => text.push(character),
            '!' if text.ends_with('[') => text.push('^'),
            other => text.push_str(&regex::escape(other.encode_utf8(&mut [0; 4]))),
        }
    }
    text.push('$');
    expression(&text, place)
}

// === impl Take ===

impl Take {
    /// These tags.
    pub(super) fn tags(tags: impl IntoIterator<Item = String>) -> Self {
        Self::one(Narrow {
            allow: tags.into_iter().map(Test::Tag).collect(),
            ..Narrow::default()
        })
    }

    pub(super) fn one(narrow: Narrow) -> Self {
        Self(vec![narrow])
    }

    pub(super) fn of<'a>(&self, tags: &'a [Tag]) -> BTreeSet<&'a Tag> {
        self.0.iter().flat_map(|narrow| narrow.of(tags)).collect()
    }
}

// === impl Narrow ===

impl Narrow {
    fn of<'a>(&self, tags: &'a [Tag]) -> Vec<&'a Tag> {
        let mut left: Vec<(&Tag, String)> = tags
            .iter()
            .filter_map(|tag| Some((tag, self.read(tag.as_str())?)))
            .collect();
        if let Some((count, order)) = self.last {
            left.retain(|(_, read)| order.has(read));
            left.sort_by(|(_, one), (_, other)| order.compare(one, other));
            let first = left.len().saturating_sub(count);
            left.drain(..first);
        }
        left.into_iter().map(|(tag, _)| tag).collect()
    }

    /// What is read of a tag that is not left out.
    fn read(&self, tag: &str) -> Option<String> {
        let holds = |test: &Test| test.holds(tag);
        let is_allowed = self.allow.is_empty() || self.allow.iter().any(holds);
        if !is_allowed || self.deny.iter().any(holds) {
            return None;
        }
        let read = match &self.extract {
            None => tag.to_owned(),
            Some((expression, value)) => {
                let found = expression.captures(tag)?;
                let mut read = String::new();
                found.expand(value, &mut read);
                read
            }
        };
        let is_within = |ranges: &Ranges| ranges.contain(&read);
        self.ranges.as_ref().is_none_or(is_within).then_some(read)
    }
}

// === impl Test ===

impl Test {
    fn holds(&self, tag: &str) -> bool {
        match self {
            Self::Tag(text) => text == tag,
            Self::Expression(expression) => expression.is_match(tag),
        }
    }
}

// === impl Order ===

impl Order {
    fn has(self, text: &str) -> bool {
        match self {
            Self::Version => Version::loose(text).is_some(),
            Self::Number => text.parse::<f64>().is_ok(),
            Self::Name => true,
        }
    }

    fn compare(self, one: &str, other: &str) -> Ordering {
        match self {
            Self::Version => Version::loose(one).cmp(&Version::loose(other)),
            Self::Number => {
                let [one, other] = [one, other].map(|text| text.parse().unwrap_or(f64::NAN));
                one.total_cmp(&other)
            }
            Self::Name => one.cmp(other),
        }
    }
}

// === impl Names ===

impl Names {
    pub(super) fn take(&self, name: &str) -> bool {
        let is_allowed =
            self.allow.is_empty() || self.allow.iter().any(|allowed| allowed.is_match(name));
        is_allowed && !self.deny.iter().any(|denied| denied.is_match(name))
    }
}
