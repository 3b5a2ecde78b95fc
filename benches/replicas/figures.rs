// SPDX-License-Identifier: Apache-2.0

//! What was measured, as it is saved and read.

use serde::Serialize;

use crate::shared::calibration::Calibration;
use crate::shared::units::{float, mebibytes};
use crate::shared::verdict::Verdict;

/// The most time that several may take, of the time of one: two and a half times the throughput.
const SHARE_OF_TIME: f64 = 1.0 / 2.5;

/// Everything.
#[derive(Debug, Serialize)]
pub(crate) struct Figures {
    /// How many mirrors there are, each with an image of its own.
    pub(crate) mirrors: usize,
    /// The machine right before.
    pub(crate) calibration: Calibration,
    /// One replica that has all shards.
    pub(crate) one: Run,
    /// Several that share them.
    pub(crate) several: Run,
}

/// So many replicas.
#[derive(Debug, Serialize)]
pub(crate) struct Run {
    pub(crate) members: usize,
    /// Whether the kernel held each to its part of a core.
    pub(crate) is_limited: bool,
    /// From the first mirror that was applied until all were ready.
    pub(crate) wall_seconds: f64,
    /// User and system time of each replica.
    pub(crate) cpu_seconds: Vec<f64>,
    /// The most memory of each.
    pub(crate) peak_rss_bytes: Vec<u64>,
    /// Manifests that were pushed: one for each mirror, if nothing is done twice.
    pub(crate) pushed: usize,
}

// === impl Figures ===

impl Figures {
    /// Whether each image was pushed once, by replicas that had what they should have.
    pub(crate) fn is_sound(&self) -> bool {
        let is_sound = |run: &Run| run.is_limited && run.pushed == self.mirrors;
        is_sound(&self.one) && is_sound(&self.several)
    }

    /// It as a person reads it.
    pub(crate) fn text(&self) -> String {
        let Self {
            mirrors,
            calibration,
            one,
            several,
        } = self;
        let (cores, load) = (calibration.cores, calibration.load);
        let verdict = Verdict::new(
            format!("time of {} members, of that of one", several.members),
            several.wall_seconds / one.wall_seconds,
            SHARE_OF_TIME,
        );
        let mut lines = vec![format!(
            "\n=== {mirrors} mirrors; {cores} cores, load {load:.1} ==="
        )];
        lines.extend([one, several].map(|run| run.line(*mirrors)));
        lines.extend([String::new(), verdict.line()]);
        lines.join("\n")
    }
}

// === impl Run ===

impl Run {
    fn line(&self, mirrors: usize) -> String {
        let Self {
            members,
            is_limited: _,
            wall_seconds,
            cpu_seconds,
            peak_rss_bytes,
            pushed,
        } = self;
        let rate = float(mirrors) / wall_seconds;
        let each = |figures: Vec<String>| figures.join(" + ");
        let cpu = cpu_seconds.iter().map(|seconds| format!("{seconds:.1}"));
        let peaks = peak_rss_bytes.iter();
        let peaks = peaks.map(|bytes| format!("{:.0}", mebibytes(*bytes)));
        format!(
            "members {members}: {wall_seconds:.1} s, {rate:.1} mirrors a second, {pushed} manifests pushed; \
             {} s of CPU, peak {} MiB",
            each(cpu.collect()),
            each(peaks.collect()),
        )
    }
}
