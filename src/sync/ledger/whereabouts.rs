// SPDX-License-Identifier: Apache-2.0

//! Which mirrors have something on record of a repository, at whatever registry, so that nobody asks
//! thousands of mirrors to find two.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::records::Destinations;
use crate::oci::Repository;

/// The names of mirrors by repository. Some may have nothing there any more.
#[derive(Debug, Default)]
pub(super) struct Whereabouts(HashMap<Repository, BTreeSet<String>>);

impl Whereabouts {
    /// Those of everything that is on record.
    pub(super) fn of<T>(mirrors: &BTreeMap<String, Destinations<T>>) -> Self {
        let mut whereabouts = Self::default();
        for (mirror, destinations) in mirrors {
            whereabouts.note_all(mirror, destinations);
        }
        whereabouts
    }

    /// Takes note of what a mirror has on record.
    pub(super) fn note_all<T>(&mut self, mirror: &str, destinations: &Destinations<T>) {
        for repository in destinations.values().flat_map(BTreeMap::keys) {
            self.note(mirror, repository);
        }
    }

    /// Takes note that a mirror has something on record of a repository.
    pub(super) fn note(&mut self, mirror: &str, repository: &Repository) {
        if let Some(mirrors) = self.0.get_mut(repository) {
            if !mirrors.contains(mirror) {
                mirrors.insert(mirror.to_owned());
            }
        } else {
            let mirrors = BTreeSet::from([mirror.to_owned()]);
            self.0.insert(repository.clone(), mirrors);
        }
    }

    /// Forgets a mirror that has nothing on record any more.
    pub(super) fn forget<T>(&mut self, mirror: &str, destinations: &Destinations<T>) {
        for repository in destinations.values().flat_map(BTreeMap::keys) {
            if let Some(mirrors) = self.0.get_mut(repository) {
                mirrors.remove(mirror);
                if mirrors.is_empty() {
                    self.0.remove(repository);
                }
            }
        }
    }

    /// Those that may have something on record of a repository, in order.
    pub(super) fn find(&self, repository: &Repository) -> impl Iterator<Item = &str> {
        let mirrors = self.0.get(repository);
        mirrors.into_iter().flatten().map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mirrors_are_found_by_their_repositories() {
        let (app, web): (Repository, Repository) =
            ("team/app".parse().unwrap(), "web".parse().unwrap());
        let repositories = [&app, &web].map(|repository| (repository.clone(), BTreeMap::new()));
        let both: Destinations<u8> = BTreeMap::from([("d".to_owned(), repositories.into())]);
        let mirrors = BTreeMap::from([("a".to_owned(), both.clone())]);
        let mut whereabouts = Whereabouts::of(&mirrors);
        whereabouts.note("b", &app);
        let find = |whereabouts: &Whereabouts, repository| {
            let names: Vec<String> = whereabouts.find(repository).map(str::to_owned).collect();
            names.join(" ")
        };
        assert_eq!(
            [find(&whereabouts, &app), find(&whereabouts, &web)],
            ["a b", "a"]
        );
        whereabouts.forget("a", &both);
        assert_eq!(
            [find(&whereabouts, &app), find(&whereabouts, &web)],
            ["b", ""]
        );
    }
}
