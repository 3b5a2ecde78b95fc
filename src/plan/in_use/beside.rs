// SPDX-License-Identifier: Apache-2.0

//! Images that stand in a text in two parts: `repository: eu.corp/app` and `tag: "1.2"` beside each other, as
//! in values of Helm charts inside of a `ConfigMap`, or `--image eu.corp/app --tag 1.2`.

use std::collections::VecDeque;

use super::text::words_in;
use crate::oci::{Reference, Tag};

/// How many of the last names and tags are put together.
const NEAR: usize = 4;
/// How the key of a tag ends, in lower case.
const TAG_KEYS: [&str; 2] = ["tag", "version"];
/// How the key of a name ends, in lower case.
const NAME_KEYS: [&str; 3] = ["repository", "image", "repo"];

/// The images of which a text names repository and tag near each other. In linear time.
pub(super) fn parts_in(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    if !may_name_tags(text) {
        return found;
    }
    let (mut names, mut tags) = (VecDeque::new(), VecDeque::new());
    let mut key = "";
    for word in words_in(text) {
        let trimmed = word.trim_matches(['-', ':', '/', '.', '_']);
        if trimmed.is_empty() {
            continue;
        }
        if ends_with(key, &TAG_KEYS) && trimmed.parse::<Tag>().is_ok() {
            found.extend(names.iter().map(|name| format!("{name}:{trimmed}")));
            remember(&mut tags, trimmed);
        } else if is_name(key, trimmed) {
            found.extend(tags.iter().map(|tag| format!("{trimmed}:{tag}")));
            remember(&mut names, trimmed);
        }
        key = trimmed;
    }
    found
}

/// Most texts do not.
fn may_name_tags(text: &str) -> bool {
    ["tag", "Tag", "TAG", "ersion", "ERSION"]
        .iter()
        .any(|part| text.contains(part))
}

/// A name with a path, or any behind a key for names, without a tag.
fn is_name(key: &str, word: &str) -> bool {
    let may_be = word.contains('/') || ends_with(key, &NAME_KEYS);
    may_be && word.parse::<Reference>().is_ok_and(|name| name.is_bare())
}

fn ends_with(key: &str, ends: &[&str]) -> bool {
    let key = key.to_ascii_lowercase();
    ends.iter().any(|end| key.ends_with(end))
}

fn remember<'a>(last: &mut VecDeque<&'a str>, word: &'a str) {
    if last.len() == NEAR {
        last.pop_front();
    }
    last.push_back(word);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_tags_near_each_other_are_images() {
        let app = "eu.corp:5000/team/app:1.2";
        for (text, expected) in [
            (
                "image:\n  repository: eu.corp:5000/team/app\n  tag: \"1.2\"\n",
                app,
            ),
            ("image: {tag: 1.2, repository: eu.corp:5000/team/app}", app),
            (r#"{"repository":"eu.corp:5000/team/app","tag":"1.2"}"#, app),
            ("repository=eu.corp:5000/team/app\ntag=1.2", app),
            ("run --image eu.corp:5000/team/app --image-tag 1.2 now", app),
            ("IMAGE=eu.corp:5000/team/app\nIMAGE_TAG=1.2\n", app),
            (
                "  registry: eu.corp\n  repository: team/app\n  pullPolicy: Always\n  tag: 1.2",
                "team/app:1.2",
            ),
            ("image: app\nversion: 1.2", "app:1.2"),
            ("the tag is gone, see docs/tags", ""),
            ("a/b c/d 1.2", ""),
        ] {
            let found = parts_in(text);
            assert_eq!(
                found.iter().any(|found| found == expected),
                !expected.is_empty(),
                "{text}: {found:?}"
            );
        }
        // Each is put together with a few others only.
        let many = "a/b tag: 1 ".repeat(1000);
        assert!(parts_in(&many).len() <= 2 * NEAR * 1000);
    }
}
