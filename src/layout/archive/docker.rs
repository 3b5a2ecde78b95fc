// SPDX-License-Identifier: Apache-2.0

//! What `docker save` wrote before 25.0, and what skopeo, podman and crane write as a docker archive: configs and layers
//! without manifests. The manifests are made of them, always the same of the same archive; layers stay as they are.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::file::{Archive, Files, INDEX_BYTES};
use super::tar::Span;
use crate::layout::error::Error;
use crate::layout::index::Index;
use crate::oci::{Digest, Manifest, limits};

/// The file that lists the images.
pub(in crate::layout) const MANIFEST: &str = "manifest.json";
/// Largest config that is read, in bytes.
const CONFIG_BYTES: u64 = 4 * 1024 * 1024;
/// How much of a layer is hashed at once, in bytes.
const FRAME: usize = 256 * 1024;
/// The type of the configs.
const CONFIG_TYPE: &str = "application/vnd.oci.image.config.v1+json";
/// The type of layers, without what says how they are compressed.
const LAYER_TYPE: &str = "application/vnd.oci.image.layer.v1.tar";

/// An image in `manifest.json`.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::layout) struct Item {
    /// The file of its config.
    pub(in crate::layout) config: String,
    /// Its names.
    #[serde(default)]
    pub(in crate::layout) repo_tags: Option<Vec<String>>,
    /// The files of its layers, the lowest first.
    #[serde(default)]
    pub(in crate::layout) layers: Option<Vec<String>>,
}

/// The part of a config that names the layers by what they are without compression.
#[derive(Default, Deserialize)]
struct Config {
    #[serde(default)]
    rootfs: RootFs,
}

#[derive(Default, Deserialize)]
struct RootFs {
    #[serde(default)]
    diff_ids: Vec<Digest>,
}

/// A layer as a manifest names it.
#[derive(Clone)]
struct Layer {
    digest: Digest,
    media_type: String,
    span: Span,
}

/// Reads the images of an archive.
pub(super) fn read(files: &Files) -> Result<Archive, Error> {
    let bad = |what: String| Error::bad_file(files.path().to_owned(), what);
    let text = files.read(MANIFEST, INDEX_BYTES)?;
    let items: Vec<Item> = serde_json::from_slice(&text)
        .map_err(|cause| bad(format!("its manifest.json makes no sense: {cause}")))?;
    let mut index = Index::empty();
    let (mut blobs, mut made) = (HashMap::new(), HashMap::new());
    let mut known: HashMap<String, Layer> = HashMap::new();
    for item in items {
        let config = files.read(&item.config, CONFIG_BYTES)?;
        let parsed: Config = serde_json::from_slice(&config).map_err(|cause| {
            bad(format!(
                "its config {:?} makes no sense: {cause}",
                item.config
            ))
        })?;
        let names = item.layers.unwrap_or_default();
        let ids = parsed.rootfs.diff_ids;
        if names.len() != ids.len() || names.len() > limits::DESCRIPTORS {
            let (layers, of_config) = (names.len(), ids.len());
            return Err(bad(format!(
                "{:?} has {layers} layers, and its config names {of_config}",
                item.config
            )));
        }
        let mut layers = Vec::new();
        for (name, id) in names.into_iter().zip(&ids) {
            let layer = match known.get(&name) {
                Some(layer) => layer.clone(),
                None => read_layer(files, &name, id)?,
            };
            blobs.insert(layer.digest.clone(), layer.span);
            known.insert(name, layer.clone());
            layers.push(layer);
        }
        let config_digest = Digest::sha256(&config);
        let span = files.find(&item.config).unwrap_or_default();
        blobs.insert(config_digest.clone(), span);
        let bytes = manifest(&config_digest, config.len(), &layers);
        let manifest = Manifest::parse(bytes.clone(), None, None)
            .map_err(|cause| bad(format!("{:?} makes no image: {cause}", item.config)))?;
        index.name(&manifest, &item.repo_tags.unwrap_or_default());
        made.insert(manifest.digest().clone(), bytes);
    }
    Ok(Archive {
        volume: Arc::clone(&files.volume),
        index: Arc::new(index),
        blobs: Arc::new(blobs),
        made: Arc::new(made),
        elsewhere: Arc::default(),
    })
}

fn manifest(config: &Digest, size: usize, layers: &[Layer]) -> Bytes {
    let layers = layers.iter().map(|layer| {
        let Layer {
            digest,
            media_type,
            span,
        } = layer;
        json!({"mediaType": media_type, "digest": digest.as_str(), "size": span.length})
    });
    let document = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {"mediaType": CONFIG_TYPE, "digest": config.as_str(), "size": size},
        "layers": layers.collect::<Vec<_>>(),
    });
    document.to_string().into()
}

/// A layer that is not compressed has the digest that the config says; any other is hashed.
fn read_layer(files: &Files, name: &str, id: &Digest) -> Result<Layer, Error> {
    let span = files.find(name).ok_or_else(|| files.missing(name))?;
    let mut start = [0_u8; 4];
    let read = files.volume.read_at(&mut start, span.start)?;
    let start = start.get(..read).unwrap_or_default();
    let compression = match start {
        [0x1f, 0x8b, ..] => Some("gzip"),
        [0x28, 0xb5, 0x2f, 0xfd] => Some("zstd"),
        _ => None,
    };
    Ok(Layer {
        digest: match compression {
            None => id.clone(),
            Some(_) => hash(files, span)?,
        },
        media_type: compression
            .map_or(LAYER_TYPE.to_owned(), |name| format!("{LAYER_TYPE}+{name}")),
        span,
    })
}

fn hash(files: &Files, span: Span) -> Result<Digest, Error> {
    let mut hasher = crate::oci::digest::Algorithm::Sha256.hasher();
    let mut frame = vec![0; FRAME];
    let (mut at, end) = (span.start, span.start + span.length);
    while at < end {
        let wanted = usize::try_from(end - at).unwrap_or(FRAME).min(FRAME);
        let part = frame.get_mut(..wanted).unwrap_or_default();
        files.volume.read_exact_at(part, at)?;
        hasher.update(part);
        at += wanted as u64;
    }
    Ok(hasher.finish())
}
