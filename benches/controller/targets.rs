// SPDX-License-Identifier: Apache-2.0

//! What the controller promises, and whether it keeps it.

use crate::report::Scenario;
use crate::scenario::SEARCHES;
use crate::shared::units::{float, mebibytes};
use crate::shared::verdict::Verdict;

/// Memory of a controller that has nothing to do, in MiB.
const IDLE_RSS_MEBIBYTES: f64 = 256.0;

/// The most memory during such a pass, in MiB.
const PEAK_RSS_MEBIBYTES: f64 = 400.0;

/// Wall time of a pass in which nothing changes, in minutes.
const UNCHANGED_MINUTES: f64 = 10.0;

/// CPU of a search on the page, in milliseconds.
const SEARCH_MILLISECONDS: f64 = 100.0;

/// Requests for each tag of such a pass, at each end: one, and a tenth of the list that policies select from.
const REQUESTS_PER_TAG: f64 = 1.1;

/// Judges every number of mirrors.
pub(crate) fn judge(scenarios: &[Scenario]) -> Vec<Verdict> {
    scenarios.iter().flat_map(judge_one).collect()
}

fn judge_one(scenario: &Scenario) -> Vec<Verdict> {
    let Scenario {
        mirrors,
        tags,
        idle,
        unchanged,
        searched,
        ..
    } = scenario;
    let verdict = |what: &str, figure, limit| {
        Verdict::new(format!("{mirrors} mirrors, {what}"), figure, limit)
    };
    let per_tag = |requests: usize| float(requests) / float(*tags);
    let pulls = unchanged.source.pulls + unchanged.destination.pulls;
    vec![
        verdict(
            "idle: RSS in MiB",
            mebibytes(idle.rss_bytes),
            IDLE_RSS_MEBIBYTES,
        ),
        verdict(
            "unchanged: peak RSS in MiB",
            mebibytes(unchanged.peak_rss_bytes),
            PEAK_RSS_MEBIBYTES,
        ),
        verdict("idle: API writes", float(idle.api.writes), 0.0),
        verdict(
            "unchanged: minutes",
            unchanged.wall_seconds / 60.0,
            UNCHANGED_MINUTES,
        ),
        verdict("unchanged: API writes", float(unchanged.api.writes), 0.0),
        verdict(
            "unchanged: source requests per tag",
            per_tag(unchanged.source.total()),
            REQUESTS_PER_TAG,
        ),
        verdict(
            "unchanged: destination requests per tag",
            per_tag(unchanged.destination.total()),
            REQUESTS_PER_TAG,
        ),
        verdict("unchanged: pulls", float(pulls), 0.0),
        verdict(
            "a search: ms of CPU",
            searched.cpu_seconds * 1000.0 / float(SEARCHES),
            SEARCH_MILLISECONDS,
        ),
    ]
}
