// SPDX-License-Identifier: Apache-2.0

//! The natural order of names: runs of digits compare as numbers, so `r1070` comes after `r99`.

use std::cmp::Ordering;

use super::number::Number;

/// A run of digits or of anything else. A number comes before text.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Run<'a> {
    Number(Number),
    Text(&'a str),
}

/// Compares two names; where only zeros or nothing tells them apart, by their characters.
pub fn compare(left: &str, right: &str) -> Ordering {
    runs(left).cmp(runs(right)).then_with(|| left.cmp(right))
}

fn runs(text: &str) -> impl Iterator<Item = Run<'_>> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let is_digit = rest.chars().next()?.is_ascii_digit();
        let end = rest
            .find(|character: char| character.is_ascii_digit() != is_digit)
            .unwrap_or(rest.len());
        let (run, behind) = rest.split_at_checked(end)?;
        rest = behind;
        Some(Number::parse(run).map_or(Run::Text(run), Run::Number))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_from_first_to_last() {
        let lists: [&[&str]; 9] = [
            &["r9", "r99", "r123", "r1070"],
            &["7", "41", "42", "100"],
            &["8u92", "8u402", "8u402-jre", "11u2"],
            &["cli-2.9.0", "cli-2.10.0"],
            &["build-0009", "build-9", "build-10"],
            &[
                "RELEASE.2024-12-13T22-19-12Z",
                "RELEASE.2024-12-18T13-15-44Z",
                "RELEASE.2025-01-02T00-00-00Z",
            ],
            &[
                "noble-20240904.1",
                "noble-20241011",
                "noble-20241118.1",
                "noble-20241118.10",
            ],
            &["1", "2", "A", "B", "a", "b"],
            &["2019-CU9-ubuntu", "2019-CU27-ubuntu", "2022-CU1-ubuntu"],
        ];
        for list in lists {
            for pair in list.windows(2) {
                assert_eq!(compare(pair[0], pair[1]), Ordering::Less, "{pair:?}");
            }
        }
    }

    proptest! {
        #[test]
        fn the_order_is_total(a in "[a-c0-2.]{0,6}", b in "[a-c0-2.]{0,6}", c in "[a-c0-2.]{0,6}") {
            prop_assert_eq!(compare(&a, &b), compare(&b, &a).reverse());
            prop_assert_eq!(a == b, compare(&a, &b).is_eq());
            if compare(&a, &b).is_le() && compare(&b, &c).is_le() {
                prop_assert!(compare(&a, &c).is_le());
            }
        }
    }
}
