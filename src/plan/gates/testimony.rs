// SPDX-License-Identifier: Apache-2.0

//! What the evidence of an image comes to, as the authorities of one policy see it.

use super::gate::Gate;
use super::require::Breach;
use super::rules::Gates;
use super::scan::Scan;
use crate::api::ObjectName;
use crate::api::image_policy::Vulnerabilities;
use crate::oci::Digest;

/// What the authorities of one policy say of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Testimony {
    /// Who vouches for it; or why nobody does, and what to do.
    pub signature: Result<Vouched, String>,
    /// The scans that they signed, for each of the images that would be copied; nothing where the
    /// policy asks for none.
    pub scans: Vec<Scanned>,
    /// The manifests that hold what this rests on.
    pub used: Vec<Digest>,
}

/// Someone vouches for an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vouched {
    /// The authority, by its name in the policy.
    pub authority: String,
    /// What it signed; of several, for one image each, the first.
    pub evidence: Digest,
}

/// The scans of one image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scanned {
    /// Its platform, or another name.
    pub name: String,
    /// The digest that a scan must be of.
    pub digest: Digest,
    /// All that are signed.
    pub scans: Vec<Scan>,
}

/// Who vouches for an image, and by which policy: this goes on record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Voucher {
    /// The policy.
    pub policy: ObjectName,
    /// Who vouches.
    pub vouched: Vouched,
    /// The manifests that hold what all policies admit the image by.
    pub used: Vec<Digest>,
}

// === impl Testimony ===

impl Testimony {
    /// Whether nothing more is needed for these gates.
    pub fn suffices(&self, gates: &Gates) -> bool {
        self.judge_signature().is_none() && self.judge_scans(gates).is_none()
    }

    /// Nobody's word counts who does not vouch for the image.
    pub(super) fn judge_signature(&self) -> Option<Breach> {
        let problem = self.signature.as_ref().err()?;
        Some((Gate::Verify, problem.clone()))
    }

    pub(super) fn judge_scans(&self, gates: &Gates) -> Option<Breach> {
        let rule = gates.require.as_ref()?.vulnerabilities.as_ref()?;
        let problem = self.scans.iter().find_map(|scanned| scanned.judge(rule))?;
        Some((Gate::Vulnerabilities, problem))
    }
}

// === impl Scanned ===

impl Scanned {
    /// What breaks the rule. The latest scan counts: what was fixed or found since is in it.
    fn judge(&self, rule: &Vulnerabilities) -> Option<String> {
        let Self {
            name,
            digest,
            scans,
        } = self;
        let Some(latest) = scans.iter().map(|scan| scan.finished).max() else {
            return Some(format!(
                "{name} has no scan that an authority of the policy signed: attest one with cosign attest --type vuln, for {digest}"
            ));
        };
        // Several of the same time, or without one, count all.
        let mut scans = scans.iter().filter(|scan| scan.finished == latest);
        let problem = scans.find_map(|scan| scan.judge(rule))?;
        Some(format!("{name} {problem}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::image_policy::{Severity, UnfixedVulnerabilities};
    use crate::plan::gates::COSIGN_VULN;

    fn scan(finished: &str, severity: &str) -> Scan {
        let predicate = serde_json::json!({
            "scanner": {"result": {"SchemaVersion": 2, "Results": [
                {"Target": "a", "Vulnerabilities": [{"VulnerabilityID": "CVE-1", "Severity": severity}]},
            ]}},
            "metadata": {"scanFinishedOn": finished},
        });
        Scan::read(COSIGN_VULN, &predicate).unwrap()
    }

    #[test]
    fn the_latest_scan_counts() {
        let (old, new) = ("2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z");
        let cases = [
            ("none", vec![], true),
            (
                "fixed since",
                vec![scan(new, "LOW"), scan(old, "CRITICAL")],
                false,
            ),
            (
                "found since",
                vec![scan(old, "LOW"), scan(new, "CRITICAL")],
                true,
            ),
            (
                "at one time",
                vec![scan(new, "LOW"), scan(new, "CRITICAL")],
                true,
            ),
        ];
        let rule = Vulnerabilities {
            max_severity: Severity::High,
            unfixed: UnfixedVulnerabilities::Count,
        };
        for (name, scans, is_broken) in cases {
            let scanned = Scanned {
                name: "linux/amd64".to_owned(),
                digest: Digest::sha256(b"a"),
                scans,
            };
            assert_eq!(scanned.judge(&rule).is_some(), is_broken, "{name}");
        }
    }
}
