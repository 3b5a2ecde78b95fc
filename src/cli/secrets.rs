//! The Secrets among the documents.

use crate::api::document::{Document, Resource};
use crate::api::{ObjectName, Secret};
use crate::sync::secrets::FindSecret;

/// The Secrets of one namespace among the documents.
#[derive(Debug)]
pub(super) struct Secrets<'a> {
    documents: &'a [Document],
    namespace: &'a str,
}

/// A Secret that a mirror names and no document has.
#[derive(Debug, thiserror::Error)]
#[error(
    "secret {name:?} of namespace {namespace:?} is not among the documents: add its file with -f, \
     or fetch it with `kubectl get secret {name} -n {namespace} -o yaml`"
)]
pub(super) struct MissingSecret {
    namespace: String,
    name: String,
}

impl<'a> Secrets<'a> {
    /// The Secrets of a namespace.
    pub(super) fn of(documents: &'a [Document], namespace: &'a str) -> Self {
        Self {
            documents,
            namespace,
        }
    }
}

impl FindSecret for Secrets<'_> {
    type Error = MissingSecret;

    fn find(&self, name: &ObjectName) -> Result<&Secret, MissingSecret> {
        let mut secrets = self
            .documents
            .iter()
            .filter_map(|document| match &document.resource {
                Resource::Secret(secret) => Some(&**secret),
                Resource::ImageMirror(_) | Resource::ImagePolicy(_) => None,
            });
        secrets
            .find(|Secret { metadata, .. }| {
                metadata.namespace == self.namespace && metadata.name == *name
            })
            .ok_or_else(|| MissingSecret {
                namespace: self.namespace.to_owned(),
                name: name.to_string(),
            })
    }
}
