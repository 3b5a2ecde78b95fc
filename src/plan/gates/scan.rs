//! What a signed scan says of the vulnerabilities of an image.

use jiff::Timestamp;
use serde_json::Value;

use crate::api::image_policy::{Severity, UnfixedVulnerabilities, Vulnerabilities};

/// Predicate of `cosign attest --type vuln`.
pub const COSIGN_VULN: &str = "https://cosign.sigstore.dev/attestation/vuln/v1";

/// The vulnerabilities that a scanner found in an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scan {
    /// When it looked, as far as it says so.
    pub finished: Option<Timestamp>,
    /// What it found, each once, most severe first.
    pub findings: Vec<Finding>,
}

/// One vulnerability.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Its name, such as CVE-2024-3094.
    pub id: String,
    /// How severe it is.
    pub severity: Severity,
    /// Whether there is a fix; only `Unfixed` is known to have none.
    pub fix: Fix,
}

/// Whether a vulnerability has a fix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fix {
    /// There is one, or the scanner does not say.
    MayExist,
    /// The scanner says that there is none.
    Missing,
}

/// Why a predicate is no scan that can be judged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScanError {
    /// It is another kind of attestation.
    #[error(
        "attestation of the type {found:?} is no scan: attest one with cosign attest --type vuln"
    )]
    OtherPredicate {
        /// Its type.
        found: String,
    },
    /// It is in no format that is understood.
    #[error("result of the scan is not understood: write it as Trivy JSON, Grype JSON or SARIF")]
    UnknownFormat,
}

impl Scan {
    /// Whether a statement of this type is a scan at all.
    pub fn is_scan(predicate_type: &str) -> bool {
        predicate_type == COSIGN_VULN
    }

    /// Reads the predicate of a verified attestation.
    pub fn read(predicate_type: &str, predicate: &Value) -> Result<Self, ScanError> {
        let _ = predicate;
        Err(ScanError::OtherPredicate {
            found: predicate_type.to_owned(),
        })
    }

    /// What breaks the rule, with the number of findings and the first of them.
    pub fn judge(&self, rule: &Vulnerabilities) -> Option<String> {
        let _ = (rule, UnfixedVulnerabilities::Count);
        None
    }
}
