//! What a signed scan says of the vulnerabilities of an image.
//!
//! Understood are the predicate of `cosign attest --type vuln` with the output of Trivy or Grype or SARIF
//! as its result, and SARIF as the predicate itself. What is not understood is an error: nothing passes
//! because nobody could read it.

mod grype;
mod sarif;
#[cfg(test)]
mod tests;
mod trivy;

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use super::require::quote;
use crate::api::image_policy::{Severity, UnfixedVulnerabilities, Vulnerabilities};

/// The predicate of `cosign attest --type vuln`.
pub const COSIGN_VULN: &str = "https://cosign.sigstore.dev/attestation/vuln/v1";
/// What the types of predicates that are SARIF have in common.
const SARIF: &str = "sarif";
/// Most findings that a message names.
const NAMED: usize = 3;

/// The vulnerabilities that a scanner found in an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scan {
    /// When it looked, as far as it says so.
    pub finished: Option<Timestamp>,
    /// What it found: each once, most severe first.
    pub findings: Vec<Finding>,
}

/// One vulnerability.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Its name, such as `CVE-2024-3094`.
    pub id: String,
    /// How severe it is; nothing where the scanner does not know, which counts as `Critical`.
    pub severity: Option<Severity>,
    /// Whether there is a fix.
    pub fix: Fix,
}

/// Whether a vulnerability has a fix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fix {
    /// The scanner says that there is none.
    Missing,
    /// There is one, or the scanner does not say.
    MayExist,
}

/// Why a predicate is no scan that can be judged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScanError {
    /// It is another kind of attestation.
    #[error(
        "attestation of the type {found} is no scan: attest one with cosign attest --type vuln"
    )]
    OtherPredicate {
        /// Its type.
        found: String,
    },
    /// The predicate is not what its type says.
    #[error("predicate of the scan cannot be read: {reason}")]
    Predicate {
        /// Why.
        reason: String,
    },
    /// The result is in no format that is known.
    #[error(
        "result of the scan is in no format that is understood: write it as Trivy JSON, Grype JSON or SARIF 2.1.0"
    )]
    UnknownFormat,
    /// The result is not what its format says.
    #[error("result of the scan cannot be read as {format}: {reason}")]
    Unreadable {
        /// The format that it seems to have.
        format: &'static str,
        /// Why.
        reason: String,
    },
}

/// The predicate of cosign, as far as it is of use.
#[derive(Deserialize)]
struct Predicate {
    scanner: Scanner,
    #[serde(default)]
    metadata: Metadata,
}

#[derive(Deserialize)]
struct Scanner {
    result: Value,
}

#[derive(Default, Deserialize)]
struct Metadata {
    #[serde(rename = "scanFinishedOn")]
    finished: Option<String>,
}

// === impl Scan ===

impl Scan {
    /// Whether an attestation of this type is a scan at all: that of cosign, or any that names SARIF.
    pub fn is_scan(predicate_type: &str) -> bool {
        predicate_type == COSIGN_VULN || predicate_type.to_ascii_lowercase().contains(SARIF)
    }

    /// Reads the predicate of a verified attestation.
    pub fn read(predicate_type: &str, predicate: &Value) -> Result<Self, ScanError> {
        if !Self::is_scan(predicate_type) {
            return Err(ScanError::OtherPredicate {
                found: quote(predicate_type),
            });
        }
        if predicate_type != COSIGN_VULN {
            return sarif::read(predicate);
        }
        let Predicate { scanner, metadata } =
            Predicate::deserialize(predicate).map_err(|error| ScanError::Predicate {
                reason: quote(&error.to_string()),
            })?;
        let has = |key: &str| scanner.result.get(key).is_some();
        let mut scan = if has("runs") {
            sarif::read(&scanner.result)?
        } else if has("matches") {
            grype::read(&scanner.result)?
        } else if has("Results") || has("SchemaVersion") {
            trivy::read(&scanner.result)?
        } else {
            return Err(ScanError::UnknownFormat);
        };
        let finished = metadata.finished.as_deref().and_then(time);
        scan.finished = finished.or(scan.finished);
        Ok(scan)
    }

    /// What breaks the rule: how many findings, and the worst of them.
    pub fn judge(&self, rule: &Vulnerabilities) -> Option<String> {
        let Vulnerabilities {
            max_severity,
            unfixed,
        } = rule;
        let counts = |finding: &&Finding| match unfixed {
            UnfixedVulnerabilities::Count => true,
            UnfixedVulnerabilities::Ignore => finding.fix != Fix::Missing,
        };
        let findings = self.findings.iter().filter(counts);
        let worse: Vec<&Finding> = findings
            .filter(|finding| finding.counts_as() > *max_severity)
            .collect();
        let named: Vec<String> = worse.iter().take(NAMED).map(ToString::to_string).collect();
        let named = named.join(", ");
        let what = match worse.len() {
            0 => return None,
            1 => "1 vulnerability is".to_owned(),
            count => format!("{count} vulnerabilities are"),
        };
        let more = match worse.len().saturating_sub(NAMED) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        Some(format!(
            "{what} more severe than {}, {named}{more}: update what the image contains, or accept more",
            name(*max_severity)
        ))
    }

    /// A scan in which each finding stands once, with the worst that was said of it.
    fn new(finished: Option<Timestamp>, found: impl IntoIterator<Item = Finding>) -> Self {
        let mut worst: BTreeMap<String, Finding> = BTreeMap::new();
        for finding in found {
            let known = worst.entry(finding.id.clone());
            let known = known.or_insert_with(|| finding.clone());
            if finding.counts_as() > known.counts_as() {
                known.severity = finding.severity;
            }
            known.fix = known.fix.max(finding.fix);
        }
        let mut findings: Vec<Finding> = worst.into_values().collect();
        findings.sort_by_key(|finding| std::cmp::Reverse(finding.counts_as()));
        Self { finished, findings }
    }
}

// === impl Finding ===

impl Finding {
    /// How severe it is, and as severe as can be where nobody knows.
    pub fn counts_as(&self) -> Severity {
        self.severity.unwrap_or(Severity::Critical)
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = self.severity.map_or("not rated", name);
        write!(formatter, "{} ({severity})", quote(&self.id))
    }
}

/// A severity as its field is written.
const fn name(severity: Severity) -> &'static str {
    match severity {
        Severity::None => "None",
        Severity::Low => "Low",
        Severity::Medium => "Medium",
        Severity::High => "High",
        Severity::Critical => "Critical",
    }
}

/// A severity as scanners write it.
fn severity(text: &str) -> Option<Severity> {
    match text.to_ascii_lowercase().as_str() {
        "none" => Some(Severity::None),
        "low" | "negligible" => Some(Severity::Low),
        "medium" | "moderate" => Some(Severity::Medium),
        "high" | "important" => Some(Severity::High),
        "critical" => Some(Severity::Critical),
        _ => None,
    }
}

fn time(text: &str) -> Option<Timestamp> {
    text.parse().ok()
}

fn unreadable(format: &'static str, error: &serde_json::Error) -> ScanError {
    ScanError::Unreadable {
        format,
        reason: quote(&error.to_string()),
    }
}
