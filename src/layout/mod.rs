//! A directory tree of OCI image layouts, one for each repository.
//!
//! ```text
//! DIR/library/alpine/oci-layout
//! DIR/library/alpine/index.json
//! DIR/library/alpine/blobs/sha256/…
//! ```
//!
//! This is how images cross a gap without a registry, and how they are tried without one. Each
//! layout is what skopeo, crane and oras read and write, so the tree is no format of our own.

mod error;
mod tree;

pub use error::{Error, Kind};
pub use tree::{BlobBody, Layout, Resolved};
