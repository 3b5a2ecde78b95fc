//! What was measured, as a person reads it.

use std::collections::BTreeSet;

use crate::calibration::Calibration;
use crate::pass::{Pass, Sample};
use crate::report::{Content, Report, Scenario, Series};
use crate::targets::{Verdict, best_peer};
use crate::traffic::Traffic;

/// Defects of a tool that are shown; all of them are in the saved report.
const SHOWN_DEFECTS: usize = 5;

/// Width of a column.
const CELL: usize = 11;

/// Width of the titles of tools.
const TOOL: usize = 10;

/// Width of the titles of kinds of requests.
const KIND: usize = 30;

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
    lines.extend(report.targets.iter().map(|verdict| {
        let Verdict {
            what,
            figure,
            limit,
            kept,
        } = verdict;
        let word = if *kept { "PASS" } else { "MISS" };
        format!("{word}  {what}: {figure:.2} (at most {limit:.1})")
    }));
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

/// A number for a ratio or a table.
#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
pub(crate) fn float(number: usize) -> f64 {
    number as f64
}

/// Bytes in MiB.
#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
pub(crate) fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
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
        format!("{blobs} blobs, {megabytes:.1} MB, to {destinations} registries"),
        format!(
            "SHA-256 {sha256_gigabytes_per_second:.2} GB/s on each of {cores} cores, load {load:.1}"
        ),
    ]
}

/// One line for each tool. Ratios are to the best peer: below 1 is faster.
fn times(scenario: &Scenario, pass: Pass) -> Vec<String> {
    let titles = [
        "runs",
        "wall s",
        "spread",
        "ratio",
        "CPU s",
        "RSS MiB",
        "pulls",
        "read MB",
        "written",
        "mounts",
        "defects",
        "referrers",
    ];
    let best = best_peer(scenario, pass)
        .and_then(|tool| scenario.series(tool))
        .and_then(|series| series.wall(pass));
    let mut lines = vec![String::new(), row(pass.name(), TOOL, &titles)];
    lines.extend(scenario.tools.iter().filter_map(|series| {
        let cells = time(scenario, series, pass, best)?;
        Some(row(series.tool.name(), TOOL, &cells))
    }));
    lines
}

fn time(
    scenario: &Scenario,
    series: &Series,
    pass: Pass,
    best: Option<f64>,
) -> Option<[String; 12]> {
    let Sample {
        usage,
        source,
        destination,
        defects,
        missing_referrers,
    } = series.median(pass)?;
    let (least, most) = series.spread(pass);
    let referrers = scenario.content.referrers * scenario.content.destinations;
    Some([
        series.samples(pass).len().to_string(),
        format!("{:.3}", usage.wall_seconds),
        format!("{least:.2}-{most:.2}"),
        best.map_or_else(String::new, |best| {
            format!("{:.2}", usage.wall_seconds / best)
        }),
        format!("{:.2}", usage.cpu_seconds),
        format!("{:.1}", mebibytes(series.peak_rss(pass)?)),
        source.pulls.to_string(),
        format!("{:.1}", megabytes(source.bytes_read)),
        format!("{:.1}", megabytes(destination.bytes_written)),
        destination.mounts.to_string(),
        defects.len().to_string(),
        format!("{}/{referrers}", referrers - missing_referrers),
    ])
}

/// One line for each kind of request at each end, one column for each tool.
fn requests(scenario: &Scenario, pass: Pass) -> Vec<String> {
    let measured: Vec<(&str, &Sample)> = scenario
        .tools
        .iter()
        .filter_map(|series| Some((series.tool.name(), series.median(pass)?)))
        .collect();
    let names: Vec<&str> = measured.iter().map(|(name, _)| *name).collect();
    let source: Vec<&Traffic> = measured.iter().map(|(_, sample)| &sample.source).collect();
    let destination: Vec<&Traffic> = measured
        .iter()
        .map(|(_, sample)| &sample.destination)
        .collect();
    let mut lines = vec![row("  requests", KIND, &names)];
    lines.extend(kinds("source", &source));
    lines.extend(kinds("destination", &destination));
    lines
}

fn kinds(end: &str, traffics: &[&Traffic]) -> Vec<String> {
    let kinds: BTreeSet<&String> = traffics
        .iter()
        .flat_map(|traffic| traffic.requests.keys())
        .collect();
    let mut lines: Vec<String> = kinds
        .into_iter()
        .map(|kind| {
            let counts = traffics
                .iter()
                .map(|traffic| traffic.requests.get(kind).copied().unwrap_or(0));
            row(
                &format!("  {end} {kind}"),
                KIND,
                &counts.collect::<Vec<_>>(),
            )
        })
        .collect();
    let totals: Vec<usize> = traffics.iter().map(|traffic| traffic.total()).collect();
    lines.push(row(&format!("  {end} total"), KIND, &totals));
    lines
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

/// A title of some width, and cells under each other.
fn row<T: std::fmt::Display>(title: &str, width: usize, cells: &[T]) -> String {
    let cells: Vec<String> = cells.iter().map(|cell| format!("{cell:>CELL$}")).collect();
    format!("{title:<width$}{}", cells.concat())
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
