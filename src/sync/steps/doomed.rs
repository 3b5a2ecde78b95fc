// SPDX-License-Identifier: Apache-2.0

//! Tags that are there already and come to be kept, as where one is selected again: a mirror of another process may have
//! begun to delete them. Nothing is pushed, so that they are looked for on the records of the others once they stand on
//! ours.

use std::collections::BTreeSet;

use super::contention::{Barred, place};
use crate::oci::Repository;
use crate::plan::Mirror;
use crate::plan::report::Failure;
use crate::sync::State;
use crate::sync::failure::name_for;
use crate::sync::item::Item;
use crate::sync::ledger::Record;
use crate::sync::neighbours::Neighbours;

/// Looks at what others have begun to delete of what comes to be kept. Whoever begins later sees it on our record.
pub(super) async fn find_doomed(state: &State, mirror: &Mirror, items: &[Item]) -> Barred {
    let mut barred = Barred::nothing(items);
    let Some(neighbours) = &state.neighbours else {
        return barred;
    };
    let kept = items.iter().enumerate();
    let kept: Vec<(usize, &Item)> = kept.filter(|(_, item)| comes_to_be_kept(item)).collect();
    let repositories: BTreeSet<Repository> = kept
        .iter()
        .map(|(_, item)| item.sighting.claim.repository.clone())
        .collect();
    if repositories.is_empty() {
        return barred;
    }
    let looked = neighbours
        .look_everywhere(&state.ledger, &repositories)
        .await;
    for (index, item) in kept {
        let subject = item.sighting.claim.to_string();
        let failure = match &looked {
            Ok(()) => find_deleter((state, &**neighbours), item)
                .map(|other| Failure::disputed(&subject, name_for(mirror, &other), "delete")),
            Err(unseen) => Some(Failure::unseen(&subject, unseen)),
        };
        if let Some(failure) = failure {
            barred.bar(index, failure);
        }
    }
    barred
}

/// Whether a tag stands on our record as one to keep, that did not, and is not pushed.
fn comes_to_be_kept(item: &Item) -> bool {
    if item.is_copied() {
        return false;
    }
    let ahead = item.record_ahead();
    ahead.is_some_and(|ahead| is_news(item.sighting.recorded.as_ref(), &ahead))
}

/// Whether others may have taken a tag for one that nobody keeps.
pub(in crate::sync) fn is_news(before: Option<&Record>, ahead: &Record) -> bool {
    before.is_none_or(|before| {
        let is_same = before.digest == ahead.digest && before.registry == ahead.registry;
        !is_same || !before.is_kept()
    })
}

fn find_deleter((state, neighbours): (&State, &dyn Neighbours), item: &Item) -> Option<String> {
    let sighting = &item.sighting;
    let place = place(sighting);
    let mut tags = sighting.claim.tags();
    tags.find_map(|tag| {
        let is_other = |name: &str| neighbours.is_other(name);
        let ledger = &state.ledger;
        ledger.deleter((&place, tag), &sighting.expected, is_other)
    })
}
