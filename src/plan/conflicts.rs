//! Which destination tags an image claims, and claims that cannot both be honoured.

use std::collections::HashMap;
use std::fmt;

use super::mirror::Mirror;
use super::template::TemplateError;
use crate::oci::{Digest, Registry, Repository, Tag};

/// A tag of a source.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SourceImage {
    /// The registry.
    pub registry: Registry,
    /// The repository.
    pub repository: Repository,
    /// The tag.
    pub tag: Tag,
}

/// A tag of a destination that an image is to have.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Claim {
    /// The place of the destination among the mirror's destinations.
    pub destination: usize,
    /// The registry.
    pub registry: Registry,
    /// The repository.
    pub repository: Repository,
    /// The tag.
    pub tag: Tag,
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// The place of the claim among all claims.
    pub claim: usize,
    /// Why.
    pub kind: ConflictKind,
}

/// Why a claim is not honoured.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConflictKind {
    /// Another image has the tag already.
    #[error(
        "{second} of mirror {second_mirror} and {first} of mirror {first_mirror} would both become {target}: change a repository or tag template"
    )]
    TwoImages {
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
    /// The image would be copied onto itself.
    #[error(
        "{source_image} of mirror {mirror} would be copied onto itself: change the repository or tag template"
    )]
    OntoSource {
        /// The image.
        source_image: String,
        /// The mirror.
        mirror: String,
    },
}

impl Mirror {
    /// All destination tags of an image. A template that gives no name takes all claims of its destination along.
    pub fn claims(
        &self,
        repository: &Repository,
        tag: &Tag,
        digest: &Digest,
    ) -> Vec<Result<Claim, ClaimError>> {
        let mut claims = Vec::new();
        for (index, destination) in self.destinations.iter().enumerate() {
            let refused = |source| ClaimError {
                destination: index,
                source,
            };
            let target = destination
                .repository
                .expand(&self.source.registry, repository);
            match target {
                Err(source) => claims.push(Err(refused(source))),
                Ok(target) => claims.extend(destination.tags.iter().map(|template| {
                    let tag = template.expand(tag, digest).map_err(refused)?;
                    Ok(Claim {
                        destination: index,
                        registry: destination.registry.clone(),
                        repository: target.clone(),
                        tag,
                    })
                })),
            }
        }
        claims
    }
}

/// A destination whose templates give no name for an image.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{source}")]
pub struct ClaimError {
    /// The place of the destination among the mirror's destinations.
    pub destination: usize,
    /// What is wrong.
    pub source: TemplateError,
}

/// Finds claims on a tag that another image claimed earlier, and copies of an image onto itself.
///
/// The order of the claims decides: those of older mirrors come first. The same image may claim a tag
/// of its own mirror twice; another mirror may not, since both would manage the tag.
pub fn find_conflicts(claimants: &[Claimant<'_>]) -> Vec<Conflict> {
    let mut owners: HashMap<(&Registry, &Repository, &Tag), &Claimant<'_>> = HashMap::new();
    let mut conflicts = Vec::new();
    for (index, claimant) in claimants.iter().enumerate() {
        let Claimant {
            mirror,
            source,
            claim,
        } = claimant;
        let target = (&claim.registry, &claim.repository, &claim.tag);
        if target == (&source.registry, &source.repository, &source.tag) {
            let kind = ConflictKind::OntoSource {
                source_image: source.to_string(),
                mirror: (*mirror).to_owned(),
            };
            conflicts.push(Conflict { claim: index, kind });
            continue;
        }
        let owner = owners.entry(target).or_insert(claimant);
        if owner.source != *source || owner.mirror != *mirror {
            let kind = ConflictKind::TwoImages {
                target: claim.to_string(),
                first: owner.source.to_string(),
                first_mirror: owner.mirror.to_owned(),
                second: source.to_string(),
                second_mirror: (*mirror).to_owned(),
            };
            conflicts.push(Conflict { claim: index, kind });
        }
    }
    conflicts
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

impl fmt::Display for Claim {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            destination: _,
            registry,
            repository,
            tag,
        } = self;
        write!(formatter, "{registry}/{repository}:{tag}")
    }
}
