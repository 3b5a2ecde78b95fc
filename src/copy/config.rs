// SPDX-License-Identifier: Apache-2.0

//! Small blobs that are read as a whole, such as the configs of images.

use bytes::Bytes;
use futures::TryStreamExt;

use super::endpoint;
use super::graph_error::GraphError;
use super::pipe::Origin;
use crate::oci::{Content, Descriptor, ImageConfig, Manifest, json};
use crate::runtime::memory;

/// Largest image config that is read, in bytes.
const CONFIG_BYTES: u64 = 4 * 1024 * 1024;

/// Reads the config of an image; nothing where it has another kind of config, or none.
pub(super) async fn read_config(
    origin: &Origin,
    manifest: &Manifest,
) -> Result<Option<ImageConfig>, GraphError> {
    let Content::Image(image) = manifest.content() else {
        return Ok(None);
    };
    let is_of_image = |config: &&Descriptor| ImageConfig::is_named_by(&config.media_type);
    let Some(config) = image.config.as_ref().filter(is_of_image) else {
        return Ok(None);
    };
    let content = read_blob(origin, config, CONFIG_BYTES).await?;
    if let Some(content) = &content {
        memory::keep(json::weigh(content)).map_err(endpoint::Error::Full)?;
    }
    let parsed = content.and_then(|content| ImageConfig::parse(&content).ok());
    let unreadable = || GraphError::Config(manifest.digest().clone());
    parsed.map(Some).ok_or_else(unreadable)
}

/// Reads a small blob as a whole. Nothing where it is larger than `limit` or than its descriptor
/// says, or where its content is not what its digest says.
pub(super) async fn read_blob(
    origin: &Origin,
    blob: &Descriptor,
    limit: u64,
) -> Result<Option<Bytes>, endpoint::Error> {
    if blob.size > limit {
        return Ok(None);
    }
    if let Some(content) = blob.embedded_content() {
        return Ok(Some(content));
    }
    memory::keep(usize::try_from(blob.size).unwrap_or(usize::MAX))?;
    let Origin {
        endpoint,
        repository,
    } = origin;
    let mut body = endpoint.fetch_blob(repository, blob, 0).await?;
    let mut content = Vec::new();
    while let Some(frame) = body.try_next().await? {
        content.extend_from_slice(&frame);
        if content.len() as u64 > blob.size {
            return Ok(None);
        }
    }
    Ok(blob.digest.matches(&content).then(|| content.into()))
}
