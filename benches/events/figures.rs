// SPDX-License-Identifier: Apache-2.0

//! What was measured, as it is saved and read.

use std::time::Duration;

use serde::Serialize;

use crate::shared::calibration::Calibration;
use crate::shared::units::{float, mebibytes};
use crate::shared::verdict::Verdict;

/// How long a push may take.
const FRESH: Duration = Duration::from_secs(5);
/// How many of a hundred pushes may take longer.
const LATE_PERCENT: f64 = 1.0;

/// Everything.
#[derive(Debug, Serialize)]
pub(crate) struct Figures {
    /// How many tags were pushed.
    pub(crate) pushes: usize,
    /// How many a second were asked for, and how many there were.
    pub(crate) asked_rate: f64,
    pub(crate) rate: f64,
    /// The machine right before.
    pub(crate) calibration: Calibration,
    /// From the begin of the push to the tag at the destination.
    pub(crate) times: Times,
    /// Reads of manifests and blobs at the source beyond one of each that is new.
    pub(crate) extra_pulls: usize,
    /// Tags that were looked up at the source, and lists of tags that were read there.
    pub(crate) looks: usize,
    pub(crate) lists: usize,
    /// What the controller took.
    pub(crate) cpu_seconds: f64,
    pub(crate) peak_rss_bytes: u64,
}

/// How long pushes took, in seconds.
#[derive(Debug, Serialize)]
pub(crate) struct Times {
    pub(crate) arrived: usize,
    pub(crate) fresh: usize,
    pub(crate) median: f64,
    pub(crate) p99: f64,
    pub(crate) longest: f64,
}

// === impl Times ===

impl Times {
    /// The figures of those that arrived.
    pub(crate) fn of(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        let at = |percent: usize| {
            let place = (times.len() * percent).div_ceil(100).saturating_sub(1);
            times.get(place).map_or(f64::NAN, Duration::as_secs_f64)
        };
        Self {
            arrived: times.len(),
            fresh: times.iter().filter(|time| **time <= FRESH).count(),
            median: at(50),
            p99: at(99),
            longest: at(100),
        }
    }
}

// === impl Figures ===

impl Figures {
    /// Whether everything arrived, and nothing was read for nothing.
    pub(crate) fn is_sound(&self) -> bool {
        self.times.arrived == self.pushes && self.extra_pulls == 0
    }

    /// It as a person reads it.
    pub(crate) fn text(&self) -> String {
        let Self {
            pushes,
            asked_rate,
            rate,
            calibration,
            times,
            extra_pulls,
            looks,
            lists,
            cpu_seconds,
            peak_rss_bytes,
        } = self;
        let Times {
            arrived,
            fresh,
            median,
            p99,
            longest,
        } = times;
        let (cores, load) = (calibration.cores, calibration.load);
        let percent = |part: usize| 100.0 * float(part) / float(*pushes);
        let late = Verdict::new(
            format!(
                "percent of pushes that took longer than {} s",
                FRESH.as_secs()
            ),
            percent(pushes - fresh),
            LATE_PERCENT,
        );
        let extra = Verdict::new(
            "extra pulls at the source".to_owned(),
            float(*extra_pulls),
            0.0,
        );
        format!(
            "\n=== {pushes} pushes, {asked_rate:.0} a second asked for, {rate:.1} done; {cores} cores, load {load:.1} ===\n\
             arrived {arrived}, within {} s {fresh} ({:.2} %)\n\
             median {median:.2} s, p99 {p99:.2} s, longest {longest:.2} s\n\
             at the source: {looks} lookups, {lists} lists of tags, {extra_pulls} extra pulls\n\
             controller: {cpu_seconds:.1} s of CPU, peak {:.0} MiB\n\n{}\n{}",
            FRESH.as_secs(),
            percent(*fresh),
            mebibytes(*peak_rss_bytes),
            late.line(),
            extra.line(),
        )
    }
}
