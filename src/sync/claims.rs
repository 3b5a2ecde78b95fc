//! Who holds which destination tag, over all mirrors of the process and from round to round.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::resolve::Sighting;
use crate::oci::{Registry, Repository, Tag};
use crate::plan::conflicts::{Claimant, Conflict, Seniority, find_conflicts};
use crate::plan::{Claim, Mirror, SourceImage};

/// The destination tags that mirrors hold.
#[derive(Debug, Default)]
pub(super) struct Claims {
    holders: HashMap<Target, Holder>,
    /// The targets of each mirror, by its name.
    targets: HashMap<String, Vec<Target>>,
}

/// A tag of a registry.
pub(super) type Target = (Registry, Repository, Tag);

#[derive(Clone, Debug)]
struct Holder {
    mirror: Arc<Seniority>,
    source: SourceImage,
    claim: Claim,
}

impl Claims {
    /// Finds the sightings whose tags are held by others, in this round or since an earlier one. The
    /// older mirror holds a tag, whoever came first.
    ///
    /// Everything that is not in conflict is held by its mirror from now on.
    pub(super) fn settle(
        &mut self,
        mirrors: &[&Mirror],
        sightings: &[Sighting],
    ) -> Vec<(usize, Conflict)> {
        for mirror in mirrors {
            self.forget(&mirror.name);
        }
        let seniorities: Vec<Arc<Seniority>> = mirrors
            .iter()
            .map(|mirror| Arc::new(mirror.seniority()))
            .collect();
        let mut wanted: Vec<(Option<usize>, Holder)> = self
            .rivals(sightings)
            .into_iter()
            .map(|holder| (None, holder))
            .collect();
        wanted.extend(
            sightings
                .iter()
                .enumerate()
                .filter_map(|(index, sighting)| {
                    let holder = Holder {
                        mirror: seniorities.get(sighting.image.mirror)?.clone(),
                        source: sighting.image.source.clone(),
                        claim: sighting.claim.clone(),
                    };
                    Some((Some(index), holder))
                }),
        );
        // In files there are no ages: the one that came first stays first.
        wanted.sort_by(|(_, left), (_, right)| left.mirror.age().cmp(&right.mirror.age()));
        let claimants: Vec<Claimant<'_>> = wanted
            .iter()
            .map(|(_, holder)| Claimant {
                mirror: &holder.mirror.name,
                source: &holder.source,
                claim: &holder.claim,
            })
            .collect();
        let conflicts: Vec<(usize, Conflict)> = find_conflicts(&claimants)
            .into_iter()
            .filter_map(|conflict| Some((wanted.get(conflict.claim)?.0?, conflict)))
            .collect();
        let stalled: BTreeSet<usize> = conflicts
            .iter()
            .filter_map(|(index, _)| Some(sightings.get(*index)?.image.mirror))
            .collect();
        for (index, holder) in wanted {
            let sighting = index.and_then(|index| sightings.get(index));
            if sighting.is_some_and(|sighting| !stalled.contains(&sighting.image.mirror)) {
                self.hold(&holder);
            }
        }
        conflicts
    }

    /// Takes over what a mirror held before this process began.
    pub(super) fn restore(&mut self, mirror: Seniority, claims: Vec<(SourceImage, Claim)>) {
        let mirror = Arc::new(mirror);
        for (source, claim) in claims {
            let mirror = mirror.clone();
            self.hold(&Holder {
                mirror,
                source,
                claim,
            });
        }
    }

    /// The mirror other than this one that holds a tag.
    pub(super) fn holder_besides(&self, mirror: &str, target: &Target) -> Option<&str> {
        let holder = self.holders.get(target)?;
        let name = holder.mirror.name.as_str();
        (name != mirror).then_some(name)
    }

    /// Whether another mirror than this one holds a tag of a repository.
    pub(super) fn is_shared(
        &self,
        mirror: &str,
        registry: &Registry,
        repository: &Repository,
    ) -> bool {
        self.holders.iter().any(|((at, of, _), holder)| {
            of == repository && at == registry && holder.mirror.name != mirror
        })
    }

    /// Lets go of everything that a mirror holds.
    pub(super) fn forget(&mut self, mirror: &str) {
        for target in self.targets.remove(mirror).unwrap_or_default() {
            let is_theirs = |holder: &Holder| holder.mirror.name == mirror;
            if self.holders.get(&target).is_some_and(is_theirs) {
                self.holders.remove(&target);
            }
        }
    }

    /// Those who hold what the sightings want.
    fn rivals(&self, sightings: &[Sighting]) -> Vec<Holder> {
        let targets = sightings
            .iter()
            .flat_map(|sighting| targets(&sighting.claim));
        targets
            .filter_map(|target| self.holders.get(&target).cloned())
            .collect()
    }

    fn hold(&mut self, holder: &Holder) {
        let held = self.targets.entry(holder.mirror.name.clone()).or_default();
        for target in targets(&holder.claim) {
            held.push(target.clone());
            self.holders.insert(target, holder.clone());
        }
    }
}

/// The tags that a claim is about.
fn targets(claim: &Claim) -> impl Iterator<Item = Target> {
    let tags = std::iter::once(&claim.tag).chain(&claim.previous);
    tags.map(|tag| {
        (
            claim.registry.clone(),
            claim.repository.clone(),
            tag.clone(),
        )
    })
}
