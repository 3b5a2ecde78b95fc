// SPDX-License-Identifier: Apache-2.0

//! Who wants which destination tag, over all mirrors of the process and from round to round.

#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use jiff::Timestamp;

use super::ledger::Ownership;
use super::sighting::Absent;
use super::wishes::{Run, Wish, Wishes};
use crate::oci::{Digest, Registry, Repository, Tag};
use crate::plan::conflicts::{Claimant, Conflict, ConflictKind, Seniority, find_conflicts};
use crate::plan::prune::{self as pruning, Claimable, Holding, may_want};
use crate::plan::{Claim, Mirror, SourceImage};

/// The destination tags that mirrors want.
///
/// What a mirror wanted stays until a complete round of its own says otherwise: a source that cannot be
/// asked takes nothing back.
#[derive(Debug, Default)]
pub(super) struct Claims {
    /// Those who may write a tag.
    holders: HashMap<Target, Arc<Holder>>,
    /// The targets of each mirror, by its name.
    targets: HashMap<String, Targets>,
    /// The tags that a mirror tried to write and could not: until it does, its claim counts no more. Whoever cannot
    /// write to a registry keeps nobody from it.
    unproven: HashMap<String, HashSet<Target>>,
    /// What mirrors want that others have, by their names, and what has no source yet. They do not write it, and
    /// want it all the same.
    withheld: HashMap<String, Targets>,
    /// The mirrors that want something of a repository, or did: who looks for them asks no other.
    interested: HashMap<Repository, BTreeSet<String>>,
    /// The mirrors of which it is not known what they want: they may want whatever their specs could mean.
    unheard: HashMap<String, Arc<Mirror>>,
}

/// A tag of a registry, by the one name that stands for all that the registry may have.
type Target = (Registry, Repository, Tag);

/// Tags of registries as specs name them, by their repositories, with the digests that they should name, where those are
/// known.
#[derive(Debug, Default)]
struct Targets(HashMap<Repository, HashMap<(Registry, Tag), Option<Digest>>>);

#[derive(Clone, Debug)]
struct Holder {
    mirror: Arc<Seniority>,
    source: SourceImage,
    claim: Claim,
    /// The digest that the tag should name, where that is known.
    digest: Option<Digest>,
    /// What gives the mirror the tag.
    ownership: Ownership,
    /// The run that found it out; None where it was on record.
    run: Option<Run>,
}

/// The wishes of a mirror that are not honoured, and why: the image, and the tag that it is to have.
pub(super) type Conflicts<'a> = HashMap<(&'a SourceImage, &'a Claim), ConflictKind>;

impl Claims {
    /// Finds what keeps a mirror from its wishes: tags that others of its run want, or hold since an earlier one. Who
    /// wrote a tag holds it, then who found it right; of those whose ownership is the same the older mirror, whoever came
    /// first. `all` are the wishes of those who may want the same tags, in the order of the run, with its own.
    ///
    /// What a mirror wants without conflict is held by it from now on, unless it could not write it before.
    pub(super) fn settle<'a>(
        &mut self,
        run: Run,
        own: &'a Wishes,
        all: &'a [Arc<Wishes>],
    ) -> Conflicts<'a> {
        if own.is_complete {
            self.let_go(&own.mirror.name);
        } else {
            self.wait_for(own.mirror.clone());
        }
        let claims = own.tags.iter().map(|wish| &wish.claim);
        let wanted: HashSet<Target> = claims.flat_map(targets).collect();
        if own.is_complete
            && let Some(unproven) = self.unproven.get_mut(&own.mirror.name)
        {
            unproven.retain(|target| wanted.contains(target));
        }
        let rivals = self.rivals(run, own, all);
        let conflicts = find_own_conflicts(own, all, &wanted, &rivals);
        for holder in self.hold_honoured(run, own, &conflicts) {
            self.withhold(&holder);
        }
        conflicts
    }

    /// Holds what a mirror wants without conflict, as far as its claims count; gives the rest.
    fn hold_honoured(&mut self, run: Run, own: &Wishes, conflicts: &Conflicts<'_>) -> Vec<Holder> {
        let mirror = Arc::new(own.mirror.seniority());
        let mut rest = Vec::new();
        for wish in &own.tags {
            let holder = Holder::of(&mirror, wish, run);
            let is_honoured = !conflicts.contains_key(&(&wish.source, &wish.claim));
            if is_honoured && self.counts(&holder) {
                self.hold(&holder);
            } else {
                rest.push(holder);
            }
        }
        rest
    }

    /// What gives a mirror a tag for an image, by what came of it earlier in this process: a push that has begun and
    /// not ended says nothing of what was there before.
    pub(super) fn held(&self, mirror: &str, source: &SourceImage, claim: &Claim) -> Ownership {
        let target = targets(claim).next();
        let holder = target.and_then(|target| self.holders.get(&target));
        let own = holder.filter(|holder| holder.mirror.name == mirror && holder.source == *source);
        own.map(|holder| holder.ownership).unwrap_or_default()
    }

    /// Takes note of a tag that a mirror has come to have.
    pub(super) fn conclude(&mut self, run: Run, mirror: &Mirror, wish: &Wish) {
        if let Some(unproven) = self.unproven.get_mut(&mirror.name) {
            for target in targets(&wish.claim) {
                unproven.remove(&target);
            }
        }
        let holder = Holder::of(&Arc::new(mirror.seniority()), wish, run);
        self.hold_unless_taken(&holder);
    }

    /// Takes note of a tag that a mirror tried to write, and could not. Where it had it before, it has it still; where
    /// not, it is free for others.
    pub(super) fn fail(&mut self, mirror: &str, claim: &Claim) {
        for target in targets(claim) {
            let holder = self.holders.get(&target);
            let is_bare = |holder: &&Arc<Holder>| {
                holder.mirror.name == mirror && holder.ownership == Ownership::Wanted
            };
            let Some(holder) = holder.filter(is_bare).cloned() else {
                continue;
            };
            self.holders.remove(&target);
            self.withhold(&holder);
            let unproven = self.unproven.entry(mirror.to_owned());
            unproven.or_default().insert(target);
        }
    }

    /// Whether a claim keeps others from the tag: by what the mirror has, or because it has not failed to write it.
    fn counts(&self, holder: &Holder) -> bool {
        let unproven = self.unproven.get(&holder.mirror.name);
        let has_failed = |target| unproven.is_some_and(|unproven| unproven.contains(&target));
        holder.ownership > Ownership::Wanted || !targets(&holder.claim).any(has_failed)
    }

    /// Holds what no other mirror has by more, or by the same and longer.
    fn hold_unless_taken(&mut self, holder: &Holder) {
        let is_more = |other: &Arc<Holder>| {
            other.mirror.name != holder.mirror.name && other.rank() < holder.rank()
        };
        let others: Vec<Arc<Holder>> = targets(&holder.claim)
            .filter_map(|target| self.holders.get(&target).cloned())
            .filter(|other| other.mirror.name != holder.mirror.name)
            .collect();
        if others.iter().any(is_more) {
            self.withhold(holder);
            return;
        }
        self.hold(holder);
        for other in others {
            self.withhold(&other);
        }
    }

    /// The same for some of what a mirror wants: the rest stays as its last round left it, and what other images of the
    /// mirror itself hold is not written over.
    pub(super) fn settle_some<'a>(
        &mut self,
        run: Run,
        own: &'a Wishes,
        all: &'a [Arc<Wishes>],
    ) -> Conflicts<'a> {
        let claims = own.tags.iter().map(|wish| &wish.claim);
        let wanted: HashSet<Target> = claims.flat_map(targets).collect();
        let rivals = self.rivals(run, own, all);
        let conflicts = find_own_conflicts(own, all, &wanted, &rivals);
        // What is not held stays as its last round left it.
        self.hold_honoured(run, own, &conflicts);
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
                ownership: Ownership::Wanted,
                run: None,
            });
        }
    }

    /// Takes over what a mirror held before this process began. What its spec does not ask for any more keeps nobody from
    /// it, and is not pruned for others.
    pub(super) fn restore(
        &mut self,
        mirror: Seniority,
        claims: Vec<(SourceImage, Claim, Ownership)>,
    ) {
        let mirror = Arc::new(mirror);
        let spec = self.unheard.get(&mirror.name).cloned();
        let mut place: Option<(Registry, Repository, Option<Claimable<'_>>)> = None;
        for (source, claim, ownership) in claims {
            let known = place.take().filter(|(registry, repository, _)| {
                (registry, repository) == (&claim.registry, &claim.repository)
            });
            let (_, _, claimable) = place.insert(known.unwrap_or_else(|| {
                let (registry, repository) = (&claim.registry, &claim.repository);
                let claimable = spec.as_deref();
                let claimable = claimable.map(|spec| Claimable::of(spec, registry, repository));
                (registry.clone(), repository.clone(), claimable)
            }));
            let counts = claimable.as_ref().is_none_or(|it| it.has(&claim.tag));
            let holder = Holder {
                mirror: mirror.clone(),
                source,
                claim,
                digest: None,
                ownership,
                run: None,
            };
            if counts {
                self.hold_unless_taken(&holder);
            } else {
                self.withhold(&holder);
            }
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
    pub(super) fn wait_for(&mut self, mirror: Arc<Mirror>) {
        self.unheard.insert(mirror.name.clone(), mirror);
    }

    /// Takes note of the spec of a mirror that has not said what it wants by it. What it holds and the spec does not ask for
    /// keeps nobody from it any more, and is not pruned for others.
    pub(super) fn stand_by(&mut self, mirror: Arc<Mirror>) {
        for target in self.unasked(&mirror) {
            let holder = self.holders.get(&target);
            let own = holder.filter(|holder| holder.mirror.name == mirror.name);
            if let Some(holder) = own.cloned() {
                self.holders.remove(&target);
                self.withhold(&holder);
            }
        }
        self.wait_for(mirror);
    }

    /// What a mirror holds that its spec does not ask for.
    fn unasked(&self, mirror: &Mirror) -> Vec<Target> {
        let held = self.targets.get(&mirror.name).into_iter();
        let held = held.flat_map(|targets| &targets.0);
        let unasked = held.flat_map(|(repository, tags)| {
            let mut claimable: HashMap<&Registry, Claimable<'_>> = HashMap::new();
            let unasked = tags.keys().filter(move |(registry, tag)| {
                let there = claimable.entry(registry);
                let there = there.or_insert_with(|| Claimable::of(mirror, registry, repository));
                !there.has(tag)
            });
            unasked
                .map(move |(registry, tag)| (registry.stand_in(), repository.clone(), tag.clone()))
        });
        unasked.collect()
    }

    /// A mirror that has not said what it wants, as its spec is.
    pub(super) fn unheard(&self, mirror: &str) -> Option<&Mirror> {
        self.unheard.get(mirror).map(Arc::as_ref)
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
        self.unproven.remove(mirror);
        self.let_go(mirror);
    }

    /// The same but for what it claimed and did not come to have.
    fn let_go(&mut self, mirror: &str) {
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
            let is_theirs = |holder: &Arc<Holder>| holder.mirror.name == mirror;
            if self.holders.get(&target).is_some_and(is_theirs) {
                self.holders.remove(&target);
            }
        }
    }

    /// The other mirrors that hold what one wants. Of those that take part in the run, what they hold is among their
    /// wishes, unless a failure hides it.
    fn rivals(&self, run: Run, own: &Wishes, all: &[Arc<Wishes>]) -> Vec<Holder> {
        let heard = all.iter().filter(|wishes| wishes.is_complete);
        let heard: HashSet<&str> = heard.map(|wishes| wishes.mirror.name.as_str()).collect();
        let wanted = own.tags.iter().flat_map(|wish| targets(&wish.claim));
        let holders = wanted.filter_map(|target| self.holders.get(&target).map(Arc::as_ref));
        // What the mirror itself holds for images that this round could not look at is not theirs who can be looked at.
        let seen: HashSet<&SourceImage> = own.tags.iter().map(|wish| &wish.source).collect();
        let is_rival = |holder: &&Holder| {
            let name = holder.mirror.name.as_str();
            if name == own.mirror.name {
                return !seen.contains(&holder.source);
            }
            holder.run != Some(run) && !heard.contains(name)
        };
        holders.filter(is_rival).cloned().collect()
    }

    fn hold(&mut self, holder: &Holder) {
        self.note_interest(holder);
        let held = self.targets.entry(holder.mirror.name.clone()).or_default();
        held.insert(holder);
        let shared = Arc::new(holder.clone());
        for target in targets(&holder.claim) {
            self.holders.insert(target, shared.clone());
        }
    }

    fn withhold(&mut self, holder: &Holder) {
        self.note_interest(holder);
        let withheld = self.withheld.entry(holder.mirror.name.clone());
        withheld.or_default().insert(holder);
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

// === impl Holder ===

impl Holder {
    /// What is first has the tag: by what it has of it, then by age.
    fn rank(&self) -> (Reverse<Ownership>, Option<(Timestamp, &str)>) {
        (Reverse(self.ownership), self.mirror.age())
    }

    fn of(mirror: &Arc<Seniority>, wish: &Wish, run: Run) -> Self {
        let Wish {
            source,
            claim,
            digest,
            ownership,
        } = wish;
        Self {
            mirror: mirror.clone(),
            source: source.clone(),
            claim: claim.clone(),
            digest: Some(digest.clone()),
            ownership: *ownership,
            run: Some(run),
        }
    }
}

// === impl Targets ===

impl Targets {
    fn insert(&mut self, holder: &Holder) {
        let Holder { claim, digest, .. } = holder;
        let tags = self.0.entry(claim.repository.clone()).or_default();
        for tag in claim.tags() {
            tags.insert((claim.registry.clone(), tag.clone()), digest.clone());
        }
    }

    fn into_targets(self) -> impl Iterator<Item = Target> {
        self.0.into_iter().flat_map(|(repository, tags)| {
            let tags = tags.into_keys();
            tags.map(move |(registry, tag)| (registry.stand_in(), repository.clone(), tag))
        })
    }
}

/// What keeps a mirror from its own wishes, by those of the others who want some of it.
fn find_own_conflicts<'a>(
    own: &'a Wishes,
    all: &[Arc<Wishes>],
    wanted: &HashSet<Target>,
    rivals: &[Holder],
) -> Conflicts<'a> {
    let ages: Vec<Seniority> = all.iter().map(|one| one.mirror.seniority()).collect();
    let held = rivals.iter().map(|rival| {
        let Holder {
            mirror,
            source,
            claim,
            ownership,
            ..
        } = rival;
        (*ownership, &**mirror, source, claim)
    });
    let wished = all.iter().zip(&ages).flat_map(|(wishes, mirror)| {
        let is_own = wishes.mirror.name == own.mirror.name;
        let is_meant = move |claim: &Claim| is_own || targets(claim).any(|it| wanted.contains(&it));
        let meant = wishes.tags.iter().filter(move |wish| is_meant(&wish.claim));
        meant.map(move |wish| (wish.ownership, mirror, &wish.source, &wish.claim))
    });
    let mut wanting: Vec<(Ownership, &Seniority, &SourceImage, &Claim)> =
        held.chain(wished).collect();
    // In files there are no ages: the one that came first stays first.
    wanting.sort_by_key(|(ownership, mirror, ..)| (Reverse(*ownership), mirror.age()));
    let claimants = wanting
        .into_iter()
        .map(|(_, mirror, source, claim)| Claimant {
            mirror: &mirror.name,
            source,
            claim,
        });
    let claimants: Vec<Claimant<'_>> = claimants.collect();
    let conflicts = find_conflicts(&claimants).into_iter();
    let refused = conflicts.filter(|conflict| conflict.claimant.mirror == own.mirror.name);
    let refused: HashMap<(&SourceImage, &Claim), ConflictKind> = refused
        .map(|Conflict { claimant, kind }| ((claimant.source, claimant.claim), kind))
        .collect();
    let of_own = own.tags.iter().filter_map(|Wish { source, claim, .. }| {
        let kind = refused.get(&(source, claim))?;
        Some(((source, claim), kind.clone()))
    });
    of_own.collect()
}

/// The tags that a claim is about.
fn targets(claim: &Claim) -> impl Iterator<Item = Target> {
    let registry = claim.registry.stand_in();
    let tags = claim.tags();
    tags.map(move |tag| (registry.clone(), claim.repository.clone(), tag.clone()))
}
