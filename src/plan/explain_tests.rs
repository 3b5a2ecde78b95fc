// SPDX-License-Identifier: Apache-2.0

use super::*;
use crate::plan::select::Times;
use crate::plan::validate::documents;

/// What is said of the tags of a repository whose entry has these fields.
fn told(entry: &str, tags: &str) -> [String; 2] {
    let mirror = documents::mirror(&format!(
        "
apiVersion: transship.dev/v1alpha1
kind: ImageMirror
metadata: {{name: base}}
spec:
  source: {{registry: docker.io}}
  images: [{{repository: a/b, {entry}}}]
  destinations: [{{name: eu, registry: r.example.com}}]
---
apiVersion: transship.dev/v1alpha1
kind: ImagePolicy
metadata: {{name: stable}}
spec: {{select: {{semver: {{range: '>=2'}}}}}}
"
    ));
    let listing: Vec<Tag> = tags.split(' ').map(|tag| tag.parse().unwrap()).collect();
    let entry = mirror.images.first().unwrap();
    let selected = entry.select(
        &listing,
        &std::collections::BTreeSet::new(),
        &Times::default(),
    );
    let selected = selected.unwrap();
    [
        explain(&selected.excluded, 0),
        find_little(entry, &selected).join(" | "),
    ]
}

#[test]
fn why_nothing_or_little_is_selected() {
    let signature = format!("sha256-{}.sig", "0".repeat(64));
    let signed = format!("1.0 {signature}");
    let cases = [
        (
            "policyRefs: [{name: stable}]",
            "1.0 1.9 1.10 latest edge",
            "stable leaves out 5 by semver; closest: 1.10 (outside of >=2), 1.9 (outside of >=2), 1.0 (outside of >=2)",
            "stable selects 0 and leaves out 5 by semver; closest: 1.10 (outside of >=2), 1.9 (outside of >=2), 1.0 (outside of >=2)",
        ),
        (
            "select: {semver: {range: '~3.1'}}",
            "1.0 3.0 3.2 3.3 9.0 latest",
            "select leaves out 6 by semver; closest: 3.0 (outside of ~3.1), 3.2 (outside of ~3.1), 1.0 (outside of ~3.1)",
            "select selects 0 and leaves out 6 by semver; closest: 3.0 (outside of ~3.1), 3.2 (outside of ~3.1), 1.0 (outside of ~3.1)",
        ),
        (
            "select: {semver: {range: '>=2'}}",
            "stable latest",
            "select leaves out 2 by semver; closest: stable (is not a version), latest (is not a version)",
            "select selects 0 and leaves out 2 by semver; closest: stable (is not a version), latest (is not a version)",
        ),
        (
            "select: {include: ['v.*'], exclude: ['.*-rc'], newest: {count: 2}}",
            "v1 v1.0-rc v1.0 2.0",
            "select leaves out 1 by include, 1 by exclude, 1 by semver; closest: v1 (is not a version)",
            "select selects 1 and leaves out 1 by include, 1 by exclude, 1 by semver; closest: v1 (is not a version)",
        ),
        (
            "select: {newest: {count: 1}}",
            "1.0 2.0",
            "select leaves out 1 by newest; closest: 1.0 (not the newest)",
            "",
        ),
        (
            "tags: ['3.*']",
            "1.0 2.0",
            "2 not among the entry's tags",
            "",
        ),
        (
            "tags: ['3.*']",
            &signed,
            "1 not among the entry's tags; 1 copied with their images",
            "",
        ),
        (
            "select: {semver: {range: '>=3'}}, policyRefs: [{name: stable}]",
            "1.0 2.0",
            "select leaves out 1 by semver; stable leaves out 1 by semver; closest: 1.0 (outside of >=3)",
            "select selects 0 and leaves out 1 by semver; closest: 1.0 (outside of >=3)",
        ),
        ("tags: ['*']", "1.0", "", ""),
    ];
    for (entry, tags, nothing, little) in cases {
        assert_eq!(told(entry, tags), [nothing, little], "{entry}: {tags}");
    }
}
