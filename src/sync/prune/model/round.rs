//! A round in the made-up world: the steps of the real one, in its order, with its decisions.

use std::collections::{HashMap, HashSet};

use futures::FutureExt;

use super::known::{KNOWN_IMAGES, KNOWN_REPOSITORIES, Place, signature_of, signature_tag};
use super::world::World;
use crate::api::Reason;
use crate::api::image_mirror::PruneMode;
use crate::oci::{Digest, Repository, Tag};
use crate::plan::SourceImage;
use crate::plan::in_use::{Name, Subject};
use crate::plan::naming::Naming;
use crate::plan::prune::{
    Brakes, Candidate, Clock, Doubt, Fate, Found, Landscape, Leftover, Passage, Recorded, Rule,
    Selection, counted_since, find_candidates, find_leftovers, find_stop,
};
use crate::plan::report::Failure;
use crate::plan::select::NotSelected;
use crate::policy::select::Exclusion;
use crate::sync::Mode;
use crate::sync::ledger::{Record, Slot, Tombstone};
use crate::sync::prune::leftovers::Graves;
use crate::sync::prune::records::recorded;
use crate::sync::prune::safeguard::Safeguards;
use crate::sync::prune::settle::unsettled;
use crate::sync::prune::slot;

/// Why a round ends before its end.
pub(super) enum End {
    /// The process died.
    Died,
    /// Its records are not kept.
    Unkept,
}

impl World {
    /// One round; the process starts anew where it dies.
    pub(super) fn round(&mut self) {
        self.tell(|| format!("round at {:?}", self.passed()));
        self.plan = None;
        let end = self.try_round();
        if end.is_ok() {
            self.take_note_of_wants();
        }
        self.mend();
        if let Err(End::Died) = end {
            self.restart();
        }
    }

    fn try_round(&mut self) -> Result<(), End> {
        let wanted: Vec<(Slot, Place, Digest)> = self
            .source
            .iter()
            .filter(|(place, _)| self.wants(place))
            .map(|(place, digest)| (self.slot(place), place.clone(), digest.clone()))
            .collect();
        let rebuilt = self.copy(&wanted)?;
        let claimed: HashSet<&Slot> = wanted.iter().map(|(slot, ..)| slot).collect();
        match self.mirror.prune.mode {
            PruneMode::Retain => {
                self.syncer.retain(&self.mirror, Mode::Apply);
                self.flush()
            }
            PruneMode::Plan | PruneMode::Delete => self.prune(&claimed, rebuilt),
        }
    }

    /// A step, at which the process may die.
    fn step(&mut self) -> Result<(), End> {
        match &mut self.fuse {
            Some(0) => Err(End::Died),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn flush(&self) -> Result<(), End> {
        let flushed = self.syncer.flush(&self.mirror.name).now_or_never();
        flushed.unwrap().map_err(|_| End::Unkept)
    }

    /// What is wanted is brought to the destination; says how much was there and not on record.
    fn copy(&mut self, wanted: &[(Slot, Place, Digest)]) -> Result<usize, End> {
        let mut rebuilt = 0;
        for (slot, place, digest) in wanted {
            let ledger = self.syncer.ledger.clone();
            let known = ledger.read(slot);
            let is_known =
                known.is_some_and(|record| record.digest == *digest && !record.is_pending());
            if self.registry.get(place) == Some(digest) {
                rebuilt += usize::from(ledger.read(slot).is_none());
                if !is_known {
                    ledger.write(slot.clone(), self.record(place, digest, Standing::Adopted));
                }
                continue;
            }
            if let Some(tombstone) = self.kept(place).deleted.get(&place.1) {
                let image = (place.0.clone(), tombstone.digest.clone());
                self.abandoned.insert(image);
            }
            ledger.write(slot.clone(), self.record(place, digest, Standing::Pending));
            self.step()?;
            self.flush()?;
            self.step()?;
            self.tell(|| format!("push {}:{} = {digest}", place.0, place.1));
            // Signed before it is visible.
            let signature = (place.0.clone(), signature_tag(digest));
            self.registry.insert(signature, signature_of(digest));
            self.step()?;
            self.registry.insert(place.clone(), digest.clone());
            self.step()?;
            ledger.write(slot.clone(), self.record(place, digest, Standing::Written));
        }
        self.flush()?;
        Ok(rebuilt)
    }

    fn record(&self, place: &Place, digest: &Digest, standing: Standing) -> Record {
        let (repository, tag) = place;
        let now = self.syncer.pruner.now();
        Record {
            source: format!("docker.io/{repository}:{tag}"),
            source_digest: digest.clone(),
            digest: digest.clone(),
            shape: "all platforms".to_owned(),
            first_seen: now,
            copied_at: (standing == Standing::Written).then_some(now),
            adopted: standing == Standing::Adopted,
            refused: false,
            registry: Some("r.example.com".parse().unwrap()),
            unwanted: None,
            verified: None,
            referrers: None,
            own_referrers: Vec::new(),
        }
    }

    fn selection(&self) -> Selection {
        let mut selection = Selection::default();
        let policy = "some".parse().unwrap();
        let excluded = NotSelected::Policies(vec![(policy, Exclusion::NotIncluded)]);
        let repositories = KNOWN_REPOSITORIES.iter();
        for repository in repositories.filter(|name| self.mirror.names(name)) {
            let tags = self.source.keys().filter(|(of, _)| of == repository);
            let (selected, rest): (Vec<&Tag>, Vec<&Tag>) = tags
                .map(|(_, tag)| tag)
                .partition(|tag| self.selected.contains(*tag));
            let rest = rest.into_iter().map(|tag| (tag, &excluded));
            selection.add(
                repository,
                &Naming::default(),
                true,
                selected.into_iter(),
                rest,
            );
        }
        selection
    }

    fn prune(&mut self, claimed: &HashSet<&Slot>, rebuilt: usize) -> Result<(), End> {
        let mirror = self.mirror.clone();
        self.settle(claimed);
        let ledger = self.syncer.ledger.clone();
        let leaves = ledger.leaves(&mirror.name);
        let recorded: Vec<Recorded<'_>> = leaves
            .iter()
            .flat_map(|(page, leaf)| recorded(page, leaf, claimed))
            .collect();
        let selection = self.selection();
        let is_failing = !self.is_quiet && self.random.one_in(8);
        let failure = is_failing.then(|| Failure {
            subject: "docker.io/library/app".to_owned(),
            reason: Reason::Unreachable,
            message: "a page of the listing is missing".to_owned(),
            next_attempt_time: None,
            is_of_tag: false,
        });
        let has_records_of = |repository: &Repository| {
            let mut sources = recorded.iter().filter_map(|tag| tag.source.as_ref());
            sources.any(|source| source.repository == *repository)
        };
        if let Some(stop) = find_stop(failure.as_ref(), &selection, has_records_of, rebuilt) {
            self.tell(|| format!("stopped: {}", stop.message));
            self.syncer.unmark_wanted(&leaves, claimed);
            return self.flush();
        }
        let times = self.syncer.pruner.times();
        let clock = self.syncer.pruner.check(&mirror.name, times, true);
        let Found {
            mut candidates,
            is_clock_doubtful,
        } = find_candidates(&mirror, &selection, &recorded, clock, times.now);
        self.protect(&mut candidates);
        let is_stopped = is_clock_doubtful || (clock == Clock::Jumped && !candidates.is_empty());
        self.syncer.mark(&mirror, &leaves, &candidates);
        let dead = self.syncer.find_dead(&mirror, clock);
        let since = counted_since(times.now);
        let recent = self.syncer.ledger.deleted_since(&mirror.name, since);
        let brakes = Brakes::of(&mirror, &candidates, &recorded, &recent);
        self.plan.clone_from(&brakes.plan);
        let passage = brakes.judge(&mirror.prune);
        self.tell(|| format!("{clock:?} {is_stopped} {passage:?} {candidates:#?}"));
        self.step()?;
        self.flush()?;
        let is_paused = matches!(passage, Passage::Paused(_));
        if mirror.prune.mode == PruneMode::Plan {
            self.syncer.forget_dead(dead);
        } else if !is_stopped && !is_paused {
            let deleted = self.delete(&candidates, passage == Passage::Approved)?;
            self.judge_brakes(deleted, recorded.len());
            self.clear_leftovers(dead)?;
        }
        Ok(())
    }

    /// Deletes the signatures of images whose last tag went.
    fn clear_leftovers(&mut self, dead: Graves) -> Result<(), End> {
        for (page, mut tombstones) in dead {
            let repository = &page.repository;
            tombstones.retain(|tag, tombstone| !self.uses_dead(repository, tag, tombstone));
            let Some((_, first)) = tombstones.first_key_value() else {
                continue;
            };
            let slots = tombstones.keys().map(|tag| page.slot(tag));
            let ledger = &self.syncer.ledger;
            let tags = self.registry.iter();
            let tags = tags.filter(|((of, _), _)| of == repository);
            let indexes = KNOWN_IMAGES.iter();
            let landscape = Landscape {
                tags: tags
                    .map(|((_, tag), digest)| (tag.clone(), digest.clone()))
                    .collect(),
                restorable: ledger.restorable(&first.registry, repository, &slots.collect()),
                own: KNOWN_IMAGES
                    .iter()
                    .map(|image| signature_of(&image.digest))
                    .collect(),
                below: indexes
                    .map(|image| (image.digest.clone(), vec![image.closure[0].clone()]))
                    .collect(),
                referrers: HashMap::new(),
            };
            let gone = tombstones.values().map(|tombstone| &tombstone.digest);
            for part in find_leftovers(&landscape, gone).parts {
                let Leftover::Tag(tag, digest) = part else {
                    panic!("the registry lists no referrers");
                };
                self.step()?;
                let place = (page.repository.clone(), tag);
                self.tell(|| format!("clear {}:{}", place.0, place.1));
                self.judge_clearing(&place, &digest);
                self.registry.remove(&place);
                self.cleared += 1;
            }
            let done = Graves::from([(page, tombstones)]);
            self.syncer.forget_dead(done);
        }
        self.step()?;
        self.flush()
    }

    fn uses_dead(&self, repository: &Repository, tag: &Tag, tombstone: &Tombstone) -> bool {
        let source = SourceImage::read(&tombstone.source).unwrap();
        let name = (&tombstone.registry, repository, tag);
        let digests = [&tombstone.digest, &tombstone.source_digest];
        self.find_user(
            name,
            (&source.registry, &source.repository, &source.tag),
            digests,
            true,
        )
        .is_some()
    }

    fn settle(&mut self, claimed: &HashSet<&Slot>) {
        for (page, leaf) in self.syncer.ledger.leaves(&self.mirror.name) {
            for (slot, record, tombstone) in unsettled(&page, &leaf) {
                if !claimed.contains(&slot) {
                    let place = (slot.page.repository.clone(), slot.tag.clone());
                    let found = self.registry.get(&place);
                    self.syncer.settle_one(&slot, record, tombstone, found);
                }
            }
        }
    }

    fn protect(&self, candidates: &mut [Candidate]) {
        for candidate in candidates {
            if let Some(user) = self.user_of(candidate, candidate.is_due()) {
                candidate.protect(Doubt::new(Rule::Unused, user));
            }
        }
    }

    /// Who uses a candidate, as the real code finds it.
    fn user_of(&self, candidate: &Candidate, is_read: bool) -> Option<String> {
        let (target, source) = (&candidate.target, &candidate.source);
        self.find_user(
            (&target.registry, &target.repository, &target.tag),
            (&source.registry, &source.repository, &source.tag),
            [&candidate.digest, &candidate.source_digest],
            is_read,
        )
    }

    fn find_user(
        &self,
        destination: Name<'_>,
        source: Name<'_>,
        digests: [&Digest; 2],
        is_read: bool,
    ) -> Option<String> {
        let mut images = KNOWN_IMAGES.iter();
        let image = images.find(|image| image.digest == *digests[0] && is_read);
        let closure = image.iter().flat_map(|image| &image.closure);
        let digests: Vec<Digest> = digests.into_iter().chain(closure).cloned().collect();
        let subject = Subject {
            destination,
            source,
            digests: &digests,
        };
        self.in_use.user_of(&subject).map(str::to_owned)
    }

    /// Deletes what is due, and says how many were tried.
    fn delete(&mut self, candidates: &[Candidate], is_approved: bool) -> Result<usize, End> {
        let mirror = self.mirror.clone();
        let due: Vec<(usize, &Candidate)> = candidates
            .iter()
            .enumerate()
            .filter(|(_, candidate)| candidate.is_due())
            .collect();
        self.step()?;
        let written = self
            .syncer
            .write_tombstones(&mirror, &due, is_approved, Safeguards::new())
            .now_or_never();
        if written.unwrap().is_err() {
            return Err(End::Unkept);
        }
        // The last look comes after the plan: what began meanwhile is seen.
        if !self.is_quiet && self.random.one_in(4) {
            self.start_workload();
        }
        let mut deleted = 0;
        for (_, candidate) in &due {
            self.step()?;
            let fate = match self.user_of(candidate, true) {
                Some(user) => Fate::Protected {
                    rule: Some(Rule::Unused),
                    protected_by: user,
                },
                None => self.delete_one(candidate),
            };
            deleted += usize::from(fate == Fate::Deleted);
            self.step()?;
            self.syncer.settle_deleted(&mirror, candidate, &fate);
        }
        self.step()?;
        self.flush()?;
        Ok(deleted)
    }

    fn delete_one(&mut self, candidate: &Candidate) -> Fate {
        let target = &candidate.target;
        let place = (target.repository.clone(), target.tag.clone());
        match self.registry.get(&place) {
            None => Fate::Gone,
            Some(found) if *found != candidate.digest => Fate::Disowned,
            Some(_) => {
                self.tell(|| format!("delete {}:{}", place.0, place.1));
                self.judge_deletion(&place, &slot(&self.mirror.name, candidate));
                self.registry.remove(&place);
                self.deleted += 1;
                let image = (place.0, candidate.digest.clone());
                self.deletions.insert(image, self.passed());
                Fate::Deleted
            }
        }
    }
}

/// How a tag came to be at the destination.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Standing {
    Pending,
    Written,
    Adopted,
}
