//! Tags that may be one and the same: under another destination of the mirror, or because the registry does
//! not tell upper and lower case apart. One that stays keeps the others.

use std::collections::{HashMap, HashSet};

use super::candidates::Candidate;
use super::holders::fold;
use super::recorded::{Place, Recorded};
use super::rule::{Doubt, Rule};
use crate::oci::{Repository, Tag};

/// Keeps candidates that may be a tag on record that stays, for whatever reason it does.
pub fn keep_siblings(candidates: &mut [Candidate], recorded: &[Recorded<'_>]) {
    let due: HashSet<(&str, &Repository, &Tag)> = candidates
        .iter()
        .filter(|candidate| candidate.is_due())
        .map(|candidate| {
            let target = &candidate.target;
            let destination = target.destination.as_str();
            (destination, &target.repository, &target.tag)
        })
        .collect();
    let mut staying: HashMap<(&Repository, String), Vec<Place<'_>>> = HashMap::new();
    for Recorded { target, .. } in recorded {
        if !due.contains(&(target.destination, target.repository, target.tag)) {
            let key = (target.repository, fold(target.tag));
            staying.entry(key).or_default().push(*target);
        }
    }
    for candidate in candidates {
        if !candidate.is_due() {
            continue;
        }
        let target = &candidate.target;
        let alike = staying.get(&(&target.repository, fold(&target.tag)));
        let sibling = alike.into_iter().flatten().find(|place| {
            place
                .registry
                .is_none_or(|registry| registry.may_be(&target.registry))
        });
        if let Some(Place { tag, .. }) = sibling {
            let message = format!("tag {tag}, which stays: it may be the same one");
            candidate.protect(Doubt::new(Rule::Unwanted, message));
        }
    }
}
