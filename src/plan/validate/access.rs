// SPDX-License-Identifier: Apache-2.0

//! How a registry is reached.

use crate::api::image_mirror::Provider;
use crate::api::{LocalObjectReference, ObjectName};
use crate::oci::{CloudRegistry, Registry};
use crate::plan::fields::Fields;
use crate::plan::mirror::{Access, CloudIdentity};

/// How a registry is reached, as it is written.
pub(super) struct Written<'a> {
    pub(super) registry: &'a str,
    pub(super) provider: Provider,
    pub(super) service_account: Option<&'a ObjectName>,
    /// For credentials, certificates and a proxy.
    pub(super) secrets: [&'a Option<LocalObjectReference>; 3],
    pub(super) insecure: bool,
}

impl Written<'_> {
    /// The registry and the way to it.
    pub(super) fn accept(&self, path: &str, fields: &mut Fields) -> Option<(Registry, Access)> {
        let registry = accept_registry(path, self.registry, self.insecure, fields);
        let [secret, cert_secret, proxy_secret] = self
            .secrets
            .map(|reference| reference.as_ref().map(|reference| reference.name.clone()));
        let identity = self.accept_identity(path, registry.as_ref(), fields);
        let access = Access {
            secret,
            identity,
            cert_secret,
            proxy_secret,
            insecure: self.insecure,
        };
        Some((registry?, access))
    }

    fn accept_identity(
        &self,
        path: &str,
        registry: Option<&Registry>,
        fields: &mut Fields,
    ) -> Option<CloudIdentity> {
        let Self {
            provider,
            service_account,
            secrets: [secret, ..],
            insecure,
            ..
        } = self;
        if *provider == Provider::Generic {
            if service_account.is_some() {
                fields.refuse(
                    format!("{path}.serviceAccountName"),
                    "is only used with a provider: write provider: AWS, GCP, Azure or Quay",
                );
            }
            return None;
        }
        if secret.is_some() {
            fields.refuse(
                format!("{path}.secretRef"),
                "is only used with provider: Generic: remove one of them",
            );
        }
        if *insecure {
            fields.refuse(
                format!("{path}.insecure"),
                "is only used with provider: Generic: an identity is not sent in plain HTTP",
            );
        }
        let cloud = fields.accept(format!("{path}.provider"), cloud(*provider, registry?))?;
        Some(CloudIdentity {
            cloud,
            service_account: service_account.cloned(),
        })
    }
}

/// The registry of the cloud: what is given out for an identity goes nowhere else.
fn cloud(provider: Provider, registry: &Registry) -> Result<CloudRegistry, String> {
    let cloud = CloudRegistry::of(registry);
    let (is_fit, example) = match provider {
        Provider::Generic => (false, "any"),
        Provider::Aws => (
            matches!(
                cloud,
                Some(CloudRegistry::Ecr(_) | CloudRegistry::EcrPublic)
            ),
            "123456789012.dkr.ecr.eu-central-1.amazonaws.com or public.ecr.aws",
        ),
        Provider::Gcp => (
            matches!(cloud, Some(CloudRegistry::Google)),
            "europe-west3-docker.pkg.dev or gcr.io",
        ),
        Provider::Azure => (
            matches!(cloud, Some(CloudRegistry::Azure(_))),
            "example.azurecr.io",
        ),
        // Of most of them no name says it: the operator does, where the identity is.
        Provider::Quay if cloud.is_none() => return Ok(CloudRegistry::Quay),
        Provider::Quay => (matches!(cloud, Some(CloudRegistry::Quay)), "quay.io"),
    };
    cloud.filter(|_| is_fit).ok_or_else(|| {
        format!(
            "is {}, and {registry} is no registry of it, such as {example}: use provider: Generic with a secretRef",
            provider.as_str()
        )
    })
}

/// The registry of a source or destination, by the one name that it has.
fn accept_registry(
    path: &str,
    text: &str,
    insecure: bool,
    fields: &mut Fields,
) -> Option<Registry> {
    let registry: Registry = fields.accept(format!("{path}.registry"), text.parse())?;
    if !insecure {
        return Some(registry);
    }
    if Registry::is_https_port_named(text) {
        fields.refuse(
            format!("{path}.insecure"),
            format_args!(
                "{text:?} names the port of HTTPS, and insecure means plain HTTP: leave out one of the two"
            ),
        );
        return None;
    }
    Some(registry.in_plain_http())
}
