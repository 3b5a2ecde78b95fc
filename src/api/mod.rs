//! The custom resources as people write them: `ImageMirror`, `ImagePolicy`, and the parts of a
//! `Secret` that Transship reads. Serde types only. What a schema can say is checked here, everything
//! else in `plan::mirror`, which turns these types into ones that cannot be wrong.

pub mod document;
pub mod image_mirror;
pub mod image_policy;
pub mod metadata;
pub mod reason;
pub mod secret;

pub use image_mirror::{
    AbsentPlatform, ImageMirror, ImageMirrorSpec, IndexMode, ReferrersMode, TagMutability,
};
pub use image_policy::{ImagePolicy, ImagePolicySpec};
pub use metadata::{LocalObjectReference, Metadata, ObjectName};
pub use reason::Reason;
pub use secret::Secret;

/// Group and version of the custom resources.
pub const API_VERSION: &str = "transship.dev/v1alpha1";
