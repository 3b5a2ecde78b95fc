// SPDX-License-Identifier: Apache-2.0

//! What a signed scan says of the vulnerabilities of an image.
//!
//! Understood are the predicate of `cosign attest --type vuln` with the output of Trivy or Grype or SARIF
//! as its result, and SARIF as the predicate itself. What is not understood is an error: nothing passes
//! because nobody could read it.

mod finding;
mod grype;
mod sarif;
#[cfg(test)]
mod tests;
mod trivy;

use serde::Deserialize;
use serde_json::Value;

pub use self::finding::{Finding, Fix, Scan, ScanError};
use self::finding::{name, time};
use super::require::quote;
use crate::api::image_policy::{UnfixedVulnerabilities, Vulnerabilities};

/// The predicate of `cosign attest --type vuln`.
pub const COSIGN_VULN: &str = "https://cosign.sigstore.dev/attestation/vuln/v1";
/// What the types of predicates that are SARIF have in common.
const SARIF: &str = "sarif";
/// Most findings that a message names.
const NAMED: usize = 3;

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
}
