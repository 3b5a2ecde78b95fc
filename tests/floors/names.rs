// SPDX-License-Identifier: Apache-2.0

//! One meaning for each public type.

use std::collections::{BTreeMap, BTreeSet};

use regex::Regex;

use super::circles::Module;

/// Names that several types have, and why.
const SEVERAL: [(&str, &str); 34] = [
    ("Error", "each module has its own, and is named with it"),
    (
        "Kind",
        "what an error of a module means; of objects in workloads",
    ),
    (
        "Action",
        "what an error of layouts is about; of the status and the copy engine",
    ),
    ("Settings", "each module has its own, and is named with it"),
    ("Authority", "as it is written, and as it is checked"),
    ("Destination", "as it is written, and as it is checked"),
    ("InUse", "as it is written, and what is used"),
    ("Platforms", "as it is written, and as it is checked"),
    (
        "Referrers",
        "as it is written, as it is checked, and what an endpoint lists",
    ),
    ("Replacement", "as it is written, and as it is checked"),
    ("Require", "as it is written, and as it is checked"),
    ("Source", "as it is written, and as it is checked"),
    (
        "BlobBody",
        "of a registry and of a layout, which `copy::endpoint` joins",
    ),
    (
        "Deletion",
        "of a registry and of a layout, which `copy::endpoint` joins",
    ),
    (
        "Resolved",
        "of a registry and of a layout, which `copy::endpoint` joins",
    ),
    ("Session", "of a registry, which `copy::endpoint` wraps"),
    ("Format", "of metrics, logs and output"),
    ("Identity", "the word of leases, clients and certificates"),
    ("Observer", "of requests, of copies and of rounds"),
    ("Candidate", "among versions, and for deletion"),
    ("Cause", "of a round, and of a deletion"),
    ("Claim", "of a lease, and of a tag"),
    (
        "Form",
        "of a tool's file, and of what is kept of a manifest as it is written",
    ),
    ("Found", "what was looked for: candidates, and evidence"),
    ("Holds", "of conditions, and of evidence"),
    ("Origin", "of a document, and of an image"),
    (
        "Place",
        "of a tag, of an endpoint, of arguments and of credentials",
    ),
    ("Refusal", "of a policy, and of a token server"),
    ("Rule", "of a selection, and of a deletion"),
    ("Selection", "among versions, and of a mirror"),
    ("Statement", "of a condition, and of in-toto"),
    ("Target", "of a deletion, and of a copy"),
    (
        "Times",
        "when tags came to be, and what two clocks say at one moment",
    ),
    (
        "Wanted",
        "of a selection, of a record, and of a search for evidence",
    ),
];

/// The names of public types that several files define.
fn repeated(files: &BTreeMap<Module, String>) -> BTreeMap<String, BTreeSet<String>> {
    let pattern = Regex::new(r"(?m)^pub (?:struct|enum|trait|type) (\w+)").expect("a pattern");
    let mut homes: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (module, text) in files {
        for found in pattern.captures_iter(text) {
            let homes = homes.entry(found[1].to_owned()).or_default();
            homes.insert(module.join("/"));
        }
    }
    homes.retain(|_, homes| homes.len() > 1);
    homes
}

#[test]
fn a_public_type_has_its_name_alone() {
    let repeated = repeated(&super::files());
    let without_reason: Vec<_> = repeated
        .iter()
        .filter(|(name, _)| SEVERAL.iter().all(|(known, _)| known != name))
        .collect();
    assert!(
        without_reason.is_empty(),
        "find another name, or a reason: {without_reason:#?}"
    );
    for (name, _) in SEVERAL {
        assert!(repeated.contains_key(name), "{name} has one meaning by now");
    }
}
