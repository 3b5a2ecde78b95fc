// SPDX-License-Identifier: Apache-2.0

//! Deletes the signatures of images whose last tag went, once these can be restored no more.

use std::collections::{BTreeSet, HashMap};

use futures::FutureExt;

use super::known::{KNOWN_IMAGES, KNOWN_TAGS, at};
use super::mutants::Mutant;
use super::protection::look;
use super::round::End;
use super::world::World;
use crate::oci::{Digest, Repository, Tag};
use crate::plan::prune::{Landscape, Leftover, Target, find_leftovers};
use crate::plan::{Claim, SourceImage};
use crate::sync::ledger::{Page, Tombstone};
use crate::sync::prune::leftovers::{Graves, slots};
use crate::sync::prune::protect::Image;

impl World {
    pub(super) fn clear_leftovers(
        &mut self,
        dead: Graves,
        own: &[(&Claim, &Digest)],
    ) -> Result<(), End> {
        let mirror = self.members[self.me].mirror.clone();
        let process = self.process.clone();
        let pruning = process.pruning(&mirror);
        let repositories = dead.keys().map(|page| page.repository.clone());
        let seen = pruning.see_others(repositories.collect()).now_or_never();
        let dead = if seen.unwrap().is_ok() {
            dead
        } else {
            Graves::new()
        };
        let over = slots(&dead);
        for (page, mut tombstones) in dead {
            if pruning.exhume(&page, &tombstones).is_empty() {
                pruning.forget_dead(Graves::from([(page, tombstones)]));
                continue;
            }
            let here = mirror.destination(&page.destination).unwrap();
            tombstones.retain(|_, tombstone| tombstone.registry == here.registry);
            let repository = &page.repository;
            let known = tombstones.values();
            let all: Vec<Digest> = known.map(|known| known.digest.clone()).collect();
            tombstones.retain(|tag, tombstone| !self.uses_dead(repository, tag, tombstone, own));
            let ledger = &process.state.ledger;
            let restorable = ledger.restorable(&here.registry, repository, (&page, &over));
            let mut needed = restorable.here.clone();
            needed.extend(all.into_iter().filter(|digest| {
                let is_it = |known: &Tombstone| known.digest == *digest;
                restorable.elsewhere.contains(digest) || !tombstones.values().any(is_it)
            }));
            tombstones.retain(|_, known| !restorable.elsewhere.contains(&known.digest));
            let Some((_, first)) = tombstones.first_key_value() else {
                continue;
            };
            let number = at(&first.registry, repository, &KNOWN_TAGS[0]).0;
            let gone = tombstones.iter().filter(|(tag, _)| {
                let place = (number, (repository.clone(), (*tag).clone()));
                !self.registry.contains_key(&place)
            });
            let gone: Vec<Digest> = gone.map(|(_, known)| known.digest.clone()).collect();
            let landscape = self.landscape(number, &page, needed);
            let parts = find_leftovers(&landscape, &gone).parts;
            if !parts.is_empty() {
                let place = (&first.registry, repository);
                let overtaken = pruning.is_overtaken(place, (&page, &over), &restorable);
                if overtaken.now_or_never().unwrap().unwrap_or(true) {
                    continue;
                }
            }
            for part in parts {
                let Leftover::Tag(tag, digest) = part else {
                    panic!("the registry lists no referrers");
                };
                self.step()?;
                let place = (number, (page.repository.clone(), tag));
                self.tell(|| format!("clear {place:?}"));
                self.judge_clearing(&place, &digest);
                self.take(&place);
                self.notes.cleared += 1;
            }
            pruning.forget_dead(Graves::from([(page, tombstones)]));
        }
        self.step()?;
        self.flush()
    }

    fn landscape(&self, number: usize, page: &Page, restorable: BTreeSet<Digest>) -> Landscape {
        let tags = self.registry.iter();
        let tags = tags.filter(|((at, (of, _)), _)| *at == number && *of == page.repository);
        let indexes = KNOWN_IMAGES.iter();
        Landscape {
            tags: tags
                .map(|((_, (_, tag)), digest)| (tag.clone(), digest.clone()))
                .collect(),
            restorable: if self.is(Mutant::RestorableIgnored) {
                BTreeSet::new()
            } else {
                restorable
            },
            own: KNOWN_IMAGES
                .iter()
                .map(|image| image.signature.1.clone())
                .collect(),
            below: indexes
                .map(|image| (image.digest.clone(), vec![image.closure[0].clone()]))
                .collect(),
            referrers: HashMap::new(),
        }
    }

    fn uses_dead(
        &self,
        repository: &Repository,
        tag: &Tag,
        tombstone: &Tombstone,
        own: &[(&Claim, &Digest)],
    ) -> bool {
        let target = Target {
            destination: String::new(),
            registry: tombstone.registry.clone(),
            repository: repository.clone(),
            tag: tag.clone(),
        };
        let image = Image {
            target: &target,
            source: &SourceImage::read(&tombstone.source).unwrap(),
            source_digest: &tombstone.source_digest,
            digest: &tombstone.digest,
        };
        let mut protection = look(self.pruning(), own);
        let doubt = self.find_doubt(&mut protection, image, true);
        doubt.is_some() && !self.is(Mutant::LeftoversInUse)
    }
}
