// SPDX-License-Identifier: Apache-2.0

//! Manifests and deleted tags for tests.

use bytes::Bytes;
use jiff::Timestamp;
use serde_json::json;

use super::{Keepsake, Keepsakes, Tombstone};
use crate::api::document::{self, Resource};
use crate::oci::{Digest, Manifest};
use crate::plan::{self, Mirror};

fn parse(document: &serde_json::Value) -> Manifest {
    Manifest::parse(Bytes::from(document.to_string()), None, None).unwrap()
}

/// An image that has this name in its annotations.
pub(crate) fn image(name: &str) -> Manifest {
    sized(name, 0)
}

/// The same with so many more bytes.
pub(crate) fn sized(name: &str, more: usize) -> Manifest {
    parse(&json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {
            "mediaType": "application/vnd.oci.image.config.v1+json",
            "digest": Digest::sha256(name.as_bytes()),
            "size": 2,
        },
        "layers": [],
        "annotations": {"org.example.name": name, "org.example.more": "x".repeat(more)},
    }))
}

/// An index of these.
pub(crate) fn index(parts: &[&Manifest]) -> Manifest {
    let entries: Vec<_> = parts
        .iter()
        .map(|part| {
            json!({
                "mediaType": part.media_type().as_str(),
                "digest": part.digest(),
                "size": part.bytes().len(),
            })
        })
        .collect();
    parse(&json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": entries,
    }))
}

/// These, as they are kept.
pub(crate) fn kept(manifests: &[&Manifest]) -> Keepsakes {
    let kept = manifests.iter();
    kept.map(|manifest| (manifest.digest().clone(), Keepsake::new(manifest)))
        .collect()
}

/// A deleted tag of an image to which these refer.
pub(super) fn tombstone(image: &Manifest, referrers: &[&Manifest]) -> Tombstone {
    let digests = referrers.iter().map(|manifest| manifest.digest().clone());
    Tombstone {
        source: "docker.io/library/a:1".to_owned(),
        source_digest: Digest::sha256(b"source"),
        digest: image.digest().clone(),
        shape: "all platforms".to_owned(),
        registry: "registry.example.com".parse().unwrap(),
        deleted_at: Timestamp::UNIX_EPOCH,
        approved: false,
        cleared: false,
        referrers: digests.collect(),
        shared_with: Vec::new(),
        took: None,
    }
}

/// A mirror of the namespace `default`.
pub(crate) fn mirror(name: &str) -> Mirror {
    let text = format!(
        "apiVersion: transship.dev/v1alpha1\nkind: ImageMirror\nmetadata: {{name: {name}}}\nspec:\n  \
         source: {{registry: docker.io}}\n  images: [{{repository: library/a, tags: ['1']}}]\n  \
         destinations: [{{name: eu, registry: registry.example.com}}]\n"
    );
    let documents = document::parse(&text, "mirror.yaml").unwrap().documents;
    let Resource::ImageMirror(mirror) = &documents[0].resource else {
        panic!("a mirror");
    };
    plan::validate(mirror, &[]).unwrap()
}
