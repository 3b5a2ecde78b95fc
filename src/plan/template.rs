// SPDX-License-Identifier: Apache-2.0

//! Names at a destination, made from names at the source.

mod origin;

use std::fmt;

use crate::api::document::hint;
use crate::oci::names::{self, NameError};
use crate::oci::{Digest, Registry, Repository, Tag};

/// Longest template, in bytes.
const TEMPLATE_LENGTH: usize = 255;

/// A template of a repository: `mirror/{repository}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepositoryTemplate(Template<RepositoryPart>);

/// A template of a tag: `{tag}-{digest12}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagTemplate(Template<TagPart>);

/// A template of the tag that keeps what a tag named before it moved: `{tag}-previous`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PreviousTagTemplate(Template<PreviousTagPart>);

/// Why a template cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// The template is empty.
    #[error("the template is empty")]
    Empty,
    /// The template is too long.
    #[error("the template has {found} characters, at most {most} are allowed", most = TEMPLATE_LENGTH)]
    TooLong {
        /// Its length in bytes.
        found: usize,
    },
    /// A placeholder does not exist.
    #[error("template {template:?} has the unknown placeholder {{{name}}}{}", hint(.name, .expected))]
    UnknownPlaceholder {
        /// The template.
        template: String,
        /// The name in braces.
        name: String,
        /// The names that exist.
        expected: &'static [&'static str],
    },
    /// Braces do not match.
    #[error("template {0:?} has a brace without its counterpart")]
    Brace(String),
    /// The previous image would have the tag that it is to make room for.
    #[error("template {0:?} gives the tag itself: write something like {{tag}}-previous")]
    SameTag(String),
    /// It is more than a repository.
    #[error(transparent)]
    NotAlone(#[from] NameError),
    /// The result is no name.
    #[error("template {template:?} gives {result:?}: {source}")]
    Result {
        /// The template.
        template: String,
        /// What it gives.
        result: String,
        /// What is wrong with that.
        source: NameError,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Template<Part> {
    text: String,
    pieces: Vec<Piece<Part>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece<Part> {
    Text(String),
    Part(Part),
}

/// The parts of a source that a template can name.
trait Part: Copy + 'static {
    const NAMES: &'static [&'static str];
    const PARTS: &'static [Self];
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RepositoryPart {
    Repository,
    Registry,
    Namespace,
    Name,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TagPart {
    Tag,
    Digest12,
}

/// The digest of the new image would be misleading in the name of the previous one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PreviousTagPart {
    Tag,
}

impl Part for RepositoryPart {
    const NAMES: &'static [&'static str] = &["repository", "registry", "namespace", "name"];
    const PARTS: &'static [Self] = &[
        Self::Repository,
        Self::Registry,
        Self::Namespace,
        Self::Name,
    ];
}

impl Part for TagPart {
    const NAMES: &'static [&'static str] = &["tag", "digest12"];
    const PARTS: &'static [Self] = &[Self::Tag, Self::Digest12];
}

impl Part for PreviousTagPart {
    const NAMES: &'static [&'static str] = &["tag"];
    const PARTS: &'static [Self] = &[Self::Tag];
}

// === impl RepositoryTemplate ===

impl RepositoryTemplate {
    /// Reads a template, and tries it on an example so that a name that can never be right is found now.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let template = Self(Template::parse(text)?);
        names::check_alone(text)?;
        let result = template.0.render(|part| {
            match part {
                RepositoryPart::Repository => "a/b",
                RepositoryPart::Registry | RepositoryPart::Namespace | RepositoryPart::Name => "a",
            }
            .to_owned()
        });
        template.0.check(&result, result.parse::<Repository>())?;
        Ok(template)
    }

    /// The repository at the destination.
    ///
    /// A registry's port is set off by a dash, since a repository cannot have a colon.
    pub fn expand(
        &self,
        registry: &Registry,
        repository: &Repository,
    ) -> Result<Repository, TemplateError> {
        self.expand_altered(registry, repository, |value| value)
    }

    /// The same with values that are altered before they are put into the template.
    pub(super) fn expand_altered(
        &self,
        registry: &Registry,
        repository: &Repository,
        alter: impl Fn(String) -> String,
    ) -> Result<Repository, TemplateError> {
        let result = self.0.render(|part| {
            alter(match part {
                RepositoryPart::Repository => repository.as_str().to_owned(),
                RepositoryPart::Registry => registry_text(registry),
                RepositoryPart::Namespace => repository.namespace().to_owned(),
                RepositoryPart::Name => repository.name().to_owned(),
            })
        });
        self.0.check(&result, result.parse())
    }
}

/// A registry as it stands in a repository.
fn registry_text(registry: &Registry) -> String {
    let text = registry.as_str().replace([':', '[', ']'], "-");
    text.trim_matches('-').to_owned()
}

// === impl TagTemplate ===

impl TagTemplate {
    /// Reads a template, and tries it on an example so that a name that can never be right is found now.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let template = Self(Template::parse(text)?);
        let result = template.0.render(|part| {
            match part {
                TagPart::Tag => "1",
                TagPart::Digest12 => "0123456789ab",
            }
            .to_owned()
        });
        template.0.check(&result, result.parse::<Tag>())?;
        Ok(template)
    }

    /// The tag at the destination; nothing where it needs the digest and that is not known yet.
    pub fn expand(&self, tag: &Tag, digest: Option<&Digest>) -> Option<Result<Tag, TemplateError>> {
        let needs_digest = self.0.parts().any(|part| part == TagPart::Digest12);
        if needs_digest && digest.is_none() {
            return None;
        }
        let result = self.0.render(|part| match part {
            TagPart::Tag => tag.as_str().to_owned(),
            TagPart::Digest12 => digest.map_or("", Digest::short).to_owned(),
        });
        Some(self.0.check(&result, result.parse()))
    }
}

// === impl PreviousTagTemplate ===

impl PreviousTagTemplate {
    /// Reads a template, and tries it on an example so that a name that can never be right is found now.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let template = Self(Template::parse(text)?);
        let example = "1";
        if template.expand_text(example)?.as_str() == example {
            return Err(TemplateError::SameTag(text.to_owned()));
        }
        Ok(template)
    }

    /// The tag that keeps what a tag at the destination named before.
    pub fn expand(&self, tag: &Tag) -> Result<Tag, TemplateError> {
        self.expand_text(tag.as_str())
    }

    fn expand_text(&self, tag: &str) -> Result<Tag, TemplateError> {
        let result = self.0.render(|part| match part {
            PreviousTagPart::Tag => tag.to_owned(),
        });
        self.0.check(&result, result.parse())
    }
}

impl fmt::Display for RepositoryTemplate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0.text)
    }
}

impl fmt::Display for TagTemplate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0.text)
    }
}

// === impl Template ===

impl<P: Part> Template<P> {
    fn parse(text: &str) -> Result<Self, TemplateError> {
        match text.len() {
            0 => return Err(TemplateError::Empty),
            1..=TEMPLATE_LENGTH => {}
            found => return Err(TemplateError::TooLong { found }),
        }
        let unmatched = || TemplateError::Brace(text.to_owned());
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some((before, behind)) = rest.split_once('{') {
            let (name, behind) = behind.split_once('}').ok_or_else(unmatched)?;
            if before.contains('}') || name.contains('{') {
                return Err(unmatched());
            }
            pieces.push(Piece::Text(before.to_owned()));
            pieces.push(Piece::Part(Self::parse_part(text, name)?));
            rest = behind;
        }
        if rest.contains('}') {
            return Err(unmatched());
        }
        pieces.push(Piece::Text(rest.to_owned()));
        Ok(Self {
            text: text.to_owned(),
            pieces,
        })
    }

    fn parse_part(text: &str, name: &str) -> Result<P, TemplateError> {
        P::NAMES
            .iter()
            .zip(P::PARTS)
            .find(|(known, _)| **known == name)
            .map(|(_, part)| *part)
            .ok_or_else(|| TemplateError::UnknownPlaceholder {
                template: text.to_owned(),
                name: name.to_owned(),
                expected: P::NAMES,
            })
    }

    fn parts(&self) -> impl Iterator<Item = P> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Text(_) => None,
            Piece::Part(part) => Some(*part),
        })
    }

    fn render(&self, value: impl Fn(P) -> String) -> String {
        self.pieces
            .iter()
            .map(|piece| match piece {
                Piece::Text(text) => text.clone(),
                Piece::Part(part) => value(*part),
            })
            .collect()
    }

    fn check<T>(&self, result: &str, parsed: Result<T, NameError>) -> Result<T, TemplateError> {
        parsed.map_err(|source| TemplateError::Result {
            template: self.text.clone(),
            result: result.to_owned(),
            source,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn repositories_at_a_destination() {
        let cases = [
            (
                "{repository}",
                "docker.io",
                "library/alpine",
                "library/alpine",
            ),
            ("mirror/{repository}", "docker.io", "a/b/c", "mirror/a/b/c"),
            ("{registry}/{repository}", "quay.io", "a/b", "quay.io/a/b"),
            (
                "{registry}/{name}",
                "localhost:5000",
                "a/b",
                "localhost-5000/b",
            ),
            ("{registry}/{name}", "[::1]:5000", "a/b", "1--5000/b"),
            ("{namespace}-{name}", "quay.io", "a/b/c", "a/b-c"),
            ("all/{name}", "quay.io", "nginx", "all/nginx"),
            ("fixed", "quay.io", "nginx", "fixed"),
        ];
        for (template, registry, repository, expected) in cases {
            let found = RepositoryTemplate::parse(template)
                .unwrap()
                .expand(&registry.parse().unwrap(), &repository.parse().unwrap());
            assert_eq!(found.unwrap().as_str(), expected, "{template}");
        }
    }

    #[test]
    fn tags_at_a_destination() {
        let digest = Digest::sha256(b"");
        let cases = [
            ("{tag}", "3.20"),
            ("{tag}-{digest12}", "3.20-e3b0c44298fc"),
            ("v{tag}-previous", "v3.20-previous"),
            ("latest", "latest"),
        ];
        for (template, expected) in cases {
            let found = TagTemplate::parse(template)
                .unwrap()
                .expand(&"3.20".parse().unwrap(), Some(&digest))
                .unwrap();
            assert_eq!(found.unwrap().as_str(), expected, "{template}");
        }
    }

    #[test]
    fn what_a_template_gives_must_be_a_name() {
        let template = RepositoryTemplate::parse("mirror/{namespace}/{name}").unwrap();
        let error = template
            .expand(&"quay.io".parse().unwrap(), &"nginx".parse().unwrap())
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "template \"mirror/{namespace}/{name}\" gives \"mirror//nginx\": repository \"mirror//nginx\" has the \
             component \"\": a component is lower-case letters and digits, separated by '.', '_', '__' or dashes"
        );
    }

    proptest! {
        #[test]
        fn anything_parses_or_is_refused_without_a_panic(text in "[{}a-z0-9/.-]{0,40}|.{0,40}") {
            let _ = RepositoryTemplate::parse(&text);
            let _ = TagTemplate::parse(&text);
        }
    }
}
