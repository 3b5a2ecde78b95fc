// SPDX-License-Identifier: Apache-2.0

//! What the person who runs the program says about registries, besides what documents say.

use std::io;
use std::path::Path;
use std::sync::Arc;

use super::args::{Cloud, RegistryArgs};
use super::error::Error;
use crate::identity::{Environment, Identities, Who};
use crate::oci::Registry;
use crate::plan::gates::Size;
use crate::registry::{Credential, Keyring, Settings, check_authorities};
use crate::sync::reach::Reach;

/// How the program names itself to clouds.
const USER_AGENT: &str = concat!("transship/", env!("CARGO_PKG_VERSION"));

/// What holds for all registries of this run.
#[derive(Debug)]
pub(super) struct Trust {
    /// Who the person is in the clouds.
    pub(super) identities: Identities,
    /// The clouds whose registries are logged in to as that.
    clouds: Vec<Cloud>,
    /// Registries that are spoken to in plain HTTP.
    insecure: Vec<Registry>,
    /// Authorities that are trusted besides those of the system.
    ca_pem: Option<Vec<u8>>,
    trusted_realms: Vec<String>,
}

impl Trust {
    /// Takes the arguments, and reads the file that they name.
    pub(super) fn read(args: &RegistryArgs) -> Result<Self, Error> {
        let RegistryArgs {
            insecure,
            ca_file,
            trusted_realms,
            concurrency: _,
            rate: _,
            provider,
            timeout: _,
        } = args;
        let ca_pem = ca_file.as_deref().map(read_authorities).transpose()?;
        Ok(Self {
            identities: identities(ca_pem.as_deref())?,
            clouds: provider.clone(),
            insecure: insecure.clone(),
            ca_pem,
            trusted_realms: trusted_realms.iter().map(ToString::to_string).collect(),
        })
    }

    /// Who is asking where nothing is kept for a registry: nobody, or the identity of the shell or CI job where the
    /// person wants that. It is never used unasked: whoever names a registry would decide whom it is shown to.
    pub(super) fn ambient(&self, registry: &Registry) -> Credential {
        let cloud = self.identities.cloud_of(registry).filter(|cloud| {
            let mut wanted = self.clouds.iter();
            wanted.any(|wanted| wanted.has(cloud))
        });
        cloud.map_or(Credential::Anonymous, |cloud| {
            let issuer = self.identities.issuer(registry, &cloud, &Who::Process);
            Credential::Issued(issuer)
        })
    }

    /// Whether a registry is named, by itself or with all ports of its host.
    pub(super) fn is_insecure(&self, registry: &Registry) -> bool {
        let plain = registry.in_plain_http();
        let covers = |named: &Registry| {
            let is_host = named.port().is_none() && named.host() == registry.host();
            is_host || named.in_plain_http() == plain
        };
        self.insecure.iter().any(covers)
    }

    /// The settings for a registry, with what the Secrets of a mirror add.
    pub(super) fn settings(
        &self,
        registry: &Registry,
        reach: &Reach,
        credential: Credential,
        keyring: Option<Arc<dyn Keyring>>,
    ) -> Settings {
        let Reach {
            credentials: _,
            issuer: _,
            tls,
            proxy,
            insecure,
            creation,
        } = reach;
        Settings {
            credential,
            tls: tls.clone(),
            ca_pem: self.ca_pem.clone(),
            proxy: proxy.clone(),
            system_proxy: proxy.is_none(),
            insecure: *insecure || self.is_insecure(registry),
            trusted_realms: self.trusted_realms.clone(),
            keyring,
            creation: creation.clone(),
        }
    }
}

/// Who this process is in the clouds.
pub(super) fn identities(ca_pem: Option<&[u8]>) -> Result<Identities, Error> {
    let identities = Identities::new(USER_AGENT, ca_pem, Environment::of_process());
    identities.map_err(|error| Error::Usage(error.to_string()))
}

/// The number of bytes, as far as memory goes.
pub(super) fn bytes(size: &Size) -> usize {
    usize::try_from(size.bytes()).unwrap_or(usize::MAX)
}

/// The authorities in a file, which can be used.
pub(super) fn read_authorities(path: &Path) -> Result<Vec<u8>, Error> {
    let read = std::fs::read(path).and_then(|pem| {
        let checked = check_authorities(&pem);
        checked.map_err(|what| io::Error::other(format!("the CA certificates {what}")))?;
        Ok(pem)
    });
    read.map_err(|source| Error::CaFile {
        path: path.to_owned(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::Tls;

    #[test]
    fn documents_and_arguments_add_up() {
        let registry = |text: &str| text.parse::<Registry>().unwrap();
        let identities = Identities::new("test", None, Environment::default());
        let trust = Trust {
            identities: identities.unwrap(),
            clouds: vec![Cloud::Aws],
            insecure: vec![registry("localhost:5000"), registry("b.test")],
            ca_pem: Some(b"mine".to_vec()),
            trusted_realms: vec!["auth.example.com".to_owned()],
        };
        let reach = Reach {
            tls: Tls {
                ca_pem: Some(b"theirs".to_vec()),
                identity_pem: None,
            },
            ..Reach::default()
        };
        let settings =
            |host: &str, reach| trust.settings(&registry(host), reach, Credential::Anonymous, None);
        let both = settings("a.test", &reach);
        assert_eq!(both.tls.ca_pem.unwrap(), b"theirs");
        assert_eq!(both.ca_pem.unwrap(), b"mine");
        let plain = Reach::default();
        assert_eq!(settings("a.test", &plain).ca_pem.unwrap(), b"mine");
        assert!(settings("localhost:5000", &plain).insecure);
        assert!(!settings("localhost:5001", &plain).insecure);
        assert!(!settings("a.test", &plain).insecure);
        assert!(settings("b.test:5000", &plain).insecure);
        assert!(settings("b.test", &plain).insecure);
        assert!(!settings("x.b.test", &plain).insecure);
        let is_issued =
            |host: &str| matches!(trust.ambient(&registry(host)), Credential::Issued(_));
        assert!(is_issued("public.ecr.aws"));
        assert!(!is_issued("gcr.io"));
        assert!(!is_issued("a.test"));
    }
}
