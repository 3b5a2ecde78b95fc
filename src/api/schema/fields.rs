// SPDX-License-Identifier: Apache-2.0

//! The bounds of single fields.

use std::borrow::Cow;

use schemars::generate::SchemaGenerator;
use schemars::{JsonSchema, Schema, json_schema};

use super::rules::{form, rule};
use crate::api::metadata::ObjectName;
use crate::oci::{Digest, Tag};
use crate::policy::Duration;

/// Longest name of a registry, with its port.
pub(in crate::api) const REGISTRY_LENGTH: usize = 259;
/// Longest repository.
pub(in crate::api) const REPOSITORY_LENGTH: usize = 255;
/// Longest tag or glob for tags.
pub(in crate::api) const TAG_LENGTH: usize = 128;
/// Longest `registry/repository`.
pub(in crate::api) const LOCATION_LENGTH: usize = REGISTRY_LENGTH + 1 + REPOSITORY_LENGTH;
/// Longest `registry/repository:tag`.
pub(in crate::api) const IMAGE_LENGTH: usize = LOCATION_LENGTH + 1 + TAG_LENGTH;
/// Longest name that becomes the value of a label.
pub(in crate::api) const LABEL_LENGTH: usize = 63;
/// Longest reason.
pub(in crate::api) const REASON_LENGTH: usize = 64;
/// Longest `os/architecture/variant`.
pub(in crate::api) const PLATFORM_LENGTH: usize = 64;

/// Longest media type.
pub(in crate::api) const MEDIA_TYPE_LENGTH: usize = 255;
/// A media type without parameters (RFC 6838).
pub(in crate::api) const MEDIA_TYPE: &str =
    "^[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]*/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]*$";

/// A DNS label (RFC 1123).
pub(in crate::api) const LABEL: &str = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$";
/// A tag (distribution specification, pulling manifests).
const TAG: &str = "^[A-Za-z0-9_][A-Za-z0-9._-]*$";
/// A glob for tags.
pub(in crate::api) const TAG_GLOB: &str = r"^[A-Za-z0-9_.*?\[\]!-]+$";
/// A glob for tags, or a tag with the digest that it is pinned to.
pub(in crate::api) const TAG_SELECTOR: &str = r"^([A-Za-z0-9_.*?\[\]!-]+|[A-Za-z0-9_][A-Za-z0-9._-]*@(sha256:[a-f0-9]{64}|sha512:[a-f0-9]{128}))$";
/// Longest of these.
pub(in crate::api) const TAG_SELECTOR_LENGTH: usize = TAG_LENGTH + 1 + DIGEST_LENGTH;
/// Longest digest.
pub(in crate::api) const DIGEST_LENGTH: usize = 135;
/// A digest.
pub(in crate::api) const DIGEST: &str = "^(sha256:[a-f0-9]{64}|sha512:[a-f0-9]{128})$";
/// A part of a repository.
pub(in crate::api) const REPOSITORY_PART: &str = "^[a-z0-9/._-]*$";
/// `os/architecture` or `os/architecture/variant`, with or without a version behind the system.
pub(in crate::api) const PLATFORM: &str =
    r"^[A-Za-z0-9_.-]+(\([A-Za-z0-9_.-]+\))?/[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)?$";
/// What to write as a platform.
pub(in crate::api) const PLATFORM_FORM: &str =
    "write the system and the architecture, such as linux/amd64 or linux/arm/v7";
/// A duration (Gateway API, GEP-2257).
pub(super) const DURATION: &str = "^([0-9]{1,5}(h|m|s|ms)){1,4}$";
/// One word with a capital, as reasons are.
pub(in crate::api) const REASON: &str = "^[A-Z][A-Za-z]*$";

/// A registry.
pub(in crate::api) fn registry(_: &mut SchemaGenerator) -> Schema {
    let mut schema = text(REGISTRY_LENGTH, None);
    rule(
        r"self.matches('^[A-Za-z0-9.:\\[\\]-]+$')",
        "write the host and, where it is needed, the port, such as registry.example.com:5000: no scheme and no path",
    )(&mut schema);
    schema
}

/// Tags and the names that they have elsewhere.
pub(in crate::api) fn tag_names(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "maxProperties": 64,
        "additionalProperties": text(TAG_LENGTH, Some(TAG)),
    })
}

/// Labels of an image and their values.
pub(in crate::api) fn labels(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "maxProperties": 32,
        "additionalProperties": {"type": "string", "maxLength": 256},
    })
}

/// The conditions of a resource, with the bounds of Kubernetes' own.
pub(in crate::api) fn conditions(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "maxItems": 8,
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["type"],
        "items": {
            "type": "object",
            "description": "One aspect of the state.",
            "required": ["type", "status", "reason", "message", "lastTransitionTime"],
            "properties": {
                "type": {
                    "type": "string",
                    "description": "Ready, Reconciling or Stalled.",
                    "maxLength": 316,
                    "pattern": "^[A-Z][A-Za-z]*$",
                },
                "status": {
                    "type": "string",
                    "description": "Whether the condition holds.",
                    "enum": ["True", "False", "Unknown"],
                },
                "reason": {
                    "type": "string",
                    "description": "Why, as one word.",
                    "minLength": 1,
                    "maxLength": 1024,
                    "pattern": "^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$",
                },
                "message": {
                    "type": "string",
                    "description": "Why, for people.",
                    "maxLength": 32768,
                },
                "lastTransitionTime": {
                    "type": "string",
                    "description": "When the status last became another one.",
                    "format": "date-time",
                },
                "observedGeneration": {
                    "type": "integer",
                    "description": "Generation of the spec that the condition is about.",
                    "format": "int64",
                    "minimum": 0,
                },
            },
        },
    })
}

fn text(most: usize, pattern: Option<&str>) -> Schema {
    let mut schema = json_schema!({"type": "string", "minLength": 1, "maxLength": most});
    if let Some(pattern) = pattern {
        schema.insert("pattern".to_owned(), pattern.into());
    }
    schema
}

impl JsonSchema for Duration {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Duration".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let mut schema = text(24, None);
        form(
            DURATION,
            "write one to four numbers with the units h, m, s or ms, such as 1h30m: 7 days are 168h",
        )(&mut schema);
        schema
    }
}

/// Types that are parsed from a text of this length and pattern.
macro_rules! parsed_texts {
    ($($type:ident: $most:expr, $pattern:expr;)*) => {$(
        impl JsonSchema for $type {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                stringify!($type).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                text($most, Some($pattern))
            }
        }
    )*};
}

parsed_texts! {
    ObjectName: 253, r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$";
    Tag: TAG_LENGTH, TAG;
    Digest: DIGEST_LENGTH, DIGEST;
}
