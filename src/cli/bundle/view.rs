// SPDX-License-Identifier: Apache-2.0

//! What a bundle has, for people and machines.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use crate::cli::look::Look;
use crate::cli::output::Document;
use crate::cli::table::Table;
use crate::cli::units;
use crate::layout::{BundleIndex, BundleSignature};
use crate::oci::Digest;
use crate::plan::report::Failure;

/// What machines read of a bundle.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::cli) struct BundleView {
    /// As it was named.
    #[serde(skip)]
    name: String,
    /// The files that it is in; none of an index alone.
    files: Vec<BundlePart>,
    /// The digest of its index, by which the next bundle names it.
    index: Digest,
    /// When it was made.
    created: Timestamp,
    /// The digest of the index of the bundle before it, on which it relies.
    #[serde(skip_serializing_if = "Option::is_none")]
    previous: Option<Digest>,
    /// The digest of the signature of the index, where there is one in it. Whose it is was not looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    signature: Option<Digest>,
    /// Its images.
    images: Vec<BundledImage>,
    /// What is in it.
    contents: Contents,
    /// What is not in it, and has to be at the destinations already.
    elsewhere: Contents,
}

/// A file with a bundle, or a part of one.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::cli) struct BundlePart {
    path: String,
    size: u64,
}

/// An image of a mirror.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::cli) struct BundledImage {
    mirror: String,
    /// The image at its source.
    source: String,
    /// The image at the first destination of the mirror that the bundle was made with.
    target: String,
    digest: Digest,
}

/// Manifests and blobs.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::cli) struct Contents {
    count: usize,
    /// In bytes.
    size: u64,
}

/// What machines read of a bundle that was verified.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::cli) struct BundleReport {
    pub(super) files: Vec<BundlePart>,
    /// How many manifests and blobs were read.
    pub(super) contents: usize,
    /// How many bytes of them.
    pub(super) size: u64,
    /// Whether the key that was named signed it; nothing where none was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) signed: Option<bool>,
    pub(super) failures: Vec<Failure>,
}

impl Document for BundleView {
    const KIND: &'static str = "Bundle";
}

impl Document for BundleReport {
    const KIND: &'static str = "BundleReport";
}

/// Files as they are shown.
pub(super) fn parts(files: Vec<(PathBuf, u64)>) -> Vec<BundlePart> {
    let files = files.into_iter().map(|(path, size)| BundlePart {
        path: path.display().to_string(),
        size,
    });
    files.collect()
}

// === impl BundleView ===

impl BundleView {
    pub(super) fn of(
        name: &Path,
        files: Vec<(PathBuf, u64)>,
        index: &BundleIndex,
        signature: Option<&BundleSignature>,
    ) -> Self {
        let mut images = Vec::new();
        for repository in &index.repositories {
            for entry in &repository.entries {
                let Some(tag) = &entry.tag else { continue };
                images.extend(entry.origins.iter().map(|origin| BundledImage {
                    mirror: origin.mirror.clone(),
                    source: origin.source.clone(),
                    target: format!("{}:{tag}", repository.name),
                    digest: entry.digest.clone(),
                }));
            }
        }
        Self {
            name: name.display().to_string(),
            files: parts(files),
            index: index.digest(),
            created: index.created,
            previous: index.previous.clone(),
            signature: signature.map(|signature| Digest::sha256(&signature.content)),
            images,
            contents: Contents::of(&index.carried()),
            elsewhere: Contents::of(&index.elsewhere()),
        }
    }

    pub(super) fn render(&self, look: Look) -> String {
        let mut table = Table::new(["MIRROR", "SOURCE", "DESTINATION", "DIGEST"]);
        for image in &self.images {
            table.row([
                image.mirror.clone(),
                image.source.clone(),
                image.target.clone(),
                look.digest(&image.digest),
            ]);
        }
        let Contents { count, size } = self.contents;
        let files = match self.files.len() {
            0 | 1 => String::new(),
            several => format!(" in {several} parts"),
        };
        let mut paragraphs = vec![table.fit(look.width)];
        paragraphs.push(format!(
            "{}{files}: {}, {count} manifests and blobs, {}\n",
            self.name,
            units::count(self.images.len(), "image", "images"),
            units::bytes(size)
        ));
        let Contents { count, size } = self.elsewhere;
        if count > 0 {
            paragraphs.push(format!(
                "It relies on {} ({}) of earlier bundles, which the destinations must have.\n",
                units::count(count, "blob", "blobs"),
                units::bytes(size)
            ));
        }
        paragraphs.join("\n")
    }
}

// === impl Contents ===

impl Contents {
    fn of(listed: &[(&Digest, u64)]) -> Self {
        Self {
            count: listed.len(),
            size: listed.iter().map(|(_, size)| size).sum(),
        }
    }
}
