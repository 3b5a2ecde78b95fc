// SPDX-License-Identifier: Apache-2.0

//! Runs what was selected.

use crate::pass::{self, Pass, Sample};
use crate::place::{Mode, Place};
use crate::report::{Content, Report, Scenario, Series};
use crate::selection::Selection;
use crate::shared::calibration::Calibration;
use crate::support::corpus::Corpus;
use crate::targets;
use crate::text;
use crate::workload::Workload;

/// A peer whose two passes took longer than this is not run again: the best one is never among those,
/// and the time is better spent on the others.
const LONG_RUN_SECONDS: f64 = 10.0;

/// Measures everything and prints a table for each content, distance and pass.
pub(crate) async fn run_all(selection: &Selection) -> Report {
    let mut scenarios = Vec::new();
    for workload in &selection.workloads {
        let modes: Vec<Mode> = workload
            .modes()
            .iter()
            .copied()
            .filter(|mode| selection.modes.contains(mode))
            .collect();
        if !modes.is_empty() {
            scenarios.extend(run_workload(selection, *workload, &modes).await);
        }
    }
    Report {
        scale: selection.scale,
        runs: selection.runs,
        targets: targets::judge(&scenarios),
        scenarios,
    }
}

/// One content at several distances: it is pushed to the source once for those that are reached alike.
async fn run_workload(selection: &Selection, workload: Workload, modes: &[Mode]) -> Vec<Scenario> {
    eprintln!("{}: making the content", workload.name());
    let corpus = workload.build(selection.scale);
    let mut scenarios = Vec::new();
    for modes in modes.chunk_by(|one, other| one.security() == other.security()) {
        scenarios.extend(run_modes(selection, workload, &corpus, modes).await);
    }
    scenarios
}

async fn run_modes(
    selection: &Selection,
    workload: Workload,
    corpus: &Corpus,
    modes: &[Mode],
) -> Vec<Scenario> {
    let Some(first) = modes.first() else {
        return Vec::new();
    };
    let mut source = Place::start(*first).await;
    source.registry().client().push_corpus(corpus).await;
    let mut scenarios = Vec::new();
    for mode in modes {
        source.move_to(*mode);
        let scenario = Scenario {
            workload,
            mode: *mode,
            content: measure_content(corpus, workload.destinations()),
            calibration: Calibration::take(),
            tools: run_tools(selection, workload, corpus, &source, *mode).await,
        };
        println!("{}", text::scenario(&scenario));
        scenarios.push(scenario);
    }
    scenarios
}

/// The tools take turns, each time beginning with another one.
async fn run_tools(
    selection: &Selection,
    workload: Workload,
    corpus: &Corpus,
    source: &Place,
    mode: Mode,
) -> Vec<Series> {
    let tools = selection.tools.iter().copied();
    let mut all: Vec<Series> = tools
        .filter(|tool| workload.suits(*tool))
        .map(Series::new)
        .collect();
    if all.is_empty() {
        return all;
    }
    for run in 0..selection.runs {
        let first = run % all.len();
        let (before, after) = all.split_at_mut(first);
        for series in after.iter_mut().chain(before) {
            if !is_finished(series) {
                let outcome =
                    pass::run(series.tool, corpus, source, mode, workload.destinations()).await;
                eprintln!(
                    "{}, {}, run {} of {}, {}: {}",
                    workload.name(),
                    mode.name(),
                    run + 1,
                    selection.runs,
                    series.tool.name(),
                    text::outcome(outcome.as_ref())
                );
                record(series, outcome);
            }
        }
    }
    all
}

fn is_finished(series: &Series) -> bool {
    let passes = Pass::ALL.into_iter().filter_map(|pass| series.wall(pass));
    series.failure.is_some() || !series.tool.is_ours() && passes.sum::<f64>() > LONG_RUN_SECONDS
}

fn record(series: &mut Series, outcome: Result<[Sample; 2], String>) {
    match outcome {
        Ok([cold, unchanged]) => {
            series.cold.push(cold);
            series.unchanged.push(unchanged);
        }
        Err(said) => series.failure = Some(said),
    }
}

fn measure_content(corpus: &Corpus, destinations: usize) -> Content {
    let blobs = corpus.distinct_blobs();
    Content {
        repositories: corpus.repositories.len(),
        tags: corpus.images().count(),
        children: corpus
            .images()
            .map(|(.., image)| image.children.len())
            .sum(),
        referrers: corpus
            .images()
            .map(|(.., image)| image.referrers.len())
            .sum(),
        blobs: blobs.len(),
        bytes: blobs.values().sum(),
        destinations,
    }
}
