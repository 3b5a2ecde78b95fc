// SPDX-License-Identifier: Apache-2.0

//! Histories that the judge once took for wrong.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use crate::api::image_mirror::PruneMode;
use crate::sync::ledger::{Page, Slot};
use crate::sync::prune::model::known::{KNOWN_IMAGES, KNOWN_REPOSITORIES, MIRRORS, TAGS};
use crate::sync::prune::model::random::Random;
use crate::sync::prune::model::world::World;

/// A world whose mirror deletes no more than a third of its tags in a day.
fn world() -> World {
    let mut world = World::new(Random::new(0), false, (false, None));
    let mut known = MIRRORS.iter();
    let mirror = known.find(|it| it.prune.mode == PruneMode::Delete && it.prune.max_percent == 30);
    world.me = 0;
    world.member_mut().mirror = mirror.unwrap().clone();
    world
}

fn slot(tag: &str) -> Slot {
    Slot {
        page: Page {
            mirror: "platform/base".to_owned(),
            destination: "eu".to_owned(),
            repository: KNOWN_REPOSITORIES[0].clone(),
        },
        tag: tag.parse().unwrap(),
    }
}

fn is_blamed(judge: impl FnOnce()) -> bool {
    catch_unwind(AssertUnwindSafe(judge)).is_err()
}

#[test]
fn a_tag_that_somebody_pushed_again_is_one_of_the_share_however_often_it_went() {
    let deletable: BTreeSet<Slot> = TAGS[..4].iter().map(|tag| slot(tag)).collect();
    for (first, hours, blamed) in [("1.0", 1, false), ("1.1", 1, true), ("1.1", 25, false)] {
        let mut world = world();
        let then = world.passed();
        world.wait(Duration::from_secs(hours * 60 * 60));
        let now = world.passed();
        let before = BTreeSet::from([(slot(first), then)]);
        world.member_mut().unapproved = vec![(slot(first), then), (slot("1.0"), now)];
        let found = is_blamed(|| world.judge_brakes(&deletable, &before));
        assert_eq!(found, blamed, "{first} {hours}");
    }
}

#[test]
fn what_somebody_took_away_before_it_was_about_to_be_deleted_may_leave_no_signature() {
    for (is_begun, hours, blamed) in [(true, 25, false), (true, 1, true), (false, 25, true)] {
        let mut world = world();
        let image = &KNOWN_IMAGES[0];
        let repository = KNOWN_REPOSITORIES[0].clone();
        let (tag, signature) = &image.signature;
        let place = (0, (repository.clone(), tag.clone()));
        world.registry.retain(|_, digest| *digest != image.digest);
        world.registry.insert(place.clone(), signature.clone());
        world.workloads.clear();
        if is_begun {
            let now = world.passed();
            let deleted = (0, repository, image.digest.clone());
            world.notes.begun.insert(deleted, now);
        }
        world.wait(Duration::from_secs(hours * 60 * 60));
        world.members.truncate(1);
        let found = is_blamed(|| world.judge_clearing(&place, signature));
        assert_eq!(found, blamed, "{is_begun} {hours}");
    }
}
