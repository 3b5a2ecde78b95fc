// SPDX-License-Identifier: Apache-2.0

//! Alerts and the dashboard.

use std::collections::BTreeSet;
use std::fs;

use regex::Regex;
use serde_json::Value;

use super::helm::{documents, items, project, read, render, text};
use crate::support::program::Program;
use crate::support::tools;

#[test]
fn every_alert_says_what_is_wrong_and_what_to_do() {
    let groups = &documents(&read("charts/transship/files/alerts.yaml"))[0]["groups"];
    let alerts: Vec<&Value> = items(groups)
        .flat_map(|group| items(&group["rules"]))
        .collect();
    assert!(alerts.len() >= 5);
    let names: BTreeSet<&str> = alerts.iter().map(|alert| text(&alert["alert"])).collect();
    assert_eq!(names.len(), alerts.len());
    for alert in alerts {
        let annotations = &alert["annotations"];
        assert!(text(&annotations["summary"]).len() < 100, "{alert}");
        assert!(text(&annotations["description"]).len() > 50, "{alert}");
        assert!(["critical", "warning", "info"].contains(&text(&alert["labels"]["severity"])));
        assert!(text(&alert["expr"]).contains("transship_"), "{alert}");
        assert!(alert["for"].is_string(), "{alert}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn alerts_and_dashboard_are_installed_as_they_are() {
    let values = "metrics: {prometheusRule: {enabled: true}, dashboard: {enabled: true}}";
    let rendered = render(values).await;
    let alerts = &documents(&read("charts/transship/files/alerts.yaml"))[0];
    assert_eq!(rendered.the("PrometheusRule")["spec"], *alerts);
    let dashboard = text(&rendered.the("ConfigMap")["data"]["transship.json"]);
    let dashboard: Value = serde_json::from_str(dashboard).unwrap();
    let file: Value = serde_json::from_str(&read("charts/transship/files/dashboard.json")).unwrap();
    assert_eq!(dashboard, file);
    for panel in items(&dashboard["panels"]) {
        let mut queries = items(&panel["targets"]).map(|target| text(&target["expr"]));
        assert!(queries.all(|query| query.contains("transship_")), "{panel}");
    }
}

/// The time series that the controller has, by what its modules register.
fn registered() -> BTreeSet<String> {
    let source = read("src/controller/metrics/register.rs");
    let call = r#"\.register(?:_with_unit)?\(\s*"(\w+)",\s*"[^"]*",\s*(?:Unit::(\w+))?"#;
    let calls = Regex::new(call).unwrap();
    let names = calls.captures_iter(&source).map(|call| {
        let unit = call
            .get(2)
            .map(|unit| format!("_{}", unit.as_str().to_lowercase()));
        format!("transship_{}{}", &call[1], unit.unwrap_or_default())
    });
    names.chain(["transship_build".to_owned()]).collect()
}

#[test]
fn every_metric_that_is_asked_for_exists() {
    let registered = registered();
    assert!(registered.len() > 10, "{registered:?}");
    let name = Regex::new(r"\btransship_[a-z_]+").unwrap();
    for file in ["alerts.yaml", "dashboard.json"] {
        let text = read(&format!("charts/transship/files/{file}"));
        let mut asked = BTreeSet::new();
        for found in name.find_iter(&text) {
            let series = found.as_str();
            let suffix = ["_total", "_bucket", "_info"]
                .iter()
                .find_map(|suffix| series.strip_suffix(suffix));
            asked.insert(suffix.unwrap_or(series).to_owned());
        }
        let unknown: Vec<&String> = asked.difference(&registered).collect();
        assert!(unknown.is_empty(), "{file}: {unknown:?}");
    }
}

/// The rules without what they say to people, which contains numbers.
fn rules_alone() -> String {
    let mut rules = documents(&read("charts/transship/files/alerts.yaml")).swap_remove(0);
    for group in rules["groups"].as_array_mut().unwrap() {
        for rule in group["rules"].as_array_mut().unwrap() {
            rule.as_object_mut().unwrap().remove("annotations");
        }
    }
    rules.to_string()
}

#[tokio::test]
async fn every_alert_comes_when_it_should_and_not_before() {
    let rules = read("charts/transship/files/alerts.yaml");
    let cases = include_str!("alerts.yaml");
    let alert = Regex::new(r"- alert: (\w+)").unwrap();
    for name in alert.captures_iter(&rules).map(|found| found[1].to_owned()) {
        let comes = Regex::new(&format!(r"alertname: {name}\s+exp_alerts:\s+[-\[]\s*\{{")).unwrap();
        assert!(comes.is_match(cases), "no case in which {name} comes");
        let stays_away = format!("alertname: {name}, exp_alerts: []");
        assert!(
            cases.contains(&stays_away),
            "no case in which {name} stays away"
        );
    }
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str| directory.path().join(name);
    fs::write(file("rules.yaml"), rules_alone()).unwrap();
    fs::write(file("cases.yaml"), cases.replace("RULES", "rules.yaml")).unwrap();
    let promtool = tools::packaged("promtool");
    let whole = project("charts/transship/files/alerts.yaml");
    let checks = [("check", whole), ("test", file("cases.yaml"))];
    for (command, path) in checks {
        let program = Program::at(&promtool, &[command, "rules"]).argument(path);
        program.run().await.assert_success();
    }
}
