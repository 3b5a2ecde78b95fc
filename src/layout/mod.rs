// SPDX-License-Identifier: Apache-2.0

//! A directory tree of OCI image layouts, one for each repository.
//!
//! ```text
//! DIR/library/alpine/oci-layout     version, and the lock for writers
//! DIR/library/alpine/index.json     tags and other roots
//! DIR/library/alpine/blobs/sha256/  manifests, configs, layers
//! ```
//!
//! This is how images cross a gap without a registry, and how they are tried without one. Each
//! layout is what skopeo, crane and oras read and write, so the tree is no format of our own.

mod archive;
mod blobs;
mod blocking;
mod bundle;
mod error;
mod files;
pub mod fuzzing;
mod index;
mod listed;
mod marker;
mod pack;
mod publish;
mod remove;
mod store;
mod tree;
mod walk;

pub use archive::{ArchiveForm, Format, Packed};
pub use blobs::BlobBody;
pub use bundle::{
    BundleCheck, BundleFile, BundleIndex, BundlePlan, BundleSignature, BundledBlob, BundledEntry,
    BundledManifest, BundledOrigin, BundledRepository, GatheredBundle, StagedRepository,
    ViewedImage, keep_blobs, read_index,
};
pub use error::{Action, Error, Kind};
pub use listed::Listed;
pub use remove::Deletion;
pub use store::Resolved;
pub use tree::Layout;

#[cfg(test)]
mod tests;
