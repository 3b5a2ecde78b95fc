// SPDX-License-Identifier: Apache-2.0

//! What was measured, as it is saved.

use serde::Serialize;

use crate::objects::Objects;
use crate::registry::Requests;
use crate::shared::calibration::Calibration;
use crate::shared::verdict::Verdict;

/// Everything.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    /// What was measured.
    pub(crate) scenarios: Vec<Scenario>,
    /// What of it was promised.
    pub(crate) targets: Vec<Verdict>,
}

/// A number of mirrors.
#[derive(Debug, Serialize)]
pub(crate) struct Scenario {
    /// How many.
    pub(crate) mirrors: usize,
    /// Tags of all of them.
    pub(crate) tags: usize,
    /// The machine right before.
    pub(crate) calibration: Calibration,
    /// How long it took to create the mirrors.
    pub(crate) creation_seconds: f64,
    /// A first controller finds that everything is in place, and writes it down.
    pub(crate) takeover: Sample,
    /// What stands in the API server then.
    pub(crate) objects: Objects,
    /// A second one reads what was written, until it knows every mirror.
    pub(crate) start: Sample,
    /// It has nothing to do.
    pub(crate) idle: Sample,
    /// Every mirror runs a round that finds nothing to do.
    pub(crate) unchanged: Sample,
    /// It says of images on its page where they are: [`SEARCHES`](crate::scenario::SEARCHES) of them.
    pub(crate) searched: Sample,
    /// Rounds of that pass that came to a good end.
    pub(crate) succeeded: usize,
}

/// What the controller took and did in some time.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Sample {
    /// How long it was.
    pub(crate) wall_seconds: f64,
    /// User and system time.
    pub(crate) cpu_seconds: f64,
    /// Memory at the end.
    pub(crate) rss_bytes: u64,
    /// The most memory at any time.
    pub(crate) peak_rss_bytes: u64,
    /// What the API server was asked.
    pub(crate) api: Api,
    /// What the source was asked.
    pub(crate) source: Requests,
    /// What the destination was asked.
    pub(crate) destination: Requests,
}

/// What the API server was asked.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Api {
    /// Objects and lists that were read.
    pub(crate) reads: usize,
    /// Watches that began.
    pub(crate) watches: usize,
    /// Everything that was created or changed, but for the lease.
    pub(crate) writes: usize,
    /// Writes of the lease.
    pub(crate) lease_writes: usize,
}

impl Report {
    /// Whether every mirror did what it should.
    pub(crate) fn is_sound(&self) -> bool {
        self.scenarios.iter().all(Scenario::is_sound)
    }
}

impl Scenario {
    /// Whether every mirror had a round that came to a good end, and none before it was due.
    pub(crate) fn is_sound(&self) -> bool {
        self.succeeded >= self.mirrors && self.idle.source.total() == 0
    }
}
