// SPDX-License-Identifier: Apache-2.0

//! Deletes what is due, in small batches: what is about to go is on record before it goes.

use std::collections::HashSet;

use tokio::time::Instant;

use super::company::{Company, Due, in_batches};
use super::protect::Protection;
use super::run::PruneRun;
use super::{FAILURES, set, slot};
use crate::copy::{Deletion, Endpoint};
use crate::oci::{Registry, Tag, TagOrDigest};
use crate::plan::prune::{Candidate, Doubt, Fate, PruneReport, Rule, Stop, Target};
use crate::plan::report::Failure;
use crate::sync::Connect;

/// Looks at the workloads for one tag, where its registry takes longer than a look is good for.
const LOOKS: usize = 3;

/// What became of one tag, and whether the next one may be tried.
enum Outcome {
    /// It came to this end.
    Ended(Fate),
    /// It failed.
    Failed(Failure),
    /// Its registry cannot delete tags.
    Unsupported,
    /// Its registry would delete something with it that is to stay.
    Held(Doubt),
    /// The last look at the workloads was too old before the request could leave.
    TooLate,
}

/// What keeps a tag that would take others along.
fn shared(candidate: &Candidate) -> Doubt {
    let registry = &candidate.target.registry;
    let message = format!(
        "other tags of its manifest, which are not due: {registry} deletes all of them at once or none"
    );
    Doubt::new(Rule::Unwanted, message)
}

/// What keeps the last tag of an image that an index lists.
fn needed(candidate: &Candidate) -> Doubt {
    let registry = &candidate.target.registry;
    let message = format!(
        "an index that lists its image: {registry} deletes an image with its last tag, and none that is listed"
    );
    Doubt::new(Rule::Unwanted, message)
}

// === impl Outcome ===

impl Outcome {
    /// Whether a request to delete may have left, and may have taken effect.
    fn may_have_deleted(&self) -> bool {
        match self {
            Self::Ended(fate) => matches!(fate, Fate::Deleted),
            Self::Failed(_) => true,
            Self::Unsupported | Self::Held(_) | Self::TooLate => false,
        }
    }
}

impl<C: Connect> PruneRun<'_, C> {
    /// Deletes the candidates that are due. What stops it stands in the report, with what is done.
    pub(super) async fn delete(
        &self,
        candidates: &[Candidate],
        mut protection: Protection<'_, C>,
        report: &mut PruneReport,
    ) {
        let due = candidates.iter().enumerate();
        let due: Vec<Due<'_>> = due.filter(|(_, candidate)| candidate.is_due()).collect();
        let mut failed_in_a_row = 0;
        let at_once = find_at_once(&due, &protection).await;
        for batch in in_batches(&due, |one| at_once.contains(&one.target.registry)) {
            protection.forget_look();
            let is_approved = report.approved.is_some();
            let safeguards = self.safeguard(&batch, &protection, report).await;
            let Some(safeguards) = safeguards else {
                self.keep(report).await;
                return;
            };
            let ready = batch.iter().copied();
            let ready = ready.filter(|(index, _)| safeguards.contains_key(index));
            let ready: Vec<Due<'_>> = ready.collect();
            let mut company = Company::of(&ready);
            let written = self.write_tombstones(&ready, is_approved, safeguards);
            let mut earlier = match written.await {
                Ok(earlier) => earlier,
                Err(stop) => {
                    report.stop = Some(stop);
                    return;
                }
            };
            if self.state.neighbours.is_some() {
                // What others have on record was just looked at.
                protection.forget_look();
            }
            for (index, candidate) in &ready {
                let is_stopped = report.stop.is_some() || failed_in_a_row >= FAILURES;
                let fate = if is_stopped {
                    Err(None)
                } else {
                    self.delete_one(candidate, &mut protection, (&mut company, report))
                        .await
                };
                let earlier = earlier.remove(index);
                match fate {
                    Ok(fate) => {
                        failed_in_a_row = 0;
                        self.settle_deleted(candidate, &fate, earlier);
                        set(report, *index, fate);
                    }
                    Err(None) => self.unbury(&slot(&self.mirror.name, candidate), earlier),
                    Err(Some(failure)) => {
                        // It may be gone all the same: the next round looks what came of it.
                        failed_in_a_row += 1;
                        report.failures.push(failure);
                        set(report, *index, Fate::Failed);
                    }
                }
            }
            self.keep(report).await;
            if report.stop.is_some() || failed_in_a_row >= FAILURES {
                return;
            }
        }
    }

    /// Keeps what came of it.
    async fn keep(&self, report: &mut PruneReport) {
        if let Err(error) = self.state.ledger.flush(self.mirror).await {
            report.stop = Some(Stop::unkept(&error.to_string(), error.reason));
        }
    }

    /// Deletes one tag after a last look at what uses it. Nothing in the error: it is not touched.
    async fn delete_one(
        &self,
        candidate: &Candidate,
        protection: &mut Protection<'_, C>,
        (company, report): (&mut Company<'_>, &mut PruneReport),
    ) -> Result<Fate, Option<Failure>> {
        for look in 0..LOOKS {
            let others = self.find_company(candidate, company, protection).await;
            let tried = self.try_one(candidate, &others, protection, report);
            match tried.await? {
                // An earlier try may have done it, or it went along with another one: it can be undone.
                Some(Fate::Gone) if look > 0 || company.left(candidate) => {
                    return Ok(Fate::Deleted);
                }
                Some(Fate::Deleted) => {
                    company.leave(candidate);
                    return Ok(Fate::Deleted);
                }
                Some(fate) => return Ok(fate),
                None => {}
            }
            protection.forget_look();
        }
        Err(Some(Failure::too_slow(&candidate.target.to_string())))
    }

    /// Those of the others of its manifest that nothing keeps, by the same look: where a registry deletes all of them
    /// at once, they go along.
    async fn find_company(
        &self,
        candidate: &Candidate,
        company: &Company<'_>,
        protection: &mut Protection<'_, C>,
    ) -> Vec<Tag> {
        let mut tags = Vec::new();
        let endpoint = protection.endpoint(&candidate.target).await;
        if !endpoint.is_ok_and(|endpoint| endpoint.deletes_together()) {
            return tags;
        }
        for other in company.with(candidate) {
            // What cannot be found out keeps it.
            let is_free = matches!(protection.find_protector(other.into()).await, Ok(None));
            if is_free && self.confirm_cause(other).await.is_ok() {
                tags.push(other.target.tag.clone());
            }
        }
        tags
    }

    /// None: the look was too old before the request could leave.
    async fn try_one(
        &self,
        candidate: &Candidate,
        others: &[Tag],
        protection: &mut Protection<'_, C>,
        report: &mut PruneReport,
    ) -> Result<Option<Fate>, Option<Failure>> {
        match protection.find_protector(candidate.into()).await {
            Ok(None) => {}
            Ok(Some(doubt)) => return Ok(Some(self.hold(candidate, doubt))),
            Err(stop) => {
                report.stop = Some(stop);
                return Err(None);
            }
        }
        if let Err(stop) = self.confirm_cause(candidate).await {
            let protected_by = stop.message.clone();
            report.stop = Some(stop);
            return Ok(Some(Fate::Protected {
                rule: Some(Rule::Absent),
                protected_by,
            }));
        }
        let endpoint = protection.endpoint(&candidate.target).await.map_err(Some)?;
        let until = protection.good_until();
        let outcome = try_to_delete(&endpoint, candidate, others, until).await;
        if outcome.may_have_deleted() {
            let gone = (candidate, others);
            self.look_beside(gone, &endpoint, report).await;
        }
        match outcome {
            Outcome::Ended(fate) => Ok(Some(fate)),
            Outcome::TooLate => Ok(None),
            Outcome::Held(doubt) => Ok(Some(self.hold(candidate, doubt))),
            Outcome::Failed(failure) => Err(Some(failure)),
            Outcome::Unsupported => {
                report.stop = Some(Stop::unsupported(&candidate.target.registry.to_string()));
                Err(None)
            }
        }
    }

    /// Puts on record what keeps a tag.
    pub(super) fn hold(&self, candidate: &Candidate, doubt: Doubt) -> Fate {
        let Doubt {
            rule,
            message: protected_by,
        } = doubt;
        let mut unwanted = candidate.unwanted.clone();
        unwanted.protected_by = Some(protected_by.clone());
        self.state
            .ledger
            .mark(&slot(&self.mirror.name, candidate), Some(unwanted));
        Fate::Protected {
            rule: Some(rule),
            protected_by,
        }
    }
}

/// Those registries that delete all tags of a manifest at once. What cannot be reached fails where a tag of it is to go.
async fn find_at_once<C: Connect>(
    due: &[Due<'_>],
    protection: &Protection<'_, C>,
) -> HashSet<Registry> {
    let mut asked = HashSet::new();
    let mut at_once = HashSet::new();
    for (_, Candidate { target, .. }) in due {
        if !asked.insert(&target.registry) {
            continue;
        }
        let endpoint = protection.endpoint(target).await;
        if endpoint.is_ok_and(|endpoint| endpoint.deletes_together()) {
            at_once.insert(target.registry.clone());
        }
    }
    at_once
}

/// The digest of the tag is compared right before, and looked for right after.
async fn try_to_delete(
    endpoint: &Endpoint,
    candidate: &Candidate,
    others: &[Tag],
    until: Option<Instant>,
) -> Outcome {
    let Candidate { target, digest, .. } = candidate;
    let Target {
        repository, tag, ..
    } = target;
    let subject = target.to_string();
    let failed = |error| Outcome::Failed(Failure::requesting(&subject, &error));
    let deleted = endpoint.delete_tag(repository, tag, digest, others, until);
    let answer = match deleted.await {
        Ok(Deletion::Missing) => return Outcome::Ended(Fate::Gone),
        Ok(Deletion::Moved) => return Outcome::Ended(Fate::Disowned),
        Ok(Deletion::TooLate) => return Outcome::TooLate,
        Ok(Deletion::Shared) => return Outcome::Held(shared(candidate)),
        Ok(Deletion::Needed) => return Outcome::Held(needed(candidate)),
        Ok(Deletion::Deleted) => Ok(true),
        Ok(Deletion::Unsupported) => Ok(false),
        Err(error) => Err(error),
    };
    let target = TagOrDigest::Tag(tag.clone());
    let found = endpoint.resolve(repository, &target, None).await;
    match (answer, found) {
        // What it answered is no proof of what it did, nor is that it failed.
        (_, Ok(None)) => Outcome::Ended(Fate::Deleted),
        (Err(error), _) | (Ok(_), Err(error)) => failed(error),
        (Ok(false), Ok(Some(_))) => Outcome::Unsupported,
        (Ok(true), Ok(Some(found))) if found == *digest => {
            Outcome::Failed(Failure::undeleted(&subject))
        }
        // Somebody pushed it anew meanwhile.
        (Ok(true), Ok(Some(_))) => Outcome::Ended(Fate::Disowned),
    }
}
