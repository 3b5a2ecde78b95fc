// SPDX-License-Identifier: Apache-2.0

//! What happens in a history: at the source, to the specs, to workloads, and what people do.

use std::sync::Arc;
use std::time::Duration;

use super::known::{
    IMAGES, Image, KNOWN_IMAGES, KNOWN_REPOSITORIES, KNOWN_TAGS, Place, REGISTRIES, TAGS, at,
};
use super::member::Member;
use super::world::{Use, World};
use crate::api::image_mirror::PruneMode;
use crate::oci::Registry;
use crate::plan::in_use::InUse;

impl World {
    /// One thing happens, and often a round after it.
    pub(super) fn happen(&mut self) {
        self.me = self.random.index(self.members.len());
        match self.notes.hindered.take() {
            Some(me) if self.random.one_in(2) => {
                self.me = me;
                self.react();
            }
            _ => self.happen_by_chance(),
        }
        if !self.random.one_in(4) {
            self.round();
        }
        if self.members.len() > 1 && self.random.one_in(2) {
            self.me = self.random.index(self.members.len());
            self.round();
        }
        self.judge_undo();
    }

    fn happen_by_chance(&mut self) {
        if self.is_shared() && self.random.one_in(5) {
            self.change_members();
            return;
        }
        match self.random.below(27) {
            0 | 1 => self.push_at_source(),
            2 => self.remove_at_source(),
            3 | 4 => self.edit_policy(),
            5 => self.edit_mirror(),
            6 => self.start_workload(),
            7 => self.end_workload(),
            8 => self.meddle(),
            9 => self.restart(),
            10 => self.set_clock(),
            11 => self.approve(),
            12 => self.break_next_round(),
            13 => self.suspend(),
            14 => self.cut_list(),
            15 => self.mistake_records(),
            16 => self.lag(),
            17 => self.forge_record(),
            18 => self.collect_garbage(),
            19..=21 => self.restore_one_tag(),
            22 => self.thin_out(),
            _ => self.pass_time(),
        }
    }

    /// A person is told that a registry took more than it should, and that it could not be pushed again: pruning is
    /// switched off, or a tag that was deleted is selected again, or pushed by hand.
    fn react(&mut self) {
        let me = self.me;
        let lost = self
            .notes
            .losses
            .iter()
            .filter(|(_, loss)| loss.mirror == me);
        let lost = lost.max_by_key(|(_, loss)| loss.at);
        let lost = lost.map(|(at, loss)| (at.clone(), loss.slot.tag.clone(), loss.digest.clone()));
        match (self.random.below(3), lost) {
            (0, Some((at, _, digest))) => {
                self.tell(|| format!("somebody pushes {at:?} again"));
                self.put(&at, &digest);
            }
            (1, Some((_, tag, _))) => {
                self.tell(|| format!("{tag} is selected again"));
                let name = tag
                    .as_str()
                    .trim_end_matches("-alt")
                    .trim_end_matches("-ALT");
                let tag = name.parse().unwrap();
                self.member_mut().selected.insert(tag);
                if self.is_shared() {
                    self.tell_spec();
                }
            }
            _ => {
                self.tell(|| format!("{me} prunes no more"));
                Arc::make_mut(&mut self.member_mut().mirror).prune.mode = PruneMode::Retain;
            }
        }
    }

    pub(super) fn any_place(&mut self) -> Place {
        let repository = usize::from(self.random.one_in(3));
        let tag = self.random.index(TAGS.len());
        (
            KNOWN_REPOSITORIES[repository].clone(),
            KNOWN_TAGS[tag].clone(),
        )
    }

    fn any_image(&mut self) -> &'static Image {
        let index = usize::try_from(self.random.below(IMAGES)).unwrap();
        &KNOWN_IMAGES[index]
    }

    pub(super) fn push_at_source(&mut self) {
        let (place, image) = (self.any_place(), self.any_image());
        self.tell(|| format!("source: {}:{} = {}", place.0, place.1, image.digest));
        self.source.insert(place, image.digest.clone());
    }

    fn remove_at_source(&mut self) {
        let place = self.any_place();
        self.tell(|| format!("source: {}:{} is gone", place.0, place.1));
        self.source.remove(&place);
    }

    pub(super) fn edit_policy(&mut self) {
        let mut selected = self.member().selected.clone();
        if self.random.one_in(2) {
            // As most edits: one tag more, or less.
            let tag = &KNOWN_TAGS[self.random.index(TAGS.len())];
            if !selected.remove(tag) {
                selected.insert(tag.clone());
            }
        } else {
            let bits = self.random.below(1 << TAGS.len());
            let tags = KNOWN_TAGS.iter().enumerate();
            let tags = tags.filter(|(index, _)| bits >> index & 1 == 1);
            selected = tags.map(|(_, tag)| tag.clone()).collect();
        }
        self.tell(|| format!("policy of {}: {selected:?}", self.me));
        self.member_mut().selected = selected;
        if self.is_shared() {
            self.tell_spec();
        }
    }

    /// A person takes tags out of a policy one by one, some hours apart.
    fn thin_out(&mut self) {
        for _ in 0..=self.random.below(5) {
            let selected: Vec<_> = self.member().selected.iter().cloned().collect();
            if selected.is_empty() {
                return;
            }
            let tag = selected[self.random.index(selected.len())].clone();
            self.tell(|| format!("policy of {}: without {tag}", self.me));
            self.member_mut().selected.remove(&tag);
            if self.is_shared() {
                self.tell_spec();
            }
            self.round();
            self.wait(Duration::from_secs(7 * 60 * 60));
        }
        self.round();
    }

    fn edit_mirror(&mut self) {
        let is_alone = self.members.len() == 1;
        let fresh = Member::any(&mut self.random, self.me, is_alone);
        let member = self.member_mut();
        member.mirror = fresh.mirror;
        member.index = fresh.index;
        self.forget_taken();
        let member = self.member();
        self.tell(|| {
            let destinations = member.mirror.destinations.iter();
            let destinations = destinations.map(|at| (&at.name, &at.registry, &at.tags));
            let destinations: Vec<_> = destinations.collect();
            let prune = &member.mirror.prune;
            format!("mirror {}: {prune:?} {destinations:?}", self.me)
        });
        if self.is_shared() {
            self.tell_spec();
            return;
        }
        // A spec that changed is read by the process at once.
        let mirror = self.mirror().clone();
        if !self.is(super::mutants::Mutant::UnheardIgnored) {
            self.state().stand_by([mirror]);
        }
    }

    fn suspend(&mut self) {
        let is_suspended = self.random.one_in(2);
        self.tell(|| format!("{} is suspended: {is_suspended}", self.me));
        self.member_mut().is_suspended = is_suspended;
    }

    pub(super) fn start_workload(&mut self) {
        let place = self.any_place();
        let image = self.any_image();
        let (repository, tag) = &place;
        let [child, config] = &image.closure;
        let by_digest = Use::Image(image.digest.clone());
        let (name, registry) = REGISTRIES[self.random.index(REGISTRIES.len())];
        let anywhere = || Use::Tag(None, place.clone());
        let (text, used) = match self.random.below(6) {
            0 => (
                format!("{name}/{repository}:{tag}"),
                Use::Tag(Some(registry), place.clone()),
            ),
            1 => (format!("{repository}:{tag}"), anywhere()),
            2 => (format!("cache.corp/hub/{repository}:{tag}"), anywhere()),
            3 => (format!("else.where/x@{}", image.digest), by_digest),
            4 => (format!("docker-pullable://x@{child}"), by_digest),
            _ => (config.to_string(), by_digest),
        };
        self.tell(|| format!("workload: {text}"));
        let number = self.random.below(4);
        self.workloads.insert(number, (text, used));
        self.show_workloads();
    }

    fn end_workload(&mut self) {
        let number = self.random.below(4);
        self.workloads.remove(&number);
        self.show_workloads();
    }

    /// Workloads are there to be seen.
    fn show_workloads(&mut self) {
        let mut in_use = InUse::default();
        for (number, (text, _)) in &self.workloads {
            in_use.add_image_id(&format!("Pod shop/{number}"), text);
        }
        *self.nowhere.0.lock().unwrap() = Arc::new(in_use);
    }

    /// Somebody else writes to a destination, or deletes there.
    pub(super) fn meddle(&mut self) {
        let (name, _) = REGISTRIES[self.random.index(REGISTRIES.len())];
        let registry: Registry = name.parse().unwrap();
        let (repository, tag) = self.any_place();
        let suffix = ["", "", "-alt", "-ALT"][self.random.index(4)];
        let tag = format!("{tag}{suffix}").parse().unwrap();
        let place = at(&registry, &repository, &tag);
        let image = (!self.random.one_in(3)).then(|| self.any_image());
        // Who misses what was deleted pushes it again.
        let missed = self.notes.losses.iter().nth(self.random.index(4));
        let missed = missed.map(|(at, loss)| (at.clone(), Image::of(&loss.digest)));
        let missed = missed.filter(|_| self.random.one_in(2));
        let (place, image) = match missed {
            Some((at, image)) => (at, Some(image)),
            None => (place, image),
        };
        self.tell(|| {
            let image = image.map(|image| &image.digest);
            format!("somebody: {place:?} = {image:?}")
        });
        if let Some(image) = image {
            self.put(&place, &image.digest);
            return;
        }
        let digest = self.registry.get(&place).cloned();
        if let Some(digest) = digest.filter(|digest| self.is_about_to_go(&place, digest)) {
            // "Ours", and on record with what undoes it: nobody can tell this from the deletion that had begun, and
            // the signatures of ours that would go after that may go after this.
            let (now, image) = (self.passed(), (place.0, place.1.0.clone(), digest));
            self.notes.deletions.insert(image, now);
        }
        self.notes.is_written(&place);
        for (other, _) in self.take(&place) {
            self.notes.is_written(&other);
        }
    }

    fn restore_one_tag(&mut self) {
        let Some(turn) = self.enter() else { return };
        let end = self.restore_tag();
        self.go_on_after(end);
        self.leave(turn);
    }

    pub(super) fn pass_time(&mut self) {
        let hours = [0, 1, 7, 25, 25, 50, 400, 1000];
        let hours = hours[self.random.index(hours.len())];
        self.wait(Duration::from_secs(hours * 60 * 60 + 60));
    }

    fn approve(&mut self) {
        let other = self.any_image().digest.clone();
        let approved = if self.random.one_in(4) {
            Some(other)
        } else {
            self.member().plan.clone()
        };
        self.tell(|| format!("approved: {approved:?}"));
        Arc::make_mut(&mut self.member_mut().mirror).prune.approved = approved;
    }
}
