// SPDX-License-Identifier: Apache-2.0

//! Templates of destinations: what gives many repositories their names, and names for the others within it.

use super::rule::Naming;
use crate::oci::Registry;

/// All templates that give a repository its name at a destination, the most general one first.
pub(super) fn templates(source: &Registry, repository: &str, naming: &Naming) -> Vec<String> {
    let destination = match naming {
        Naming::Template(template) => return vec![template.clone()],
        Naming::Repository(repository) => repository.as_str(),
    };
    let (namespace, name) = repository.rsplit_once('/').unwrap_or(("", repository));
    let registry = source.as_str().replace(':', "-");
    let full = format!("{registry}/{repository}");
    let with_registry = format!("{registry}/{name}");
    let parts = [
        (full.as_str(), "{registry}/{repository}"),
        (repository, "{repository}"),
        (with_registry.as_str(), "{registry}/{name}"),
        (name, "{name}"),
    ];
    let mut templates: Vec<String> = parts
        .into_iter()
        .filter_map(|(text, template)| replace_end(destination, text, template))
        .collect();
    if !namespace.is_empty()
        && let Some(rest) = destination.strip_suffix(name)
        && let Some(template) =
            replace_end(rest.trim_end_matches(['/', '-']), namespace, "{namespace}")
    {
        let separator = rest
            .get(rest.trim_end_matches(['/', '-']).len()..)
            .unwrap_or("/");
        if separator != "/" && !separator.is_empty() {
            templates.push(format!("{template}{separator}{{name}}"));
        }
    }
    templates.push(destination.to_owned());
    templates
}

/// `template` in place of the last components.
fn replace_end(text: &str, end: &str, template: &str) -> Option<String> {
    let before = text.strip_suffix(end)?;
    (before.is_empty() || before.ends_with('/')).then(|| format!("{before}{template}"))
}

/// The name of an entry that a template makes this name at a destination of.
pub(super) fn name_within(template: &str, source: &Registry, naming: &Naming) -> Option<String> {
    let before = template.strip_suffix("{repository}")?;
    let registry = source.as_str().replace(':', "-");
    let before = before.replace("{registry}", &registry);
    let wanted = match naming {
        Naming::Template(template) => template.replace("{registry}", &registry),
        Naming::Repository(repository) => repository.as_str().to_owned(),
    };
    let name = wanted.strip_prefix(&before)?;
    (!name.is_empty() && !before.contains('{')).then(|| name.to_owned())
}
