// SPDX-License-Identifier: Apache-2.0

//! One round: what a mirror says, what is there, what is to be done, and doing it.
//!
//! ```text
//! observe  (I/O)   repositories and tag lists of the sources
//! select   (pure)  candidates -> selected, with a reason for every exclusion
//! resolve  (I/O)   tag -> digest, once, and what the destination tags name meanwhile; everything
//!                  after this speaks of the digest only
//! settle   (pure)  two images never share a destination tag
//! gate     (I/O + pure)  what policies ask of those digests -> admitted, refused, quarantined
//! plan     (pure)  digests -> copy, move, freeze, nothing
//! look     (I/O)   what came to refer to images that stay as they are
//! apply    (I/O)   the plan -> outcomes; one item's failure never stops another
//! prune    (I/O + pure)  what is no longer wanted -> kept, listed, deleted
//! report   (pure)
//! ```

mod apply;
mod build_times;
mod claims;
mod collected;
mod connect;
mod created;
mod excludes;
mod failure;
mod gate;
mod groups;
mod item;
mod late;
pub mod ledger;
mod lists;
mod mode;
mod named;
mod observe;
mod observer;
pub mod prune;
pub mod reach;
mod resolve;
pub mod secrets;
mod shape;
mod sighting;
mod syncer;
pub mod trust;
pub mod workloads;

pub use self::connect::{Connect, ConnectError};
pub use self::ledger::Ledger;
pub use self::mode::Mode;
pub use self::observer::Observer;
use self::prune::Findings;
pub use self::syncer::{Allowance, Syncer};
pub use crate::plan::report::Report;

use futures::future::join_all;

use self::collected::Collected;
use self::gate::Judged;
use self::item::{Item, Step};
use self::sighting::Sighting;
use crate::plan::Mirror;
use crate::plan::decide::{Observation, decide};
use crate::plan::gates::Verdict;
use crate::plan::report::Outcome;
use crate::runtime::memory;

// === impl Syncer ===

impl<C: Connect> Syncer<C> {
    /// Brings the destinations of the mirrors up to date, or says what that would take; tells
    /// `observer` of every tag that is done.
    ///
    /// Dropping the future stops the round cleanly; what was finished stays on record.
    pub async fn round(&self, mirrors: &[&Mirror], mode: Mode, observer: &dyn Observer) -> Report {
        let account = self.account(mirrors);
        // On the heap, as everything that lasts.
        let round = Box::pin(self.run(mirrors, mode, observer));
        account.scope(round).await
    }

    async fn run(&self, mirrors: &[&Mirror], mode: Mode, observer: &dyn Observer) -> Report {
        self.engine.begin_round();
        let mut collected = Collected::new(mirrors, &self.allowance);

        let looks = || join_all(mirrors.iter().map(|mirror| self.observe(mirror)));
        let (observations, listings) = memory::with_room(looks).await;
        let selected = collected.select(observations);
        drop(listings);
        let (selected, _room) = collected.weigh(selected);
        let sightings = collected.keep(self.sight(mirrors, selected, mode).await);
        let sightings = collected.settle_conflicts(&mut self.claims(), sightings);
        let judged = self.gate(mirrors, sightings, &mut collected).await;
        let mut items = plan(mirrors, judged);
        if mode != Mode::Prune {
            self.look_again(mirrors, &mut items, mode).await;
        }
        let outcomes = match mode {
            Mode::Apply | Mode::Refresh => {
                self.heal_before_copies(mirrors, &items).await;
                let (outcomes, unkept) = self.apply(mirrors, &items, observer).await;
                collected.miss_records(unkept);
                outcomes
            }
            Mode::Plan | Mode::Prune => items.iter().map(Item::foreseen).collect(),
        };
        let (mut report, selections) = collected.report(&items, outcomes);
        let findings = Findings::gather(mirrors, &selections, &items);
        self.prune(findings, &mut report, mode).await;
        report
    }
}

/// Decides what is to be done about every destination tag.
fn plan(mirrors: &[&Mirror], judged: Vec<Judged>) -> Vec<Item> {
    let items = judged.into_iter().filter_map(|judged| {
        let Judged {
            sighting,
            verdict,
            voucher,
        } = judged;
        let mutability = mirrors.get(sighting.image.mirror)?.tag_mutability;
        let step = match verdict {
            Verdict::Admitted => Step::Decided(decide(observation(&sighting), mutability)),
            Verdict::Refused(refusal) => Step::Withheld(Outcome::Refused(refusal)),
            Verdict::Quarantined(quarantine) => Step::Withheld(Outcome::Quarantined(quarantine)),
        };
        Some(Item {
            sighting,
            step,
            voucher,
            looked: None,
        })
    });
    items.collect()
}

fn observation(sighting: &Sighting) -> Observation<'_> {
    let Sighting {
        image,
        current,
        expected,
        recorded,
        ..
    } = sighting;
    let recorded = recorded.as_ref();
    Observation {
        source: &image.digest,
        expected,
        current: current.as_ref(),
        recorded: recorded.map(|record| &record.source_digest),
        is_reshaped: recorded.is_some_and(|record| record.shape != image.shape.to_string()),
    }
}
