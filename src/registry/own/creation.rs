// SPDX-License-Identifier: Apache-2.0

//! What a repository is made like.

use std::collections::BTreeMap;

/// What a repository is made like.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Creation {
    /// Keys and values that it is found and billed by.
    pub tags: BTreeMap<String, String>,
    /// Whether its tags cannot be moved.
    pub immutable_tags: bool,
    /// Whether images are scanned when they are pushed.
    pub scan_on_push: bool,
    /// How its content is encrypted; the registry decides where nothing is said.
    pub encryption: Option<Encryption>,
    /// Rules by which the registry itself deletes images, as its API takes them.
    pub lifecycle_policy: Option<String>,
}

/// How the content of a repository is encrypted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encryption {
    /// The type, in the registry's words.
    pub kind: String,
    /// The key, where it is not the registry's own.
    pub key: Option<String>,
}
