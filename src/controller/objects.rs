// SPDX-License-Identifier: Apache-2.0

//! What the objects of a watch have in common.

use kube::core::DeserializeGuard;
use kube::{Api, Client};

use crate::api::ImageMirror;

/// An object as a watch delivers it: one that cannot be understood does not stop the others.
pub(super) type Guarded<K> = DeserializeGuard<K>;

/// Objects that are read at a time.
pub(super) const PAGE_SIZE: u32 = 500;

/// The kind of mirrors, in metrics.
pub(super) const MIRROR: &str = "ImageMirror";

/// The names of the policies that a mirror uses, for all of its images or for some.
pub(super) fn policy_names(mirror: &ImageMirror) -> impl Iterator<Item = &str> {
    let images = mirror.spec.images.iter();
    let references = mirror
        .spec
        .policy_refs
        .iter()
        .chain(images.flat_map(|image| &image.policy_refs));
    references.map(|reference| reference.name.as_str())
}

/// The generation of the spec; the API server always gives one.
pub(super) fn generation(object: &ImageMirror) -> i64 {
    object.metadata.generation.unwrap_or_default()
}

/// The objects of a namespace, or of all.
pub(super) fn api<K>(client: &Client, namespace: Option<&str>) -> Api<K>
where
    K: kube::Resource<DynamicType = (), Scope = kube::core::NamespaceResourceScope>,
{
    match namespace {
        Some(namespace) => Api::namespaced(client.clone(), namespace),
        None => Api::all(client.clone()),
    }
}
