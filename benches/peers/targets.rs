// SPDX-License-Identifier: Apache-2.0

//! What Transship promises beside its peers, and whether it keeps it.

use crate::pass::Pass;
use crate::place::Mode;
use crate::report::{Scenario, Series};
use crate::shared::units::{float, mebibytes};
use crate::shared::verdict::Verdict;
use crate::tool::Tool;
use crate::workload::Workload;

/// Cold wall time against the best peer, on this machine.
const COLD_LOOPBACK: f64 = 0.7;

/// The same, 20 ms away.
const COLD_DELAY: f64 = 0.5;

/// Wall time of an unchanged run against regsync, on this machine.
const UNCHANGED_LOOPBACK: f64 = 1.0;

/// Wall time of an unchanged run against the best peer, 20 ms away.
const UNCHANGED_DELAY: f64 = 0.3;

/// Wall time of an unchanged run against the best peer, on this machine over TLS.
const UNCHANGED_TLS: f64 = 0.9;

/// The same, 20 ms away.
const UNCHANGED_TLS_DELAY: f64 = 0.2;

/// Cold wall time against regsync, where a registry limits requests and does not say so.
const COLD_LIMITED: f64 = 1.5;

/// Peak memory on every content, in MiB.
const PEAK_RSS_MEBIBYTES: f64 = 96.0;

/// Judges the scenarios in which Transship took part.
pub(crate) fn judge(scenarios: &[Scenario]) -> Vec<Verdict> {
    let mut verdicts: Vec<Verdict> = scenarios
        .iter()
        .flat_map(|scenario| [cold(scenario), unchanged(scenario)])
        .flatten()
        .collect();
    verdicts.extend(scenarios.iter().filter_map(memory));
    verdicts.extend(scenarios.iter().filter_map(correctness));
    verdicts
}

fn cold(scenario: &Scenario) -> Option<Verdict> {
    let best = || best_peer(scenario, Pass::Cold);
    let (peer, limit) = match (scenario.workload, scenario.mode) {
        (_, Mode::Limited) => (Tool::Regsync, COLD_LIMITED),
        (Workload::Families | Workload::MultiArch, Mode::Loopback) => (best()?, COLD_LOOPBACK),
        (Workload::Families | Workload::MultiArch, Mode::Delay) => (best()?, COLD_DELAY),
        (_, Mode::Loopback | Mode::Delay | Mode::Tls | Mode::TlsDelay) => return None,
    };
    against(scenario, (Tool::Transship, Pass::Cold), peer, limit)
}

/// Peers look at tags only; so does a run that remembers when it looked at what refers to images.
fn unchanged(scenario: &Scenario) -> Option<Verdict> {
    let (peer, limit) = match scenario.mode {
        Mode::Loopback => (Tool::Regsync, UNCHANGED_LOOPBACK),
        Mode::Delay => (best_peer(scenario, Pass::Unchanged)?, UNCHANGED_DELAY),
        Mode::Tls => (best_peer(scenario, Pass::Unchanged)?, UNCHANGED_TLS),
        Mode::TlsDelay => (best_peer(scenario, Pass::Unchanged)?, UNCHANGED_TLS_DELAY),
        Mode::Limited => return None,
    };
    against(
        scenario,
        (Tool::TransshipState, Pass::Unchanged),
        peer,
        limit,
    )
}

fn memory(scenario: &Scenario) -> Option<Verdict> {
    let ours = complete(scenario, Tool::Transship)?;
    let peak = Pass::ALL
        .into_iter()
        .filter_map(|pass| ours.peak_rss(pass))
        .max()?;
    let what = format!("{}: peak RSS in MiB", title(scenario));
    Some(Verdict::new(what, mebibytes(peak), PEAK_RSS_MEBIBYTES))
}

fn correctness(scenario: &Scenario) -> Option<Verdict> {
    let ours = scenario.series(Tool::Transship)?;
    let what = format!("{}: missing or wrong", title(scenario));
    Some(Verdict::new(what, float(ours.defects().count()), 0.0))
}

/// The peer that took the least time for a pass, if it brought everything it claims.
pub(crate) fn best_peer(scenario: &Scenario, pass: Pass) -> Option<Tool> {
    let peers = scenario
        .tools
        .iter()
        .filter(|series| !series.tool.is_ours());
    let times = peers
        .filter(|series| series.is_sound())
        .filter_map(|series| Some((series.tool, series.wall(pass)?)));
    times
        .min_by(|(_, a), (_, b)| a.total_cmp(b))
        .map(|(tool, _)| tool)
}

fn against(
    scenario: &Scenario,
    (tool, pass): (Tool, Pass),
    peer: Tool,
    limit: f64,
) -> Option<Verdict> {
    let ours = complete(scenario, tool)?.wall(pass)?;
    let theirs = complete(scenario, peer)?.wall(pass)?;
    let what = format!(
        "{}, {}: wall against {}",
        title(scenario),
        pass.name(),
        peer.name()
    );
    Some(Verdict::new(what, ours / theirs, limit))
}

/// The runs of a tool, if it brought everything: what was left out took no time.
fn complete(scenario: &Scenario, tool: Tool) -> Option<&Series> {
    scenario.series(tool).filter(|series| series.is_sound())
}

fn title(scenario: &Scenario) -> String {
    format!("{}, {}", scenario.workload.name(), scenario.mode.name())
}
