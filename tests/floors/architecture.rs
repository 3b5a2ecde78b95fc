// SPDX-License-Identifier: Apache-2.0

//! What `docs/architecture.md` names: files that exist, and functions that they have.

use std::fs;
use std::path::Path;

use regex::Regex;

#[test]
fn the_steps_are_functions_of_their_files() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |path: &str| fs::read_to_string(root.join(path)).unwrap_or_default();
    let text = read("docs/architecture.md");
    let pattern = |text: &str| Regex::new(text).expect("a pattern");

    let steps = pattern(r"`(src/[\w/]+\.rs)`(?:\s*\|\s*| )`(\w+)`");
    let steps: Vec<(&str, &str)> = steps
        .captures_iter(&text)
        .map(|found| found.extract().1)
        .map(|[file, function]| (file, function))
        .collect();
    assert!(steps.len() > 50, "only {} steps were found", steps.len());
    let is_wrong = |(file, function): &&(&str, &str)| {
        !pattern(&format!(r"\bfn {function}\b")).is_match(&read(file))
    };
    let wrong: Vec<_> = steps.iter().filter(is_wrong).collect();
    assert!(wrong.is_empty(), "these are not there: {wrong:?}");

    let paths = pattern(r"`((?:src|docs|tests)/[\w./]+)`");
    for found in paths.captures_iter(&text) {
        assert!(root.join(&found[1]).exists(), "{} is not there", &found[1]);
    }
}
