// SPDX-License-Identifier: Apache-2.0

//! Who wants which destination tag, over all mirrors of the process and from round to round.

mod conflicts;
mod holder;
#[cfg(test)]
mod tests;
mod unheard;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use self::conflicts::find_own_conflicts;
pub(super) use self::conflicts::{Conflicts, Hindrance};
use self::holder::{Holder, Target, Targets, targets};
use self::unheard::Unheard;
use super::ledger::Ownership;
use super::sighting::Absent;
use super::wishes::{Run, Wish, Wishes};
use crate::oci::{Registry, Repository};
use crate::plan::conflicts::Seniority;
use crate::plan::prune::{self as pruning, Claimable, Holding};
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
    unheard: Unheard,
    /// The mirrors that have had a round in this process.
    begun: HashSet<String>,
}

impl Claims {
    /// Finds what keeps a mirror from its wishes: tags that others of its run want, or hold since an earlier one. Who
    /// wrote a tag holds it, then who found it right; of those whose ownership is the same the older mirror, whoever came
    /// first. `all` are the wishes of those who may want the same tags, in the order of the run, with its own.
    ///
    /// What a younger mirror is about to write keeps no older one from it: it may never come to that. In its first round a
    /// mirror leaves alone what an older one may want that has not said so, and that is worked on here, as `is_here` tells.
    /// It does so once: a mirror whose round never comes keeps nobody from anything.
    ///
    /// What a mirror wants without conflict is held by it from now on, unless it could not write it before.
    pub(super) fn settle<'a>(
        &mut self,
        run: Run,
        own: &'a Wishes,
        all: &'a [Arc<Wishes>],
        is_here: impl Fn(&str) -> bool,
    ) -> Conflicts<'a> {
        let elders = self.find_elders(own, all, is_here);
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
        let mut conflicts = find_own_conflicts(own, all, &wanted, &rivals);
        for (key, elder) in elders {
            conflicts.entry(key).or_insert(Hindrance::Undecided(elder));
        }
        for holder in self.hold_honoured(run, own, &conflicts) {
            self.withhold(&holder);
        }
        conflicts
    }

    /// What older mirrors may want that have not said so, of what one wants in its first round and has nothing of.
    fn find_elders<'a>(
        &mut self,
        own: &'a Wishes,
        all: &[Arc<Wishes>],
        is_here: impl Fn(&str) -> bool,
    ) -> Vec<((&'a SourceImage, &'a Claim), String)> {
        let name = &own.mirror.name;
        if !self.begun.insert(name.clone()) {
            return Vec::new();
        }
        let seniority = own.mirror.seniority();
        let heard: HashSet<&str> = all.iter().map(|it| it.mirror.name.as_str()).collect();
        let is_meant = |other: &str| other != name && !heard.contains(other) && is_here(other);
        let has = |claim: &Claim| {
            let holders = targets(claim).filter_map(|target| self.holders.get(&target));
            holders.map(|it| &it.mirror.name).any(|it| it == name)
        };
        let bare = own
            .tags
            .iter()
            .filter(|wish| wish.ownership == Ownership::Wanted && !has(&wish.claim));
        bare.filter_map(|Wish { source, claim, .. }| {
            let elder = self.unheard.find_elder(seniority.age(), claim, is_meant)?;
            Some(((source, claim), elder.to_owned()))
        })
        .collect()
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
            let counts = claimable
                .as_ref()
                .is_none_or(|it| claim.tags().any(|tag| it.has(tag)));
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
        self.unheard.insert(mirror);
    }

    /// Takes note of the spec of a mirror that has not said what it wants by it. What it holds and the spec does not ask for
    /// keeps nobody from it any more, and is not pruned for others.
    pub(super) fn stand_by(&mut self, mirror: Arc<Mirror>) {
        self.free_unasked(&mirror);
        self.wait_for(mirror);
    }

    /// The same of one that is about to say what it wants.
    pub(super) fn expect(&mut self, mirror: Arc<Mirror>) {
        self.free_unasked(&mirror);
        self.unheard.expect(mirror);
    }

    fn free_unasked(&mut self, mirror: &Mirror) {
        for target in self.unasked(mirror) {
            let holder = self.holders.get(&target);
            let own = holder.filter(|holder| holder.mirror.name == mirror.name);
            if let Some(holder) = own.cloned() {
                self.holders.remove(&target);
                self.withhold(&holder);
            }
        }
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
        self.unheard.find(mirror, target)
    }

    /// Lets go of everything that a mirror wants.
    pub(super) fn forget(&mut self, mirror: &str) {
        self.unproven.remove(mirror);
        self.begun.remove(mirror);
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
