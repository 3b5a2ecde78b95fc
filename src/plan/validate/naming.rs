// SPDX-License-Identifier: Apache-2.0

//! `as`, `replace` and `retag` of an entry: the names that its images have for the destinations.

use std::collections::BTreeMap;

use crate::api::image_mirror as written;
use crate::oci::{Registry, Tag};
use crate::plan::fields::Fields;
use crate::plan::mirror::{RepositorySelector, TagSelector};
use crate::plan::naming::{Naming, Rename, Replacement};
use crate::plan::template::RepositoryTemplate;

/// Most replacements of one entry.
const REPLACEMENTS: usize = 4;
/// Longest text of a replacement.
const LENGTH: usize = 255;
/// Most tags with another name in one entry.
const RETAGS: usize = 64;
/// The template that changes nothing.
const SAME_NAME: &str = "{repository}";

/// `place` is what the entry names at the source, as far as that is valid: a name that can never be right is
/// found now.
pub(super) fn validate_naming(
    path: &str,
    image: &written::Image,
    place: Option<(&Registry, &RepositorySelector)>,
    tags: &[TagSelector],
    fields: &mut Fields,
) -> Naming {
    let written::Image {
        r#as,
        replace,
        retag,
        ..
    } = image;
    let tags = validate_retag(&format!("{path}.retag"), retag, tags, fields);
    let replacements = validate_replacements(&format!("{path}.replace"), replace, fields);
    if r#as.is_none() && replace.is_empty() {
        return Naming::new(None, tags);
    }
    let field = if r#as.is_some() { "as" } else { "replace" };
    let field = format!("{path}.{field}");
    let template = RepositoryTemplate::parse(r#as.as_deref().unwrap_or(SAME_NAME));
    let Some(template) = fields.accept(field.clone(), template) else {
        return Naming::default();
    };
    let rename = Rename {
        template,
        replacements,
    };
    let naming = Naming::new(Some(rename), tags);
    if let Some((registry, RepositorySelector::Literal(repository))) = place
        && fields.is_valid()
    {
        fields.accept(field, naming.name(registry, repository));
    }
    naming
}

/// Other names are for tags that the entry writes in full: what only may be selected may be written wrong.
fn validate_retag(
    path: &str,
    retag: &BTreeMap<String, String>,
    tags: &[TagSelector],
    fields: &mut Fields,
) -> BTreeMap<Tag, Tag> {
    fields.check_count(path, retag.len(), 0, RETAGS);
    let mut names = BTreeMap::new();
    for (from, to) in retag {
        let path = format!("{path}.{from}");
        let to = fields.accept(path.clone(), to.parse());
        let from = fields.accept(path.clone(), from.parse::<Tag>());
        let Some((from, to)) = from.zip(to) else {
            continue;
        };
        let mut written = tags.iter().filter_map(TagSelector::literal);
        if !written.any(|tag| *tag == from) && fields.is_valid() {
            fields.refuse(
                path,
                format_args!("{from} is not written in full in tags: add it there"),
            );
        }
        names.insert(from, to);
    }
    names
}

fn validate_replacements(
    path: &str,
    replace: &[written::Replacement],
    fields: &mut Fields,
) -> Vec<Replacement> {
    fields.check_count(path, replace.len(), 0, REPLACEMENTS);
    let mut replacements = Vec::new();
    for (index, written::Replacement { from, to }) in replace.iter().enumerate() {
        let path = format!("{path}[{index}]");
        if from.is_empty() {
            fields.refuse(format!("{path}.from"), "is empty: write what is replaced");
        }
        for (name, text) in [("from", from), ("to", to)] {
            if !is_part(text) {
                fields.refuse(
                    format!("{path}.{name}"),
                    format_args!(
                        "{text:?} is no part of a repository: write at most {LENGTH} lower-case letters, digits, '/', '.', '_' and '-'"
                    ),
                );
            }
        }
        replacements.push(Replacement {
            from: from.clone(),
            to: to.clone(),
        });
    }
    replacements
}

fn is_part(text: &str) -> bool {
    let is_known =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"/._-".contains(&byte);
    text.len() <= LENGTH && text.bytes().all(is_known)
}
