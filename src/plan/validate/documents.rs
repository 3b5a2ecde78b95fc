// SPDX-License-Identifier: Apache-2.0

//! Mirrors as tests write them.

use super::validate;
use crate::api::ImagePolicy;
use crate::api::document::{self, Resource};
use crate::plan::{InvalidField, Mirror};

/// The one mirror among the documents of a file, which is valid with the policies among them.
pub(crate) fn mirror(text: &str) -> Mirror {
    validated(text).unwrap()
}

/// Validates the one mirror among the documents of a file.
pub(super) fn validated(text: &str) -> Result<Mirror, Vec<InvalidField>> {
    let mut mirrors = Vec::new();
    let mut policies = Vec::new();
    for document in document::parse(text, "f.yaml").unwrap().documents {
        match document.resource {
            Resource::ImageMirror(mirror) => mirrors.push(mirror),
            Resource::ImagePolicy(policy) => policies.push(policy),
            Resource::MirroredRepository(_) | Resource::Secret(_) => {}
        }
    }
    let policies: Vec<&ImagePolicy> = policies.iter().map(AsRef::as_ref).collect();
    validate(mirrors.first().expect("a mirror"), &policies)
}
