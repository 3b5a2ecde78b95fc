// SPDX-License-Identifier: Apache-2.0

//! Fields and columns of the custom resources.

use std::collections::BTreeSet;

use regex::Regex;
use serde_json::Value;

use super::{files, page, read, root, rows};

/// What is not there yet, and is explained as a whole.
const NOT_YET: [&str; 1] = ["verify"];

/// The definitions of the custom resources.
fn definitions() -> Vec<Value> {
    let paths = files(&root().join("crds"), "yaml");
    let definitions = paths
        .iter()
        .map(|path| serde_saphyr::from_str(&read(path)).unwrap());
    definitions.collect()
}

/// The names of the fields below a schema.
fn fields(schema: &Value, names: &mut BTreeSet<String>) {
    if let Some(items) = schema.get("items") {
        fields(items, names);
    }
    let Some(properties) = schema["properties"].as_object() else {
        return;
    };
    for (name, schema) in properties {
        names.insert(name.clone());
        // Conditions are those of Kubernetes.
        if !NOT_YET.contains(&name.as_str()) && name != "conditions" {
            fields(schema, names);
        }
    }
}

#[test]
fn every_field_of_a_resource_is_listed() {
    let pages = [("spec", "mirrors.md"), ("status", "status.md")];
    for definition in definitions() {
        let kind = &definition["spec"]["names"]["kind"];
        let schema = &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
        for (part, name) in pages {
            // Only the controller writes a record; receivers and notifications have pages of their own.
            let name = match (kind.as_str(), part) {
                (Some("MirroredRepository"), _) => "status.md",
                (Some("ImageReceiver"), "spec") => "events.md",
                (Some("ImageNotification"), "spec") => "notifications.md",
                _ => name,
            };
            let page = page(name);
            let mut names = BTreeSet::new();
            fields(&schema["properties"][part], &mut names);
            assert!(names.len() >= 3, "{kind}: {names:?}");
            for field in names {
                let listed = Regex::new(&format!(r"[`.]{field}`")).unwrap();
                assert!(listed.is_match(&page), "{kind}: {field} is not in {name}");
            }
        }
    }
}

#[test]
fn every_column_is_listed() {
    let page = page("status.md");
    for definition in definitions() {
        let short = definition["spec"]["names"]["shortNames"][0]
            .as_str()
            .unwrap();
        let columns = &definition["spec"]["versions"][0]["additionalPrinterColumns"];
        let printed: Vec<String> = columns
            .as_array()
            .unwrap()
            .iter()
            .map(|column| {
                let suffix = match column["priority"].as_i64() {
                    Some(1) => ", with -o wide",
                    _ => "",
                };
                column["name"].as_str().unwrap().to_uppercase() + suffix
            })
            .collect();
        let header = format!("| column of `{short}` | shows | field |");
        let listed: Vec<String> = rows(&page, &header)
            .into_iter()
            .flat_map(|row| match row[0].split_once(", with") {
                Some(_) => vec![row[0].clone()],
                None => row[0].split(", ").map(str::to_owned).collect(),
            })
            .collect();
        assert_eq!(listed, printed, "{short}");
    }
}
