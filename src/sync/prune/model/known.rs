// SPDX-License-Identifier: Apache-2.0

//! What there is in the made-up world: tags, repositories, images and mirrors.

use std::sync::{Arc, LazyLock};

use super::random::Random;
use crate::oci::{Digest, Registry, Repository, Tag};
use crate::plan::validate::documents;
use crate::plan::{Destination, Mirror};
use crate::sync::ledger::{Keepsakes, keepsake_samples as samples};

/// Tags in the order of their versions; policies may keep the last one by its name.
pub(super) const TAGS: [&str; 6] = ["1.0", "1.1", "1.2", "2.0", "2.1", "3.0-keep"];
/// Repositories of the source; every mirror names the first one.
const REPOSITORIES: [&str; 2] = ["library/app", "library/db"];
/// Images that there are. Each has a child and a config of its own.
pub(super) const IMAGES: u64 = 5;

/// A tag of a repository. The source and the destination name them alike.
pub(super) type Place = (Repository, Tag);

/// A tag of a registry, however that is reached.
pub(super) type At = (usize, Place);

/// What the registries are called, and which one it is. That `alias.example.com` is another name of the first
/// one can only be known from outside.
pub(super) const REGISTRIES: [(&str, usize); 4] = [
    ("r.example.com", 0),
    ("r.example.com:80", 0),
    ("alias.example.com", 0),
    ("s.example.com", 1),
];
const TAG_TEMPLATES: [&str; 3] = ["{tag}", "{tag}-alt", "{tag}-ALT"];

/// The second registry takes upper and lower case for the same.
pub(super) fn at(registry: &Registry, repository: &Repository, tag: &Tag) -> At {
    let known = REGISTRIES
        .iter()
        .find(|(name, _)| *name == registry.as_str());
    let number = known.unwrap_or_else(|| panic!("{registry}")).1;
    let is_folded = number == 1 && tag.as_str().ends_with("-ALT");
    let tag = if is_folded {
        tag.as_str().to_lowercase().parse().unwrap()
    } else {
        tag.clone()
    };
    (number, (repository.clone(), tag))
}

/// The destinations that a mirror can have: every registry with every way to name tags.
pub(super) static DESTINATIONS: LazyLock<Vec<Destination>> = LazyLock::new(|| {
    let mut destinations = Vec::new();
    for template in TAG_TEMPLATES {
        for (registry, _) in REGISTRIES {
            let text = format!("{{name: eu, registry: '{registry}', tags: ['{template}']}}");
            let mirror = parse_mirror("{}", "", &REPOSITORIES[..1], &text);
            destinations.extend(mirror.destinations);
        }
    }
    destinations
});

/// An image that there is, and what it leads to.
pub(super) struct Image {
    pub(super) digest: Digest,
    pub(super) closure: [Digest; 2],
    /// The tag of its signature, and what it names.
    pub(super) signature: (Tag, Digest),
    /// Its manifest, the one below it, and that of its signature.
    pub(super) manifests: Keepsakes,
}

pub(super) static KNOWN_IMAGES: LazyLock<Vec<Image>> = LazyLock::new(|| {
    let of = |number: u64| {
        let name = format!("child {number}");
        let (config, child) = (Digest::sha256(name.as_bytes()), samples::image(&name));
        let index = samples::index(&[&child]);
        let signature = samples::image(&format!("signature {number}"));
        let tag = Tag::of_referrers(index.digest(), ".sig").unwrap();
        Image {
            digest: index.digest().clone(),
            closure: [child.digest().clone(), config],
            signature: (tag, signature.digest().clone()),
            manifests: samples::kept(&[&child, &index, &signature]),
        }
    };
    (0..IMAGES).map(of).collect()
});

impl Image {
    /// The one that has this digest, or of which it is the signature.
    pub(super) fn of(digest: &Digest) -> &'static Self {
        let mut images = KNOWN_IMAGES.iter();
        let found = images.find(|image| image.digest == *digest || image.signature.1 == *digest);
        found.unwrap_or_else(|| panic!("{digest}"))
    }

    /// The manifest and the one below it, without which the image cannot be pulled.
    pub(super) fn parts(&self) -> [&Digest; 2] {
        [&self.digest, &self.closure[0]]
    }
}

/// Mirrors of one `prune`: each `retain`, with one repository and with two.
pub(super) const MIRRORS_OF_ONE_PRUNE: usize = 8;

/// Names that are parsed once.
pub(super) static KNOWN_TAGS: LazyLock<Vec<Tag>> =
    LazyLock::new(|| TAGS.iter().map(|tag| tag.parse().unwrap()).collect());
pub(super) static KNOWN_REPOSITORIES: LazyLock<Vec<Repository>> = LazyLock::new(|| {
    REPOSITORIES
        .iter()
        .map(|name| name.parse().unwrap())
        .collect()
});

/// Mirrors that differ in what pruning reads of them.
pub(super) static MIRRORS: LazyLock<Vec<Arc<Mirror>>> = LazyLock::new(|| {
    let prunes = [
        "{mode: Delete, grace: 24h, maxPercent: 100}",
        "{mode: Delete, grace: 24h, maxPercent: 100, adopted: Include}",
        "{mode: Delete, grace: 0s, maxPercent: 100}",
        "{mode: Delete, grace: 24h, maxDeletes: 1, maxPercent: 100}",
        "{mode: Delete, grace: 6h, maxPercent: 30}",
        "{mode: Plan, grace: 24h}",
        "{mode: Retain}",
        "{mode: Delete, grace: 24h, maxPercent: 100, inUse: Ignore}",
    ];
    let retains = [
        "",
        "retain: {keepTags: ['*-keep']}",
        "retain: {keepNewest: 2}",
        "retain: {keepYoungerThan: 48h}",
    ];
    let mut mirrors = Vec::new();
    for prune in prunes {
        for retain in retains {
            for repositories in [&REPOSITORIES[..1], &REPOSITORIES[..]] {
                mirrors.push(Arc::new(parse_mirror(prune, retain, repositories, PLAIN)));
            }
        }
    }
    mirrors
});

/// Which of them it is.
pub(super) fn any_mirror(random: &mut Random) -> usize {
    usize::try_from(random.below(MIRRORS.len() as u64)).unwrap()
}

const PLAIN: &str = "{name: eu, registry: r.example.com}";

fn parse_mirror(prune: &str, retain: &str, repositories: &[&str], destination: &str) -> Mirror {
    let images: Vec<String> = repositories
        .iter()
        .map(|repository| format!("{{repository: {repository}}}"))
        .collect();
    let images = images.join(", ");
    documents::mirror(&format!(
        "apiVersion: transship.dev/v1alpha1
kind: ImageMirror
metadata: {{name: base, namespace: platform}}
spec:
  source: {{registry: docker.io}}
  images: [{images}]
  policyRefs: [{{name: some}}]
  destinations: [{destination}]
  prune: {prune}
---
apiVersion: transship.dev/v1alpha1
kind: ImagePolicy
metadata: {{name: some, namespace: platform}}
spec:
  select: {{include: ['.*']}}
  {retain}
"
    ))
}
