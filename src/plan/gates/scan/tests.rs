// SPDX-License-Identifier: Apache-2.0

use serde_json::{Value, json};

use super::*;
use crate::api::image_policy::{Severity, UnfixedVulnerabilities, Vulnerabilities};

const SARIF_TYPE: &str = "https://json.schemastore.org/sarif-2.1.0.json";

/// The predicate of cosign around the output of a scanner.
fn vuln(result: &Value) -> Value {
    json!({
        "invocation": {"parameters": null, "uri": "", "event_id": "", "builder.id": ""},
        "scanner": {"uri": "pkg:github/aquasecurity/trivy@0.60.0", "version": "0.60.0",
            "db": {"uri": "", "version": ""}, "result": result},
        "metadata": {"scanStartedOn": "2026-05-01T10:00:00Z", "scanFinishedOn": "2026-05-01T10:01:00Z"},
    })
}

fn trivy(vulnerabilities: &[(&str, &str, &str, &str)]) -> Value {
    let vulnerabilities = vulnerabilities.iter().map(|(id, severity, fixed, status)| {
        let mut found = json!({"VulnerabilityID": id, "PkgName": "openssl", "InstalledVersion": "3.0.1",
            "Severity": severity, "CVSS": {"nvd": {"V3Score": 9.8}}});
        if !fixed.is_empty() {
            found["FixedVersion"] = (*fixed).into();
        }
        if !status.is_empty() {
            found["Status"] = (*status).into();
        }
        found
    });
    json!({
        "SchemaVersion": 2,
        "CreatedAt": "2026-04-01T00:00:00.123456789+02:00",
        "ArtifactName": "app",
        "Results": [
            {"Target": "app (debian 12)", "Class": "os-pkgs", "Type": "debian",
                "Vulnerabilities": vulnerabilities.collect::<Vec<_>>()},
            {"Target": "usr/bin/app", "Class": "lang-pkgs", "Type": "gobinary"},
        ],
    })
}

fn grype(matches: &[(&str, &str, &str)]) -> Value {
    let matches = matches.iter().map(|(id, severity, state)| {
        json!({"vulnerability": {"id": id, "severity": severity, "fix": {"versions": [], "state": state}},
            "artifact": {"name": "openssl"}})
    });
    json!({
        "matches": matches.collect::<Vec<_>>(),
        "source": {"type": "image"},
        "descriptor": {"name": "grype", "version": "0.80.0", "timestamp": "2026-04-02T00:00:00Z"},
    })
}

fn sarif(rules: &Value, results: &Value) -> Value {
    json!({
        "$schema": SARIF_TYPE,
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {"name": "Trivy", "rules": rules}},
            "results": results,
            "invocations": [{"executionSuccessful": true, "endTimeUtc": "2026-04-03T00:00:00Z"}],
        }],
    })
}

/// What a scan found, in words.
fn found(predicate_type: &str, predicate: &Value) -> String {
    match Scan::read(predicate_type, predicate) {
        Err(error) => error.to_string(),
        Ok(scan) => {
            let findings = scan.findings.iter();
            let findings = findings.map(|finding| match finding.fix {
                Fix::Missing => format!("{finding} without fix"),
                Fix::MayExist => finding.to_string(),
            });
            findings.collect::<Vec<_>>().join(", ")
        }
    }
}

#[test]
fn the_formats_of_scanners_are_read() {
    let all = trivy(&[
        ("CVE-1", "LOW", "1.2", "fixed"),
        ("CVE-2", "CRITICAL", "", "affected"),
        ("CVE-3", "UNKNOWN", "", "will_not_fix"),
        ("CVE-4", "MEDIUM", "", "under_investigation"),
        ("CVE-5", "MEDIUM", "", ""),
        ("CVE-6", "HIGH", "", "fixed"),
    ]);
    assert_eq!(
        found(COSIGN_VULN, &vuln(&all)),
        r#""CVE-2" (Critical) without fix, "CVE-3" (not rated) without fix, "CVE-6" (High), "CVE-4" (Medium), "CVE-5" (Medium) without fix, "CVE-1" (Low)"#
    );
    let all = grype(&[
        ("CVE-1", "Negligible", "unknown"),
        ("CVE-2", "Critical", "wont-fix"),
        ("CVE-3", "Unknown", "not-fixed"),
        ("GHSA-4", "High", "fixed"),
        ("CVE-5", "Medium", ""),
    ]);
    assert_eq!(
        found(COSIGN_VULN, &vuln(&all)),
        r#""CVE-2" (Critical) without fix, "CVE-3" (not rated) without fix, "GHSA-4" (High), "CVE-5" (Medium), "CVE-1" (Low)"#
    );
    for clean in [
        trivy(&[]),
        grype(&[]),
        sarif(&json!([]), &json!([])),
        json!({"SchemaVersion": 2}),
    ] {
        assert_eq!(found(COSIGN_VULN, &vuln(&clean)), "");
    }
}

#[test]
fn the_severity_of_sarif_is_the_first_that_is_said() {
    let scored = |score: &Value| json!({"id": "CVE-1", "properties": {"security-severity": score}});
    let level = |level: &str| json!({"ruleId": "CVE-1", "level": level});
    let plain = json!({"ruleId": "CVE-1"});
    let cases: [(Value, Value, &str); 22] = [
        (scored(&"9.0".into()), plain.clone(), "Critical"),
        (scored(&"8.9".into()), plain.clone(), "High"),
        (scored(&7.into()), plain.clone(), "High"),
        (scored(&"6.9".into()), level("error"), "Medium"),
        (scored(&"3.9".into()), plain.clone(), "Low"),
        (scored(&"0.0".into()), level("error"), "None"),
        (scored(&"high".into()), level("note"), "not rated"),
        (scored(&"11".into()), plain.clone(), "not rated"),
        (scored(&"-1".into()), plain.clone(), "not rated"),
        (scored(&"NaN".into()), plain.clone(), "not rated"),
        (scored(&json!([])), plain.clone(), "not rated"),
        (
            scored(&"9.8".into()),
            json!({"ruleId": "CVE-1", "properties": {"security-severity": "2"}}),
            "Low",
        ),
        (scored(&"9.8".into()), json!({"ruleIndex": 0}), "Critical"),
        (
            scored(&"9.8".into()),
            json!({"ruleId": "CVE-1", "ruleIndex": 7}),
            "Critical",
        ),
        (
            json!({"id": "CVE-1", "properties": {"severity": "HIGH"}}),
            level("note"),
            "High",
        ),
        (
            json!({"id": "CVE-1", "properties": {"severity": "odd"}}),
            level("note"),
            "not rated",
        ),
        (
            json!({"id": "CVE-1", "defaultConfiguration": {"level": "note"}}),
            plain.clone(),
            "Low",
        ),
        (json!({"id": "CVE-1"}), level("error"), "Critical"),
        (json!({"id": "CVE-1"}), level("odd"), "not rated"),
        (json!({"id": "CVE-1"}), plain.clone(), "Medium"),
        (
            json!({"id": "CVE-2", "properties": {"security-severity": "1"}}),
            level("none"),
            "None",
        ),
        (
            json!({"id": "CVE-2", "properties": {"security-severity": "1"}}),
            json!({"ruleId": "CVE-1", "ruleIndex": 0}),
            "Medium",
        ),
    ];
    for (rule, result, expected) in cases {
        let log = sarif(&json!([rule]), &json!([result]));
        let expected = format!("\"CVE-1\" ({expected})");
        assert_eq!(found(SARIF_TYPE, &log), expected, "{rule} {result}");
        assert_eq!(found(COSIGN_VULN, &vuln(&log)), expected);
    }
    let fine = json!([
        {"ruleId": "CVE-1", "kind": "pass", "level": "none"},
        {"ruleId": "CVE-2", "kind": "notApplicable"},
        {"ruleId": "CVE-3", "kind": "open", "suppressions": [{"kind": "external"}]},
    ]);
    assert_eq!(
        found(SARIF_TYPE, &sarif(&json!([]), &fine)),
        "\"CVE-3\" (Medium)"
    );
}

#[test]
fn what_is_not_understood_is_an_error() {
    let unknown = ScanError::UnknownFormat.to_string();
    let no_runs = json!({"version": "2.1.0"});
    let never = json!({"version": "2.1.0", "runs": [{"tool": {"driver": {}}}]});
    let old = json!({"version": "1.0.0", "runs": []});
    let nameless = sarif(&json!([]), &json!([{"level": "error"}]));
    let cases: [(&str, Value, &str); 13] = [
        (
            "https://slsa.dev/provenance/v1",
            json!({}),
            "attestation of the type \"https://slsa.dev/provenance/v1\" is no scan: ",
        ),
        (
            COSIGN_VULN,
            json!({}),
            "predicate of the scan cannot be read: \"missing field `scanner`\"",
        ),
        (
            COSIGN_VULN,
            json!({"scanner": {}}),
            "predicate of the scan cannot be read: \"missing field `result`\"",
        ),
        (
            COSIGN_VULN,
            Value::Null,
            "predicate of the scan cannot be read: ",
        ),
        (COSIGN_VULN, vuln(&Value::Null), &unknown),
        (COSIGN_VULN, vuln(&json!([])), &unknown),
        (COSIGN_VULN, vuln(&json!({"vulnerabilities": []})), &unknown),
        (
            COSIGN_VULN,
            vuln(&json!({"Results": {}})),
            "result of the scan cannot be read as Trivy JSON: ",
        ),
        (
            COSIGN_VULN,
            vuln(&json!({"matches": [{"vulnerability": {}}]})),
            "result of the scan cannot be read as Grype JSON: \"missing field `id`\"",
        ),
        (
            SARIF_TYPE,
            no_runs,
            "result of the scan cannot be read as SARIF: \"missing field `runs`\"",
        ),
        (
            SARIF_TYPE,
            never,
            "result of the scan cannot be read as SARIF: a run has no results",
        ),
        (SARIF_TYPE, old, &unknown),
        (
            SARIF_TYPE,
            nameless,
            "result of the scan cannot be read as SARIF: a result names no rule",
        ),
    ];
    for (predicate_type, predicate, expected) in cases {
        let found = found(predicate_type, &predicate);
        assert!(found.starts_with(expected), "{predicate}: {found}");
    }
}

#[test]
fn a_scan_says_when_it_was_made() {
    let finished = |predicate_type: &str, predicate: &Value| {
        let scan = Scan::read(predicate_type, predicate).unwrap();
        scan.finished.map(|time| time.to_string())
    };
    let mut bare = vuln(&trivy(&[]));
    bare["metadata"] = json!({});
    let mut odd = vuln(&grype(&[]));
    odd["metadata"]["scanFinishedOn"] = "yesterday".into();
    let cases = [
        (COSIGN_VULN, vuln(&trivy(&[])), Some("2026-05-01T10:01:00Z")),
        (COSIGN_VULN, bare, Some("2026-03-31T22:00:00.123456789Z")),
        (COSIGN_VULN, odd, Some("2026-04-02T00:00:00Z")),
        (
            SARIF_TYPE,
            sarif(&json!([]), &json!([])),
            Some("2026-04-03T00:00:00Z"),
        ),
        (SARIF_TYPE, json!({"version": "2.1.0", "runs": []}), None),
    ];
    for (predicate_type, predicate, expected) in cases {
        assert_eq!(finished(predicate_type, &predicate).as_deref(), expected);
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table of cases")]
fn a_rule_names_how_many_break_it_and_the_worst() {
    use UnfixedVulnerabilities::{Count, Ignore};
    let scan =
        |found: &[(&str, &str, &str, &str)]| Scan::read(COSIGN_VULN, &vuln(&trivy(found))).unwrap();
    let clean = scan(&[]);
    let one = scan(&[
        ("CVE-1", "HIGH", "2", "fixed"),
        ("CVE-2", "LOW", "2", "fixed"),
    ]);
    let unfixed = scan(&[
        ("CVE-1", "CRITICAL", "", "affected"),
        ("CVE-2", "CRITICAL", "", "unknown"),
    ]);
    let unrated = scan(&[("CVE-1", "UNKNOWN", "2", "fixed")]);
    let many = scan(&[
        ("CVE-4", "CRITICAL", "2", ""),
        ("CVE-3", "HIGH", "2", ""),
        ("CVE-2", "HIGH", "2", ""),
        ("CVE-1", "HIGH", "2", ""),
        ("CVE-0", "HIGH", "2", ""),
        ("CVE-1", "LOW", "", "affected"),
    ]);
    let more = "update what the image contains, or accept more";
    let cases: [(
        &str,
        &Scan,
        Severity,
        UnfixedVulnerabilities,
        Option<String>,
    ); 12] = [
        ("clean", &clean, Severity::None, Count, None),
        ("equal", &one, Severity::High, Count, None),
        (
            "above",
            &one,
            Severity::Medium,
            Count,
            Some(format!(
                r#"1 vulnerability is more severe than Medium, "CVE-1" (High): {more}"#
            )),
        ),
        (
            "nothing is accepted",
            &one,
            Severity::None,
            Count,
            Some(format!(
                r#"2 vulnerabilities are more severe than None, "CVE-1" (High), "CVE-2" (Low): {more}"#
            )),
        ),
        ("everything is", &many, Severity::Critical, Count, None),
        (
            "without fix, too",
            &unfixed,
            Severity::High,
            Count,
            Some(format!(
                r#"2 vulnerabilities are more severe than High, "CVE-1" (Critical), "CVE-2" (Critical): {more}"#
            )),
        ),
        (
            "only known not to have one",
            &unfixed,
            Severity::High,
            Ignore,
            Some(format!(
                r#"1 vulnerability is more severe than High, "CVE-2" (Critical): {more}"#
            )),
        ),
        (
            "fixed count anyway",
            &one,
            Severity::Medium,
            Ignore,
            Some(format!(
                r#"1 vulnerability is more severe than Medium, "CVE-1" (High): {more}"#
            )),
        ),
        (
            "nobody knows how severe",
            &unrated,
            Severity::High,
            Count,
            Some(format!(
                r#"1 vulnerability is more severe than High, "CVE-1" (not rated): {more}"#
            )),
        ),
        (
            "nobody knows, all is accepted",
            &unrated,
            Severity::Critical,
            Count,
            None,
        ),
        (
            "many",
            &many,
            Severity::Medium,
            Count,
            Some(format!(
                r#"5 vulnerabilities are more severe than Medium, "CVE-4" (Critical), "CVE-0" (High), "CVE-1" (High) and 2 more: {more}"#
            )),
        ),
        (
            "in two packages, one with a fix",
            &many,
            Severity::High,
            Ignore,
            Some(format!(
                r#"1 vulnerability is more severe than High, "CVE-4" (Critical): {more}"#
            )),
        ),
    ];
    for (name, scan, max_severity, unfixed, expected) in cases {
        let rule = Vulnerabilities {
            max_severity,
            unfixed,
        };
        assert_eq!(scan.judge(&rule), expected, "{name}");
    }
}

proptest::proptest! {
    #[test]
    fn any_predicate_is_read_or_refused(text in r#"[{}\[\]":,a-zA-Z0-9.]{0,60}"#) {
        if let Ok(predicate) = serde_json::from_str::<Value>(&text) {
            let _ = Scan::read(COSIGN_VULN, &vuln(&predicate));
            let _ = Scan::read(SARIF_TYPE, &predicate);
        }
    }
}
