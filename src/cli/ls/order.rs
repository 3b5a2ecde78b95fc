// SPDX-License-Identifier: Apache-2.0

//! Which tags are shown, and in which order. Pure.

use super::super::args::Order;
use crate::oci::Tag;
use crate::policy::TagGlob;
use crate::policy::natural;

/// The tags that are wanted, in the order that is wanted.
pub(super) fn choose(
    mut tags: Vec<Tag>,
    globs: &[TagGlob],
    all: bool,
    order: Order,
    last: Option<usize>,
) -> Vec<Tag> {
    tags.retain(|tag| all || tag.attachment().is_none());
    tags.retain(|tag| globs.is_empty() || globs.iter().any(|glob| glob.matches(tag)));
    match order {
        Order::Version => {
            tags.sort_by(|left, right| natural::compare(left.as_str(), right.as_str()));
        }
        Order::Name => tags.sort(),
        Order::Registry => {}
    }
    let skipped = last.map_or(0, |last| tags.len().saturating_sub(last));
    tags.split_off(skipped)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_that_are_wanted_in_their_order() {
        let signature = format!("sha256-{}.sig", "0".repeat(64));
        let listed = ["1.10", "1.9", "latest", "1.9-alpine", &signature];
        let shown = |globs: &[&str], all, order, last| {
            let tags = listed.iter().map(|tag| tag.parse().unwrap()).collect();
            let globs: Vec<TagGlob> = globs
                .iter()
                .map(|glob| TagGlob::parse(glob).unwrap())
                .collect();
            let chosen = choose(tags, &globs, all, order, last);
            chosen
                .iter()
                .map(|tag| tag.as_str().get(..10).unwrap_or(tag.as_str()).to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(
            shown(&[], false, Order::Version, None),
            ["1.9", "1.9-alpine", "1.10", "latest"]
        );
        assert_eq!(
            shown(&[], false, Order::Name, None),
            ["1.10", "1.9", "1.9-alpine", "latest"]
        );
        assert_eq!(
            shown(&[], true, Order::Registry, Some(2)),
            ["1.9-alpine", "sha256-000"]
        );
        assert_eq!(
            shown(&["1.*", "lat*"], false, Order::Version, Some(2)),
            ["1.10", "latest"]
        );
        assert_eq!(shown(&["2*"], false, Order::Version, None), [""; 0]);
    }
}
