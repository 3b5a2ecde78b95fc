// SPDX-License-Identifier: Apache-2.0

//! Image configs, as far as they say what an image is like (image specification, config).

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;

use super::json::null_as_default;
use super::{MediaType, Platform, json, limits};

/// The keys that Transship reads a meaning from. Go's decoder takes every spelling of them.
const KNOWN_KEYS: [&str; 8] = [
    "Labels",
    "User",
    "architecture",
    "config",
    "created",
    "os",
    "os.version",
    "variant",
];
/// Media types of image configs.
const MEDIA_TYPES: [&str; 2] = [
    "application/vnd.oci.image.config.v1+json",
    "application/vnd.docker.container.image.v1+json",
];

/// What an image says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImageConfig {
    /// The platform that it runs on.
    pub platform: Platform,
    /// The user that it runs as; empty where it does not say.
    pub user: String,
    /// When it was built, where that is a time.
    pub created: Option<Timestamp>,
    /// Arbitrary facts.
    pub labels: BTreeMap<String, String>,
}

/// The document as it is written.
#[derive(Deserialize)]
struct Document {
    #[serde(flatten)]
    platform: Platform,
    #[serde(default, deserialize_with = "null_as_default")]
    created: String,
    #[serde(default, deserialize_with = "null_as_default")]
    config: Execution,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Execution {
    #[serde(default, deserialize_with = "null_as_default")]
    user: String,
    #[serde(default, deserialize_with = "null_as_default")]
    labels: BTreeMap<String, String>,
}

impl ImageConfig {
    /// Whether a config of this media type is that of an image. Those of artifacts may be anything.
    pub fn is_named_by(media_type: &MediaType) -> bool {
        MEDIA_TYPES.contains(&media_type.as_str())
    }

    /// Reads a config that every program reads alike.
    pub fn parse(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        json::check_count(bytes, limits::JSON_VALUES)?;
        json::check_keys(bytes, &KNOWN_KEYS)?;
        let Document {
            platform,
            created,
            config: Execution { user, labels },
        } = serde_json::from_slice(bytes)?;
        Ok(Self {
            platform,
            user,
            created: created.parse().ok(),
            labels,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_image_says_of_itself() {
        let text = r#"{"os": "linux", "architecture": "arm64", "variant": "v8",
            "created": "2026-01-02T03:04:05.678Z", "history": [{"created": "x", "created_by": "y"}],
            "config": {"User": "1000:1000", "Labels": {"a": "1", "A": "2", "user": "3"}, "Env": null}}"#;
        let config = ImageConfig::parse(text.as_bytes()).unwrap();
        assert_eq!(config.platform, "linux/arm64/v8".parse().unwrap());
        assert_eq!(config.user, "1000:1000");
        assert_eq!(
            config.created.unwrap().to_string(),
            "2026-01-02T03:04:05.678Z"
        );
        assert_eq!(config.labels.len(), 3);
    }

    #[test]
    fn what_an_image_does_not_say() {
        for text in [
            "{}",
            r#"{"config": null, "created": null}"#,
            r#"{"created": "yesterday", "config": {"User": null, "Labels": null}}"#,
        ] {
            let config = ImageConfig::parse(text.as_bytes()).unwrap();
            assert_eq!(config, ImageConfig::default(), "{text}");
        }
    }

    #[test]
    fn configs_that_programs_read_differently_are_refused() {
        for text in [
            r#"{"config": {"User": "1000"}, "Config": {"User": "root"}}"#,
            r#"{"config": {"User": "1000", "user": "root"}}"#,
            r#"{"config": {"User": "1000", "User": "root"}}"#,
            r#"{"config": {"u\u017fer": "root"}}"#,
            r#"{"config": {"User": 0}}"#,
            r#"{"config": "#,
            "[]",
        ] {
            assert!(ImageConfig::parse(text.as_bytes()).is_err(), "{text}");
        }
    }
}
