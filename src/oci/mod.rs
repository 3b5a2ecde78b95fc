// SPDX-License-Identifier: Apache-2.0

//! The vocabulary of the distribution and image specifications: references, digests, platforms,
//! manifests. Everything that comes from a person or a registry is parsed into these types once;
//! nothing downstream takes a string. No I/O, no clock, no logging.

pub mod clouds;
pub mod config;
pub mod descriptor;
pub mod digest;
pub mod full_name;
pub(crate) mod json;
pub mod limits;
pub mod manifest;
pub mod media_type;
pub mod names;
pub mod platform;
pub mod reference;
mod runnable;
pub mod subset;

pub use clouds::CloudRegistry;
pub use config::ImageConfig;
pub use descriptor::Descriptor;
pub use digest::{Algorithm, Digest, Hasher};
pub use manifest::{Content, ImageIndex, ImageManifest, Manifest};
pub use media_type::MediaType;
pub use names::{Attachment, Registry, Repository, Tag};
pub use platform::Platform;
pub use reference::{Reference, TagOrDigest};
