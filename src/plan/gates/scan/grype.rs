// SPDX-License-Identifier: Apache-2.0

//! `grype --output json`.

use serde::Deserialize;
use serde_json::Value;

use super::finding::{Finding, Fix, Scan, ScanError, severity, time, unreadable};

const FORMAT: &str = "Grype JSON";

#[derive(Deserialize)]
struct Report {
    matches: Vec<Match>,
    #[serde(default)]
    descriptor: Descriptor,
}

#[derive(Default, Deserialize)]
struct Descriptor {
    timestamp: Option<String>,
}

#[derive(Deserialize)]
struct Match {
    vulnerability: Vulnerability,
}

#[derive(Deserialize)]
struct Vulnerability {
    id: String,
    severity: Option<String>,
    #[serde(default)]
    fix: State,
}

#[derive(Default, Deserialize)]
struct State {
    #[serde(default)]
    state: String,
}

pub(super) fn read(result: &Value) -> Result<Scan, ScanError> {
    let Report {
        matches,
        descriptor,
    } = Report::deserialize(result).map_err(|error| unreadable(FORMAT, &error))?;
    let findings = matches.into_iter().map(|found| {
        let Vulnerability { id, severity, fix } = found.vulnerability;
        Finding {
            id,
            severity: severity.as_deref().and_then(self::severity),
            fix: match fix.state.as_str() {
                "not-fixed" | "wont-fix" => Fix::Missing,
                _ => Fix::MayExist,
            },
        }
    });
    let finished = descriptor.timestamp.as_deref().and_then(time);
    Ok(Scan::new(finished, findings))
}
