//! `as` and `replace` of an entry: the name that its images have for the destinations.

use crate::api::image_mirror as written;
use crate::oci::Registry;
use crate::plan::fields::Fields;
use crate::plan::mirror::RepositorySelector;
use crate::plan::naming::{Naming, Replacement};
use crate::plan::template::RepositoryTemplate;

/// Most replacements of one entry.
const REPLACEMENTS: usize = 4;
/// Longest text of a replacement.
const LENGTH: usize = 255;
/// The template that changes nothing.
const SAME_NAME: &str = "{repository}";

/// `place` is what the entry names at the source, as far as that is valid: a name that can never be right is
/// found now.
pub(super) fn validate_naming(
    path: &str,
    template: Option<&str>,
    replace: &[written::Replacement],
    place: Option<(&Registry, &RepositorySelector)>,
    fields: &mut Fields,
) -> Naming {
    let replacements = validate_replacements(&format!("{path}.replace"), replace, fields);
    if template.is_none() && replace.is_empty() {
        return Naming::default();
    }
    let field = if template.is_some() { "as" } else { "replace" };
    let field = format!("{path}.{field}");
    let template = RepositoryTemplate::parse(template.unwrap_or(SAME_NAME));
    let Some(template) = fields.accept(field.clone(), template) else {
        return Naming::default();
    };
    let naming = Naming::new(template, replacements);
    if let Some((registry, RepositorySelector::Literal(repository))) = place
        && fields.is_valid()
    {
        fields.accept(field, naming.name(registry, repository));
    }
    naming
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
