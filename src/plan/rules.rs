// SPDX-License-Identifier: Apache-2.0

//! The rules that select tags, as the rest of the program sees them.

use super::fields::Fields;
use crate::api::image_policy::{ExtractSelect, NewestSelect, Select, SemverSelect};
use crate::policy::select::{Newest, Rules, Versions};
use crate::policy::{Extract, Pattern, Range};

/// Most patterns in `include` and in `exclude`.
const PATTERNS: usize = 16;
/// Most tags that one rule takes.
const NEWEST: i32 = 10_000;
/// Highest limit.
const LIMIT: i32 = 100_000;

/// Makes rules from the `select` that a person wrote at `path`, and notes what is wrong with it.
pub(super) fn read(path: &str, select: &Select, fields: &mut Fields) -> Rules {
    let Select {
        include,
        exclude,
        extract,
        semver,
        newest,
        limit,
    } = select;
    if *select == Select::default() {
        fields.refuse(
            path,
            "has no rule: write include: [\".*\"] to select every tag",
        );
    }
    let mut patterns = |name: &str, texts: &[String]| {
        let path = format!("{path}.{name}");
        fields.check_count(&path, texts.len(), 0, PATTERNS);
        fields.accept_all(&path, texts, Pattern::parse)
    };
    Rules {
        include: patterns("include", include),
        exclude: patterns("exclude", exclude),
        extract: extract
            .as_ref()
            .and_then(|rule| read_extract(path, rule, fields)),
        versions: semver
            .as_ref()
            .and_then(|rule| read_versions(path, rule, fields)),
        newest: newest
            .as_ref()
            .and_then(|rule| read_newest(path, rule, fields)),
        limit: limit
            .and_then(|limit| fields.accept_number(&format!("{path}.limit"), limit, 1, LIMIT)),
    }
}

fn read_extract(path: &str, extract: &ExtractSelect, fields: &mut Fields) -> Option<Extract> {
    let ExtractSelect { pattern, value } = extract;
    match Extract::parse(pattern, value) {
        Ok(extract) => Some(extract),
        Err(error) => {
            fields.refuse(format!("{path}.extract.{}", error.field()), error);
            None
        }
    }
}

fn read_versions(path: &str, semver: &SemverSelect, fields: &mut Fields) -> Option<Versions> {
    let SemverSelect { range, prereleases } = semver;
    Some(Versions {
        range: fields.accept(format!("{path}.semver.range"), Range::parse(range))?,
        prereleases: *prereleases,
    })
}

fn read_newest(path: &str, newest: &NewestSelect, fields: &mut Fields) -> Option<Newest> {
    let NewestSelect {
        count,
        by,
        per,
        variants,
    } = newest;
    Some(Newest {
        count: fields.accept_number(&format!("{path}.newest.count"), *count, 1, NEWEST)?,
        by: *by,
        per: *per,
        variants: *variants,
    })
}
