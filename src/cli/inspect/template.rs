// SPDX-License-Identifier: Apache-2.0

//! What `--format` may name: the fields of `docker image inspect`, as far as a registry knows them, and what the config
//! has besides.

use serde_json::{Value, json};

use super::super::address::image_name;
use super::super::error::Error;
use super::super::image::Named;
use crate::oci::{Manifest, TagOrDigest};

/// The fields of an image.
pub(super) fn value(
    image: &Named,
    root: &Manifest,
    manifest: &Manifest,
    config: &[u8],
) -> Result<Value, Error> {
    let Named { source, target } = image;
    let bad = |error: serde_json::Error| {
        Error::Image(format!(
            "the config of {} cannot be read: {error}",
            source.name
        ))
    };
    let config: Value = serde_json::from_slice(config).map_err(bad)?;
    let of_config = |key: &str| config.get(key).cloned().unwrap_or(Value::Null);
    let text = |key: &str| {
        let found = config.get(key).filter(|value| !value.is_null());
        found.cloned().unwrap_or(Value::String(String::new()))
    };
    let tags = match target {
        TagOrDigest::Tag(_) => vec![image_name(&source.name, target)],
        TagOrDigest::Digest(_) => Vec::new(),
    };
    let layers = manifest.blobs();
    let config_digest = layers.first().map(|blob| blob.digest.to_string());
    let size: u64 = layers.iter().map(|blob| blob.size).sum();
    let diff_ids = config
        .pointer("/rootfs/diff_ids")
        .cloned()
        .unwrap_or(json!([]));
    let mut run = of_config("config");
    if let Some(run) = run.as_object_mut() {
        for key in RUN {
            run.entry(key).or_insert(Value::Null);
        }
    }
    Ok(json!({
        "Id": config_digest,
        "RepoTags": tags,
        "RepoDigests": [image_name(&source.name, &root.digest().clone().into())],
        "Digest": root.digest().as_str(),
        "MediaType": root.media_type().as_str(),
        "Created": text("created"),
        "Author": text("author"),
        "Architecture": text("architecture"),
        "Variant": text("variant"),
        "Os": text("os"),
        "OsVersion": text("os.version"),
        "Size": size,
        "Config": run,
        "RootFS": {"Type": "layers", "Layers": diff_ids},
        "Descriptor": {
            "mediaType": manifest.media_type().as_str(),
            "digest": manifest.digest().as_str(),
            "size": manifest.size(),
        },
        "Manifest": serde_json::from_slice::<Value>(manifest.bytes()).map_err(bad)?,
        "History": of_config("history"),
    }))
}

/// Fields of `Config` that builders leave out where they have nothing to say.
const RUN: [&str; 11] = [
    "Cmd",
    "Entrypoint",
    "Env",
    "ExposedPorts",
    "Healthcheck",
    "Labels",
    "OnBuild",
    "StopSignal",
    "User",
    "Volumes",
    "WorkingDir",
];
