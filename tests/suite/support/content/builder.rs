// SPDX-License-Identifier: Apache-2.0

//! The builder of images.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::super::digest::sha512;
use super::artifact::{attest, platform_json, refer, sign};
use super::layer::{diff_id, layer};
use super::{Blob, Image, Referrer, media_type};

/// Which family of media types an image uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// OCI image-spec.
    Oci,
    /// Docker image manifest version 2, schema 2.
    Docker,
}

/// Describes an image; [`ImageBuilder::build`] makes it.
#[derive(Clone, Debug)]
#[must_use]
pub struct ImageBuilder {
    seed: u64,
    format: Format,
    platforms: Vec<String>,
    shape: Shape,
    layers: Vec<Part>,
    user: Option<String>,
    labels: BTreeMap<String, String>,
    created: String,
    annotations: BTreeMap<String, String>,
    attestations: bool,
    root_referrers: Vec<String>,
    child_referrers: Vec<String>,
    signature_tag: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Manifest,
    Index,
    NestedIndex,
}

#[derive(Clone, Debug)]
enum Part {
    /// A layer of each platform's own.
    Own(usize),
    /// A layer that other images have too.
    Shared(Blob),
    /// No bytes at all.
    Empty,
    /// Named by its sha512.
    Sha512(usize),
    /// Only described: it is fetched from a URL, if at all.
    Foreign(usize, String),
}

/// A layer within an image being built.
struct Placed {
    descriptor: Value,
    diff_id: String,
    stored: Option<Blob>,
}

impl ImageBuilder {
    /// A single linux/amd64 OCI manifest without layers.
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            format: Format::Oci,
            platforms: vec!["linux/amd64".to_owned()],
            shape: Shape::Manifest,
            layers: Vec::new(),
            user: None,
            labels: BTreeMap::new(),
            created: "2024-01-02T03:04:05Z".to_owned(),
            annotations: BTreeMap::new(),
            attestations: false,
            root_referrers: Vec::new(),
            child_referrers: Vec::new(),
            signature_tag: false,
        }
    }

    /// OCI or Docker media types.
    pub fn format(mut self, format: Format) -> Self {
        self.format = format;
        self
    }

    /// A single manifest for this platform: `os/architecture[/variant]`.
    pub fn platform(mut self, platform: &str) -> Self {
        self.platforms = vec![platform.to_owned()];
        self.shape = Shape::Manifest;
        self
    }

    /// An index with a manifest for each of these platforms.
    pub fn platforms(mut self, platforms: &[&str]) -> Self {
        self.platforms = platforms.iter().map(ToString::to_string).collect();
        self.shape = Shape::Index;
        self
    }

    /// An index whose only entry is the index of the platforms.
    pub fn nested(mut self) -> Self {
        self.shape = Shape::NestedIndex;
        self
    }

    /// Layers of each platform's own, with files of these sizes.
    pub fn layers(self, sizes: &[usize]) -> Self {
        sizes
            .iter()
            .fold(self, |builder, size| builder.part(Part::Own(*size)))
    }

    /// A layer that is the same in every platform, and in every image that is given it.
    pub fn shared_layer(self, layer: &Blob) -> Self {
        self.part(Part::Shared(layer.clone()))
    }

    /// A layer of zero bytes.
    pub fn empty_layer(self) -> Self {
        self.part(Part::Empty)
    }

    /// A layer named by its sha512.
    pub fn sha512_layer(self, size: usize) -> Self {
        self.part(Part::Sha512(size))
    }

    /// A non-distributable layer that no registry holds, with the URL it is said to be at.
    pub fn foreign_layer(self, size: usize, url: &str) -> Self {
        self.part(Part::Foreign(size, url.to_owned()))
    }

    /// The user of the config.
    pub fn user(mut self, user: &str) -> Self {
        self.user = Some(user.to_owned());
        self
    }

    /// A label of the config.
    pub fn label(mut self, name: &str, value: &str) -> Self {
        self.labels.insert(name.to_owned(), value.to_owned());
        self
    }

    /// When the config says it was created (RFC 3339).
    pub fn created(mut self, time: &str) -> Self {
        time.clone_into(&mut self.created);
        self
    }

    /// An annotation of the root.
    pub fn annotation(mut self, name: &str, value: &str) -> Self {
        self.annotations.insert(name.to_owned(), value.to_owned());
        self
    }

    /// An attestation child for each platform of the index, as `BuildKit` makes them.
    pub fn attestations(mut self) -> Self {
        self.attestations = true;
        self
    }

    /// An artifact of this type whose subject is the root.
    pub fn referrer(mut self, artifact_type: &str) -> Self {
        self.root_referrers.push(artifact_type.to_owned());
        self
    }

    /// An artifact of this type for the manifest of each platform.
    pub fn child_referrer(mut self, artifact_type: &str) -> Self {
        self.child_referrers.push(artifact_type.to_owned());
        self
    }

    /// A signature of the root under a `.sig` tag.
    pub fn signature_tag(mut self) -> Self {
        self.signature_tag = true;
        self
    }

    /// Makes the image.
    pub fn build(&self) -> Image {
        let mut blobs = Vec::new();
        let manifests: Vec<Blob> = self
            .platforms
            .iter()
            .zip(0..)
            .map(|(platform, number)| self.manifest(platform, number, &mut blobs))
            .collect();
        let (root, children) = match self.shape {
            Shape::Manifest => (manifests[0].clone(), Vec::new()),
            Shape::Index | Shape::NestedIndex => self.index(&manifests, &mut blobs),
        };
        let mut referrers: Vec<Referrer> = self
            .root_referrers
            .iter()
            .map(|kind| refer(kind, &root))
            .collect();
        for manifest in manifests.iter().filter(|_| self.shape != Shape::Manifest) {
            referrers.extend(
                self.child_referrers
                    .iter()
                    .map(|kind| refer(kind, manifest)),
            );
        }
        referrers.extend(self.signature_tag.then(|| sign(&root)));
        let mut seen = BTreeSet::new();
        blobs.retain(|blob: &Blob| seen.insert(blob.digest.clone()));
        Image {
            root,
            children,
            blobs,
            referrers,
        }
    }

    fn part(mut self, part: Part) -> Self {
        self.layers.push(part);
        self
    }

    fn manifest(&self, platform: &str, number: u64, blobs: &mut Vec<Blob>) -> Blob {
        let (manifest_type, config_type) = match self.format {
            Format::Oci => (media_type::OCI_MANIFEST, media_type::OCI_CONFIG),
            Format::Docker => (media_type::DOCKER_MANIFEST, media_type::DOCKER_CONFIG),
        };
        let layers: Vec<Placed> = self
            .layers
            .iter()
            .zip(0..)
            .map(|(part, place)| self.place(part, self.layer_seed(number, place)))
            .collect();
        let diff_ids: Vec<&str> = layers.iter().map(|layer| layer.diff_id.as_str()).collect();
        let config = Blob::json(config_type, &self.config(platform, number, &diff_ids));
        let descriptors: Vec<&Value> = layers.iter().map(|layer| &layer.descriptor).collect();
        let mut manifest = json!({
            "schemaVersion": 2, "mediaType": manifest_type, "config": config.descriptor(), "layers": descriptors,
        });
        if self.shape == Shape::Manifest && !self.annotations.is_empty() {
            manifest["annotations"] = json!(self.annotations);
        }
        blobs.push(config);
        blobs.extend(layers.into_iter().filter_map(|layer| layer.stored));
        Blob::json(manifest_type, &manifest)
    }

    fn config(&self, platform: &str, number: u64, diff_ids: &[&str]) -> Value {
        let mut config = platform_json(platform);
        config["created"] = json!(self.created);
        config["config"] =
            json!({"Labels": self.labels, "Env": [format!("SEED={}.{number}", self.seed)]});
        if let Some(user) = &self.user {
            config["config"]["User"] = json!(user);
        }
        config["rootfs"] = json!({"type": "layers", "diff_ids": diff_ids});
        config["history"] = diff_ids
            .iter()
            .map(|_| json!({"created": self.created, "created_by": "tests"}))
            .collect();
        config
    }

    fn layer_seed(&self, number: u64, place: u64) -> u64 {
        self.seed << 20 | number << 10 | place
    }

    fn place(&self, part: &Part, seed: u64) -> Placed {
        let layer_type = match self.format {
            Format::Oci => media_type::OCI_LAYER,
            Format::Docker => media_type::DOCKER_LAYER,
        };
        let stored = |blob: Blob, diff_id: String| Placed {
            descriptor: blob.descriptor(),
            diff_id,
            stored: Some(blob),
        };
        match part {
            Part::Own(size) => {
                let layer = layer(seed, *size);
                stored(Blob::new(layer_type, layer.compressed), layer.diff_id)
            }
            Part::Shared(layer) => {
                let diff_id = diff_id(&layer.bytes);
                stored(
                    Blob {
                        media_type: layer_type.to_owned(),
                        ..layer.clone()
                    },
                    diff_id,
                )
            }
            Part::Empty => {
                let blob = Blob::new(layer_type, "");
                let diff_id = blob.digest.clone();
                stored(blob, diff_id)
            }
            Part::Sha512(size) => {
                let layer = layer(seed, *size);
                let digest = sha512(&layer.compressed);
                stored(
                    Blob {
                        digest,
                        ..Blob::new(layer_type, layer.compressed)
                    },
                    layer.diff_id,
                )
            }
            Part::Foreign(size, url) => {
                let media_type = match self.format {
                    Format::Oci => media_type::OCI_FOREIGN_LAYER,
                    Format::Docker => media_type::DOCKER_FOREIGN_LAYER,
                };
                let layer = layer(seed, *size);
                let mut descriptor = Blob::new(media_type, layer.compressed).descriptor();
                descriptor["urls"] = json!([url]);
                Placed {
                    descriptor,
                    diff_id: layer.diff_id,
                    stored: None,
                }
            }
        }
    }

    /// The root index and what is below it.
    fn index(&self, manifests: &[Blob], blobs: &mut Vec<Blob>) -> (Blob, Vec<Blob>) {
        let mut children = manifests.to_vec();
        let mut entries: Vec<Value> = manifests
            .iter()
            .zip(&self.platforms)
            .map(|(manifest, platform)| {
                let mut entry = manifest.descriptor();
                entry["platform"] = platform_json(platform);
                entry
            })
            .collect();
        if self.attestations {
            for subject in manifests {
                let (attestation, contents) = attest(subject);
                let mut entry = attestation.descriptor();
                entry["platform"] = json!({"os": "unknown", "architecture": "unknown"});
                entry["annotations"] = json!({
                    "vnd.docker.reference.type": "attestation-manifest",
                    "vnd.docker.reference.digest": subject.digest,
                });
                entries.push(entry);
                children.push(attestation);
                blobs.extend(contents);
            }
        }
        let index = self.index_of(&entries, self.shape == Shape::Index);
        if self.shape == Shape::Index {
            return (index, children);
        }
        let root = self.index_of(&[index.descriptor()], true);
        children.push(index);
        (root, children)
    }

    fn index_of(&self, entries: &[Value], is_root: bool) -> Blob {
        let media_type = match self.format {
            Format::Oci => media_type::OCI_INDEX,
            Format::Docker => media_type::DOCKER_INDEX,
        };
        let mut index = json!({"schemaVersion": 2, "mediaType": media_type, "manifests": entries});
        if is_root && !self.annotations.is_empty() {
            index["annotations"] = json!(self.annotations);
        }
        Blob::json(media_type, &index)
    }
}
