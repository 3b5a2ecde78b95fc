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
mod claims;
mod collected;
mod connect;
mod failure;
mod gate;
mod groups;
mod item;
mod late;
pub mod ledger;
mod lists;
mod observe;
pub mod prune;
pub mod reach;
mod resolve;
pub mod secrets;
mod shape;
pub mod trust;
pub mod workloads;

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use self::connect::{Connect, ConnectError};
use self::ledger::KeepError;
pub use self::ledger::Ledger;
use self::prune::{Closures, Findings, Pruner};
pub use crate::plan::report::Report;

use futures::future::join_all;

use self::claims::Claims;
use self::collected::Collected;
use self::gate::{Facts, Judged, Testimonies};
use self::item::{Item, Step};
use self::lists::Named;
use self::resolve::Sighting;
use crate::copy::{Engine, Progress};
use crate::plan::conflicts::Seniority;
use crate::plan::decide::{Observation, decide};
use crate::plan::gates::Verdict;
use crate::plan::prune::Stop;
use crate::plan::report::{Outcome, TagReport};
use crate::plan::{Claim, Mirror, SourceImage};

/// Runs rounds. What one round learns of registries serves the next.
pub struct Syncer<C> {
    connect: C,
    engine: Engine,
    ledger: Arc<Ledger>,
    /// What images are like that had to be judged.
    facts: Facts,
    /// Who vouches for images whose policies ask for it.
    testimonies: Testimonies,
    /// What tags turned out to name that are named after digests.
    named: Named,
    /// How many rounds have judged.
    rounds: AtomicU64,
    /// What mirrors hold at their destinations.
    claims: Mutex<Claims>,
    /// What pruning may do.
    pruner: Pruner,
    /// What manifests lead to that had to be read before pruning.
    closures: Closures,
}

/// Whether a round writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Do what is to be done.
    Apply,
    /// The same, and look at once what has come to refer to images since they were copied.
    Refresh,
    /// Only say it.
    Plan,
    /// Copy nothing, and prune.
    Prune,
}

/// Takes the outcomes of a round as they come.
pub trait Observer: Send + Sync {
    /// These are the tags at destinations, as they were found; those that are [`Outcome::Planned`] are
    /// written next.
    ///
    /// [`Outcome::Planned`]: crate::plan::report::Outcome::Planned
    fn planned(&self, tags: Vec<TagReport>);

    /// One of them is done, or failed.
    fn finished(&self, tag: &TagReport);
}

// === impl Syncer ===

impl<C: Connect> Syncer<C> {
    /// A syncer that remembers in `ledger` and tells `progress` what it does.
    pub fn new(connect: C, ledger: Arc<Ledger>, progress: Progress) -> Self {
        Self {
            connect,
            engine: Engine::new(progress),
            ledger,
            facts: Facts::default(),
            testimonies: Testimonies::default(),
            named: Named::default(),
            rounds: AtomicU64::default(),
            claims: Mutex::default(),
            pruner: Pruner::held(Stop::by_command()),
            closures: Closures::default(),
        }
    }

    /// The same, and `pruner` says what pruning may do.
    #[must_use]
    pub fn with_pruner(self, pruner: Pruner) -> Self {
        Self { pruner, ..self }
    }

    /// Brings the destinations of the mirrors up to date, or says what that would take; tells
    /// `observer` of every tag that is done.
    ///
    /// Dropping the future stops the round cleanly; what was finished stays on record.
    pub async fn round(&self, mirrors: &[&Mirror], mode: Mode, observer: &dyn Observer) -> Report {
        self.engine.begin_round();
        let mut collected = Collected::new(mirrors);

        let looks = mirrors.iter().map(|mirror| self.observe(mirror));
        let selected = collected.select(join_all(looks).await);
        let sightings = collected.keep(self.sight(mirrors, selected, mode).await);
        let sightings = collected.settle_conflicts(&mut self.claims(), sightings);
        let judged = self.gate(mirrors, sightings, &mut collected).await;
        let mut items = plan(mirrors, judged);
        if mode != Mode::Prune {
            self.look_again(mirrors, &mut items, mode).await;
        }
        let outcomes = match mode {
            Mode::Apply | Mode::Refresh => {
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

    /// Takes over what a mirror held at its destinations before this process began.
    pub fn restore_claims(&self, mirror: Seniority, claims: Vec<(SourceImage, Claim)>) {
        self.claims().restore(mirror, claims);
    }

    /// Takes note of mirrors that take no part in rounds: what they may want is not pruned.
    pub fn stand_by(&self, mirrors: impl IntoIterator<Item = Mirror>) {
        let mut claims = self.claims();
        for mirror in mirrors {
            claims.wait_for(mirror);
        }
    }

    /// Brings what is on record of a mirror to where it is kept, as after a round that was cancelled.
    pub async fn flush(&self, mirror: &str) -> Result<(), KeepError> {
        self.ledger.flush(mirror).await
    }

    /// Drops everything about a mirror that is no more. Nothing changes at its destinations.
    pub fn forget(&self, mirror: &str) {
        self.claims().forget(mirror);
        self.ledger.forget(mirror);
        self.pruner.forget(mirror);
    }

    fn claims(&self) -> MutexGuard<'_, Claims> {
        self.claims.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Mode {
    /// Whether what a round finds out goes on record.
    fn writes_records(self) -> bool {
        match self {
            Self::Apply | Self::Refresh | Self::Prune => true,
            Self::Plan => false,
        }
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
