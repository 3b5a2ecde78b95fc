// SPDX-License-Identifier: Apache-2.0

//! Which destination tags an image claims, and claims that cannot both be honoured.

use std::collections::HashMap;
use std::fmt;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Serialize, Serializer};

use super::mirror::{Destination, Mirror};
use super::naming::Naming;
use super::template::TemplateError;
use crate::oci::{Digest, Registry, Repository, Tag, full_name};

/// A tag of a source.
#[derive(Clone, Debug, PartialEq, Eq, Hash, JsonSchema)]
#[schemars(with = "String")]
pub struct SourceImage {
    /// The registry.
    pub registry: Registry,
    /// The repository.
    pub repository: Repository,
    /// The tag.
    pub tag: Tag,
}

impl SourceImage {
    /// Reads what its display writes.
    pub fn read(text: &str) -> Option<Self> {
        let (registry, repository, tag) = full_name::read_image(text).ok()?;
        Some(Self {
            registry,
            repository,
            tag,
        })
    }
}

/// A tag of a destination that an image is to have.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Claim {
    /// The registry.
    pub registry: Registry,
    /// The repository.
    pub repository: Repository,
    /// The tag.
    pub tag: Tag,
    /// The tag that keeps what `tag` named before it moved.
    pub previous: Option<Tag>,
}

/// The age of a mirror, and its name. Where two mirrors claim one tag, the older one has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seniority {
    /// When it was created; nothing in files, where the order of the mirrors decides.
    pub created: Option<Timestamp>,
    /// How many stand before it in files.
    pub order: usize,
    /// The UID of the mirror; nothing in files.
    pub uid: Option<String>,
    /// The mirror, `namespace/name`.
    pub name: String,
}

/// What mirrors are sorted by, the oldest first. Those of one second, as of one file that was applied, are sorted by
/// their UIDs; those of files that were not, as they stand there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Age<'a> {
    created: Option<Timestamp>,
    order: usize,
    uid: Option<&'a str>,
}

/// Who claims what.
#[derive(Clone, Copy, Debug)]
pub struct Claimant<'a> {
    /// The mirror, `namespace/name`.
    pub mirror: &'a str,
    /// The image at the source.
    pub source: &'a SourceImage,
    /// The tag that it is to have.
    pub claim: &'a Claim,
}

/// A claim that is not honoured.
#[derive(Clone, Debug)]
pub struct Conflict<'a> {
    /// Whose claim it is.
    pub claimant: Claimant<'a>,
    /// Why.
    pub kind: ConflictKind,
}

/// Why a claim is not honoured.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConflictKind {
    /// Another image, or another mirror, has the tag already.
    #[error(
        "{second} of mirror {second_mirror} and {first} of mirror {first_mirror} would both be {target}: change a repository or tag template"
    )]
    Taken {
        /// The tag that both want.
        target: String,
        /// The image that has it: the one named first, of the older mirror.
        first: String,
        /// Its mirror.
        first_mirror: String,
        /// The image that does not get it.
        second: String,
        /// Its mirror.
        second_mirror: String,
    },
    /// A mirror of another namespace has the tag already: what it is, and what it copies, is nobody else's business.
    #[error(
        "{image} of mirror {mirror} would be {target}, which a mirror of another namespace has: \
         change a repository or tag template"
    )]
    TakenElsewhere {
        /// The tag that both want.
        target: String,
        /// The image that does not get it.
        image: String,
        /// Its mirror.
        mirror: String,
    },
    /// The image would be copied onto itself.
    #[error(
        "{image} of mirror {mirror} would be copied onto itself: change the repository or tag template"
    )]
    OntoSource {
        /// The image.
        image: String,
        /// The mirror.
        mirror: String,
    },
}

// === impl Seniority ===

impl Seniority {
    /// What it is sorted by. Those of one second, as of one file that was applied, are sorted by their UIDs, which nobody
    /// chooses.
    pub fn age(&self) -> Age<'_> {
        let uid = self.uid.as_deref().unwrap_or(&self.name);
        Age {
            created: self.created,
            order: self.order,
            uid: self.created.map(|_| uid),
        }
    }
}

// === impl Mirror ===

impl Mirror {
    /// How old it is among the mirrors that may claim the same tags.
    pub fn seniority(&self) -> Seniority {
        Seniority {
            created: self.created,
            order: self.order,
            uid: self.uid.clone(),
            name: self.name.clone(),
        }
    }

    /// All destination tags of an image that has this name, each with its destination; while its digest is not known,
    /// those that do not need it.
    pub fn claims(
        &self,
        naming: &Naming,
        repository: &Repository,
        tag: &Tag,
        digest: Option<&Digest>,
    ) -> Vec<(&Destination, Result<Claim, TemplateError>)> {
        let mut claims = Vec::new();
        for destination in &self.destinations {
            let target = destination.repository_of(naming, &self.source.registry, repository);
            match target {
                Err(error) => claims.push((destination, Err(error))),
                Ok(target) => claims.extend(destination.tags.iter().filter_map(|template| {
                    let tag = template.expand(naming.tag(tag), digest)?;
                    let claim = tag.and_then(|tag| destination.claim(&target, tag));
                    Some((destination, claim))
                })),
            }
        }
        claims
    }
}

impl Destination {
    fn claim(&self, repository: &Repository, tag: Tag) -> Result<Claim, TemplateError> {
        let previous = self.previous_tag.as_ref();
        let previous = previous.map(|template| template.expand(&tag));
        Ok(Claim {
            registry: self.registry.clone(),
            repository: repository.clone(),
            previous: previous.transpose()?,
            tag,
        })
    }
}

/// Finds claims on a tag that another image claimed earlier, and copies of an image onto itself.
///
/// Registries are told apart as [`Registry::may_be`] does. The order of the claims decides: those of older mirrors come first. An image may claim a tag of its
/// own mirror twice; another mirror may not even claim it for the same image, since both would manage
/// the tag.
pub fn find_conflicts<'a>(claimants: &[Claimant<'a>]) -> Vec<Conflict<'a>> {
    let mut owners = HashMap::new();
    let mut conflicts = Vec::new();
    for claimant in claimants {
        let Claimant { source, claim, .. } = *claimant;
        let registry = claim.registry.stand_in();
        for tag in claim.tags() {
            let is_source = (&claim.repository, tag) == (&source.repository, &source.tag)
                && registry == source.registry.stand_in();
            let target = (registry.clone(), &claim.repository, tag);
            let kind = if is_source {
                Some(claimant.onto_source())
            } else {
                let owner = owners.entry(target).or_insert(claimant);
                claimant.taken_by(owner, tag)
            };
            if let Some(kind) = kind {
                conflicts.push(Conflict {
                    claimant: *claimant,
                    kind,
                });
                break;
            }
        }
    }
    conflicts
}

// === impl Claimant ===

impl Claimant<'_> {
    fn onto_source(&self) -> ConflictKind {
        ConflictKind::OntoSource {
            image: self.source.to_string(),
            mirror: self.mirror.to_owned(),
        }
    }

    fn taken_by(&self, owner: &Self, tag: &Tag) -> Option<ConflictKind> {
        if owner.source == self.source && owner.mirror == self.mirror {
            return None;
        }
        let target = format!("{}/{}:{tag}", self.claim.registry, self.claim.repository);
        if owner.namespace() != self.namespace() {
            return Some(ConflictKind::TakenElsewhere {
                target,
                image: self.source.to_string(),
                mirror: self.mirror.to_owned(),
            });
        }
        Some(ConflictKind::Taken {
            target,
            first: owner.source.to_string(),
            first_mirror: owner.mirror.to_owned(),
            second: self.source.to_string(),
            second_mirror: self.mirror.to_owned(),
        })
    }

    fn namespace(&self) -> Option<&str> {
        let (namespace, _) = self.mirror.split_once('/')?;
        Some(namespace)
    }
}

// === impl SourceImage, Claim ===

impl Claim {
    /// The tags that it is about: the one that the image is to have, and the one that keeps what that named.
    pub fn tags(&self) -> impl Iterator<Item = &Tag> {
        std::iter::once(&self.tag).chain(&self.previous)
    }

    /// Whether it is about a tag of a repository.
    pub fn is_about(&self, repository: &Repository, tag: &Tag) -> bool {
        self.repository == *repository && self.tags().any(|known| known == tag)
    }
}

impl fmt::Display for SourceImage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            registry,
            repository,
            tag,
        } = self;
        write!(formatter, "{registry}/{repository}:{tag}")
    }
}

impl Serialize for SourceImage {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl fmt::Display for Claim {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            registry,
            repository,
            tag,
            previous: _,
        } = self;
        write!(formatter, "{registry}/{repository}:{tag}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(text: &str) -> SourceImage {
        SourceImage::read(text).unwrap()
    }

    fn claim(text: &str, previous: Option<&str>) -> Claim {
        let SourceImage {
            registry,
            repository,
            tag,
        } = image(text);
        Claim {
            registry,
            repository,
            tag,
            previous: previous.map(|tag| tag.parse().unwrap()),
        }
    }

    /// The conflicts among claims of the form (mirror, source, target, previous tag).
    fn conflicts(claims: &[(&str, &str, &str, Option<&str>)]) -> Vec<String> {
        let parsed: Vec<_> = claims
            .iter()
            .map(|(mirror, source, target, previous)| {
                (*mirror, image(source), claim(target, *previous))
            })
            .collect();
        let claimants: Vec<Claimant<'_>> = parsed
            .iter()
            .map(|(mirror, source, claim)| Claimant {
                mirror,
                source,
                claim,
            })
            .collect();
        find_conflicts(&claimants)
            .into_iter()
            .map(|conflict| {
                let is_it = |(_, _, claim): &_| std::ptr::eq(claim, conflict.claimant.claim);
                format!(
                    "{}: {}",
                    parsed.iter().position(is_it).unwrap(),
                    conflict.kind
                )
            })
            .collect()
    }

    #[test]
    fn claims_without_conflict() {
        assert_eq!(
            conflicts(&[
                ("a/m", "docker.io/x/y:1", "r.io/x/y:1", Some("1-previous")),
                ("a/m", "docker.io/x/y:1", "r.io/x/y:1", Some("1-previous")),
                ("a/m", "docker.io/x/y:2", "r.io/x/y:2", None),
                ("a/m", "docker.io/x/y:1", "docker.io/x/y:1-copy", None),
                ("a/n", "docker.io/x/y:1", "s.io/x/y:1", None),
            ]),
            Vec::<String>::new()
        );
    }

    #[test]
    fn the_claim_that_comes_first_is_honoured() {
        let cases: [(&[_], &str); 7] = [
            (
                &[
                    ("a/m", "docker.io/x/y:1", "r.io/all:1", None),
                    ("a/m", "docker.io/x/z:1", "r.io/all:1", None),
                ],
                "1: docker.io/x/z:1 of mirror a/m and docker.io/x/y:1 of mirror a/m would both be r.io/all:1: \
                 change a repository or tag template",
            ),
            (
                &[
                    ("a/m", "docker.io/x/y:1", "r.io/x/y:1", None),
                    ("a/n", "docker.io/x/y:1", "r.io/x/y:1", None),
                ],
                "1: docker.io/x/y:1 of mirror a/n and docker.io/x/y:1 of mirror a/m would both be r.io/x/y:1: \
                 change a repository or tag template",
            ),
            (
                &[
                    ("a/m", "hidden.io/x/y:1", "r.io/x/y:1", None),
                    ("b/n", "docker.io/x/y:1", "r.io/x/y:1", None),
                ],
                "1: docker.io/x/y:1 of mirror b/n would be r.io/x/y:1, which a mirror of another namespace has: \
                 change a repository or tag template",
            ),
            (
                &[
                    ("a/m", "docker.io/x/y:1", "r.io/x/y:1", Some("1-previous")),
                    (
                        "a/m",
                        "docker.io/x/y:1-previous",
                        "r.io/x/y:1-previous",
                        None,
                    ),
                ],
                "1: docker.io/x/y:1-previous of mirror a/m and docker.io/x/y:1 of mirror a/m would both be \
                 r.io/x/y:1-previous: change a repository or tag template",
            ),
            (
                &[("a/m", "docker.io/x/y:1", "docker.io/x/y:1", None)],
                "0: docker.io/x/y:1 of mirror a/m would be copied onto itself: change the repository or tag template",
            ),
            (
                &[("a/m", "r.io:443/x/y:1", "r.io/x/y:1", None)],
                "0: r.io/x/y:1 of mirror a/m would be copied onto itself: change the repository or tag template",
            ),
            (
                &[("a/m", "docker.io/x/y:1", "index.docker.io/x/y:1", None)],
                "0: docker.io/x/y:1 of mirror a/m would be copied onto itself: change the repository or tag template",
            ),
        ];
        for (claims, expected) in cases {
            assert_eq!(conflicts(claims), [expected]);
        }
    }

    #[test]
    fn names_of_one_registry_are_no_way_around_a_claim() {
        for (first, second, is_one) in [
            ("r.io", "r.io:443", true),
            ("r.io", "R.IO", true),
            ("r.io", "r.io:80", true),
            ("r.io", "r.io:5000", false),
            ("docker.io", "registry-1.docker.io", true),
            ("docker.io", "index.docker.io:443", true),
            ("localhost:5000", "127.0.0.1:5000", true),
            ("127.0.0.1:5000", "127.0.0.2:5000", true),
            ("localhost:5000", "[::1]:5000", true),
            ("[::1]:5000", "[0:0:0:0:0:0:0:1]:5000", true),
            ("127.0.0.1:5000", "[::ffff:127.0.0.1]:5000", true),
            ("localhost:5000", "127.0.0.1:5001", false),
            ("10.0.0.1:5000", "[::ffff:a00:1]:5000", true),
            ("10.0.0.1:5000", "10.0.0.2:5000", false),
            ("[fd00::1]", "[fd00:0:0:0:0:0:0:1]:443", true),
        ] {
            for (left, right) in [(first, second), (second, first)] {
                let targets = [left, right].map(|host| format!("{host}/x/y:1"));
                let [first, second] = &targets;
                let found = conflicts(&[
                    ("a/m", "quay.io/x/y:1", first, None),
                    ("b/n", "quay.io/x/y:1", second, None),
                ]);
                assert_eq!(!found.is_empty(), is_one, "{left} {right}");
                // Nor around the source.
                let found = conflicts(&[("a/m", first, second, None)]);
                assert_eq!(!found.is_empty(), is_one, "{left} onto {right}");
            }
        }
    }
}
