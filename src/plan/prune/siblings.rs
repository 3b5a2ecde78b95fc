// SPDX-License-Identifier: Apache-2.0

//! Tags that may be one and the same: under another destination of the mirror, or because the registry does
//! not tell upper and lower case apart. One that stays keeps the others. So does one of the same digest at a host of
//! another name or port, if nothing but its record is known of it, a policy keeps it, or it was wanted within the grace: that
//! may be the same registry.

use std::collections::HashMap;

use super::candidates::Candidate;
use super::holders::fold;
use super::recorded::{Recorded, Target};
use super::rule::{Doubt, Rule};
use crate::oci::{Digest, Registry, Repository, Tag};

/// Keeps candidates that may be a tag on record that stays, for whatever reason it does.
pub fn keep_siblings(candidates: &mut [Candidate], recorded: &[Recorded<'_>]) {
    let known: HashMap<(&str, &Repository, &Tag), &Candidate> = candidates
        .iter()
        .map(|candidate| {
            let target = &candidate.target;
            let destination = target.destination.as_str();
            ((destination, &target.repository, &target.tag), candidate)
        })
        .collect();
    let mut staying: HashMap<(&Repository, String), Vec<Sibling>> = HashMap::new();
    for recorded in recorded {
        let target = recorded.target;
        let known = known.get(&(target.destination, target.repository, target.tag));
        if known.is_some_and(|known| known.is_due()) {
            continue;
        }
        let key = (target.repository, fold(target.tag));
        staying.entry(key).or_default().push(Sibling {
            registry: target.registry.cloned(),
            tag: target.tag.clone(),
            digest: recorded.digest.clone(),
            holds_anywhere: known
                .is_none_or(|known| known.unwanted.is_retained() || !known.is_over),
        });
    }
    for candidate in candidates {
        if !candidate.is_due() {
            continue;
        }
        let target = &candidate.target;
        let alike = staying.get(&(&target.repository, fold(&target.tag)));
        let mut alike = alike.into_iter().flatten();
        let sibling = alike.find(|sibling| sibling.may_be(target, &candidate.digest));
        if let Some(Sibling { tag, .. }) = sibling {
            let message = format!("tag {tag}, which stays: it may be the same one");
            candidate.protect(Doubt::new(Rule::Unwanted, message));
        }
    }
}

/// A tag on record that stays.
struct Sibling {
    registry: Option<Registry>,
    tag: Tag,
    digest: Digest,
    /// Whether it counts at a host of another name, too.
    holds_anywhere: bool,
}

// === impl Sibling ===

impl Sibling {
    /// Whether it may be a tag that names this digest.
    fn may_be(&self, target: &Target, digest: &Digest) -> bool {
        let is_image = self.tag == target.tag && self.digest == *digest;
        // Another port of the same host is another name like any.
        let is_elsewhere = self.holds_anywhere && is_image;
        let may_be_here = |registry: &Registry| registry.may_be(&target.registry) || is_elsewhere;
        self.registry.as_ref().is_none_or(may_be_here)
    }
}
