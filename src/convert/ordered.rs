// SPDX-License-Identifier: Apache-2.0

//! Ranges of libraries that compare versions and nothing else: regclient's own (regsync), and blang/semver (dregsy).
//!
//! Whatever stands behind a dash is a prerelease there, and older than the version without it: `1.27.3-alpine` is not
//! in `>=1.27.3`, and is in `<1.27.3`. Ours leave out the one by a pattern, and take the other one by rules of its own.

use super::rule::{Extract, Selection, Semver};

/// What a range takes, and what it takes besides: suffixes of an upper bound.
#[derive(Debug)]
pub(super) struct Ordered {
    pub(super) selection: Selection,
    pub(super) besides: Option<Selection>,
}

/// Comparators without a suffix, and those with one, which ours read alike.
struct Bound<'a> {
    operator: &'a str,
    numbers: Vec<u64>,
    suffix: Option<&'a str>,
}

/// Reads alternatives of comparators between spaces. `versions` is what the library takes for a version, and whether it
/// has three numbers in any case.
pub(super) fn ordered(ranges: &[&str], versions: &str, has_three: bool) -> Option<Ordered> {
    let ranges: Option<Vec<Vec<Bound<'_>>>> = ranges.iter().map(|range| read(range)).collect();
    let ranges = ranges?;
    let written = |bounds: &Vec<Bound<'_>>| {
        let bounds: Vec<String> = bounds.iter().map(Bound::written).collect();
        bounds.join(" ")
    };
    let mut selection = Selection {
        extract: Some(Extract::whole(versions)),
        semver: Some(Semver {
            range: ranges.iter().map(written).collect::<Vec<_>>().join(" || "),
            prereleases: true,
        }),
        ..Selection::default()
    };
    let mut besides = Vec::new();
    for bound in ranges.iter().flatten() {
        if bound.suffix.is_some() || !matches!(bound.operator, ">=" | "=" | "<" | "!=") {
            continue;
        }
        let is_within = |bounds: &Vec<Bound<'_>>| {
            let mut bounds = bounds.iter();
            bounds.all(|another| another.holds_below(&bound.numbers))
        };
        match (bound.operator, ranges.iter().any(is_within)) {
            (">=" | "=", false) => selection.exclude.push(bound.suffixed(has_three)),
            ("<" | "!=", true) => besides.push(bound.suffixed(has_three)),
            _ => {}
        }
    }
    let besides = (!besides.is_empty()).then(|| Selection {
        include: besides,
        ..Selection::default()
    });
    Some(Ordered { selection, besides })
}

/// The comparators of a range.
fn read(range: &str) -> Option<Vec<Bound<'_>>> {
    let bounds: Option<Vec<Vec<Bound<'_>>>> = range.split_whitespace().map(bounds_of).collect();
    Some(bounds?.into_iter().flatten().collect())
}

/// A word as comparators; `^` and `~` are two.
fn bounds_of(word: &str) -> Option<Vec<Bound<'_>>> {
    let end = word.find(|character: char| !"<>=!~^".contains(character))?;
    let (operator, version) = word.split_at(end);
    let version = version.strip_prefix('v').unwrap_or(version);
    let (numbers, suffix) = match version.split_once('-') {
        Some((numbers, suffix)) => (numbers, Some(suffix)),
        None => (version, None),
    };
    let numbers: Result<Vec<u64>, _> = numbers.split('.').map(str::parse).collect();
    let numbers = numbers.ok()?;
    let upper = |place: usize| {
        let mut upper: Vec<u64> = numbers
            .iter()
            .copied()
            .chain([0; 3])
            .take(place + 1)
            .collect();
        if let Some(last) = upper.last_mut() {
            *last += 1;
        }
        Bound {
            operator: "<",
            numbers: upper,
            suffix: None,
        }
    };
    let own = |operator| Bound {
        operator,
        numbers: numbers.clone(),
        suffix,
    };
    Some(match operator {
        "^" => {
            let first = numbers.iter().take(2).position(|number| *number > 0);
            vec![own(">="), upper(first.unwrap_or(2))]
        }
        "~" => vec![own(">="), upper(1)],
        "" | "=" | "==" => vec![own("=")],
        "!" | "!=" => vec![own("!=")],
        ">" | ">=" | "<" | "<=" => vec![own(operator)],
        _ => return None,
    })
}

// === impl Bound ===

impl Bound<'_> {
    /// With three numbers at least: with fewer ours mean all that begin so.
    fn written(&self) -> String {
        let missing = 3_usize.saturating_sub(self.numbers.len());
        let zeros = std::iter::repeat_n(&0, missing);
        let numbers: Vec<String> = self
            .numbers
            .iter()
            .chain(zeros)
            .map(u64::to_string)
            .collect();
        let suffix = self
            .suffix
            .map_or(String::new(), |suffix| format!("-{suffix}"));
        format!("{}{}{suffix}", self.operator, numbers.join("."))
    }

    /// The tags with these numbers and something behind them. Noughts at their end need not be written, unless there are
    /// three numbers in any case.
    fn suffixed(&self, has_three: bool) -> String {
        let mut numbers = self.numbers.clone();
        numbers.resize(numbers.len().max(3), 0);
        while !has_three && numbers.len() > 1 && numbers.last() == Some(&0) {
            numbers.pop();
        }
        let numbers: Vec<String> = numbers.iter().map(u64::to_string).collect();
        let noughts = if has_three { "" } else { r"(\.0)*" };
        format!(r"v?{}{noughts}-.*", numbers.join(r"\."))
    }

    /// Whether a version with these numbers and a suffix is within.
    fn holds_below(&self, numbers: &[u64]) -> bool {
        let length = numbers.len().max(self.numbers.len());
        let padded = |numbers: &[u64]| -> Vec<u64> {
            let zeros = std::iter::repeat_n(0, length - numbers.len());
            numbers.iter().copied().chain(zeros).collect()
        };
        let order = padded(numbers).cmp(&padded(&self.numbers));
        match self.operator {
            ">" | ">=" => order.is_gt(),
            "<" | "<=" => order.is_le(),
            "!=" => true,
            _ => false,
        }
    }
}
