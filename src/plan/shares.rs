// SPDX-License-Identifier: Apache-2.0

//! How the repositories of destinations are shared out among processes that copy at the same time.

use std::collections::BTreeMap;

use crate::oci::Repository;

/// Shares of all repositories that there may be: ranges of their names, so that each one belongs to exactly one share,
/// whoever asks and whatever has been copied meanwhile.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shares {
    /// The first repository of each share but the first one, in their order.
    bounds: Vec<Repository>,
}

/// One of the shares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepositoryShare {
    shares: Shares,
    index: usize,
}

// === impl Shares ===

impl Shares {
    /// At most so many shares of about the same weight, each with a repository of these; at least one.
    pub fn balance(repositories: &BTreeMap<Repository, usize>, most: usize) -> Self {
        let shares = most.min(repositories.len());
        let total: usize = repositories.values().sum();
        let (mut bounds, mut before) = (Vec::new(), 0);
        for (place, (repository, weight)) in repositories.iter().enumerate() {
            let begun = bounds.len() + 1;
            let left = repositories.len() - place;
            let is_full = before * shares >= total * begun;
            // Each of those that have not begun needs one.
            let is_last_chance = left + begun <= shares;
            if place > 0 && begun < shares && (is_full || is_last_chance) {
                bounds.push(repository.clone());
            }
            before += weight;
        }
        Self { bounds }
    }

    /// Shares that begin with these repositories, after the first one. None where they are not in their order.
    pub fn beginning_with(bounds: Vec<Repository>) -> Option<Self> {
        bounds
            .is_sorted_by(|one, next| one < next)
            .then_some(Self { bounds })
    }

    /// What they begin with, after the first one.
    pub fn bounds(&self) -> &[Repository] {
        &self.bounds
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.bounds.len() + 1
    }

    /// The number of the share that has a repository.
    pub fn index_of(&self, repository: &Repository) -> usize {
        self.bounds.partition_point(|bound| bound <= repository)
    }

    /// The share with this number, where there is one.
    pub fn share(self, index: usize) -> Option<RepositoryShare> {
        (index < self.count()).then_some(RepositoryShare {
            shares: self,
            index,
        })
    }
}

// === impl RepositoryShare ===

impl RepositoryShare {
    /// Whether a repository belongs to it.
    pub fn covers(&self, repository: &Repository) -> bool {
        self.shares.index_of(repository) == self.index
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn repository(text: &str) -> Repository {
        text.parse().unwrap()
    }

    /// Repositories with their weights, the most shares, and what they are.
    type Case<'a> = (&'a [(&'a str, usize)], usize, &'a str);

    /// How many shares there are, and what falls into each of them.
    fn shared_out(repositories: &[(&str, usize)], most: usize) -> String {
        let weights = repositories
            .iter()
            .map(|(name, weight)| (repository(name), *weight));
        let weights: BTreeMap<Repository, usize> = weights.collect();
        let shares = Shares::balance(&weights, most);
        let of = |index: usize| {
            let own = weights.keys().filter(|name| shares.index_of(name) == index);
            own.map(Repository::as_str).collect::<Vec<_>>().join(" ")
        };
        (0..shares.count()).map(of).collect::<Vec<_>>().join(" | ")
    }

    #[test]
    fn shares_weigh_about_the_same_and_none_is_empty() {
        let cases: [Case<'_>; 8] = [
            (&[], 4, ""),
            (&[("a", 1)], 4, "a"),
            (&[("a", 1), ("b", 1), ("c", 1), ("d", 1)], 1, "a b c d"),
            (&[("a", 1), ("b", 1), ("c", 1), ("d", 1)], 2, "a b | c d"),
            (
                &[("a", 1), ("b", 1), ("c", 1), ("d", 1)],
                4,
                "a | b | c | d",
            ),
            (&[("a", 1), ("b", 1), ("c", 1)], 9, "a | b | c"),
            (&[("a", 90), ("b", 1), ("c", 1), ("d", 1)], 3, "a | b | c d"),
            (&[("a", 1), ("b", 1), ("c", 1), ("d", 90)], 3, "a b | c | d"),
        ];
        for (repositories, most, expected) in cases {
            assert_eq!(shared_out(repositories, most), expected, "{most}");
        }
    }

    #[test]
    fn bounds_that_are_not_in_their_order_are_refused() {
        let read = |names: &[&str]| {
            let bounds = names.iter().map(|name| repository(name)).collect();
            Shares::beginning_with(bounds).map(|shares| shares.count())
        };
        assert_eq!(read(&[]), Some(1));
        assert_eq!(read(&["a", "b"]), Some(3));
        assert_eq!(read(&["b", "a"]), None);
        assert_eq!(read(&["a", "a"]), None);
    }

    proptest! {
        #[test]
        fn each_repository_is_in_exactly_one_share_also_for_who_only_knows_the_bounds(
            weights in prop::collection::btree_map("[a-z]{1,3}", 1_usize..50, 1..40),
            others in prop::collection::vec("[a-z]{1,4}", 0..40),
            most in 1_usize..70,
        ) {
            let weights = weights.into_iter().map(|(name, weight)| (repository(&name), weight));
            let weights: BTreeMap<Repository, usize> = weights.collect();
            let shares = Shares::balance(&weights, most);
            prop_assert_eq!(shares.count(), most.min(weights.len()));
            let read = Shares::beginning_with(shares.bounds().to_vec());
            prop_assert_eq!(read.as_ref(), Some(&shares));
            let all: Vec<RepositoryShare> = (0..shares.count())
                .filter_map(|index| shares.clone().share(index))
                .collect();
            let others = others.iter().map(|name| repository(name));
            for name in weights.keys().cloned().chain(others) {
                let own = all.iter().filter(|share| share.covers(&name));
                prop_assert_eq!(own.count(), 1, "{}", name);
            }
            for share in &all {
                prop_assert!(weights.keys().any(|name| share.covers(name)));
            }
            prop_assert_eq!(shares.clone().share(shares.count()), None);
        }
    }
}
