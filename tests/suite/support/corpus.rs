// SPDX-License-Identifier: Apache-2.0

//! Sets of repositories: what the benchmark copies, and tests in small.

use std::collections::BTreeMap;

use super::content::{Blob, Image, ImageBuilder};

/// The platforms of a multi-platform image.
const PLATFORMS: [&str; 6] = [
    "linux/amd64",
    "linux/arm64",
    "linux/arm/v7",
    "linux/ppc64le",
    "linux/s390x",
    "linux/riscv64",
];

/// Repositories with their tags.
#[derive(Clone, Debug, Default)]
pub struct Corpus {
    /// The repositories.
    pub repositories: Vec<Repository>,
}

/// One repository.
#[derive(Clone, Debug)]
pub struct Repository {
    /// Its name without a host.
    pub name: String,
    /// Its tags; signature tags and fallback tags are not among them.
    pub tags: Vec<(String, Image)>,
}

/// Repositories whose images stand on the same base layers.
#[derive(Clone, Copy, Debug)]
pub struct Families {
    /// How many families there are.
    pub families: usize,
    /// Repositories of a family.
    pub repositories: usize,
    /// Tags of a repository; all of them share the repository's own layer.
    pub tags: usize,
    /// Layers that a family has in common.
    pub shared_layers: usize,
    /// Bytes in a layer.
    pub layer_size: usize,
}

/// Six-platform indexes with attestations and referrers.
#[derive(Clone, Copy, Debug)]
pub struct MultiArch {
    /// How many repositories there are.
    pub repositories: usize,
    /// Tags of a repository.
    pub tags: usize,
    /// Layers of each platform.
    pub layers: usize,
    /// Bytes in a layer.
    pub layer_size: usize,
}

impl Families {
    /// Makes the repositories.
    pub fn build(&self, seed: u64) -> Corpus {
        let mut corpus = Corpus::default();
        let mut seeds = seed << 24..;
        let mut next = move || seeds.next().expect("enough numbers");
        for family in 0..self.families {
            let base: Vec<Blob> = (0..self.shared_layers)
                .map(|_| Blob::layer(next(), self.layer_size))
                .collect();
            for member in 0..self.repositories {
                let own = Blob::layer(next(), self.layer_size);
                let image = |seed| {
                    let stack = base
                        .iter()
                        .fold(ImageBuilder::new(seed), ImageBuilder::shared_layer);
                    stack
                        .shared_layer(&own)
                        .layers(&[self.layer_size / 4])
                        .build()
                };
                let tags = (0..self.tags)
                    .map(|tag| (format!("1.{tag}"), image(next())))
                    .collect();
                corpus.repositories.push(Repository {
                    name: format!("family{family}/member{member}"),
                    tags,
                });
            }
        }
        corpus
    }
}

impl MultiArch {
    /// Makes the repositories.
    pub fn build(&self, seed: u64) -> Corpus {
        let image = |number: usize| {
            ImageBuilder::new(seed << 24 | number as u64)
                .layers(&vec![self.layer_size; self.layers])
                .platforms(&PLATFORMS)
                .attestations()
                .referrer("application/vnd.example.signature")
                .child_referrer("application/spdx+json")
                .signature_tag()
                .build()
        };
        let repository = |number: usize| Repository {
            name: format!("multi/app{number}"),
            tags: (0..self.tags)
                .map(|tag| (format!("v{tag}"), image(number * self.tags + tag)))
                .collect(),
        };
        Corpus {
            repositories: (0..self.repositories).map(repository).collect(),
        }
    }
}

impl Corpus {
    /// One image with one large layer.
    pub fn large(seed: u64, layer_size: usize) -> Self {
        let image = ImageBuilder::new(seed).layers(&[layer_size]).build();
        Self {
            repositories: vec![Repository {
                name: "large/app".to_owned(),
                tags: vec![("latest".to_owned(), image)],
            }],
        }
    }

    /// One repository with many tags of small images that share a layer.
    pub fn small_tags(seed: u64, tags: usize, layer_size: usize) -> Self {
        let base = Blob::layer(seed << 24, layer_size);
        let image = |number: usize| {
            ImageBuilder::new(seed << 24 | number as u64)
                .shared_layer(&base)
                .layers(&[layer_size])
                .build()
        };
        let tags = (1..=tags)
            .map(|number| (format!("0.{number}"), image(number)))
            .collect();
        Self {
            repositories: vec![Repository {
                name: "small/tags".to_owned(),
                tags,
            }],
        }
    }

    /// Every image with its repository and tag.
    pub fn images(&self) -> impl Iterator<Item = (&str, &str, &Image)> {
        self.repositories.iter().flat_map(|repository| {
            repository
                .tags
                .iter()
                .map(|(tag, image)| (repository.name.as_str(), tag.as_str(), image))
        })
    }

    /// The size of every distinct blob, by digest: its sum is what a perfect copy into one registry moves.
    pub fn distinct_blobs(&self) -> BTreeMap<&str, usize> {
        self.images()
            .flat_map(|(.., image)| image.all_blobs())
            .map(|blob| (blob.digest.as_str(), blob.bytes.len()))
            .collect()
    }
}
