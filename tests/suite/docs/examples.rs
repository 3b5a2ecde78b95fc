// SPDX-License-Identifier: Apache-2.0

//! Examples can be used as they are.

use regex::Regex;
use transship::api::ImagePolicy;
use transship::api::document::{self, Resource};
use transship::plan::{self, Policy};

use super::{files, pages, read, root};

/// The YAML that a person may take from the pages and the directory of examples, with where it stands.
pub(crate) fn examples() -> Vec<(String, String)> {
    let block = Regex::new(r"(?s)```yaml\n(.*?)```").unwrap();
    let mut examples = Vec::new();
    for path in pages() {
        let name = path.display().to_string();
        examples.extend(
            block
                .captures_iter(&read(&path))
                .map(|captures| (name.clone(), captures[1].to_owned())),
        );
    }
    for path in files(&root().join("examples"), "yaml") {
        examples.push((path.display().to_string(), read(&path)));
    }
    examples.retain(|(_, text)| {
        text.contains("kind: ImageMirror") || text.contains("kind: ImagePolicy")
    });
    examples
}

#[test]
fn every_example_is_valid() {
    let examples = examples();
    assert!(examples.len() >= 10, "{}", examples.len());
    for (name, text) in examples {
        let documents = document::parse(&text, &name)
            .unwrap_or_else(|error| panic!("{error}"))
            .documents;
        document::refuse_duplicate_objects(&documents).unwrap_or_else(|error| panic!("{error}"));
        let policies: Vec<&ImagePolicy> = documents
            .iter()
            .filter_map(|document| match &document.resource {
                Resource::ImagePolicy(policy) => Some(&**policy),
                Resource::ImageMirror(_)
                | Resource::MirroredRepository(_)
                | Resource::Secret(_) => None,
            })
            .collect();
        for document in &documents {
            let invalid = match &document.resource {
                Resource::ImageMirror(mirror) => plan::validate(mirror, &policies).err(),
                Resource::ImagePolicy(policy) => Policy::validate(policy).err(),
                Resource::MirroredRepository(_) | Resource::Secret(_) => None,
            };
            assert_eq!(invalid, None, "{name}:{}", document.origin.position);
        }
    }
}
