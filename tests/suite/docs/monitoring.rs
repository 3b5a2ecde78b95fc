// SPDX-License-Identifier: Apache-2.0

//! Metrics and alerts.

use std::collections::{BTreeMap, BTreeSet};

use regex::Regex;

use super::{matches, page, read, root, rows};

/// The metrics that the controller registers, as they are exposed, with their types.
fn registered() -> BTreeMap<String, String> {
    let declared = read(&root().join("src/controller/metrics.rs"));
    let source = read(&root().join("src/controller/metrics/register.rs"));
    let kind = |field: &str| {
        let form = format!(r"\b{field}: (?:Family<\w+, )?(Gauge|Counter|Histogram)\b");
        let kinds = matches(&form, &declared);
        kinds.first().expect(field).to_lowercase()
    };
    let call =
        r#"\.register(?:_with_unit)?\(\s*"(\w+)",\s*"[^"]*",\s*(?:Unit::(\w+),\s*)?self\.(\w+)"#;
    let calls = Regex::new(call).unwrap();
    let calls = calls.captures_iter(&source);
    let mut registered: BTreeMap<String, String> = calls
        .map(|call| {
            let kind = kind(&call[3]);
            let unit = call.get(2).map_or_else(String::new, |unit| {
                format!("_{}", unit.as_str().to_lowercase())
            });
            let suffix = if kind == "counter" { "_total" } else { "" };
            (format!("transship_{}{unit}{suffix}", &call[1]), kind)
        })
        .collect();
    registered.insert("transship_build_info".to_owned(), "info".to_owned());
    registered
}

#[test]
fn every_metric_is_listed() {
    let rows = rows(
        &page("operations.md"),
        "| metric | type | labels | meaning |",
    );
    let listed: BTreeMap<String, String> = rows
        .into_iter()
        .map(|row| (row[0].clone(), row[1].clone()))
        .collect();
    let registered = registered();
    assert!(registered.len() > 10, "{registered:?}");
    assert_eq!(listed, registered);
}

#[test]
fn every_alert_is_listed() {
    let alerts = read(&root().join("charts/transship/files/alerts.yaml"));
    let alerts = matches(r"(?m)- alert: (\w+)$", &alerts);
    let rows = rows(&page("operations.md"), "| alert | severity | says |");
    let listed: BTreeSet<String> = rows.into_iter().map(|row| row[0].clone()).collect();
    assert_eq!(listed, alerts);
}
