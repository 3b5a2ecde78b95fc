//! What the person who runs the program says about registries, besides what documents say.

use super::args::RegistryArgs;
use super::error::Error;
use crate::oci::Registry;
use crate::registry::{Credential, Settings, Tls};
use crate::sync::reach::Reach;

/// What holds for all registries of this run.
#[derive(Debug, Default)]
pub(super) struct Trust {
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
        } = args;
        let read = |path: &std::path::PathBuf| {
            std::fs::read(path).map_err(|source| Error::CaFile {
                path: path.clone(),
                source,
            })
        };
        Ok(Self {
            insecure: insecure.clone(),
            ca_pem: ca_file.as_ref().map(read).transpose()?,
            trusted_realms: trusted_realms.iter().map(ToString::to_string).collect(),
        })
    }

    /// The settings for a registry, with what the Secrets of a mirror add.
    pub(super) fn settings(
        &self,
        registry: &Registry,
        reach: &Reach,
        credential: Credential,
    ) -> Settings {
        let Reach {
            credentials: _,
            tls,
            proxy,
            insecure,
        } = reach;
        Settings {
            credential,
            tls: Tls {
                ca_pem: join(tls.ca_pem.as_deref(), self.ca_pem.as_deref()),
                identity_pem: tls.identity_pem.clone(),
            },
            proxy: proxy.clone(),
            system_proxy: proxy.is_none(),
            insecure: *insecure || self.insecure.contains(registry),
            trusted_realms: self.trusted_realms.clone(),
        }
    }
}

/// The certificates of both.
fn join(left: Option<&[u8]>, right: Option<&[u8]>) -> Option<Vec<u8>> {
    match (left, right) {
        (Some(left), Some(right)) => Some([left, right].join(&b'\n')),
        (left, right) => left.or(right).map(<[u8]>::to_vec),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_and_arguments_add_up() {
        let registry = |text: &str| text.parse::<Registry>().unwrap();
        let trust = Trust {
            insecure: vec![registry("localhost:5000")],
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
            |host: &str, reach| trust.settings(&registry(host), reach, Credential::Anonymous);
        assert_eq!(
            settings("a.test", &reach).tls.ca_pem.unwrap(),
            b"theirs\nmine"
        );
        let plain = Reach::default();
        assert_eq!(settings("a.test", &plain).tls.ca_pem.unwrap(), b"mine");
        assert!(settings("localhost:5000", &plain).insecure);
        assert!(!settings("a.test", &plain).insecure);
    }
}
