// SPDX-License-Identifier: Apache-2.0

//! How a mirror names the images that a bundle has for it, and what its policies say of them without their source.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use crate::api::ObjectName;
use crate::api::image_mirror::AbsentTag;
use crate::cli::error::Error;
use crate::layout::ViewedImage;
use crate::oci::{Repository, Tag};
use crate::plan::gates::Gates;
use crate::plan::naming::Naming;
use crate::plan::{ImageEntry, Mirror, Platforms, Policy, RepositorySelector, TagSelector};

/// A name that a mirror gives to an image, and the policies that it gives it by.
struct Meaning<'a> {
    naming: &'a Naming,
    policies: Vec<&'a Arc<Policy>>,
}

/// Entries that want these images and no others, under the names that the mirror gives them.
pub(super) fn entries(
    mirror: &Mirror,
    images: &[ViewedImage<'_>],
) -> Result<Vec<ImageEntry>, Error> {
    let mut meant: BTreeMap<&Repository, Vec<(Meaning<'_>, BTreeSet<&Tag>)>> = BTreeMap::new();
    for image in images {
        let of_repository = meant.entry(&image.repository).or_default();
        for meaning in meanings(mirror, image)? {
            let mut known = of_repository.iter_mut();
            match known.find(|(known, _)| known.is(&meaning)) {
                Some((_, tags)) => {
                    tags.insert(&image.tag);
                }
                None => of_repository.push((meaning, BTreeSet::from([&image.tag]))),
            }
        }
    }
    let meant = meant.into_iter();
    let entries = meant.flat_map(|(repository, meanings)| {
        meanings.into_iter().map(|(meaning, tags)| ImageEntry {
            repository: RepositorySelector::Literal(repository.clone()),
            tags: tags
                .into_iter()
                .cloned()
                .map(TagSelector::Literal)
                .collect(),
            absent: AbsentTag::Fail,
            rules: None,
            policies: meaning.ask(mirror),
            naming: meaning.naming.clone(),
        })
    });
    Ok(entries.collect())
}

/// How the mirror names an image: as the entries do that mean it. What none means does not go anywhere. Of several
/// entries those count that give the repository which the bundle names, and all where the file here names another one.
fn meanings<'a>(mirror: &'a Mirror, image: &ViewedImage<'_>) -> Result<Vec<Meaning<'a>>, Error> {
    let ViewedImage {
        repository, tag, ..
    } = image;
    let refused = |why: &str| {
        let (registry, name) = (&mirror.source.registry, &mirror.name);
        Error::Image(format!(
            "the bundle has {registry}/{repository}:{tag} for mirror {name}, and {why}: load it with the file that it was made with"
        ))
    };
    let entries = mirror.images.iter();
    let meant: Vec<&ImageEntry> = entries
        .filter(|entry| entry.may_mean(repository, tag))
        .collect();
    if meant.is_empty() {
        return Err(refused("none of its images is that one here"));
    }
    let selectors = meant.iter().flat_map(|entry| &entry.tags);
    let mut pins = selectors
        .filter(|selector| selector.literal() == Some(tag))
        .filter_map(TagSelector::pin);
    // An index of some platforms has another digest than that of the source.
    if mirror.platforms == Platforms::All && pins.any(|pin| *pin != image.entry.digest) {
        return Err(refused("that tag is pinned to another digest here"));
    }
    let alike = meant.into_iter();
    let alike = alike.map(|entry| (likeness(mirror, entry, image), entry));
    let mut alike: Vec<(usize, &ImageEntry)> = alike.collect();
    let most = alike.iter().map(|(likeness, _)| *likeness).max();
    alike.retain(|(likeness, _)| Some(*likeness) == most);
    let meanings = alike.into_iter().map(|(_, entry)| Meaning {
        naming: &entry.naming,
        policies: entry.policies.iter().collect(),
    });
    Ok(meanings.collect())
}

/// How much of the repository in the bundle is the path that an entry gives at a destination.
fn likeness(mirror: &Mirror, entry: &ImageEntry, image: &ViewedImage<'_>) -> usize {
    let registry = &mirror.source.registry;
    let paths = mirror.destinations.iter().filter_map(|destination| {
        let path = destination.repository_of(&entry.naming, registry, &image.repository);
        let path = path.ok()?.to_string();
        image.of.name.ends_with(&format!("/{path}")).then_some(path)
    });
    paths.map(|path| path.len()).max().unwrap_or_default()
}

// === impl Meaning ===

impl<'a> Meaning<'a> {
    fn is(&self, other: &Self) -> bool {
        self.naming == other.naming && self.names().eq(other.names())
    }

    fn names(&self) -> impl Iterator<Item = &'a ObjectName> {
        self.policies.iter().map(|policy| &policy.name)
    }

    /// What the policies say of the name of an image, and what all those of the mirror let pruning keep: an entry may
    /// have nothing in the bundle, and what it brought before stays.
    fn ask(&self, mirror: &Mirror) -> Vec<Arc<Policy>> {
        let own: HashSet<&ObjectName> = self.names().collect();
        let mut seen = HashSet::new();
        let policies = mirror.images.iter().flat_map(|entry| &entry.policies);
        let policies = policies.filter(|policy| seen.insert(&policy.name));
        let asked = policies.map(|policy| {
            let gates = policy.gates.as_ref().filter(|_| own.contains(&policy.name));
            Arc::new(Policy {
                name: policy.name.clone(),
                rules: None,
                gates: gates.and_then(Gates::of_tags),
                retain: policy.retain.clone(),
            })
        });
        asked.collect()
    }
}
