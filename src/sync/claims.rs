// SPDX-License-Identifier: Apache-2.0

//! Who wants which destination tag, over all mirrors of the process and from round to round.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::sighting::Absent;
use crate::oci::{Digest, Registry, Repository, Tag};
use crate::plan::conflicts::{Claimant, Conflict, Seniority, find_conflicts};
use crate::plan::prune::{self as pruning, Holding, may_want};
use crate::plan::{Claim, Mirror, SourceImage};

/// The destination tags that mirrors want.
///
/// What a mirror wanted stays until a complete round of its own says otherwise: a source that cannot be
/// asked takes nothing back.
#[derive(Debug, Default)]
pub(super) struct Claims {
    /// Those who may write a tag.
    holders: HashMap<Target, Holder>,
    /// The targets of each mirror, by its name.
    targets: HashMap<String, Targets>,
    /// What mirrors in conflict want, by their names, and what has no source yet. They write nothing, and
    /// want it all the same.
    withheld: HashMap<String, Targets>,
    /// The mirrors that want something of a repository, or did: who looks for them asks no other.
    interested: HashMap<Repository, BTreeSet<String>>,
    /// The mirrors of which it is not known what they want: they may want whatever their specs could mean.
    unheard: HashMap<String, Mirror>,
}

/// What a mirror of a round wants.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wish<'a> {
    /// The place of the mirror among the mirrors of the round.
    pub(super) mirror: usize,
    /// The image at the source.
    pub(super) source: &'a SourceImage,
    /// The tag that it is to have.
    pub(super) claim: &'a Claim,
    /// The digest that the tag should name.
    pub(super) digest: &'a Digest,
}

/// A tag of a registry.
type Target = (Registry, Repository, Tag);

/// Tags of registries by their repositories, with the digests that they should name, where those are known.
#[derive(Debug, Default)]
struct Targets(HashMap<Repository, HashMap<(Registry, Tag), Option<Digest>>>);

#[derive(Clone, Debug)]
struct Holder {
    mirror: Arc<Seniority>,
    source: SourceImage,
    claim: Claim,
    /// The digest that the tag should name, where that is known.
    digest: Option<Digest>,
}

impl Claims {
    /// Finds the wishes whose tags are held by others, in this round or since an earlier one. The
    /// older mirror holds a tag, whoever came first. `is_complete` says whether everything that a mirror of
    /// the round wants is among the wishes.
    ///
    /// Everything that is not in conflict is held by its mirror from now on.
    pub(super) fn settle(
        &mut self,
        mirrors: &[&Mirror],
        is_complete: impl Fn(usize) -> bool,
        wishes: &[Wish<'_>],
    ) -> Vec<(usize, Conflict)> {
        for (index, mirror) in mirrors.iter().enumerate() {
            if is_complete(index) {
                self.forget(&mirror.name);
            } else {
                self.wait_for((*mirror).clone());
            }
        }
        let seniorities: Vec<Arc<Seniority>> = mirrors
            .iter()
            .map(|mirror| Arc::new(mirror.seniority()))
            .collect();
        let new: Vec<Option<Holder>> = wishes
            .iter()
            .map(|wish| {
                Some(Holder {
                    mirror: seniorities.get(wish.mirror)?.clone(),
                    source: wish.source.clone(),
                    claim: wish.claim.clone(),
                    digest: Some(wish.digest.clone()),
                })
            })
            .collect();
        let rivals = new.iter().flatten().flat_map(|holder| self.rivals(holder));
        let mut wanted: Vec<(Option<usize>, Holder)> = rivals.map(|rival| (None, rival)).collect();
        let new = new.into_iter().enumerate();
        wanted.extend(new.filter_map(|(index, holder)| Some((Some(index), holder?))));
        // In files there are no ages: the one that came first stays first.
        wanted.sort_by(|(_, left), (_, right)| left.mirror.age().cmp(&right.mirror.age()));
        let claimants: Vec<Claimant<'_>> = wanted
            .iter()
            .map(|(_, holder)| Claimant {
                mirror: &holder.mirror.name,
                source: &holder.source,
                claim: &holder.claim,
            })
            .collect();
        let conflicts: Vec<(usize, Conflict)> = find_conflicts(&claimants)
            .into_iter()
            .filter_map(|conflict| Some((wanted.get(conflict.claim)?.0?, conflict)))
            .collect();
        let stalled: BTreeSet<usize> = conflicts
            .iter()
            .filter_map(|(index, _)| Some(wishes.get(*index)?.mirror))
            .collect();
        for (index, holder) in wanted {
            match index.and_then(|index| wishes.get(index)) {
                Some(wish) if stalled.contains(&wish.mirror) => {
                    self.withhold(&holder);
                }
                Some(_) => self.hold(&holder),
                None => {}
            }
        }
        conflicts
    }

    /// Takes note of what a mirror wants as soon as its source has it.
    pub(super) fn withhold_absent(&mut self, mirror: &Mirror, absent: &Absent) {
        let mirror = Arc::new(mirror.seniority());
        let Absent { source, claims } = absent;
        for claim in claims {
            self.withhold(&Holder {
                mirror: mirror.clone(),
                source: source.clone(),
                claim: claim.clone(),
                digest: None,
            });
        }
    }

    /// Takes over what a mirror held before this process began.
    pub(super) fn restore(&mut self, mirror: Seniority, claims: Vec<(SourceImage, Claim)>) {
        let mirror = Arc::new(mirror);
        for (source, claim) in claims {
            let mirror = mirror.clone();
            self.hold(&Holder {
                mirror,
                source,
                claim,
                digest: None,
            });
        }
    }

    /// The tags of a repository, at any registry, that other mirrors than this one want.
    pub(super) fn besides<'a>(
        &'a self,
        mirror: &'a str,
        repository: &'a Repository,
    ) -> impl Iterator<Item = Holding> + 'a {
        let interested = self.interested.get(repository).into_iter().flatten();
        let others = interested.filter(move |name| *name != mirror);
        others.flat_map(move |name| {
            let wanted = [self.targets.get(name), self.withheld.get(name)];
            let wanted = wanted.into_iter().flatten();
            let targets = wanted.filter_map(|targets| targets.0.get(repository));
            targets
                .flatten()
                .map(move |((registry, tag), digest)| Holding {
                    mirror: name.clone(),
                    registry: Some(registry.clone()),
                    tag: tag.clone(),
                    digest: digest.clone(),
                })
        })
    }

    /// Takes note of a mirror that has not said what it wants.
    pub(super) fn wait_for(&mut self, mirror: Mirror) {
        self.unheard.insert(mirror.name.clone(), mirror);
    }

    /// A mirror other than this one that has not said what it wants, and may want a tag.
    pub(super) fn find_unheard(&self, mirror: &str, target: &pruning::Target) -> Option<&str> {
        let others = self.unheard.iter().filter(|(name, _)| *name != mirror);
        let may_want = others.filter(|(_, other)| may_want(other, target));
        // Always the same one.
        may_want.map(|(name, _)| name.as_str()).min()
    }

    /// Lets go of everything that a mirror wants.
    pub(super) fn forget(&mut self, mirror: &str) {
        self.unheard.remove(mirror);
        let withheld = self.withheld.remove(mirror).unwrap_or_default();
        let held = self.targets.remove(mirror).unwrap_or_default();
        for repository in held.0.keys().chain(withheld.0.keys()) {
            if let Some(interested) = self.interested.get_mut(repository) {
                interested.remove(mirror);
                if interested.is_empty() {
                    self.interested.remove(repository);
                }
            }
        }
        for target in held.into_targets() {
            let is_theirs = |holder: &Holder| holder.mirror.name == mirror;
            if self.holders.get(&target).is_some_and(is_theirs) {
                self.holders.remove(&target);
            }
        }
    }

    /// The other mirrors that hold what one wants.
    fn rivals(&self, wanting: &Holder) -> Vec<Holder> {
        let holders = targets(&wanting.claim);
        let holders = holders.filter_map(|target| self.holders.get(&target));
        let others = holders.filter(|holder| holder.mirror.name != wanting.mirror.name);
        others.cloned().collect()
    }

    fn hold(&mut self, holder: &Holder) {
        self.note_interest(holder);
        let held = self.targets.entry(holder.mirror.name.clone()).or_default();
        for target in targets(&holder.claim) {
            held.insert(target.clone(), holder.digest.clone());
            self.holders.insert(target, holder.clone());
        }
    }

    fn withhold(&mut self, holder: &Holder) {
        self.note_interest(holder);
        let withheld = self.withheld.entry(holder.mirror.name.clone());
        let withheld = withheld.or_default();
        for target in targets(&holder.claim) {
            withheld.insert(target, holder.digest.clone());
        }
    }

    fn note_interest(&mut self, holder: &Holder) {
        let (repository, mirror) = (&holder.claim.repository, &holder.mirror.name);
        if let Some(interested) = self.interested.get_mut(repository) {
            if !interested.contains(mirror) {
                interested.insert(mirror.clone());
            }
        } else {
            let interested = BTreeSet::from([mirror.clone()]);
            self.interested.insert(repository.clone(), interested);
        }
    }
}

// === impl Targets ===

impl Targets {
    fn insert(&mut self, target: Target, digest: Option<Digest>) {
        let (registry, repository, tag) = target;
        let tags = self.0.entry(repository).or_default();
        tags.insert((registry, tag), digest);
    }

    fn into_targets(self) -> impl Iterator<Item = Target> {
        self.0.into_iter().flat_map(|(repository, tags)| {
            let tags = tags.into_keys();
            tags.map(move |(registry, tag)| (registry, repository.clone(), tag))
        })
    }
}

/// The tags that a claim is about.
fn targets(claim: &Claim) -> impl Iterator<Item = Target> {
    claim.tags().map(|tag| {
        (
            claim.registry.clone(),
            claim.repository.clone(),
            tag.clone(),
        )
    })
}
