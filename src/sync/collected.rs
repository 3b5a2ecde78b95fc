//! What the steps of a round hand on, and what they put into the report on the way.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::apply::Item;
use super::observe::Observed;
use super::report::{Excluded, Failure, MirrorReport, Outcome, Report};
use super::resolve::{Image, Missed, Selected, Sighting};
use crate::api::Reason;
use crate::plan::conflicts::{Claimant, Conflict, find_conflicts};
use crate::plan::{Claim, Mirror};

/// The report of a round in the making.
pub(super) struct Collected<'a> {
    mirrors: &'a [&'a Mirror],
    reports: Vec<MirrorReport>,
}

impl<'a> Collected<'a> {
    pub(super) fn new(mirrors: &'a [&'a Mirror]) -> Self {
        let reports = mirrors
            .iter()
            .map(|mirror| MirrorReport::new(&mirror.name))
            .collect();
        Self { mirrors, reports }
    }

    /// The tags that the mirrors want of what was observed.
    pub(super) fn select(
        &mut self,
        observed: Vec<Vec<Result<Observed<'_>, Failure>>>,
    ) -> Vec<Selected> {
        let mut selected = Vec::new();
        for (mirror, observed) in observed.into_iter().enumerate() {
            for observed in observed {
                match observed {
                    Ok(observed) => selected.extend(self.select_of(mirror, &observed)),
                    Err(failure) => self.fail(mirror, failure),
                }
            }
        }
        selected
    }

    fn select_of(&mut self, mirror: usize, observed: &Observed<'_>) -> Vec<Selected> {
        let Observed {
            entry,
            origin,
            listing,
        } = observed;
        match entry.select(listing, &HashMap::new()) {
            Ok(selection) => {
                if let Some(report) = self.reports.get_mut(mirror) {
                    report
                        .excluded
                        .extend(
                            selection
                                .excluded
                                .into_iter()
                                .map(|(tag, reason)| Excluded {
                                    repository: origin.repository.clone(),
                                    tag,
                                    reason: reason.to_string(),
                                }),
                        );
                }
                let selected = |tag| Selected {
                    mirror,
                    origin: origin.clone(),
                    tag,
                };
                selection.tags.into_iter().map(selected).collect()
            }
            Err(error) => {
                let failure = Failure {
                    subject: format!("{}/{}", origin.endpoint.name(), origin.repository),
                    reason: Reason::InvalidSpec,
                    message: error.to_string(),
                    next_attempt_time: None,
                };
                self.fail(mirror, failure);
                Vec::new()
            }
        }
    }

    /// The images whose tags exist.
    pub(super) fn keep_resolved(
        &mut self,
        resolved: Vec<(usize, Result<Image, Failure>)>,
    ) -> Vec<Arc<Image>> {
        let mut images = Vec::new();
        for (mirror, image) in resolved {
            match image {
                Ok(image) => images.push(Arc::new(image)),
                Err(failure) => self.fail(mirror, failure),
            }
        }
        images
    }

    /// The destination tags of the images. A mirror with a conflict gets none: nothing of it is written.
    pub(super) fn claim(&mut self, images: Vec<Arc<Image>>) -> Vec<(Arc<Image>, Claim)> {
        let mut claims = Vec::new();
        for image in images {
            let Some(mirror) = self.mirrors.get(image.mirror) else {
                continue;
            };
            for claim in mirror.claims(&image.source.repository, &image.source.tag, &image.digest) {
                match claim {
                    Ok(claim) => claims.push((image.clone(), claim)),
                    Err(error) => {
                        let failure = Failure::naming(&image.source.to_string(), &error.source);
                        self.fail(image.mirror, failure);
                    }
                }
            }
        }
        let conflicts = find_conflicts(&self.claimants(&claims));
        let mut stalled = BTreeSet::new();
        for Conflict { claim, kind } in conflicts {
            let Some((image, claim)) = claims.get(claim) else {
                continue;
            };
            stalled.insert(image.mirror);
            let failure = Failure {
                subject: claim.to_string(),
                reason: Reason::DestinationConflict,
                message: kind.to_string(),
                next_attempt_time: None,
            };
            self.fail(image.mirror, failure);
        }
        claims.retain(|(image, _)| !stalled.contains(&image.mirror));
        claims
    }

    fn claimants<'c>(&'c self, claims: &'c [(Arc<Image>, Claim)]) -> Vec<Claimant<'c>> {
        claims
            .iter()
            .map(|(image, claim)| Claimant {
                mirror: self
                    .mirrors
                    .get(image.mirror)
                    .map_or("", |mirror| &mirror.name),
                source: &image.source,
                claim,
            })
            .collect()
    }

    /// The destination tags that could be looked at; the others are failures of their tags.
    pub(super) fn keep_seen(&mut self, seen: Vec<Result<Sighting, Missed>>) -> Vec<Sighting> {
        let mut sightings = Vec::new();
        for sighting in seen {
            match sighting {
                Ok(sighting) => sightings.push(sighting),
                Err(Missed {
                    image,
                    claim,
                    failure,
                }) => {
                    let destination = self
                        .mirrors
                        .get(image.mirror)
                        .and_then(|mirror| mirror.destinations.get(claim.destination))
                        .map_or("", |destination| &destination.name);
                    let tag = image.report(destination, &claim, Outcome::Failed(failure));
                    if let Some(report) = self.reports.get_mut(image.mirror) {
                        report.tags.push(tag);
                    }
                }
            }
        }
        sightings
    }

    /// The report of the whole round.
    pub(super) fn report(mut self, items: &[Item], outcomes: Vec<Outcome>) -> Report {
        for (Item { sighting, .. }, outcome) in items.iter().zip(outcomes) {
            if let Some(report) = self.reports.get_mut(sighting.image.mirror) {
                report.tags.push(sighting.report(outcome));
            }
        }
        Report {
            mirrors: self.reports,
        }
    }

    fn fail(&mut self, mirror: usize, failure: Failure) {
        if let Some(report) = self.reports.get_mut(mirror) {
            report.failures.push(failure);
        }
    }
}
