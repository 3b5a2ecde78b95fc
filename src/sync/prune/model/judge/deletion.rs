// SPDX-License-Identifier: Apache-2.0

//! A tag is about to be deleted.

use super::must;
use crate::api::image_mirror::{AdoptedTags, PruneMode};
use crate::oci::Digest;
use crate::plan::SourceImage;
use crate::plan::naming::Naming;
use crate::plan::prune::{Candidate, Cause};
use crate::sync::ledger::Slot;
use crate::sync::prune::model::known::{At, at};
use crate::sync::prune::model::world::World;

impl World {
    pub(in crate::sync::prune::model) fn judge_deletion(
        &self,
        place: &At,
        slot: &Slot,
        candidate: &Candidate,
    ) {
        let found = &self.registry[place];
        let mode = self.mirror().prune.mode;
        must(mode == PruneMode::Delete, || format!("{slot:?}: {mode:?}"));
        self.judge_ours(place, slot, found);
        self.judge_unwanted(place, slot, found);
        self.judge_cause(slot, candidate);
        must(!self.is_used(place, found), || {
            format!("{slot:?} is in use")
        });
        must(!self.is_retained_by_name(&slot.tag), || {
            format!("{slot:?} is retained")
        });
        let is_buried = self.is_restorable(slot, found);
        must(is_buried, || format!("{slot:?} cannot be restored"));
        let are_kept = self.are_parts_on_record(slot, found);
        must(are_kept, || {
            format!("what brings {slot:?} back is not on record")
        });
        self.judge_others(place, slot, found);
    }

    /// The mirror saw its own push of this digest to this tag succeed.
    fn judge_ours(&self, place: &At, slot: &Slot, found: &Digest) {
        let may_adopted = self.mirror().prune.adopted == AdoptedTags::Include;
        let push = (self.me, place.clone(), found.clone());
        let is_seen = self.notes.seen.contains(&push);
        must(is_seen || may_adopted, || {
            format!("nobody saw {slot:?} being pushed")
        });
        let is_recorded = self.kept(&slot.page, |leaf| {
            let record = leaf.records.get(&slot.tag);
            record.is_some_and(|record| record.digest == *found)
        });
        must(is_recorded, || format!("{slot:?} is not on record"));
    }

    /// No mirror wants it, in whatever state, by what it last knew; and this one has not for the grace.
    fn judge_unwanted(&self, place: &At, slot: &Slot, found: &Digest) {
        for (number, member) in self.members.iter().enumerate() {
            let Some((source, digest)) = member.known.get(place) else {
                continue;
            };
            let claims =
                member
                    .mirror
                    .claims(&Naming::default(), &source.0, &source.1, Some(digest));
            let mut claims = claims.into_iter().filter_map(|(_, claim)| claim.ok());
            // A spec that was changed says for itself what it wants no more.
            let is_meant = claims.any(|it| at(&it.registry, &it.repository, &it.tag) == *place)
                && member.mirror.names(&source.0);
            // What another process has found out is told by its records, and its spec by the watch.
            let is_on_record = member.settled.get(place) == Some(digest);
            let is_asked = member.selected.contains(&source.1);
            // Whoever works on it may have begun since, and knows no more than a spec that lists its tags.
            let is_open = self.works_on(number) && !(self.is_shared() && member.is_listed);
            let is_known = is_on_record || is_open || is_asked && self.knows_spec_of(number);
            let is_wanted = is_meant && is_known && digest == found;
            must(!is_wanted, || format!("{slot:?} is wanted by {number}"));
        }
        let grace = self.mirror().prune.grace.as_std();
        let wanted = self.notes.last_wanted.get(&(self.me, place.clone()));
        if let Some(wanted) = wanted.filter(|_| self.notes.records_lost.is_none()) {
            let unwanted = self.passed().saturating_sub(*wanted);
            must(unwanted >= grace, || {
                format!("{slot:?} was wanted {unwanted:?} ago")
            });
        }
    }

    /// What others have on record as wanted, or as kept by a policy, and what this mirror has elsewhere.
    fn judge_others(&self, place: &At, slot: &Slot, found: &Digest) {
        for (page, leaf) in &*self.durable.leaves.lock().unwrap() {
            let mut members = self.members.iter();
            let member = members.find(|member| member.mirror.name == page.mirror);
            let is_known = member.is_some();
            // Whoever put something on record, and has not looked yet who is about to delete it, may take it back.
            let is_open = |at: &At| member.is_some_and(|member| member.announced.contains(at));
            if self.is_shared() && is_open(place) {
                continue;
            }
            let records = leaf.records.iter().filter(|(tag, record)| {
                let registry = record.registry.as_ref().filter(|_| record.digest == *found);
                let is_it = |registry| at(registry, &page.repository, tag) == *place;
                (page, *tag) != (&slot.page, &slot.tag) && registry.is_some_and(is_it)
            });
            for (tag, record) in records.filter(|_| is_known) {
                let is_kept = record.unwanted.as_ref().is_none_or(|unwanted| {
                    let held_by = unwanted.protected_by.as_deref();
                    held_by.is_some_and(|held_by| held_by.starts_with("policy "))
                });
                must(!is_kept, || {
                    format!("{slot:?} is on record of {page:?} as {tag}")
                });
            }
        }
    }

    /// What the reason rests on is true.
    fn judge_cause(&self, slot: &Slot, candidate: &Candidate) {
        let SourceImage {
            repository, tag, ..
        } = &candidate.source;
        let source = (repository.clone(), tag.clone());
        let cause = candidate.unwanted.cause;
        let is_true = match cause {
            Cause::RepositoryRemoved => !self.mirror().names(repository),
            Cause::SourceGone => !self.source.contains_key(&source),
            Cause::NotNamed => false,
            Cause::NotSelected => !self.member().selected.contains(tag),
            Cause::Renamed => {
                let digest = Some(&candidate.source_digest);
                let claims = self
                    .mirror()
                    .claims(&Naming::default(), repository, tag, digest);
                let mut claims = claims.into_iter();
                !claims.any(|(destination, claim)| {
                    let is_tag = claim.is_ok_and(|claim| claim.tag == slot.tag);
                    destination.name == slot.page.destination && is_tag
                })
            }
        };
        must(is_true, || format!("{slot:?}: {cause:?} is not true"));
    }
}
