// SPDX-License-Identifier: Apache-2.0

//! Reasons that the program gives.

use regex::Regex;
use transship::api::Reason;

use super::{files, matches, page, read, root, sections};

#[test]
fn every_reason_that_the_program_gives_is_explained() {
    let reasons = page("reasons.md");
    let explained = sections(&reasons);
    for (heading, section) in &explained {
        let reason: Result<Reason, _> = serde_json::from_value((*heading).into());
        assert!(reason.is_ok(), "{heading} is no reason");
        let examples = matches(r"(?s)```text\n(.*?)```", section);
        let example = Regex::new(&format!(r"\b{heading}\b")).unwrap();
        let is_shown = examples.iter().any(|text| example.is_match(text));
        assert!(is_shown, "{heading} without an example");
        let link = format!("| [{heading}](#{}) |", heading.to_lowercase());
        assert!(reasons.contains(&link), "{heading} is not in the table");
    }
    let definition = root().join("src/api/reason.rs");
    for path in files(&root().join("src"), "rs") {
        if path == definition {
            continue;
        }
        for variant in matches(r"\bReason::([A-Z][A-Za-z]+)", &read(&path)) {
            let name = variant.replace("Tls", "TLS");
            let is_explained = explained.contains_key(name.as_str());
            assert!(is_explained, "{name} of {}", path.display());
        }
    }
}
