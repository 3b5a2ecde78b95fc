// SPDX-License-Identifier: Apache-2.0

//! What was measured, as a person reads it.

use std::collections::BTreeSet;

use crate::pass::{Pass, Sample};
use crate::report::{Content, Report, Scenario, Series};
use crate::shared::calibration::Calibration;
use crate::shared::units::float;
use crate::shared::verdict::Verdict;
use crate::table::{requests, times};

/// Defects of a tool that are shown; all of them are in the saved report.
const SHOWN_DEFECTS: usize = 5;

/// The tables of one scenario: times, then requests.
pub(crate) fn scenario(scenario: &Scenario) -> String {
    let mut lines = heading(scenario);
    for pass in Pass::ALL {
        lines.extend(times(scenario, pass));
        lines.extend(requests(scenario, pass));
    }
    lines.extend(scenario.tools.iter().flat_map(complaints));
    lines.join("\n")
}

/// The promises, and whether the figures can be trusted at all.
pub(crate) fn summary(report: &Report) -> String {
    let mut lines = vec![String::new(), "=== targets ===".to_owned()];
    lines.extend(report.targets.iter().map(Verdict::line));
    if report.targets.is_empty() {
        lines.push("none can be judged without transship and a peer".to_owned());
    }
    let soundness = if report.is_sound() {
        "every tool ran, and brought everything it claims to bring"
    } else {
        "NOT SOUND: a tool failed, or something is missing or wrong (see above)"
    };
    lines.push(soundness.to_owned());
    lines.join("\n")
}

/// How a run went, in a few words.
pub(crate) fn outcome(outcome: Result<&[Sample; 2], &String>) -> String {
    match outcome {
        Ok([cold, unchanged]) => {
            let defects = cold.defects.len() + unchanged.defects.len();
            let (cold, unchanged) = (cold.usage.wall_seconds, unchanged.usage.wall_seconds);
            format!("cold {cold:.2} s, unchanged {unchanged:.2} s, {defects} defects")
        }
        Err(said) => format!("failed: {said}"),
    }
}

fn heading(scenario: &Scenario) -> Vec<String> {
    let Scenario {
        workload,
        mode,
        content,
        calibration,
        tools: _,
    } = scenario;
    let Content {
        repositories,
        tags,
        children,
        referrers,
        blobs,
        bytes,
        destinations,
    } = content;
    let Calibration {
        cores,
        sha256_gigabytes_per_second,
        load,
    } = calibration;
    let megabytes = float(*bytes) / 1e6;
    vec![
        String::new(),
        format!("=== {}, {} ===", workload.name(), mode.name()),
        format!(
            "{repositories} repositories, {tags} tags, {children} children, {referrers} referrers"
        ),
        format!("{blobs} blobs, {megabytes:.1} MB, destinations: {destinations}"),
        format!(
            "SHA-256 {sha256_gigabytes_per_second:.2} GB/s on each of {cores} cores, load {load:.1}"
        ),
    ]
}

/// What a tool did not do.
fn complaints(series: &Series) -> Vec<String> {
    let name = series.tool.name();
    let defects: BTreeSet<&str> = series.defects().collect();
    let failure = series
        .failure
        .iter()
        .map(|said| format!("{name} FAILED: {said}"));
    let shown = defects
        .iter()
        .take(SHOWN_DEFECTS)
        .map(|defect| format!("{name} DEFECT: {defect}"));
    let rest = defects.len().saturating_sub(SHOWN_DEFECTS);
    let rest = (rest > 0).then(|| format!("{name} DEFECT: and {rest} more"));
    failure.chain(shown).chain(rest).collect()
}
