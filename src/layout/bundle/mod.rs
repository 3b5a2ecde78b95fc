// SPDX-License-Identifier: Apache-2.0

//! Bundles: the images of mirrors in one archive, to be carried to a place without a network.
//!
//! ```text
//! oci-layout                    an image layout, as skopeo, crane and oras read it
//! index.json                    every image under its name at the destination, and the manifest of the bundle
//! blobs/sha256/…                that manifest, with the bundle's index as its layer, and perhaps a signature of that
//! blobs/sha256/…                the manifests of the images, then their configs and layers
//! ```
//!
//! The index names everything by digest: what came from which mirror, and what is left out because an earlier bundle
//! brings it.

mod check;
mod contents;
mod gather;
mod index;
mod leftovers;
mod open;
mod sound;
mod write;

pub use self::check::BundleCheck;
pub use self::gather::StagedRepository;
pub use self::index::{
    BundleIndex, BundleSignature, BundledBlob, BundledEntry, BundledManifest, BundledOrigin,
    BundledRepository,
};
pub use self::leftovers::keep_blobs;
pub use self::open::{BundleFile, ViewedImage, read_index};
pub use self::write::{BundlePlan, GatheredBundle};
