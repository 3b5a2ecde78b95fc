// SPDX-License-Identifier: Apache-2.0

//! What was measured, as a person reads it.

use crate::objects::Size;
use crate::report::{Api, Report, Sample, Scenario};
use crate::shared::calibration::Calibration;
use crate::shared::table::row;
use crate::shared::units::{float, mebibytes};
use crate::shared::verdict::Verdict;

/// Width of the titles of phases.
const PHASE: usize = 14;

/// The table of one number of mirrors.
pub(crate) fn scenario(scenario: &Scenario) -> String {
    let Scenario {
        mirrors,
        tags,
        calibration:
            Calibration {
                cores,
                sha256_gigabytes_per_second,
                load,
            },
        creation_seconds,
        takeover,
        objects,
        start,
        idle,
        unchanged,
        searched,
        succeeded,
    } = scenario;
    let rate = float(*mirrors) / creation_seconds;
    let titles = [
        "wall s",
        "CPU s",
        "RSS MiB",
        "peak MiB",
        "API reads",
        "watches",
        "writes",
        "lease",
        "source",
        "destination",
    ];
    let mut lines = vec![
        String::new(),
        format!("=== {mirrors} mirrors, {tags} tags ==="),
        format!("created in {creation_seconds:.1} s, {rate:.0} a second"),
        format!(
            "SHA-256 {sha256_gigabytes_per_second:.2} GB/s on each of {cores} cores, load {load:.1}"
        ),
        String::new(),
        row("phase", PHASE, &titles),
    ];
    let phases = [
        ("first rounds", takeover),
        ("start", start),
        ("idle", idle),
        ("unchanged", unchanged),
        ("100 searches", searched),
    ];
    lines.extend(phases.map(|(name, sample)| row(name, PHASE, &cells(sample))));
    lines.extend([
        object("ImageMirror", objects.mirror),
        object("MirroredRepository", objects.records),
    ]);
    lines.push(format!(
        "{succeeded} rounds of the unchanged pass succeeded"
    ));
    lines.join("\n")
}

/// The promises, and whether the figures can be trusted at all.
pub(crate) fn summary(report: &Report) -> String {
    let mut lines = vec![String::new(), "=== targets ===".to_owned()];
    lines.extend(report.targets.iter().map(Verdict::line));
    let soundness = if report.is_sound() {
        "every mirror was ready, and every round succeeded"
    } else {
        "NOT SOUND: rounds failed or are missing"
    };
    lines.push(soundness.to_owned());
    lines.join("\n")
}

fn object(
    kind: &str,
    Size {
        bytes,
        managed_fields,
    }: Size,
) -> String {
    format!("{kind}: {bytes:.0} bytes of JSON, {managed_fields:.0} of them who wrote which field")
}

fn cells(sample: &Sample) -> [String; 10] {
    let Sample {
        wall_seconds,
        cpu_seconds,
        rss_bytes,
        peak_rss_bytes,
        api:
            Api {
                reads,
                watches,
                writes,
                lease_writes,
            },
        source,
        destination,
    } = sample;
    [
        format!("{wall_seconds:.1}"),
        format!("{cpu_seconds:.2}"),
        format!("{:.1}", mebibytes(*rss_bytes)),
        format!("{:.1}", mebibytes(*peak_rss_bytes)),
        reads.to_string(),
        watches.to_string(),
        writes.to_string(),
        lease_writes.to_string(),
        source.total().to_string(),
        destination.total().to_string(),
    ]
}
