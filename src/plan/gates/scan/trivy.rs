// SPDX-License-Identifier: Apache-2.0

//! `trivy image --format json`, which is also the result of `--format cosign-vuln`.

use serde::Deserialize;
use serde_json::Value;

use super::finding::{Finding, Fix, Scan, ScanError, severity, time, unreadable};

const FORMAT: &str = "Trivy JSON";

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Report {
    created_at: Option<String>,
    results: Option<Vec<Target>>,
}

/// A package manager of the image.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Target {
    vulnerabilities: Option<Vec<Vulnerability>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Vulnerability {
    #[serde(rename = "VulnerabilityID")]
    id: String,
    severity: Option<String>,
    fixed_version: Option<String>,
    status: Option<String>,
}

pub(super) fn read(result: &Value) -> Result<Scan, ScanError> {
    let Report {
        created_at,
        results,
    } = Report::deserialize(result).map_err(|error| unreadable(FORMAT, &error))?;
    let targets = results.into_iter().flatten();
    let found = targets.flat_map(|target| target.vulnerabilities.unwrap_or_default());
    let findings = found.map(|vulnerability| Finding {
        severity: vulnerability.severity.as_deref().and_then(severity),
        fix: vulnerability.fix(),
        id: vulnerability.id,
    });
    Ok(Scan::new(created_at.as_deref().and_then(time), findings))
}

impl Vulnerability {
    /// Trivy leaves the version away where there is no fix; since 0.40 the status says so, too.
    fn fix(&self) -> Fix {
        let version = self.fixed_version.as_deref().unwrap_or_default();
        let status = self.status.as_deref();
        let unfixed = matches!(
            status,
            None | Some("affected" | "will_not_fix" | "fix_deferred" | "end_of_life")
        );
        if version.is_empty() && unfixed {
            Fix::Missing
        } else {
            Fix::MayExist
        }
    }
}
