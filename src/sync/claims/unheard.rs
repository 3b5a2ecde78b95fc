// SPDX-License-Identifier: Apache-2.0

//! The mirrors that have not said what they want: their specs alone tell what they may want.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use crate::oci::Repository;
use crate::plan::conflicts::Age;
use crate::plan::prune::{self as pruning, Claimable, may_want, named_repositories};
use crate::plan::{Claim, Mirror};

/// The mirrors that have not said what they want.
#[derive(Debug, Default)]
pub(super) struct Unheard {
    mirrors: HashMap<String, Silent>,
    /// Those that are expected to say it, by the repositories that their specs name.
    named: HashMap<Repository, BTreeSet<String>>,
    /// Those of them whose specs do not name all their repositories.
    wide: BTreeSet<String>,
}

#[derive(Debug)]
struct Silent {
    mirror: Arc<Mirror>,
    /// Whether it has a round soon, for all that is known: there is something to wait for.
    is_expected: bool,
}

impl Unheard {
    /// Takes note of a mirror of which nobody knows when it says what it wants.
    pub(super) fn insert(&mut self, mirror: Arc<Mirror>) {
        self.put(mirror, false);
    }

    /// Takes note of a mirror that is about to say it.
    pub(super) fn expect(&mut self, mirror: Arc<Mirror>) {
        self.put(mirror, true);
    }

    fn put(&mut self, mirror: Arc<Mirror>, is_expected: bool) {
        self.remove(&mirror.name);
        if is_expected {
            match named_repositories(&mirror) {
                Some(repositories) => {
                    for repository in repositories {
                        let names = self.named.entry(repository).or_default();
                        names.insert(mirror.name.clone());
                    }
                }
                None => {
                    self.wide.insert(mirror.name.clone());
                }
            }
        }
        let name = mirror.name.clone();
        let silent = Silent {
            mirror,
            is_expected,
        };
        self.mirrors.insert(name, silent);
    }

    /// Forgets a mirror: it has said what it wants, or is no more.
    pub(super) fn remove(&mut self, name: &str) {
        let Some(silent) = self.mirrors.remove(name).filter(|it| it.is_expected) else {
            return;
        };
        self.wide.remove(name);
        for repository in named_repositories(&silent.mirror).into_iter().flatten() {
            if let Some(names) = self.named.get_mut(&repository) {
                names.remove(name);
                if names.is_empty() {
                    self.named.remove(&repository);
                }
            }
        }
    }

    /// A mirror, by its name.
    pub(super) fn get(&self, name: &str) -> Option<&Arc<Mirror>> {
        self.mirrors.get(name).map(|silent| &silent.mirror)
    }

    /// A mirror other than this one that may want a tag; always the same one.
    pub(super) fn find(&self, besides: &str, target: &pruning::Target) -> Option<&str> {
        let others = self.mirrors.iter().filter(|(name, _)| *name != besides);
        let may_want = others.filter(|(_, other)| may_want(&other.mirror, target));
        may_want.map(|(name, _)| name.as_str()).min()
    }

    /// The oldest of those that are older than `age`, may want a tag and are about to say it; of those that `is_meant`
    /// picks.
    pub(super) fn find_elder(
        &self,
        age: Age<'_>,
        claim: &Claim,
        is_meant: impl Fn(&str) -> bool,
    ) -> Option<&str> {
        let named = self.named.get(&claim.repository).into_iter().flatten();
        let candidates = named.chain(&self.wide).filter(|name| is_meant(name));
        let mirrors = candidates.filter_map(|name| self.mirrors.get(name));
        let elders = mirrors
            .map(|silent| (silent.mirror.seniority(), silent))
            .filter(|(seniority, silent)| {
                seniority.age() < age && may_claim(&silent.mirror, claim)
            });
        let oldest = elders.min_by(|(left, _), (right, _)| left.age().cmp(&right.age()));
        oldest.map(|(_, silent)| silent.mirror.name.as_str())
    }
}

/// Whether a mirror may want a tag, or the one that keeps what that named, as far as its spec alone tells.
fn may_claim(mirror: &Mirror, claim: &Claim) -> bool {
    let claimable = Claimable::of(mirror, &claim.registry, &claim.repository);
    claim.tags().any(|tag| claimable.has(tag))
}
