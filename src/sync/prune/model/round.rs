// SPDX-License-Identifier: Apache-2.0

//! A round in the made-up world: the steps of the real one, in its order, with its decisions.

use std::collections::HashSet;
use std::sync::Arc;

use futures::FutureExt;

use super::judge::must;
use super::known::{At, KNOWN_REPOSITORIES, Place, at};
use super::mutants::Mutant;
use super::world::World;
use crate::api::image_mirror::PruneMode;
use crate::oci::{Digest, Registry, Tag};
use crate::plan::naming::Naming;
use crate::plan::prune::Selection;
use crate::plan::select::NotSelected;
use crate::plan::{Claim, SourceImage};
use crate::policy::select::Exclusion;
use crate::sync::ledger::{Ownership, Page, Slot};
use crate::sync::wishes::{Wish, Wishes};

/// Why a round ends before its end.
pub(super) enum End {
    /// The process died.
    Died,
    /// The process has lost the lease.
    Fenced,
    /// Its records are not kept.
    Unkept,
}

/// A destination tag that a round wants.
#[derive(Clone)]
pub(super) struct Wanted {
    pub(super) slot: Slot,
    pub(super) at: At,
    pub(super) source: Place,
    pub(super) digest: Digest,
    pub(super) claim: Claim,
}

impl World {
    /// One round of one mirror; the process starts anew where it dies.
    pub(super) fn round(&mut self) {
        if self.member().is_suspended {
            return;
        }
        let Some(turn) = self.enter() else { return };
        self.tell(|| format!("round of {} at {:?}", self.me, self.passed()));
        self.member_mut().plan = None;
        self.take_note_of_grace();
        let end = self.try_round();
        self.mend();
        self.go_on_after(end);
        self.leave(turn);
    }

    /// Who goes on. One that slept through it gives way to the one that took over.
    pub(super) fn go_on_after(&mut self, end: Result<(), End>) {
        let leader = if self.is_within {
            None
        } else {
            self.leader.take()
        };
        match (leader, end) {
            (Some(leader), _) => self.process = leader,
            (None, Err(End::Died)) if self.is_shared() => {
                self.fuse = None;
                self.lose(self.process.number);
            }
            (None, Err(End::Died)) => self.restart(),
            (None, Ok(()) | Err(End::Fenced | End::Unkept)) => {}
        }
    }

    /// What the round wants, as far as the source shows it.
    fn wanted(&self, is_failing: bool) -> Vec<Wanted> {
        let mirror = self.mirror();
        let mut wanted = Vec::new();
        let listed = self.listed().filter(|place| {
            let is_read = !is_failing || place.0 == KNOWN_REPOSITORIES[1];
            is_read && self.wants(place)
        });
        for source in listed {
            let digest = &self.source[source];
            let claims = mirror.claims(&Naming::default(), &source.0, &source.1, Some(digest));
            wanted.extend(claims.into_iter().map(|(destination, claim)| {
                let claim = claim.unwrap();
                Wanted {
                    slot: Slot {
                        page: Page {
                            mirror: mirror.name.clone(),
                            destination: destination.name.clone(),
                            repository: claim.repository.clone(),
                        },
                        tag: claim.tag.clone(),
                    },
                    at: at(&claim.registry, &claim.repository, &claim.tag),
                    source: source.clone(),
                    digest: digest.clone(),
                    claim,
                }
            }));
        }
        wanted
    }

    fn try_round(&mut self) -> Result<(), End> {
        let mirror = self.members[self.me].mirror.clone();
        let is_failing = !self.is_quiet && self.random.one_in(6);
        let mut wanted = self.wanted(is_failing);
        self.take_note_of_wants(&wanted, !is_failing);
        let is_stalled = self.take_out_conflicts(&mut wanted, is_failing);
        self.member_mut().is_stalled = is_stalled;
        self.notes.hindered = None;
        let slots: HashSet<&Slot> = wanted.iter().map(|wanted| &wanted.slot).collect();
        self.heal_interrupted(|slot| slots.contains(slot))?;
        let (rebuilt, is_disputed) = self.copy(&wanted)?;
        let is_stalled = is_stalled || is_disputed;
        self.member_mut().is_stalled = is_stalled;
        self.conclude(&wanted);
        match mirror.prune.mode {
            PruneMode::Retain => {
                if !self.is(Mutant::RetainHealsNothing) {
                    self.heal_interrupted(|_| true)?;
                }
                self.pruning().forget_unwanted();
                self.flush()?;
            }
            PruneMode::Plan | PruneMode::Delete => {
                self.prune(&wanted, rebuilt, (is_failing, is_stalled))?;
            }
        }
        self.judge_healed();
        Ok(())
    }

    /// Takes out what another mirror, or another image, has; says whether there is any.
    fn take_out_conflicts(&self, wanted: &mut Vec<Wanted>, is_failing: bool) -> bool {
        let tags = wanted.iter().map(|wanted| self.wish(wanted));
        let wishes = Arc::new(Wishes {
            mirror: self.member().mirror.clone(),
            is_complete: !is_failing || self.is(Mutant::FailureForgetsClaims),
            tags: tags.collect(),
        });
        let run = self.state().begin_run();
        let mut claims = self.state().claims();
        let all = std::slice::from_ref(&wishes);
        let conflicts = claims.settle(run, &wishes, all, |_| true);
        for kind in conflicts.values() {
            self.tell(|| format!("in conflict: {kind:?}"));
        }
        let is_free =
            |wanted: &Wanted| !conflicts.contains_key(&(&image(&wanted.source), &wanted.claim));
        wanted.retain(is_free);
        !conflicts.is_empty()
    }

    /// What gives the mirror the tag, by what is on record.
    fn ownership(&self, wanted: &Wanted) -> Ownership {
        let record = self.state().ledger.read(&wanted.slot);
        let named = self.registry.get(&wanted.at);
        let record = record.filter(|record| {
            record.source == image(&wanted.source).to_string() && named == Some(&record.digest)
        });
        record.map(|record| record.ownership()).unwrap_or_default()
    }

    /// What was copied is the mirror's; what was not is free.
    fn conclude(&self, wanted: &[Wanted]) {
        let mirror = &self.member().mirror;
        let run = self.state().begin_run();
        let mut claims = self.state().claims();
        for wanted in wanted {
            let wish = self.wish(wanted);
            if wish.ownership > Ownership::Wanted {
                claims.conclude(run, mirror, &wish);
            } else {
                claims.fail(&mirror.name, &wanted.claim);
            }
        }
    }

    fn wish(&self, wanted: &Wanted) -> Wish {
        Wish {
            source: image(&wanted.source),
            claim: wanted.claim.clone(),
            digest: wanted.digest.clone(),
            ownership: self.ownership(wanted),
        }
    }

    /// A round has seen what is wanted: all of it, if nothing failed.
    fn take_note_of_wants(&mut self, wanted: &[Wanted], is_whole: bool) {
        let now = self.passed();
        let me = self.me;
        let member = &mut self.members[me];
        if is_whole {
            member.known.clear();
            let is_wanted = |at: &At, digest: &Digest| {
                let mut wanted = wanted.iter();
                wanted.any(|wanted| wanted.at == *at && wanted.digest == *digest)
            };
            member.settled.retain(|at, digest| is_wanted(at, digest));
        }
        for wanted in wanted {
            let image = (wanted.source.clone(), wanted.digest.clone());
            member.known.insert(wanted.at.clone(), image);
            let wanted = (me, wanted.at.clone());
            self.notes.last_wanted.insert(wanted, now);
        }
    }

    /// A step, at which the process may die, or sleep until it has lost the lease.
    pub(super) fn step(&mut self) -> Result<(), End> {
        match &mut self.fuse {
            Some(0) => return Err(End::Died),
            Some(left) => *left -= 1,
            None => {}
        }
        if self.random.one_in(100) {
            self.sleep();
        }
        self.look_at_lease()
    }

    /// What the pool of requests does before each that changes a registry.
    pub(super) fn look_at_lease(&self) -> Result<(), End> {
        if self.has_lease() || self.is(Mutant::LeaseNotLooked) {
            Ok(())
        } else {
            Err(End::Fenced)
        }
    }

    pub(super) fn flush(&self) -> Result<(), End> {
        let flushed = self.state().flush(self.mirror()).now_or_never();
        must(flushed.is_some(), || "keeping records waits".to_owned());
        flushed.unwrap().map_err(|_| End::Unkept)
    }

    /// What the lists of the source show; where one fails, nothing of its repository.
    pub(super) fn selection(&self, is_failing: bool) -> Selection {
        let mut selection = Selection::default();
        let policy = "some".parse().unwrap();
        let excluded = NotSelected::Policies(vec![(policy, Exclusion::NotIncluded)]);
        let repositories = KNOWN_REPOSITORIES.iter().skip(is_failing.into());
        for repository in repositories.filter(|name| self.mirror().names(name)) {
            let tags = self.listed().filter(|place| place.0 == *repository);
            let (selected, rest): (Vec<&Tag>, Vec<&Tag>) = tags
                .map(|(_, tag)| tag)
                .partition(|tag| self.member().selected.contains(*tag));
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
}

pub(super) fn image(place: &Place) -> SourceImage {
    SourceImage {
        registry: Registry::docker_hub(),
        repository: place.0.clone(),
        tag: place.1.clone(),
    }
}
