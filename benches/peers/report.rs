// SPDX-License-Identifier: Apache-2.0

//! What was measured, as it is saved.

use serde::Serialize;

use crate::pass::{Pass, Sample};
use crate::place::Mode;
use crate::shared::calibration::Calibration;
use crate::shared::verdict::Verdict;
use crate::tool::Tool;
use crate::workload::{Scale, Workload};

/// Everything.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    /// The size of the content.
    pub(crate) scale: Scale,
    /// Runs of each tool.
    pub(crate) runs: usize,
    /// What was measured.
    pub(crate) scenarios: Vec<Scenario>,
    /// What of it was promised.
    pub(crate) targets: Vec<Verdict>,
}

/// One content at one distance.
#[derive(Debug, Serialize)]
pub(crate) struct Scenario {
    /// The content.
    pub(crate) workload: Workload,
    /// The distance.
    pub(crate) mode: Mode,
    /// How much there is to copy.
    pub(crate) content: Content,
    /// The machine right before.
    pub(crate) calibration: Calibration,
    /// The tools, each with its samples.
    pub(crate) tools: Vec<Series>,
}

/// How much there is to copy.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Content {
    /// Repositories.
    pub(crate) repositories: usize,
    /// Tags.
    pub(crate) tags: usize,
    /// Manifests and indexes that are not tagged.
    pub(crate) children: usize,
    /// Signatures and the like.
    pub(crate) referrers: usize,
    /// Different blobs.
    pub(crate) blobs: usize,
    /// Their bytes.
    pub(crate) bytes: usize,
    /// Registries it goes to.
    pub(crate) destinations: usize,
}

/// The runs of one tool.
#[derive(Debug, Serialize)]
pub(crate) struct Series {
    /// The tool.
    pub(crate) tool: Tool,
    /// Into empty registries.
    pub(crate) cold: Vec<Sample>,
    /// Once more, right after.
    pub(crate) unchanged: Vec<Sample>,
    /// What it said when it failed; it was not run again.
    pub(crate) failure: Option<String>,
}

impl Report {
    /// Whether every tool ran and brought everything it claims to bring.
    pub(crate) fn is_sound(&self) -> bool {
        let mut series = self.scenarios.iter().flat_map(|scenario| &scenario.tools);
        series.all(Series::is_sound)
    }
}

impl Scenario {
    /// The runs of one tool, if it was run.
    pub(crate) fn series(&self, tool: Tool) -> Option<&Series> {
        self.tools.iter().find(|series| series.tool == tool)
    }
}

impl Series {
    /// No run yet.
    pub(crate) fn new(tool: Tool) -> Self {
        Self {
            tool,
            cold: Vec::new(),
            unchanged: Vec::new(),
            failure: None,
        }
    }

    /// The samples of one pass.
    pub(crate) fn samples(&self, pass: Pass) -> &[Sample] {
        match pass {
            Pass::Cold => &self.cold,
            Pass::Unchanged => &self.unchanged,
        }
    }

    /// The sample with the median wall time (the faster of the middle two), to speak for the others.
    pub(crate) fn median(&self, pass: Pass) -> Option<&Sample> {
        let mut samples: Vec<&Sample> = self.samples(pass).iter().collect();
        samples.sort_by(|a, b| a.usage.wall_seconds.total_cmp(&b.usage.wall_seconds));
        samples.get(samples.len().saturating_sub(1) / 2).copied()
    }

    /// The median wall time of a pass, in seconds.
    pub(crate) fn wall(&self, pass: Pass) -> Option<f64> {
        self.median(pass).map(|sample| sample.usage.wall_seconds)
    }

    /// The shortest and the longest wall time of a pass, in seconds.
    pub(crate) fn spread(&self, pass: Pass) -> (f64, f64) {
        let walls = self
            .samples(pass)
            .iter()
            .map(|sample| sample.usage.wall_seconds);
        walls.fold((f64::INFINITY, 0.0), |(least, most), wall| {
            (least.min(wall), most.max(wall))
        })
    }

    /// The most memory of any run of a pass, in bytes.
    pub(crate) fn peak_rss(&self, pass: Pass) -> Option<u64> {
        let samples = self.samples(pass).iter();
        samples.map(|sample| sample.usage.peak_rss_bytes).max()
    }

    /// Whether the tool never failed and brought everything it claims to bring.
    pub(crate) fn is_sound(&self) -> bool {
        self.failure.is_none() && self.defects().next().is_none()
    }

    /// Everything that was missing or wrong after any run.
    pub(crate) fn defects(&self) -> impl Iterator<Item = &str> {
        let samples = self.cold.iter().chain(&self.unchanged);
        samples.flat_map(|sample| sample.defects.iter().map(String::as_str))
    }
}
