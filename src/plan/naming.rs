// SPDX-License-Identifier: Apache-2.0

//! The name that an image has for the destinations, in place of its name at the source.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::template::{RepositoryTemplate, TemplateError};
use crate::oci::{Registry, Repository, Tag};

/// What takes the place of a source repository, and of tags, in the templates of destinations. Cheap to clone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Naming(Option<Arc<Names>>);

#[derive(Debug, PartialEq, Eq)]
struct Names {
    repository: Option<Rename>,
    tags: BTreeMap<Tag, Tag>,
}

/// Another name for repositories.
#[derive(Debug, PartialEq, Eq)]
pub struct Rename {
    /// The name, with placeholders.
    pub template: RepositoryTemplate,
    /// What is done to the values of the placeholders, one after the other.
    pub replacements: Vec<Replacement>,
}

/// A text that takes the place of another, wherever that is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replacement {
    /// What is replaced; not empty.
    pub from: String,
    /// By what.
    pub to: String,
}

/// Where a value is longer than any repository, nothing more is replaced: it is refused in any case.
const VALUE_LENGTH: usize = 255;

// === impl Naming ===

impl Naming {
    /// Another name for repositories, and other names for some tags.
    pub fn new(repository: Option<Rename>, tags: BTreeMap<Tag, Tag>) -> Self {
        if repository.is_none() && tags.is_empty() {
            return Self::default();
        }
        Self(Some(Arc::new(Names { repository, tags })))
    }

    /// Whether a repository may have another name than at the source.
    pub fn renames(&self) -> bool {
        self.rename().is_some()
    }

    /// The name of an image of a repository.
    pub fn name(
        &self,
        registry: &Registry,
        repository: &Repository,
    ) -> Result<Repository, TemplateError> {
        let Some(rename) = self.rename() else {
            return Ok(repository.clone());
        };
        let Rename {
            template,
            replacements,
        } = rename;
        template.expand_altered(registry, repository, |value| {
            replacements.iter().fold(value, replace)
        })
    }

    /// The name of a tag.
    pub fn tag<'a>(&'a self, tag: &'a Tag) -> &'a Tag {
        let names = self.0.as_ref();
        names.and_then(|names| names.tags.get(tag)).unwrap_or(tag)
    }

    fn rename(&self) -> Option<&Rename> {
        self.0.as_ref()?.repository.as_ref()
    }
}

fn replace(value: String, replacement: &Replacement) -> String {
    if value.len() > VALUE_LENGTH {
        return value;
    }
    value.replace(&replacement.from, &replacement.to)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn naming(template: &str, replacements: &[(&str, &str)]) -> Naming {
        let replacements = replacements.iter().map(|(from, to)| Replacement {
            from: (*from).to_owned(),
            to: (*to).to_owned(),
        });
        let rename = Rename {
            template: RepositoryTemplate::parse(template).unwrap(),
            replacements: replacements.collect(),
        };
        Naming::new(Some(rename), BTreeMap::new())
    }

    /// Template, replacements, repository, and the name that comes of them.
    type Case = (
        &'static str,
        &'static [(&'static str, &'static str)],
        &'static str,
        &'static str,
    );

    #[test]
    fn names_for_destinations() {
        let cases: [Case; 9] = [
            ("apps/{name}", &[], "team/web/app", "apps/app"),
            (
                "{repository}",
                &[("/", "-")],
                "team/web/app",
                "team-web-app",
            ),
            (
                "apps/{repository}",
                &[("/", "-")],
                "team/app",
                "apps/team-app",
            ),
            ("{repository}", &[("team/", "")], "team/app", "app"),
            (
                "{repository}",
                &[("team/", ""), ("/", "_")],
                "team/web/app",
                "web_app",
            ),
            ("{namespace}-{name}", &[("/", "-")], "a/b/c", "a-b-c"),
            ("{registry}/{name}", &[(".", "-")], "a/b", "quay-io/b"),
            ("fixed/name", &[("fixed", "x")], "a/b", "fixed/name"),
            ("{repository}", &[("x", "y")], "a/b", "a/b"),
        ];
        for (template, replacements, repository, expected) in cases {
            let naming = naming(template, replacements);
            let found = naming.name(&"quay.io".parse().unwrap(), &repository.parse().unwrap());
            assert_eq!(
                found.unwrap().as_str(),
                expected,
                "{template} {replacements:?}"
            );
        }
    }

    #[test]
    fn a_name_that_is_none_is_an_error_and_never_grows_without_bounds() {
        let registry = "quay.io".parse().unwrap();
        let error = naming("{repository}", &[("team", "")])
            .name(&registry, &"team/app".parse().unwrap())
            .unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with(r#"template "{repository}" gives "/app": "#),
            "{error}"
        );
        let long = "a".repeat(255);
        let growing = [("a", long.as_str()); 4];
        let error = naming("{repository}", &growing)
            .name(&registry, &"a".repeat(200).parse().unwrap())
            .unwrap_err();
        assert!(error.to_string().len() < 200_000);
    }

    #[test]
    fn names_of_tags() {
        let tag = |text: &str| -> Tag { text.parse().unwrap() };
        let tags = BTreeMap::from([(tag("1.27"), tag("stable"))]);
        let naming = Naming::new(None, tags);
        assert!(!naming.renames());
        assert_eq!(naming.tag(&tag("1.27")), &tag("stable"));
        assert_eq!(naming.tag(&tag("1.27.1")), &tag("1.27.1"));
    }
}
