// SPDX-License-Identifier: Apache-2.0

//! The tables of one scenario and pass.

use std::collections::BTreeSet;

use crate::pass::{Pass, Sample};
use crate::report::{Scenario, Series};
use crate::shared::table::row;
use crate::shared::units::{mebibytes, megabytes};
use crate::targets::best_peer;
use crate::traffic::Traffic;

/// Width of the titles of tools.
const TOOL: usize = 10;

/// Width of the titles of kinds of requests.
const KIND: usize = 30;

/// One line for each tool. Ratios are to the best peer: below 1 is faster.
pub(crate) fn times(scenario: &Scenario, pass: Pass) -> Vec<String> {
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
pub(crate) fn requests(scenario: &Scenario, pass: Pass) -> Vec<String> {
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
