// SPDX-License-Identifier: Apache-2.0

//! SARIF 2.1.0, as far as a scan of vulnerabilities uses it.
//!
//! How severe a result is, is said by the first of these that is there: `security-severity` among the
//! properties of the result or its rule, a CVSS score (0 None, below 4 Low, below 7 Medium, below 9 High,
//! else Critical); `severity` among them, in words; the level (error Critical, since it stands for High,
//! too; warning Medium; note Low; none None). SARIF does not say whether there is a fix.

use serde::Deserialize;
use serde_json::Value;

use super::finding::{Finding, Fix, Scan, ScanError, severity, time, unreadable};
use crate::api::image_policy::Severity;

const FORMAT: &str = "SARIF";

#[derive(Deserialize)]
struct Log {
    version: String,
    runs: Vec<Run>,
}

#[derive(Deserialize)]
struct Run {
    tool: Tool,
    results: Option<Vec<Outcome>>,
    #[serde(default)]
    invocations: Vec<Invocation>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Invocation {
    end_time_utc: Option<String>,
}

#[derive(Deserialize)]
struct Tool {
    driver: Driver,
}

#[derive(Deserialize)]
struct Driver {
    #[serde(default)]
    rules: Vec<Rule>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Rule {
    id: String,
    #[serde(default)]
    properties: Properties,
    #[serde(default)]
    default_configuration: Configuration,
}

#[derive(Default, Deserialize)]
struct Configuration {
    level: Option<String>,
}

#[derive(Default, Deserialize)]
struct Properties {
    #[serde(rename = "security-severity")]
    score: Option<Value>,
    severity: Option<String>,
}

/// A `result`: something that the tool found, or that it says is fine.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Outcome {
    rule_id: Option<String>,
    rule_index: Option<usize>,
    kind: Option<String>,
    level: Option<String>,
    #[serde(default)]
    properties: Properties,
}

pub(super) fn read(log: &Value) -> Result<Scan, ScanError> {
    let Log { version, runs } =
        Log::deserialize(log).map_err(|error| unreadable(FORMAT, &error))?;
    if version != "2.1.0" {
        return Err(ScanError::UnknownFormat);
    }
    let mut finished = None;
    let mut findings = Vec::new();
    for run in runs {
        let ends = run.invocations.iter();
        let ends = ends.filter_map(|invocation| time(invocation.end_time_utc.as_deref()?));
        finished = ends.chain(finished).max();
        // A run without results did not look; an empty list says that there is nothing.
        let results = run.results.ok_or_else(|| ScanError::Unreadable {
            format: FORMAT,
            reason: "a run has no results".to_owned(),
        })?;
        for outcome in results.iter().filter(|outcome| outcome.is_finding()) {
            findings.push(outcome.finding(&run.tool.driver.rules)?);
        }
    }
    Ok(Scan::new(finished, findings))
}

// === impl Outcome ===

impl Outcome {
    /// Whether something is wrong (SARIF, 3.27.9). What somebody suppressed counts all the same.
    fn is_finding(&self) -> bool {
        let kind = self.kind.as_deref();
        !matches!(kind, Some("pass" | "informational" | "notApplicable"))
    }

    fn finding(&self, rules: &[Rule]) -> Result<Finding, ScanError> {
        let rule = self.rule(rules);
        let id = self.rule_id.as_ref().or(rule.map(|rule| &rule.id));
        let id = id.ok_or_else(|| ScanError::Unreadable {
            format: FORMAT,
            reason: "a result names no rule".to_owned(),
        })?;
        Ok(Finding {
            id: id.clone(),
            severity: self.severity(rule),
            fix: Fix::MayExist,
        })
    }

    fn rule<'a>(&self, rules: &'a [Rule]) -> Option<&'a Rule> {
        let id = self.rule_id.as_ref();
        let by_index = self.rule_index.and_then(|index| rules.get(index));
        let by_index = by_index.filter(|rule| id.is_none_or(|id| *id == rule.id));
        by_index.or_else(|| rules.iter().find(|rule| Some(&rule.id) == id))
    }

    fn severity(&self, rule: Option<&Rule>) -> Option<Severity> {
        let all = [Some(&self.properties), rule.map(|rule| &rule.properties)];
        let mut scores = all.iter().flatten().filter_map(|all| all.score.as_ref());
        if let Some(score) = scores.next() {
            return rate(score);
        }
        let mut words = all.iter().flatten().filter_map(|all| all.severity.as_ref());
        if let Some(word) = words.next() {
            return severity(word);
        }
        let default = rule.and_then(|rule| rule.default_configuration.level.as_deref());
        match self.level.as_deref().or(default).unwrap_or("warning") {
            "none" => Some(Severity::None),
            "note" => Some(Severity::Low),
            "warning" => Some(Severity::Medium),
            "error" => Some(Severity::Critical),
            _ => None,
        }
    }
}

/// The severity of a CVSS score; nothing where it is no score.
fn rate(score: &Value) -> Option<Severity> {
    let score = match score.as_str() {
        Some(text) => text.trim().parse().ok()?,
        None => score.as_f64()?,
    };
    match score {
        0.0 => Some(Severity::None),
        score if !(0.0..=10.0).contains(&score) => None,
        score if score < 4.0 => Some(Severity::Low),
        score if score < 7.0 => Some(Severity::Medium),
        score if score < 9.0 => Some(Severity::High),
        _ => Some(Severity::Critical),
    }
}
