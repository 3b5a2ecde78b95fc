// SPDX-License-Identifier: Apache-2.0

//! The file in which `docker login` keeps credentials, and `kubernetes.io/dockerconfigjson` Secrets do too.
//!
//! Reading it is pure: neither files nor credential helpers are touched here. No message contains
//! anything of the file but the name of a host.

use std::collections::BTreeMap;

use super::auth::Credential;
use crate::oci::{Digest, Registry, Repository};

mod entry;
mod fields;
mod file;
mod key;
#[cfg(test)]
mod tests;

pub use entry::CredentialFault;
use entry::Entry;
use file::File;
use key::Key;

/// Largest file, in bytes.
pub const BYTES: usize = 1024 * 1024;
/// Most hosts in one file.
const HOSTS: usize = 500;

/// The credentials of a Docker config, and the names of the programs that know more.
#[derive(Debug)]
pub struct DockerConfig {
    credentials: Vec<(Key, Entry)>,
    /// No name means that there is no helper, not even the one for all registries.
    helpers: Vec<(Key, String)>,
    store: Option<String>,
    digest: Digest,
}

/// Why a Docker config cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// It is too large.
    #[error("has more than {BYTES} bytes")]
    TooLarge,
    /// It is not JSON of the right form.
    #[error("is not the JSON of a Docker config: see line {line}, column {column}")]
    NotAConfig {
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
    },
    /// It names too many hosts.
    #[error("names {0} hosts, at most {HOSTS} are read")]
    TooManyHosts(usize),
    /// The credential of one host is broken.
    #[error("has a credential for {host:?} that {fault}: log in again or repair it")]
    BadCredential {
        /// The host as it is written there.
        host: String,
        /// What is wrong with the credential.
        fault: CredentialFault,
    },
}

// === impl DockerConfig ===

impl DockerConfig {
    /// Reads a config. A broken credential counts only where it is wanted.
    pub fn parse(json: &[u8]) -> Result<Self, ConfigError> {
        if json.len() > BYTES {
            return Err(ConfigError::TooLarge);
        }
        let file: File = File::parse(json).map_err(|error| ConfigError::NotAConfig {
            line: error.line(),
            column: error.column(),
        })?;
        let File {
            auths,
            cred_helpers,
            creds_store,
        } = file;
        Ok(Self {
            credentials: by_key(auths)?,
            helpers: by_key(cred_helpers)?,
            store: Some(creds_store).filter(|name| !name.is_empty()),
            digest: Digest::sha256(json),
        })
    }

    /// The credential for a repository, or for a registry as a whole: the one with the longest path,
    /// written for the host rather than for a pattern. Entries without a credential, which credential helpers leave behind, do not count.
    pub fn credential(
        &self,
        registry: &Registry,
        repository: Option<&Repository>,
    ) -> Result<Option<Credential>, ConfigError> {
        self.credentials
            .iter()
            .filter(|(key, entry)| key.matches(registry, repository) && !entry.is_empty())
            .max_by_key(|(key, _)| key.rank())
            .map(|(key, entry)| {
                entry
                    .credential()
                    .map_err(|fault| ConfigError::BadCredential {
                        host: key.text.clone(),
                        fault,
                    })
            })
            .transpose()
    }

    /// Whether there are credentials for others than a registry.
    pub fn has_others(&self, registry: &Registry) -> bool {
        let mut entries = self.credentials.iter();
        entries.any(|(key, entry)| !key.is_of(registry) && !entry.is_empty())
    }

    /// The name of the credential helper for this registry alone (`credHelpers`). It comes before
    /// the credentials in the file.
    pub fn helper(&self, registry: &Registry) -> Option<&str> {
        self.helper_entry(registry).filter(|name| !name.is_empty())
    }

    /// The name of the credential helper for all registries (`credsStore`), but for one of which `credHelpers`
    /// says that it has none. It comes after the credentials in the file.
    pub fn store(&self, registry: &Registry) -> Option<&str> {
        let has_none = self.helper_entry(registry) == Some("");
        self.store.as_deref().filter(|_| !has_none)
    }

    fn helper_entry(&self, registry: &Registry) -> Option<&str> {
        self.helpers
            .iter()
            .find(|(key, _)| key.is_registry(registry))
            .map(|(_, name)| name.as_str())
    }

    /// A digest of the whole file. It is not to be shown: passwords could be guessed from it.
    pub fn fingerprint(&self) -> Digest {
        self.digest.clone()
    }
}

/// The entries with keys that name a host; other programs keep other things there.
fn by_key<T>(entries: BTreeMap<String, T>) -> Result<Vec<(Key, T)>, ConfigError> {
    if entries.len() > HOSTS {
        return Err(ConfigError::TooManyHosts(entries.len()));
    }
    Ok(entries
        .into_iter()
        .filter_map(|(text, entry)| Some((Key::parse(text)?, entry)))
        .collect())
}
