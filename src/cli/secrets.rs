// SPDX-License-Identifier: Apache-2.0

//! The Secrets among the documents, and who the person who runs the program is in the clouds.

use std::sync::Arc;

use tracing::info;

use crate::api::document::{Document, Resource};
use crate::api::{ObjectName, Secret};
use crate::identity::{Identities, Who};
use crate::oci::Registry;
use crate::plan::CloudIdentity;
use crate::registry::Issuer;
use crate::sync::secrets::FindSecret;

/// The Secrets of one namespace among the documents.
#[derive(Debug)]
pub(super) struct Secrets<'a> {
    documents: &'a [Document],
    namespace: &'a str,
    identities: &'a Identities,
}

/// A Secret that a mirror names and no document has.
#[derive(Debug, thiserror::Error)]
pub(super) enum MissingSecret {
    /// None has its name.
    #[error(
        "secret {name:?} of namespace {namespace:?} is not among the documents: add its file with -f, \
         or fetch it with `kubectl get secret {name} -n {namespace} -o yaml`"
    )]
    Nowhere { namespace: String, name: String },
    /// One of another namespace has its name.
    #[error(
        "secret {name:?} of namespace {namespace:?} is not among the documents, and that of namespace {found:?} is \
         not meant: a mirror names Secrets of its own namespace"
    )]
    Elsewhere {
        namespace: String,
        name: String,
        found: String,
    },
}

impl<'a> Secrets<'a> {
    /// The Secrets of a namespace.
    pub(super) fn of(
        documents: &'a [Document],
        namespace: &'a str,
        identities: &'a Identities,
    ) -> Self {
        Self {
            documents,
            namespace,
            identities,
        }
    }
}

impl FindSecret for Secrets<'_> {
    type Error = MissingSecret;

    fn find(&self, name: &ObjectName) -> Result<&Secret, MissingSecret> {
        let secrets = self.documents.iter();
        let secrets = secrets.filter_map(|document| match &document.resource {
            Resource::Secret(secret) => Some(&**secret),
            Resource::ImageMirror(_)
            | Resource::ImagePolicy(_)
            | Resource::MirroredRepository(_) => None,
        });
        let mut elsewhere = None;
        for secret in secrets.filter(|secret| secret.metadata.name == *name) {
            if secret.metadata.namespace == self.namespace {
                return Ok(secret);
            }
            elsewhere.get_or_insert(&secret.metadata.namespace);
        }
        let (namespace, name) = (self.namespace.to_owned(), name.to_string());
        Err(match elsewhere {
            Some(found) => MissingSecret::Elsewhere {
                namespace,
                name,
                found: found.clone(),
            },
            None => MissingSecret::Nowhere { namespace, name },
        })
    }

    /// Without a cluster there are no ServiceAccounts: the shell or CI job is who it is.
    fn issuer(
        &self,
        registry: &Registry,
        identity: &CloudIdentity,
    ) -> Result<Arc<dyn Issuer>, MissingSecret> {
        if let Some(account) = &identity.service_account {
            info!(
                "{registry} is logged in to with the identity of this shell or job in place of service account {account}"
            );
        }
        let identities = self.identities;
        Ok(identities.issuer(registry, &identity.cloud, &Who::Process))
    }
}
