// SPDX-License-Identifier: Apache-2.0

//! What is left of deleted tags once they can be restored no more: what refers to their images goes too,
//! unless a tag still leads to them, or a workload uses them.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use tokio::time::Instant;

use super::protect::{Image, Protection};
use super::run::PruneRun;
use super::survey::Survey;
use super::{BATCH, FAILURES, Findings};
use crate::api::Reason;
use crate::copy::endpoint::Error;
use crate::copy::{self, Deletion, Endpoint};
use crate::oci::{Digest, Registry, Repository, Tag};
use crate::plan::SourceImage;
use crate::plan::prune::{
    Clock, Leftover, PruneReport, Stop, Target, Undo, counted_since, healed_since,
};
use crate::plan::report::Failure;
use crate::sync::Connect;
use crate::sync::ledger::{Page, Restorable, Slot, Tombstone};

/// A tag that was deleted and can be restored no more.
pub(super) struct Dead {
    target: Target,
    source: SourceImage,
    tombstone: Tombstone,
}

/// Deleted tags, by their repositories.
pub(super) type Graves = BTreeMap<Page, BTreeMap<Tag, Tombstone>>;

/// What became of the leftovers of one repository.
struct Cleared {
    /// How many went.
    referrers: usize,
    /// The deleted tags whose images are used by now, or of which that was not known in time: what refers to
    /// those waits for another round.
    in_use: BTreeSet<Tag>,
}

/// Why the leftovers of a repository are still there.
enum Hindrance {
    /// Something failed at its registry.
    Failure(Failure),
    /// Nothing may be deleted anywhere.
    Stop(Stop),
}

impl<C: Connect> PruneRun<'_, C> {
    /// The deleted tags whose undo is over. The grace of those that the clock leaves in doubt begins anew. Of a
    /// deletion that has begun, nothing is left to undo then: its registry still tells that the tag is there. It only
    /// counts among what was deleted lately.
    pub(super) fn find_dead(&self, clock: Clock) -> Graves {
        let now = self.state.pruner.now();
        let counted = counted_since(now);
        self.state.ledger.sweep(&self.mirror.name);
        for slot in self.state.ledger.cleared(&self.mirror.name) {
            self.state.ledger.clear_deleted(&slot, counted);
        }
        let mut dead = Graves::new();
        let begun = self.state.ledger.begun(&self.mirror.name).into_iter();
        let begun = begun.map(|known| (known, true));
        let deleted = self.state.ledger.deleted(&self.mirror.name).into_iter();
        for ((slot, tombstone), is_begun) in deleted.map(|known| (known, false)).chain(begun) {
            match Undo::judge(tombstone.deleted_at, self.mirror.prune.grace, clock, now) {
                Undo::Open => {}
                // What went along is to be pushed again, also where the grace is short, or nobody was there meanwhile.
                Undo::Over
                    if tombstone.may_have_taken_others()
                        && tombstone.deleted_at > healed_since(now) => {}
                Undo::Over if is_begun => self.state.ledger.clear_deleted(&slot, counted),
                Undo::Over => {
                    let Slot { page, tag } = slot;
                    dead.entry(page).or_default().insert(tag, tombstone);
                }
                Undo::Doubtful => {
                    let deleted_at = now;
                    let tombstone = Tombstone {
                        deleted_at,
                        ..tombstone
                    };
                    self.state.ledger.bury(&slot, tombstone);
                }
            }
        }
        dead
    }

    /// Forgets them, as soon as they do not count among what was deleted lately; what refers to their images
    /// stays.
    pub(super) fn forget_dead(&self, dead: Graves) {
        let counted = counted_since(self.state.pruner.now());
        for (page, tombstones) in dead {
            for tag in tombstones.keys() {
                self.state.ledger.clear_deleted(&page.slot(tag), counted);
            }
        }
    }

    /// Deletes what is left of these, and forgets them.
    pub(super) async fn clear_leftovers(
        &self,
        findings: &Findings<'_>,
        dead: Graves,
        report: &mut PruneReport,
    ) {
        let mut protection = Protection::new(*self, &findings.wanted);
        let mut failed_in_a_row = 0;
        let repositories = dead.keys().map(|page| page.repository.clone()).collect();
        let dead = match self.see_others(repositories).await {
            Ok(()) => dead,
            Err(stop) => {
                report.stop = Some(stop);
                Graves::new()
            }
        };
        let over = slots(&dead);
        for (page, mut tombstones) in dead {
            let dead = self.exhume(&page, &tombstones);
            match self.clear((&page, &over), &dead, &mut protection).await {
                Ok(Cleared { referrers, in_use }) => {
                    failed_in_a_row = 0;
                    report.referrers += referrers;
                    tombstones.retain(|tag, _| !in_use.contains(tag));
                    self.forget_dead(Graves::from([(page, tombstones)]));
                }
                Err(Hindrance::Failure(failure)) => {
                    failed_in_a_row += 1;
                    report.failures.push(failure);
                }
                Err(Hindrance::Stop(stop)) => report.stop = Some(stop),
            }
            if report.stop.is_some() || failed_in_a_row >= FAILURES {
                break;
            }
        }
        if let Err(error) = self.state.ledger.flush(self.mirror).await {
            let unkept = || Stop::unkept(&error.to_string(), error.reason);
            report.stop.get_or_insert_with(unkept);
        }
    }

    /// Those of which anything can be found: their destination is still there, and no other mirror writes to
    /// the repository, which may be about to tag the same image again.
    pub(super) fn exhume(&self, page: &Page, tombstones: &BTreeMap<Tag, Tombstone>) -> Vec<Dead> {
        let Page {
            mirror: _,
            destination,
            repository,
        } = page;
        let Some(known) = self.mirror.destination(destination) else {
            return Vec::new();
        };
        if self.is_written_by_others(&known.registry, repository) {
            return Vec::new();
        }
        let dead = tombstones.iter().filter_map(|(tag, tombstone)| {
            let target = Target {
                destination: destination.clone(),
                registry: tombstone.registry.clone(),
                repository: repository.clone(),
                tag: tag.clone(),
            };
            let source = SourceImage::read(&tombstone.source)?;
            let tombstone = tombstone.clone();
            (target.registry == known.registry).then_some(Dead {
                target,
                source,
                tombstone,
            })
        });
        dead.collect()
    }

    /// Whether another mirror writes to a repository, or keeps something there.
    fn is_written_by_others(&self, registry: &Registry, repository: &Repository) -> bool {
        let (name, ledger) = (&self.mirror.name, &self.state.ledger);
        let recorded = ledger.holdings_besides(name, repository);
        let claims = self.state.claims();
        let mut others = recorded.into_iter().chain(claims.besides(name, repository));
        let is_here = |at: Option<Registry>| at.is_none_or(|at| at.may_be(registry));
        others.any(|other| is_here(other.registry))
    }

    /// Whether other processes have put on record since that somebody writes to a repository, or that what can be
    /// restored is not only this. What they delete is on record before its tag is gone: who lists the tags first misses
    /// none.
    pub(super) async fn is_overtaken(
        &self,
        (registry, repository): (&Registry, &Repository),
        besides: (&Page, &HashSet<Slot>),
        restorable: &Restorable,
    ) -> Result<bool, Stop> {
        if self.state.neighbours.is_none() {
            return Ok(false);
        }
        self.see_others(BTreeSet::from([repository.clone()]))
            .await?;
        let ledger = &self.state.ledger;
        let is_more = ledger.restorable(registry, repository, besides) != *restorable;
        Ok(is_more || self.is_written_by_others(registry, repository))
    }

    async fn clear(
        &self,
        over: (&Page, &HashSet<Slot>),
        dead: &[Dead],
        protection: &mut Protection<'_, C>,
    ) -> Result<Cleared, Hindrance> {
        let in_use = find_used(dead, protection).await?;
        let mut cleared = Cleared {
            referrers: 0,
            in_use,
        };
        let Some(first) = dead.first() else {
            return Ok(cleared);
        };
        let Target {
            registry,
            repository,
            ..
        } = &first.target;
        let restorable = self.state.ledger.restorable(registry, repository, over);
        let free = find_free(dead, &restorable, &mut cleared);
        if free.is_empty() {
            return Ok(cleared);
        }
        let subject = format!("{registry}/{repository}");
        let endpoint = protection.endpoint(&first.target).await;
        let endpoint = endpoint.map_err(Hindrance::Failure)?;
        if self.spares(&endpoint, registry, repository) == Some(false) {
            // By the tags of referrers it would take more, too.
            return Ok(cleared);
        }
        let survey = Survey {
            endpoint: &endpoint,
            repository,
            restorable: needed(dead, &cleared, &restorable),
            own: free
                .iter()
                .flat_map(|dead| dead.tombstone.referrers.iter().cloned())
                .collect(),
        };
        let parts = find_left(&survey, &free, &subject).await?;
        if parts.is_empty() {
            return Ok(cleared);
        }
        let overtaken = self.is_overtaken((registry, repository), over, &restorable);
        if overtaken.await.map_err(Hindrance::Stop)? {
            // The next round looks again what may go without them.
            cleared.in_use = all(dead);
            return Ok(cleared);
        }
        let place = (&endpoint, repository, subject.as_str());
        clear_parts(place, &parts, dead, &mut cleared, protection).await?;
        Ok(cleared)
    }
}

/// Those that nothing needs any more, beside what is in use. What is to be restored at a registry of another name, which may
/// be this one, waits.
fn find_free<'a>(
    dead: &'a [Dead],
    restorable: &Restorable,
    cleared: &mut Cleared,
) -> Vec<&'a Dead> {
    let waiting = dead
        .iter()
        .filter(|dead| restorable.elsewhere.contains(&dead.tombstone.digest));
    let waiting = waiting.map(|dead| dead.target.tag.clone());
    cleared.in_use.extend(waiting);
    let free = dead
        .iter()
        .filter(|dead| !cleared.in_use.contains(&dead.target.tag));
    free.collect()
}

/// What is left of deleted images; nothing where something is not understood, which may lead to it.
async fn find_left(
    survey: &Survey<'_>,
    free: &[&Dead],
    subject: &str,
) -> Result<Vec<Leftover>, Hindrance> {
    let gone = free.iter().map(|dead| {
        let Dead {
            target, tombstone, ..
        } = dead;
        (target.tag.clone(), tombstone.digest.clone())
    });
    match survey.find(&gone.collect()).await {
        Ok(parts) => Ok(parts),
        Err(error) if error.reason() == Reason::CopyFailed => {
            tracing::info!(subject, %error, "what refers to deleted images stays");
            Ok(Vec::new())
        }
        Err(error) => Err(Hindrance::Failure(Failure::requesting(subject, &error))),
    }
}

/// Deletes what is left, batch by batch, as long as nothing more of it is in use than before.
async fn clear_parts<C: Connect>(
    (endpoint, repository, subject): (&Endpoint, &Repository, &str),
    parts: &[Leftover],
    dead: &[Dead],
    cleared: &mut Cleared,
    protection: &mut Protection<'_, C>,
) -> Result<(), Hindrance> {
    let mut led_to = Vec::with_capacity(parts.len());
    for part in parts {
        let read = read_led_to(endpoint, repository, part).await;
        let failed = |error: &Error| Failure::requesting(subject, error);
        led_to.push(read.map_err(|error| Hindrance::Failure(failed(&error)))?);
    }
    // A workload may name what refers to an image where that came from: images of several repositories may be here.
    let by_source: BTreeMap<_, &Dead> = dead
        .iter()
        .map(|dead| ((&dead.source.registry, &dead.source.repository), dead))
        .collect();
    for batch in parts.chunks(BATCH) {
        protection.forget_look();
        let in_use = find_used(dead, protection).await?;
        if !in_use.is_subset(&cleared.in_use) {
            // The next round looks again what may go without them.
            cleared.in_use = all(dead);
            return Ok(());
        }
        // One that is used keeps the others: who uses it may need them, too.
        let keeper = by_source.values().find_map(|dead| {
            let mut parts = parts.iter().zip(&led_to);
            parts.find_map(|(part, digests)| {
                protection.keeper_of(&dead.target, &dead.source, part, digests)
            })
        });
        if let Some(keeper) = keeper {
            tracing::info!(
                subject,
                keeper,
                "what refers to deleted images is used, and stays"
            );
            cleared.in_use = all(dead);
            return Ok(());
        }
        let until = protection.good_until();
        for part in batch {
            let deletion = delete(endpoint, repository, part, until).await;
            let deletion = deletion
                .map_err(|error| Hindrance::Failure(Failure::requesting(subject, &error)))?;
            cleared.referrers += usize::from(deletion == Deletion::Deleted);
            if deletion == Deletion::TooLate {
                cleared.in_use = all(dead);
                return Ok(());
            }
        }
    }
    Ok(())
}

/// The tags of graves.
pub(super) fn slots(graves: &Graves) -> HashSet<Slot> {
    let pages = graves.iter();
    let slots = pages.flat_map(|(page, tags)| tags.keys().map(|tag| page.slot(tag)));
    slots.collect()
}

/// What can be restored, or waits although it cannot: what refers to it stays.
fn needed(dead: &[Dead], cleared: &Cleared, restorable: &Restorable) -> BTreeSet<Digest> {
    let waiting = dead
        .iter()
        .filter(|dead| cleared.in_use.contains(&dead.target.tag));
    let waiting = waiting.map(|dead| dead.tombstone.digest.clone());
    restorable.here.iter().cloned().chain(waiting).collect()
}

/// The digests that go with a part: its own, and those that a list of referrers names.
async fn read_led_to(
    endpoint: &Endpoint,
    repository: &Repository,
    part: &Leftover,
) -> Result<Vec<Digest>, Error> {
    let (Leftover::Tag(_, digest) | Leftover::Manifest(digest)) = part;
    let mut digests = vec![digest.clone()];
    if matches!(part, Leftover::Tag(tag, _) if tag.is_bare()) {
        digests.extend(copy::closure(endpoint, repository, digest).await?);
    }
    Ok(digests)
}

/// Those of the tags whose images anything keeps.
async fn find_used<C: Connect>(
    dead: &[Dead],
    protection: &mut Protection<'_, C>,
) -> Result<BTreeSet<Tag>, Hindrance> {
    let mut used = BTreeSet::new();
    for dead in dead {
        let image = Image {
            target: &dead.target,
            source: &dead.source,
            source_digest: &dead.tombstone.source_digest,
            digest: &dead.tombstone.digest,
        };
        let protector = protection.find_protector(image).await;
        if protector.map_err(Hindrance::Stop)?.is_some() {
            used.insert(dead.target.tag.clone());
        }
    }
    Ok(used)
}

async fn delete(
    endpoint: &Endpoint,
    repository: &Repository,
    part: &Leftover,
    until: Option<Instant>,
) -> Result<Deletion, Error> {
    match part {
        Leftover::Tag(tag, digest) => {
            endpoint
                .delete_tag(repository, tag, digest, &[], until)
                .await
        }
        Leftover::Manifest(digest) => endpoint.delete_manifest(repository, digest, until).await,
    }
}

fn all(dead: &[Dead]) -> BTreeSet<Tag> {
    dead.iter().map(|dead| dead.target.tag.clone()).collect()
}
