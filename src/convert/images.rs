// SPDX-License-Identifier: Apache-2.0

//! Mirrors that bring images to one place.

use std::collections::{BTreeMap, BTreeSet};

use super::form::Prefix;
use super::forms::common::rule_to;
use super::rule::{Draft, Tags};
use super::sheet::Sheet;
use crate::oci::{Digest, Reference, Registry, Repository, Tag};

/// Two images that would have one name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{one} and {other} would be one repository at {to}: put their registries in front with --scoped"
)]
pub struct NameClash {
    one: String,
    other: String,
    to: Registry,
}

/// What is taken of a repository.
#[derive(Default)]
struct Taken {
    /// For each tag the digests to which it is pinned, and None where it is not.
    tags: BTreeMap<Tag, BTreeSet<Option<Digest>>>,
    digests: BTreeSet<Digest>,
}

/// The mirrors of these images, one for each registry, as YAML. `is_scoped` puts the name of the registry in front of
/// repositories.
pub fn mirrors_of<'a>(
    images: impl IntoIterator<Item = &'a Reference>,
    to: &Prefix,
    is_scoped: bool,
) -> Result<String, NameClash> {
    let mut taken: BTreeMap<(&Registry, &Repository), Taken> = BTreeMap::new();
    for image in images {
        let here = taken
            .entry((&image.registry, &image.repository))
            .or_default();
        here.add(image);
    }
    if !is_scoped {
        refuse_clashes(taken.keys().copied(), to)?;
    }
    let template = if is_scoped {
        "{registry}/{repository}"
    } else {
        "{repository}"
    };
    let mut draft = Draft::default();
    for ((registry, repository), taken) in taken {
        let (registry, repository) = (registry.clone(), repository.to_string());
        let rule = rule_to(registry, repository, to, template, taken.into_tags());
        draft.add(Ok(rule));
    }
    Ok(Sheet::new(draft).into_conversion().yaml)
}

fn refuse_clashes<'a>(
    repositories: impl Iterator<Item = (&'a Registry, &'a Repository)>,
    to: &Prefix,
) -> Result<(), NameClash> {
    let mut names: BTreeMap<&Repository, &Registry> = BTreeMap::new();
    for (registry, repository) in repositories {
        if let Some(first) = names.insert(repository, registry) {
            return Err(NameClash {
                one: format!("{first}/{repository}"),
                other: format!("{registry}/{repository}"),
                to: to.registry.clone(),
            });
        }
    }
    Ok(())
}

// === impl Taken ===

impl Taken {
    fn add(&mut self, image: &Reference) {
        match (&image.tag, &image.digest) {
            (Some(tag), digest) => {
                let pins = self.tags.entry(tag.clone()).or_default();
                pins.insert(digest.clone());
            }
            (None, Some(digest)) => {
                self.digests.insert(digest.clone());
            }
            (None, None) => {
                let pins = self.tags.entry(Tag::latest()).or_default();
                pins.insert(None);
            }
        }
    }

    /// A tag has one image at the destination: what is pinned otherwise is taken by its digest.
    fn into_tags(self) -> Tags {
        let Self { tags, mut digests } = self;
        let mut literals = Vec::new();
        for (tag, pins) in tags {
            let is_free = pins.contains(&None);
            let mut pins: Vec<Digest> = pins.into_iter().flatten().collect();
            match pins.as_slice() {
                [only] if !is_free => {
                    literals.push(format!("{tag}@{only}"));
                    continue;
                }
                _ if is_free => literals.push(tag.to_string()),
                _ => {}
            }
            digests.extend(pins.drain(..));
        }
        Tags {
            digests: digests.iter().map(ToString::to_string).collect(),
            ..Tags::literal(literals)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(images: &[&str], to: &str, is_scoped: bool) -> String {
        let images: Vec<Reference> = images.iter().map(|image| image.parse().unwrap()).collect();
        match mirrors_of(&images, &to.parse().unwrap(), is_scoped) {
            Ok(yaml) => yaml,
            Err(clash) => format!("{clash}\n"),
        }
    }

    #[test]
    fn a_mirror_for_each_registry_in_the_shortest_form() {
        let [a, b] = [b"a", b"b"].map(|content| Digest::sha256(content));
        let images = [
            "alpine".to_owned(),
            "alpine:3.20".to_owned(),
            "nginx:1.27".to_owned(),
            "quay.io/a/b:v1".to_owned(),
            // The same tag with several digests, with one and without, and alone.
            format!("ghcr.io/c/d:1@{a}"),
            format!("ghcr.io/c/d:1@{b}"),
            format!("ghcr.io/c/e:1@{a}"),
            "ghcr.io/c/e:1".to_owned(),
            format!("ghcr.io/c/f:1@{a}"),
            format!("ghcr.io/c/g@{b}"),
        ];
        let images: Vec<&str> = images.iter().map(String::as_str).collect();
        let clash = ["quay.io/a/b:v1", "ghcr.io/a/b:v2"];
        let all = [
            written(&images, "eu.corp:5000/mirror", false),
            written(&clash, "eu.corp", false),
            written(&clash, "eu.corp", true),
        ];
        insta::assert_snapshot!(all.join("\n"));
    }
}
