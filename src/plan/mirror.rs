// SPDX-License-Identifier: Apache-2.0

//! A mirror as the rest of the program sees it: parsed once, bounded, and impossible to get wrong.
//! [`super::validate()`] makes it from the spec that a person wrote.

use std::sync::Arc;

use jiff::Timestamp;

pub use super::entry::{AbsentTag, ImageEntry, RepositorySelector, TagSelector};
use super::execution::CopiedBy;
use super::naming::Naming;
use super::template::{PreviousTagTemplate, RepositoryTemplate, TagTemplate, TemplateError};
use crate::api::ObjectName;
use crate::api::image_mirror::{
    AbsentPlatform, AdoptedTags, Attestations, CreateRepository, InUse, IndexMode, PruneMode,
    TagMutability,
};
use crate::oci::{CloudRegistry, Digest, Platform, Registry, Repository, Tag};
use crate::policy::{Duration, Schedule, TagGlob};

/// A mirror whose spec was found valid.
#[derive(Clone, Debug)]
pub struct Mirror {
    /// The name, `namespace/name`.
    pub name: String,
    /// The namespace, which is also that of its Secrets and policies.
    pub namespace: String,
    /// The identity that the API server gave it; None in files.
    pub uid: Option<String>,
    /// When it was created; None in files. Where two mirrors claim one tag, the older one has it.
    pub created: Option<Timestamp>,
    /// How many mirrors stand before it in the files that it is from: there the first one counts as the oldest.
    pub order: usize,
    /// Where images come from.
    pub source: Source,
    /// Which images; at least one.
    pub images: Vec<ImageEntry>,
    /// Where images go; at least one.
    pub destinations: Vec<Destination>,
    /// Which platforms of an image are copied.
    pub platforms: Platforms,
    /// Which signatures, SBOMs and attestations are copied.
    pub referrers: Referrers,
    /// What to do when a source tag moves.
    pub tag_mutability: TagMutability,
    /// Which tags never move.
    pub immutable: ImmutableTags,
    /// When rounds start.
    pub schedule: Schedule,
    /// What becomes of tags that are no longer wanted.
    pub prune: Pruning,
    /// How long a round may take.
    pub timeout: Duration,
    /// Who copies.
    pub execution: CopiedBy,
    /// Whether rounds are stopped.
    pub suspend: bool,
}

/// Where images come from.
#[derive(Clone, Debug)]
pub struct Source {
    /// The registry.
    pub registry: Registry,
    /// How it is reached.
    pub access: Access,
}

/// How a registry is reached. The names are those of Secrets in the mirror's namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access {
    /// Credentials.
    pub secret: Option<ObjectName>,
    /// An identity in a cloud, in place of credentials.
    pub identity: Option<CloudIdentity>,
    /// Certificates.
    pub cert_secret: Option<ObjectName>,
    /// A proxy.
    pub proxy_secret: Option<ObjectName>,
    /// Whether plain HTTP is used.
    pub insecure: bool,
}

/// An identity in a cloud.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloudIdentity {
    /// The registry of the cloud that it is for.
    pub cloud: CloudRegistry,
    /// The ServiceAccount that it is of, in the mirror's namespace; else that of the process.
    pub service_account: Option<ObjectName>,
}

/// Where images go, and under which names.
#[derive(Clone, Debug)]
pub struct Destination {
    /// The name, unique in the mirror.
    pub name: String,
    /// The registry.
    pub registry: Registry,
    /// How it is reached.
    pub access: Access,
    /// How the repository is named.
    pub repository: RepositoryTemplate,
    /// How the tags are named; at least one.
    pub tags: Vec<TagTemplate>,
    /// How the tag is named that keeps what a tag named before it moved.
    pub previous_tag: Option<PreviousTagTemplate>,
    /// What a repository is made like that is missing; none is made without it.
    pub create_repository: Option<Box<CreateRepository>>,
}

/// What becomes of tags that are no longer wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pruning {
    /// Keeps them, records a plan only, or deletes them.
    pub mode: PruneMode,
    /// How long a tag must have been unwanted, and how long it can be restored after it was deleted.
    pub grace: Duration,
    /// Most tags of one plan that need no approval.
    pub max_deletes: usize,
    /// The same in percent of all tags on record.
    pub max_percent: usize,
    /// Whether images that workloads use are protected.
    pub in_use: InUse,
    /// Whether tags that were there before the mirror may be deleted.
    pub adopted: AdoptedTags,
    /// The plan that a person approves.
    pub approved: Option<Digest>,
}

/// Which platforms of an image are copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Platforms {
    /// All of them.
    All,
    /// Some parts.
    List {
        /// The platforms; all of them where there is none.
        platforms: Vec<Platform>,
        /// What to do where one is absent.
        absent: AbsentPlatform,
        /// How the index is written.
        index: IndexMode,
        /// Whether the attestations inside an index are among them.
        attestations: Attestations,
    },
}

/// What refers to images.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Referrers {
    /// Which of it is copied.
    pub types: ReferrerTypes,
    /// Longest time between two looks at what has come since an image was copied.
    pub recheck: Duration,
}

/// Which tags never move, and how often they are looked at all the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImmutableTags {
    /// By their names at the source.
    pub tags: Vec<TagGlob>,
    /// Longest time between two looks at all that a tag leads to.
    pub verify_interval: Duration,
}

/// Which of what refers to an image is copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReferrerTypes {
    /// None of it.
    None,
    /// All of it.
    All,
    /// What has one of these types, sorted.
    Only(Arc<[String]>),
}

// === impl ImmutableTags ===

impl ImmutableTags {
    /// Whether there may be any.
    pub fn is_given(&self) -> bool {
        !self.tags.is_empty()
    }

    /// Whether a tag of the source never moves.
    pub fn cover(&self, tag: &Tag) -> bool {
        self.tags.iter().any(|glob| glob.matches(tag))
    }
}

// === impl ReferrerTypes ===

impl ReferrerTypes {
    /// Whether something of this type is copied.
    pub fn include(&self, artifact_type: &str) -> bool {
        match self {
            Self::None => false,
            Self::All => true,
            Self::Only(types) => types.iter().any(|known| known == artifact_type),
        }
    }
}

// === impl Mirror ===

impl Mirror {
    /// The registries that a round asks, each once, as they are called where they are asked.
    pub fn registries(&self) -> Vec<Registry> {
        let source = (&self.source.registry, &self.source.access);
        let destinations = self.destinations.iter();
        let destinations = destinations.map(|one| (&one.registry, &one.access));
        let mut registries: Vec<Registry> = std::iter::once(source)
            .chain(destinations)
            .map(|(registry, access)| {
                if access.insecure {
                    registry.in_plain_http()
                } else {
                    registry.clone()
                }
            })
            .collect();
        registries.sort();
        registries.dedup();
        registries
    }

    /// How its registries are reached: the source first.
    pub fn accesses(&self) -> impl Iterator<Item = &Access> {
        let destinations = self.destinations.iter();
        let accesses = destinations.map(|destination| &destination.access);
        std::iter::once(&self.source.access).chain(accesses)
    }

    /// The destination with this name.
    pub fn destination(&self, name: &str) -> Option<&Destination> {
        let mut destinations = self.destinations.iter();
        destinations.find(|destination| destination.name == name)
    }

    /// The names that the entries give to images of a repository; its own where no entry names it any more.
    pub fn namings(&self, repository: &Repository) -> Vec<Naming> {
        let entries = self.images.iter();
        let mut namings: Vec<Naming> = Vec::new();
        for entry in entries.filter(|entry| entry.repository.covers(repository)) {
            if !namings.contains(&entry.naming) {
                namings.push(entry.naming.clone());
            }
        }
        if namings.is_empty() {
            namings.push(Naming::default());
        }
        namings
    }
}

impl Destination {
    /// The repository of an image that has this name.
    pub fn repository_of(
        &self,
        naming: &Naming,
        registry: &Registry,
        repository: &Repository,
    ) -> Result<Repository, TemplateError> {
        let name = naming.name(registry, repository)?;
        self.repository.expand(registry, &name)
    }
}
