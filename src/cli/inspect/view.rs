// SPDX-License-Identifier: Apache-2.0

//! What is shown of an image, as values.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::super::config::{ImageConfig, RunConfig, Step};
use super::super::error::Error;
use super::super::history::{self, StepView};
use super::super::image::{self, Entry, Source};
use crate::oci::{Content, Descriptor, Digest, MediaType};

/// An image or artifact.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::cli) struct ImageView {
    /// Registry and repository.
    pub(super) name: String,
    /// The tag or digest that was asked for.
    pub(super) reference: String,
    pub(super) digest: Digest,
    pub(super) media_type: MediaType,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) artifact_type: Option<String>,
    /// Bytes of configs and layers of all platforms, each blob counted once.
    pub(super) size: u64,
    pub(super) annotations: BTreeMap<String, String>,
    pub(super) platforms: Vec<PlatformView>,
    /// The details of one platform.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) image: Option<Details>,
    pub(super) referrers: Vec<ReferrerView>,
}

/// One of the images behind a tag.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct PlatformView {
    /// The platform, or the type of an artifact.
    pub(super) platform: String,
    pub(super) digest: Digest,
    pub(super) layers: usize,
    /// Bytes of config and layers.
    pub(super) size: u64,
}

/// The details of one image.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Details {
    pub(super) platform: String,
    pub(super) digest: Digest,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) config: Option<ConfigView>,
    pub(super) layers: Vec<LayerView>,
    pub(super) history: Vec<StepView>,
}

/// How an image is run.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ConfigView {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) created: Option<String>,
    pub(super) user: String,
    pub(super) entrypoint: Vec<String>,
    pub(super) command: Vec<String>,
    pub(super) working_directory: String,
    /// Names only: values may be secrets.
    pub(super) environment: Vec<String>,
    pub(super) ports: Vec<String>,
    pub(super) volumes: Vec<String>,
    pub(super) labels: BTreeMap<String, String>,
}

/// A layer.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct LayerView {
    pub(super) digest: Digest,
    pub(super) size: u64,
    pub(super) media_type: MediaType,
}

/// Something that refers to the image.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ReferrerView {
    /// What it is.
    pub(super) artifact_type: String,
    pub(super) digest: Digest,
    /// The tag that it is found under, where the registry itself does not list it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) tag: Option<String>,
}

/// Reads the details of an image; nothing for an index inside an index.
pub(super) async fn read_details(source: &Source, entry: &Entry) -> Result<Option<Details>, Error> {
    let Content::Image(manifest) = entry.manifest.content() else {
        return Ok(None);
    };
    let config = source.config(manifest).await?;
    let (config, history) = match config {
        Some(config) => {
            let (view, history) = ConfigView::of(config);
            (Some(view), history)
        }
        None => (None, Vec::new()),
    };
    Ok(Some(Details {
        platform: entry.kind(),
        digest: entry.manifest.digest().clone(),
        config,
        layers: manifest.layers.iter().map(LayerView::of).collect(),
        history: history::steps(history, &manifest.layers),
    }))
}

impl PlatformView {
    pub(super) fn of(entry: &Entry) -> Self {
        Self {
            platform: entry.kind(),
            digest: entry.manifest.digest().clone(),
            layers: match entry.manifest.content() {
                Content::Image(image) => image.layers.len(),
                Content::Index(_) => 0,
            },
            size: image::size([entry]),
        }
    }
}

impl ConfigView {
    fn of(config: ImageConfig) -> (Self, Vec<Step>) {
        let ImageConfig {
            platform: _,
            created,
            config,
            history,
        } = config;
        let environment = config.env_names().map(str::to_owned).collect();
        let RunConfig {
            user,
            entrypoint,
            cmd,
            working_dir,
            env: _,
            exposed_ports,
            volumes,
            labels,
        } = config;
        let view = Self {
            created,
            user,
            entrypoint,
            command: cmd,
            working_directory: working_dir,
            environment,
            ports: exposed_ports,
            volumes,
            labels,
        };
        (view, history)
    }
}

impl LayerView {
    fn of(layer: &Descriptor) -> Self {
        Self {
            digest: layer.digest.clone(),
            size: layer.size,
            media_type: layer.media_type.clone(),
        }
    }
}
