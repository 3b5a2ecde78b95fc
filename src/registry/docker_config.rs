//! The file in which `docker login` keeps credentials, and `kubernetes.io/dockerconfigjson` Secrets do too.
//!
//! Reading it is pure: neither files nor credential helpers are touched here. No message contains
//! anything of the file but the name of a host.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::auth::{Credential, is_token};
use crate::oci::{Registry, Repository};

#[cfg(test)]
mod tests;

/// Largest file, in bytes.
const BYTES: usize = 1024 * 1024;
/// Most hosts in one file.
const HOSTS: usize = 500;
/// Base64 as people write it, with or without the padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

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
    #[error("has {0} bytes, at most {BYTES} are read")]
    TooLarge(usize),
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

/// What is wrong with a credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CredentialFault {
    /// The field `auth` cannot be decoded.
    #[error("is not base64 of a text (field `auth`)")]
    NotBase64,
    /// The field `auth` has no colon.
    #[error("has no colon between user name and password (field `auth`)")]
    NoColon,
    /// The field `registrytoken` has characters that no token may have.
    #[error("is no token (field `registrytoken`)")]
    NotAToken,
}

/// What a credential is for: a registry or several, and the repositories below a path.
#[derive(Debug)]
struct Key {
    text: String,
    host: Host,
    /// No slashes at the ends; empty means every repository.
    path: String,
}

#[derive(Debug)]
enum Host {
    Registry(Registry),
    /// With `*` in labels, as the kubelet understands it.
    Pattern(String),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct File {
    auths: Option<BTreeMap<String, Entry>>,
    cred_helpers: Option<BTreeMap<String, String>>,
    creds_store: Option<String>,
}

#[derive(Deserialize)]
struct Entry {
    auth: Option<SecretString>,
    username: Option<String>,
    password: Option<SecretString>,
    identitytoken: Option<SecretString>,
    registrytoken: Option<SecretString>,
}

// === impl DockerConfig ===

impl DockerConfig {
    /// Reads a config. A broken credential counts only where it is wanted.
    pub fn parse(json: &[u8]) -> Result<Self, ConfigError> {
        if json.len() > BYTES {
            return Err(ConfigError::TooLarge(json.len()));
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
            .find(|(key, _)| key.path.is_empty() && key.host.matches(registry))
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

// === impl Key ===

impl Key {
    /// Reads `host`, `host/path` or a URL, which may end in the version of the API.
    fn parse(text: String) -> Option<Self> {
        let rest = text
            .split_once("://")
            .map_or(text.as_str(), |(_, rest)| rest);
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        let path = path.trim_matches('/');
        let path = match path.split_once('/') {
            Some(("v1" | "v2", path)) => path,
            None if matches!(path, "v1" | "v2") => "",
            Some(_) | None => path,
        };
        Some(Self {
            host: Host::parse(host)?,
            path: path.to_owned(),
            text,
        })
    }

    fn matches(&self, registry: &Registry, repository: &Repository) -> bool {
        let behind_path = repository.as_str().strip_prefix(self.path.as_str());
        let is_below = self.path.is_empty()
            || behind_path.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        is_below && self.host.matches(registry)
    }

    /// Whose credential counts of those that match.
    fn rank(&self) -> (usize, bool, usize) {
        let is_exact = matches!(self.host, Host::Registry(_));
        (self.path.len(), is_exact, self.text.len())
    }
}

// === impl Host ===

impl Host {
    fn parse(text: &str) -> Option<Self> {
        if text.contains('*') {
            return Some(Self::Pattern(text.to_ascii_lowercase()));
        }
        text.parse().ok().map(Self::Registry)
    }

    fn matches(&self, registry: &Registry) -> bool {
        match self {
            Self::Registry(own) => own == registry,
            Self::Pattern(pattern) => [registry.as_str(), registry.api_host()]
                .into_iter()
                .any(|host| host_matches(pattern, host)),
        }
    }
}

/// Whether the ports are equal and each label of the host matches.
fn host_matches(pattern: &str, host: &str) -> bool {
    let split = |text: &str| match text.rsplit_once(':') {
        Some((host, port)) => (host.to_owned(), port.to_owned()),
        None => (text.to_owned(), String::new()),
    };
    let ((pattern, pattern_port), (host, port)) = (split(pattern), split(host));
    let (patterns, labels) = (pattern.split('.'), host.split('.'));
    pattern_port == port
        && patterns.clone().count() == labels.clone().count()
        && patterns
            .zip(labels)
            .all(|(pattern, label)| label_matches(pattern, label))
}

/// Whether a label matches a pattern in which `*` stands for any text.
fn label_matches(pattern: &str, label: &str) -> bool {
    let Some((first, others)) = pattern.split_once('*') else {
        return pattern == label;
    };
    let Some(mut rest) = label.strip_prefix(first) else {
        return false;
    };
    let mut parts: Vec<&str> = others.split('*').collect();
    let last = parts.pop().unwrap_or_default();
    for part in parts {
        match rest.split_once(part) {
            Some((_, behind)) => rest = behind,
            None => return false,
        }
    }
    rest.ends_with(last)
}

// === impl Entry ===

impl Entry {
    fn is_empty(&self) -> bool {
        let Self {
            auth,
            username,
            password,
            identitytoken,
            registrytoken,
        } = self;
        let secrets = [auth, password, identitytoken, registrytoken];
        secrets
            .into_iter()
            .all(|secret| non_empty(secret).is_none())
            && username.as_ref().is_none_or(String::is_empty)
    }

    /// A token comes before a password, and `auth` before the fields that say the same.
    fn credential(&self) -> Result<Credential, CredentialFault> {
        if let Some(token) = non_empty(&self.registrytoken) {
            return match is_token(token.expose_secret()) {
                true => Ok(Credential::RegistryToken(token.clone())),
                false => Err(CredentialFault::NotAToken),
            };
        }
        let (username, password) = match non_empty(&self.auth) {
            Some(auth) => decode(auth)?,
            None => (
                self.username.clone().unwrap_or_default(),
                self.password.clone().unwrap_or_default(),
            ),
        };
        if let Some(token) = non_empty(&self.identitytoken) {
            return Ok(Credential::IdentityToken {
                username,
                token: token.clone(),
            });
        }
        Ok(Credential::from_password(username, password))
    }
}

fn non_empty(secret: &Option<SecretString>) -> Option<&SecretString> {
    secret
        .as_ref()
        .filter(|secret| !secret.expose_secret().is_empty())
}

/// User name and password. The latter may contain colons, and old files end in zero bytes.
fn decode(auth: &SecretString) -> Result<(String, SecretString), CredentialFault> {
    let bytes = BASE64
        .decode(auth.expose_secret().trim())
        .map_err(|_| CredentialFault::NotBase64)?;
    let pair = String::from_utf8(bytes)
        .map(SecretString::from)
        .map_err(|_| CredentialFault::NotBase64)?;
    let (username, password) = pair
        .expose_secret()
        .split_once(':')
        .ok_or(CredentialFault::NoColon)?;
    Ok((username.to_owned(), password.trim_end_matches('\0').into()))
}

impl fmt::Debug for Entry {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Entry")
    }
}
