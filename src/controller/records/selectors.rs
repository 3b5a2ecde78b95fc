// SPDX-License-Identifier: Apache-2.0

//! What picks the records of a repository from those of all.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use kube::api::ListParams;

use crate::oci::{Registry, Repository};
use crate::sync::ledger::RecordPlace;

/// The port of plain HTTP, which need not be another registry than none.
const HTTP: &str = ":80";
/// Registries that are asked for by their names, and lists that are asked for at once. Beyond, all records are listed.
const MOST: usize = 16;

/// What picks records.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Selector {
    /// Nothing does: all are looked at.
    All,
    /// Those of one repository under one name of its registry.
    Named(String),
}

/// The registries that mirrors write to, or did: those at which a repository may be on record.
#[derive(Debug, Default)]
pub(super) struct KnownRegistries(Mutex<BTreeSet<Registry>>);

// === impl Selector ===

impl Selector {
    pub(super) fn parameters(&self) -> ListParams {
        match self {
            Self::All => ListParams::default(),
            Self::Named(name) => ListParams::default().fields(&format!("spec.repository={name}")),
        }
    }
}

// === impl KnownRegistries ===

impl KnownRegistries {
    /// Takes note of one. Of more than can be asked for, no more is needed than that they are.
    pub(super) fn note(&self, registry: &Registry) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() <= MOST && !known.contains(registry) {
            known.insert(registry.clone());
        }
    }

    /// What picks the records of these repositories at all registries.
    pub(super) fn selectors(&self, repositories: &BTreeSet<Repository>) -> BTreeSet<Selector> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let places = known.iter().flat_map(|registry| {
            let here = repositories.iter();
            here.map(|repository| (registry.clone(), repository.clone()))
        });
        let picked = selectors(&places.collect());
        // Of no registry nothing is known.
        let are_few = !picked.is_empty() && picked.len() <= MOST && known.len() <= MOST;
        if are_few {
            picked
        } else {
            BTreeSet::from([Selector::All])
        }
    }
}

/// What picks the records of places, and maybe of others, in as few lists as that takes. A registry that is given by an
/// address has more names than can be told: where there is one, one list of everything serves all of them.
pub(super) fn selectors(places: &BTreeSet<RecordPlace>) -> BTreeSet<Selector> {
    let mut picked = BTreeSet::new();
    for (registry, repository) in places {
        let Some(names) = names_of(registry) else {
            return BTreeSet::from([Selector::All]);
        };
        let names = names.into_iter();
        picked.extend(names.map(|name| Selector::Named(format!("{name}/{repository}"))));
    }
    picked
}

/// All names of a registry; none where they cannot be told.
fn names_of(registry: &Registry) -> Option<Vec<String>> {
    let name = registry.to_string();
    let host = registry.host();
    let is_address = host.starts_with('[') || host.ends_with(|last: char| last.is_ascii_digit());
    if is_address || registry.is_loopback() {
        return None;
    }
    let other = match name.strip_suffix(HTTP) {
        Some(bare) => Some(bare.to_owned()),
        None if registry.port().is_none() => Some(format!("{name}{HTTP}")),
        None => None,
    };
    Some(std::iter::once(name).chain(other).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(selectors: BTreeSet<Selector>) -> Vec<String> {
        let shown = selectors.into_iter().map(|selector| match selector {
            Selector::All => "all".to_owned(),
            Selector::Named(name) => name,
        });
        shown.collect()
    }

    #[test]
    fn all_names_of_a_registry_are_looked_for_and_each_once() {
        let cases: [(&[&str], &[&str]); 6] = [
            (
                &["registry.example.com"],
                &["registry.example.com/a/b", "registry.example.com:80/a/b"],
            ),
            (
                &["registry.example.com", "registry.example.com:80"],
                &["registry.example.com/a/b", "registry.example.com:80/a/b"],
            ),
            (
                &["registry.example.com:5000"],
                &["registry.example.com:5000/a/b"],
            ),
            (&["127.0.0.1:5000"], &["all"]),
            (&["localhost:5000", "10.0.0.1:5000"], &["all"]),
            (&["registry.example.com", "10.0.0.1:5000"], &["all"]),
        ];
        for (registries, expected) in cases {
            let places = registries.iter().map(|registry| {
                let registry: Registry = registry.parse().unwrap();
                (registry, "a/b".parse().unwrap())
            });
            assert_eq!(
                shown(selectors(&places.collect())),
                expected,
                "{registries:?}"
            );
        }
    }

    #[test]
    fn before_a_delete_all_registries_are_looked_at() {
        let many: Vec<String> = (0..=MOST)
            .map(|number| format!("r{number}.example.com:5000"))
            .collect();
        let cases: [(&[&str], &[&str]); 4] = [
            (&[], &["all"]),
            (
                &["a.example.com:5000", "b.example.com:5000"],
                &["a.example.com:5000/a/b", "b.example.com:5000/a/b"],
            ),
            (&["a.example.com:5000", "10.0.0.1"], &["all"]),
            (
                &many.iter().map(String::as_str).collect::<Vec<_>>(),
                &["all"],
            ),
        ];
        let repositories = BTreeSet::from(["a/b".parse().unwrap()]);
        for (registries, expected) in cases {
            let known = KnownRegistries::default();
            for registry in registries {
                known.note(&registry.parse().unwrap());
            }
            assert_eq!(
                shown(known.selectors(&repositories)),
                expected,
                "{registries:?}"
            );
        }
    }
}
