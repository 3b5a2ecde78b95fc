// SPDX-License-Identifier: Apache-2.0

//! The custom resources as people write them and as the API server keeps them, and the parts of a
//! `Secret` that Transship reads. What a schema can say is checked here, everything else in `plan`, which
//! turns these types into ones that cannot be wrong.

pub mod annotations;
pub mod conditions;
pub mod document;
pub mod image_mirror;
pub mod image_notification;
pub mod image_policy;
pub mod image_receiver;
pub mod metadata;
pub mod mirrored_repository;
pub mod reason;
mod schema;
pub mod secret;
pub mod text;
pub mod time;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt as _;

pub use image_mirror::{
    AbsentPlatform, Attestations, ImageMirror, ImageMirrorSpec, ImageMirrorStatus, IndexMode,
    ReferrersMode, TagMutability,
};
pub use image_notification::{
    ImageNotification, ImageNotificationSpec, ImageNotificationStatus, MirrorSelection, NewsKind,
    NotificationType,
};
pub use image_policy::{ImagePolicy, ImagePolicySpec, ImagePolicyStatus};
pub use image_receiver::{ImageReceiver, ImageReceiverSpec, ImageReceiverStatus, SenderType};
pub use metadata::{LocalObjectReference, Metadata, ObjectName};
pub use mirrored_repository::{
    MirroredRepository, MirroredRepositorySpec, MirroredRepositoryStatus,
};
pub use reason::Reason;
pub use secret::Secret;

/// Group and version of the custom resources.
pub const API_VERSION: &str = "transship.dev/v1alpha1";

/// The definitions of the custom resources, as the API server takes them.
pub fn definitions() -> [CustomResourceDefinition; 5] {
    [
        ImageMirror::crd(),
        ImageNotification::crd(),
        ImagePolicy::crd(),
        ImageReceiver::crd(),
        MirroredRepository::crd(),
    ]
}
