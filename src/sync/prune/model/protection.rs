// SPDX-License-Identifier: Apache-2.0

//! What protects a tag, as the real code finds it, and what faults leave of that.

use std::sync::Arc;

use futures::FutureExt;

use super::judge::must;
use super::known::KNOWN_IMAGES;
use super::mutants::Mutant;
use super::process::Nowhere;
use super::world::World;
use crate::oci::Digest;
use crate::plan::Claim;
use crate::plan::prune::{Candidate, Doubt, Holding, Holdings};
use crate::sync::prune::PruneRun;
use crate::sync::prune::protect::{Image, Protection};

/// A fresh look at workloads, and at who wants what.
pub(super) fn look<'a>(
    pruning: PruneRun<'a, Nowhere>,
    own: &'a [(&'a Claim, &'a Digest)],
) -> Protection<'a, Nowhere> {
    let mut protection = Protection::new(pruning, own);
    let looked = protection.look().now_or_never();
    must(looked.is_some_and(|looked| looked.is_ok()), || {
        "a look fails".to_owned()
    });
    protection
}

impl World {
    pub(super) fn protect(&self, candidates: &mut [Candidate], own: &[(&Claim, &Digest)]) {
        let mut protection = look(self.pruning(), own);
        for candidate in candidates {
            if candidate.unwanted.protected_by.is_some() {
                continue;
            }
            let is_due = candidate.is_due();
            let doubt = self.find_doubt(&mut protection, (&*candidate).into(), is_due);
            if let Some(doubt) = doubt {
                candidate.protect(doubt);
            }
        }
    }

    /// What keeps an image; what it leads to is known where it is read.
    pub(super) fn find_doubt(
        &self,
        protection: &mut Protection<'_, Nowhere>,
        image: Image<'_>,
        is_read: bool,
    ) -> Option<Doubt> {
        let hides = [
            Mutant::OthersClaimsIgnored,
            Mutant::OthersRecordsIgnored,
            Mutant::RegistriesByText,
            Mutant::AliasIgnored,
            Mutant::CaseCompared,
        ];
        if self.mutant.is_some_and(|mutant| hides.contains(&mutant)) {
            let repository = image.target.repository.clone();
            let own = protection.wanted.get(&repository);
            let own = own.map_or(&[][..], Vec::as_slice);
            let holdings = Arc::new(self.seen_holdings(&image, own));
            protection.holdings.insert(repository, holdings);
        }
        let is_read = is_read && !self.is(Mutant::ClosureIgnored);
        let mut images = KNOWN_IMAGES.iter();
        let known = images.find(|known| known.digest == *image.digest && is_read);
        let closure = known.map_or(&[][..], |known| &known.closure);
        protection.protector_of(image, closure)
    }

    /// What a fault leaves to be seen of who wants what.
    fn seen_holdings(&self, image: &Image<'_>, own: &[(&Claim, &Digest)]) -> Holdings {
        let (name, target) = (&self.mirror().name, image.target);
        let repository = &target.repository;
        let mut all: Vec<Holding> = Vec::new();
        all.extend(own.iter().map(|(claim, digest)| Holding {
            mirror: name.clone(),
            registry: Some(claim.registry.clone()),
            tag: claim.tag.clone(),
            digest: Some((*digest).clone()),
        }));
        if !self.is(Mutant::OthersRecordsIgnored) {
            let ledger = &self.state().ledger;
            all.extend(ledger.holdings_besides(name, repository));
        }
        if !self.is(Mutant::OthersClaimsIgnored) {
            all.extend(self.state().claims().besides(name, repository));
        }
        all.retain(|holding| match self.mutant {
            Some(Mutant::RegistriesByText) => holding.registry.as_ref() == Some(&target.registry),
            Some(Mutant::AliasIgnored) => {
                let at = holding.registry.as_ref();
                at.is_none_or(|at| at.may_be(&target.registry))
            }
            Some(Mutant::CaseCompared) => holding.tag == target.tag,
            _ => true,
        });
        all.into_iter().collect()
    }
}
