//! The file in which `docker login` keeps credentials, and `kubernetes.io/dockerconfigjson` Secrets do too.
//!
//! Reading it is pure: neither files nor credential helpers are touched here. No message contains
//! anything of the file but the name of a host.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::auth::Credential;
use crate::oci::{Registry, Repository};

mod entry;
mod key;
#[cfg(test)]
mod tests;

pub use entry::CredentialFault;
use entry::Entry;
use key::Key;

/// Largest file, in bytes.
pub const BYTES: usize = 1024 * 1024;
/// Most hosts in one file.
const HOSTS: usize = 500;

/// The credentials of a Docker config, and the names of the programs that know more.
#[derive(Debug, Default)]
pub struct DockerConfig {
    credentials: Vec<(Key, Entry)>,
    helpers: Vec<(Key, String)>,
    store: Option<String>,
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

/// The file as it is written.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct File {
    auths: Option<BTreeMap<String, Entry>>,
    cred_helpers: Option<BTreeMap<String, String>>,
    creds_store: Option<String>,
}

// === impl DockerConfig ===

impl DockerConfig {
    /// Reads a config. A broken credential counts only where it is wanted.
    pub fn parse(json: &[u8]) -> Result<Self, ConfigError> {
        if json.len() > BYTES {
            return Err(ConfigError::TooLarge);
        }
        let file: File = serde_json::from_slice(json).map_err(|error| ConfigError::NotAConfig {
            line: error.line(),
            column: error.column(),
        })?;
        let File {
            auths,
            cred_helpers,
            creds_store,
        } = file;
        Ok(Self {
            credentials: by_key(auths.unwrap_or_default())?,
            helpers: by_key(cred_helpers.unwrap_or_default())?,
            store: creds_store.filter(|name| !name.is_empty()),
        })
    }

    /// The credential for a repository: the one with the longest path, written for the host rather
    /// than for a pattern. Entries without a credential, which credential helpers leave behind, do not count.
    pub fn credential(
        &self,
        registry: &Registry,
        repository: &Repository,
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

    /// The name of the credential helper for this registry alone (`credHelpers`). It comes before
    /// the credentials in the file.
    pub fn helper(&self, registry: &Registry) -> Option<&str> {
        self.helpers
            .iter()
            .find(|(key, _)| key.is_registry(registry))
            .map(|(_, name)| name.as_str())
    }

    /// The name of the credential helper for all registries (`credsStore`). It comes after the
    /// credentials in the file.
    pub fn store(&self) -> Option<&str> {
        self.store.as_deref()
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
