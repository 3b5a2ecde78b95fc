// SPDX-License-Identifier: Apache-2.0

//! What a scan found.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;

use crate::api::image_policy::Severity;
use crate::plan::gates::require::quote;

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

// === impl Scan ===

impl Scan {
    /// A scan in which each finding stands once, with the worst that was said of it.
    pub(super) fn new(
        finished: Option<Timestamp>,
        found: impl IntoIterator<Item = Finding>,
    ) -> Self {
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
pub(super) const fn name(severity: Severity) -> &'static str {
    match severity {
        Severity::None => "None",
        Severity::Low => "Low",
        Severity::Medium => "Medium",
        Severity::High => "High",
        Severity::Critical => "Critical",
    }
}

/// A severity as scanners write it.
pub(super) fn severity(text: &str) -> Option<Severity> {
    match text.to_ascii_lowercase().as_str() {
        "none" => Some(Severity::None),
        "low" | "negligible" => Some(Severity::Low),
        "medium" | "moderate" => Some(Severity::Medium),
        "high" | "important" => Some(Severity::High),
        "critical" => Some(Severity::Critical),
        _ => None,
    }
}

pub(super) fn time(text: &str) -> Option<Timestamp> {
    text.parse().ok()
}

pub(super) fn unreadable(format: &'static str, error: &serde_json::Error) -> ScanError {
    ScanError::Unreadable {
        format,
        reason: quote(&error.to_string()),
    }
}
