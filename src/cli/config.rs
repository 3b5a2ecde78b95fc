// SPDX-License-Identifier: Apache-2.0

//! The config of an image (image specification, config), as far as it is shown.
//!
//! Builders disagree about what is left out and what is null: everything is optional.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};

use crate::oci::Platform;

/// The config of an image.
#[derive(Debug, Default, Deserialize)]
pub(super) struct ImageConfig {
    /// What it runs on.
    #[serde(flatten)]
    pub(super) platform: Platform,
    /// When it was built, as the builder wrote it.
    pub(super) created: Option<String>,
    /// How it is run.
    #[serde(default, deserialize_with = "null_as_default")]
    pub(super) config: RunConfig,
    /// How each layer came about.
    #[serde(default, deserialize_with = "null_as_default")]
    pub(super) history: Vec<Step>,
}

/// How an image is run.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct RunConfig {
    #[serde(deserialize_with = "null_as_default")]
    pub(super) user: String,
    #[serde(deserialize_with = "null_as_default")]
    pub(super) entrypoint: Vec<String>,
    #[serde(deserialize_with = "null_as_default")]
    pub(super) cmd: Vec<String>,
    #[serde(deserialize_with = "null_as_default")]
    pub(super) working_dir: String,
    #[serde(deserialize_with = "null_as_default")]
    pub(super) env: Vec<String>,
    #[serde(deserialize_with = "keys")]
    pub(super) exposed_ports: Vec<String>,
    #[serde(deserialize_with = "keys")]
    pub(super) volumes: Vec<String>,
    #[serde(deserialize_with = "null_as_default")]
    pub(super) labels: BTreeMap<String, String>,
}

/// One step of a build.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct Step {
    /// When it was made.
    pub(super) created: Option<String>,
    /// What made it.
    #[serde(deserialize_with = "null_as_default")]
    pub(super) created_by: String,
    /// What its builder says of it.
    #[serde(deserialize_with = "null_as_default")]
    pub(super) comment: String,
    /// Whether it made no layer.
    #[serde(deserialize_with = "null_as_default")]
    pub(super) empty_layer: bool,
}

impl RunConfig {
    /// The names of the environment variables; their values may be secrets.
    pub(super) fn env_names(&self) -> impl Iterator<Item = &str> {
        self.env
            .iter()
            .map(|variable| variable.split('=').next().unwrap_or_default())
    }
}

/// `null` where a list, map or text is expected: most builders write it for "none".
fn null_as_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// The keys of a map whose values are empty objects: how a config writes a set.
fn keys<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let map: serde_json::Map<String, serde_json::Value> = null_as_default(deserializer)?;
    Ok(map.into_iter().map(|(key, _)| key).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn configs_of_every_builder_are_read() {
        let cases = [
            ("nothing", "{}"),
            (
                "nulls",
                r#"{"architecture":"amd64","os":"linux","config":null,"history":null}"#,
            ),
            (
                "inner nulls",
                r#"{"os":"linux","architecture":"arm64","variant":"v8","config":{"User":"","Env":null,"Entrypoint":null,
                    "Cmd":["sh"],"Labels":null,"ExposedPorts":{"80/tcp":{}},"OnBuild":[]},
                    "history":[{"created_by":"COPY","empty_layer":null}],"rootfs":{"type":"layers"}}"#,
            ),
        ];
        for (name, text) in cases {
            let config: Result<ImageConfig, _> = serde_json::from_str(text);
            assert!(config.is_ok(), "{name}: {config:?}");
        }
    }

    #[test]
    fn values_of_the_environment_are_not_shown() {
        let config = RunConfig {
            env: vec![
                "PATH=/bin".to_owned(),
                "TOKEN=a=b".to_owned(),
                "BARE".to_owned(),
            ],
            ..RunConfig::default()
        };
        assert_eq!(
            config.env_names().collect::<Vec<_>>(),
            ["PATH", "TOKEN", "BARE"]
        );
    }
}
