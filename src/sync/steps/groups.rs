// SPDX-License-Identifier: Apache-2.0

//! The items of a round by the jobs that serve them: one for each image, whatever the number of its
//! destinations and tags.

use std::collections::HashMap;
use std::sync::Arc;

use crate::copy::{Job, Late, TagPush, Target, Visit};
use crate::sync::item::{Completion, Item, Step};
use crate::sync::sighting::Sighting;

/// The items that one job serves.
pub(super) struct Group {
    pub(super) job: Job,
    /// What is missing, where the image is there.
    pub(super) completion: Option<(Arc<Visit>, Arc<Late>)>,
    /// Which item is served by which target of the job.
    pub(super) members: Vec<(usize, usize)>,
}

/// One job for each image of which items are wanted, one target for each repository, all of its tags together.
pub(super) fn group(items: &[Item], is_wanted: impl Fn(usize, &Item) -> bool) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    let mut known = HashMap::new();
    let wanted = items.iter().enumerate();
    let wanted = wanted.filter(|(index, item)| is_wanted(*index, item));
    for (index, item) in wanted {
        let image = &item.sighting.image;
        let key = (image.origin.repository.clone(), image.digest.clone());
        let place = *known.entry(key).or_insert_with(|| {
            groups.push(Group {
                job: image.job(),
                completion: None,
                members: Vec::new(),
            });
            groups.len() - 1
        });
        if let Some(group) = groups.get_mut(place) {
            group.job.is_gated |= image.is_gated();
            let target = group.add(item);
            group.members.push((index, target));
        }
    }
    groups
}

/// The groups that were looked at and of which something is missing, without items that are not wanted.
pub(super) fn completions(items: &[Item], is_wanted: impl Fn(usize, &Item) -> bool) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    let wanted = items.iter().enumerate();
    let wanted = wanted.filter(|(index, item)| is_wanted(*index, item));
    for (index, Item { step, .. }) in wanted {
        let Step::Completed(Completion {
            visit,
            late,
            target,
        }) = step
        else {
            continue;
        };
        let known = groups.iter_mut().rev().find(|group| {
            let completion = group.completion.as_ref();
            completion.is_some_and(|(known, _)| Arc::ptr_eq(known, visit))
        });
        match known {
            Some(group) => group.members.push((index, *target)),
            None => groups.push(Group {
                job: visit.job.clone(),
                completion: Some((visit.clone(), late.clone())),
                members: vec![(index, *target)],
            }),
        }
    }
    groups
}

impl Group {
    fn add(&mut self, item: &Item) -> usize {
        let Sighting {
            endpoint,
            claim,
            current,
            expected,
            ..
        } = &item.sighting;
        let used = item.voucher.iter().flat_map(|voucher| &voucher.used);
        for digest in used {
            if !self.job.evidence.contains(digest) {
                self.job.evidence.push(digest.clone());
            }
        }
        let tag = TagPush {
            tag: claim.tag.clone(),
            // The right digest in another shape is pushed as if it were not there.
            current: current.clone().filter(|current| current != expected),
            previous: claim.previous.clone(),
        };
        let place = endpoint.place();
        let known = self.job.targets.iter_mut().enumerate().find(|(_, target)| {
            target.repository == claim.repository && target.endpoint.place() == place
        });
        if let Some((index, target)) = known {
            target.tags.push(tag);
            return index;
        }
        self.job.targets.push(Target {
            endpoint: endpoint.clone(),
            repository: claim.repository.clone(),
            tags: vec![tag],
        });
        self.job.targets.len() - 1
    }
}
