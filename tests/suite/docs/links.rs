// SPDX-License-Identifier: Apache-2.0

//! Links between the pages.

use std::collections::BTreeSet;

use regex::Regex;

use super::{matches, pages, read};

/// The anchors of a page, as GitHub makes them of its headings.
fn anchors(text: &str) -> BTreeSet<String> {
    matches(r"(?m)^#+ (.*)$", &without_code(text))
        .iter()
        .map(|heading| {
            let kept = heading
                .chars()
                .filter(|character| character.is_alphanumeric() || " -_".contains(*character));
            kept.collect::<String>().to_lowercase().replace(' ', "-")
        })
        .collect()
}

fn without_code(text: &str) -> String {
    let block = Regex::new(r"(?s)```.*?```").unwrap();
    block.replace_all(text, "").into_owned()
}

#[test]
fn every_link_leads_somewhere() {
    for path in pages() {
        for link in matches(r"\]\(([^)]+)\)", &without_code(&read(&path))) {
            if link.starts_with("https://") {
                continue;
            }
            let (file, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let target = if file.is_empty() {
                path.clone()
            } else {
                path.with_file_name(file)
            };
            let place = format!("{link} in {}", path.display());
            assert!(target.exists(), "{place}");
            assert!(
                anchor.is_empty() || anchors(&read(&target)).contains(anchor),
                "{place}"
            );
        }
    }
}
