// SPDX-License-Identifier: Apache-2.0

//! What is taken of a repository, in the fields of an entry and of a policy.

use super::patterns;
use super::rule::{Newest, Order, Selection, Tags, WHOLE};
use super::yaml::Yaml;

/// Most patterns of a selection.
const PATTERNS: usize = 16;

/// What an entry takes.
pub(super) struct Parts {
    /// Tags and globs.
    pub(super) tags: Vec<String>,
    /// Whether tags may be missing.
    pub(super) may_lack: bool,
    pub(super) selections: Vec<Selection>,
}

// === impl Tags ===

impl Tags {
    /// What is taken, in the fields of an entry: tags and globs where they say the same.
    pub(super) fn parts(&self) -> Parts {
        let literals = |selection: &Selection| {
            let patterns = selection.alone()?;
            let literals: Option<Vec<String>> = patterns
                .iter()
                .map(|pattern| patterns::literal(pattern))
                .collect();
            literals.filter(|literals| !literals.is_empty())
        };
        let mut tags = self.literals.clone();
        let may_lack = tags.is_empty() && self.digests.is_empty();
        let mut selections = Vec::new();
        for selection in &self.selections {
            match literals(selection) {
                Some(literals) if may_lack => tags.extend(literals),
                _ => selections.push(selection.clone()),
            }
        }
        let may_lack = may_lack && !tags.is_empty();
        let globs: Option<Vec<Vec<String>>> = selections.iter().map(globs).collect();
        let Some(globs) = globs else {
            return Parts {
                tags,
                may_lack,
                selections,
            };
        };
        tags.extend(globs.concat());
        let is_plain = self.retag.is_empty() && !tags.iter().any(|tag| tag.contains('@'));
        let takes_all = is_plain && tags.iter().any(|tag| tag == "*");
        Parts {
            tags: if takes_all {
                vec!["*".to_owned()]
            } else {
                tags
            },
            may_lack: may_lack && !takes_all,
            selections: Vec::new(),
        }
    }
}

/// A selection as globs, where globs say the same.
fn globs(selection: &Selection) -> Option<Vec<String>> {
    if selection.takes_all() {
        return Some(vec!["*".to_owned()]);
    }
    let patterns = selection.alone()?;
    patterns
        .iter()
        .map(|pattern| patterns::as_glob(pattern))
        .collect()
}

pub(super) fn select(selection: &Selection) -> Yaml {
    let Selection {
        include,
        exclude,
        extract,
        semver,
        newest,
    } = selection;
    let mut fields = Vec::new();
    for (name, patterns) in [("include", include), ("exclude", exclude)] {
        if !patterns.is_empty() {
            fields.push((name, Yaml::texts(few(patterns))));
        }
    }
    if let Some(extract) = extract {
        let mut parts = vec![("pattern", Yaml::text(&extract.pattern))];
        if extract.value != WHOLE {
            parts.push(("value", Yaml::text(&extract.value)));
        }
        fields.push(("extract", Yaml::Map(parts)));
    }
    if let Some(semver) = semver {
        let mut parts = vec![("range", Yaml::text(&semver.range))];
        if semver.prereleases {
            parts.push(("prereleases", Yaml::text("Include")));
        }
        fields.push(("semver", Yaml::Map(parts)));
    }
    if let Some(Newest { count, by }) = newest {
        let mut parts = vec![("count", Yaml::bare(count))];
        match by {
            Order::Version => parts.push(("variants", Yaml::text("Together"))),
            Order::Number => parts.push(("by", Yaml::text("Number"))),
            Order::Name => parts.push(("by", Yaml::text("Name"))),
        }
        fields.push(("newest", Yaml::Map(parts)));
    }
    if fields.is_empty() {
        fields.push(("include", Yaml::texts([".*"])));
    }
    Yaml::Map(fields)
}

/// Patterns joined until there are few enough.
fn few(patterns: &[String]) -> Vec<String> {
    if patterns.len() <= PATTERNS {
        return patterns.to_vec();
    }
    let mut joined: Vec<String> = Vec::new();
    for pattern in patterns {
        match joined.last_mut() {
            Some(last) if last.len() + pattern.len() < crate::policy::pattern::PATTERN_LENGTH => {
                last.push('|');
                last.push_str(pattern);
            }
            _ => joined.push(pattern.clone()),
        }
    }
    joined
}
