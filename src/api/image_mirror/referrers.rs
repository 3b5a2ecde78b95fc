// SPDX-License-Identifier: Apache-2.0

//! What happens to what refers to images: signatures, SBOMs, attestations.

use std::fmt;

use schemars::JsonSchema;
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, IntoDeserializer, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use crate::api::schema::{MEDIA_TYPE, MEDIA_TYPE_LENGTH, at_least, rule_for, set};
use crate::policy::Duration;

/// Which signatures, SBOMs and attestations are copied with their images, and how soon those that come later.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(transform = rule_for(
    ".artifactTypes",
    "self.mode == 'Copy' || !has(self.artifactTypes) || size(self.artifactTypes) == 0",
    "is only used with mode: Copy"
))]
pub struct Referrers {
    /// Copies them, or leaves them out.
    pub mode: ReferrersMode,
    /// Copies only what has one of these artifact types, such as application/spdx+json, up to 32. All of it where empty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 32),
        inner(length(min = 1, max = MEDIA_TYPE_LENGTH), regex(pattern = MEDIA_TYPE)),
        transform = set
    )]
    pub artifact_types: Vec<String>,
    /// Longest time between two looks at what refers to an image by now, at least 1m. What has come since the image was copied is copied then.
    #[schemars(transform = at_least("1m"))]
    pub recheck: Duration,
}

/// Whether signatures, SBOMs and attestations are copied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ReferrersMode {
    /// Copies them, as referrers and as fallback tags.
    #[default]
    Copy,
    /// Leaves them out.
    Skip,
}

/// The fields, as they are written.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct Written {
    mode: ReferrersMode,
    artifact_types: Vec<String>,
    recheck: Duration,
}

/// Objects that were stored when the field was a single word go on meaning what they meant.
struct WrittenOrWord;

impl Default for Referrers {
    fn default() -> Self {
        Self {
            mode: ReferrersMode::default(),
            artifact_types: Vec::new(),
            recheck: Duration::from_secs(24 * 60 * 60),
        }
    }
}

impl Default for Written {
    fn default() -> Self {
        let Referrers {
            mode,
            artifact_types,
            recheck,
        } = Referrers::default();
        Self {
            mode,
            artifact_types,
            recheck,
        }
    }
}

impl<'de> Deserialize<'de> for Referrers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(WrittenOrWord)
    }
}

impl<'de> Visitor<'de> for WrittenOrWord {
    type Value = Referrers;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a mapping such as {mode: Skip}")
    }

    fn visit_str<E: de::Error>(self, word: &str) -> Result<Referrers, E> {
        Ok(Referrers {
            mode: ReferrersMode::deserialize(word.into_deserializer())?,
            ..Referrers::default()
        })
    }

    fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<Referrers, A::Error> {
        let Written {
            mode,
            artifact_types,
            recheck,
        } = Written::deserialize(MapAccessDeserializer::new(fields))?;
        Ok(Referrers {
            mode,
            artifact_types,
            recheck,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_means_what_it_meant() {
        let read = |text: &str| serde_json::from_str::<Referrers>(text);
        assert_eq!(read("{}").unwrap(), Referrers::default());
        assert_eq!(read(r#""Copy""#).unwrap(), Referrers::default());
        for text in [r#""Skip""#, r#"{"mode": "Skip"}"#] {
            assert_eq!(read(text).unwrap().mode, ReferrersMode::Skip, "{text}");
        }
        let written = serde_json::to_string(&read(r#""Skip""#).unwrap()).unwrap();
        assert_eq!(written, r#"{"mode":"Skip","recheck":"24h"}"#);
        for wrong in [r#""copy""#, "true", r#"{"type": "a"}"#] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
