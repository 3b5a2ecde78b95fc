// SPDX-License-Identifier: Apache-2.0

//! The credentials of the person at the command line: what `docker login` and `podman login` left
//! behind just works.
//!
//! Credential helpers are programs. They are run here and nowhere else: never by the controller,
//! where the registry is named by someone else than the owner of the credentials.

use std::collections::HashMap;
use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use secrecy::{ExposeSecret, SecretSlice, SecretString};
use tokio::fs::File;
use tokio::io::AsyncReadExt as _;
use tokio::sync::Mutex;
use tracing::warn;

use self::helper::{Helper, HelperError};
pub use self::locations::{Locations, Place};
use crate::oci::{Digest, Registry, Repository};
use crate::registry::docker_config::{self, ConfigError, DockerConfig};
use crate::registry::{Credential, Keyring};

mod helper;
mod locations;
#[cfg(test)]
mod tests;

/// How long the answer of a helper is used. What helpers give out lives for an hour and more.
const ANSWER_AGE: Duration = Duration::from_secs(5 * 60);

/// The credentials in the files, and those that helpers give out.
#[derive(Debug, Default)]
pub struct Credentials {
    configs: Vec<(Place, DockerConfig)>,
    search_path: Option<OsString>,
    /// By helper and registry. A round asks for every tag, and every helper is a process.
    answers: Mutex<HashMap<(String, Registry), (Instant, Answer)>>,
}

/// What a helper said.
type Answer = Result<Option<Credential>, Arc<HelperError>>;

/// Why no credential could be had. That there is none is not an error.
#[derive(Debug, thiserror::Error)]
pub enum CredentialError {
    /// A file cannot be read.
    #[error("cannot read the credentials in {place}: {source}")]
    Read {
        /// The file.
        place: Place,
        /// Why.
        source: io::Error,
    },
    /// A file or one of its credentials is broken.
    #[error("{place} {source}")]
    Config {
        /// The file.
        place: Place,
        /// What is wrong.
        source: ConfigError,
    },
    /// A credential helper gives no answer.
    #[error("docker-credential-{name}, which {place} names for {registry}, {source}")]
    Helper {
        /// The name of the helper, as it is written in the file.
        name: String,
        /// The file that names it.
        place: Place,
        /// The registry that it was asked for.
        registry: Registry,
        /// What is wrong.
        source: Arc<HelperError>,
    },
}

// === impl Credentials ===

impl Credentials {
    /// Reads the places. Only a file that was named may not be missing.
    pub async fn load(locations: &Locations) -> Result<Self, CredentialError> {
        let mut configs = Vec::new();
        for place in locations.places() {
            let json = match &place {
                Place::Variable => Ok(locations.auth_config()),
                Place::File(path) => read(path).await,
            };
            let is_required = locations.registry_auth_file.is_some();
            match json {
                Ok(json) if json.expose_secret().trim_ascii().is_empty() => {}
                Ok(json) => match DockerConfig::parse(json.expose_secret()) {
                    Ok(config) => configs.push((place, config)),
                    Err(source) => return Err(CredentialError::Config { place, source }),
                },
                Err(error) if error.kind() == io::ErrorKind::NotFound && !is_required => {}
                Err(source) => return Err(CredentialError::Read { place, source }),
            }
        }
        Ok(Self {
            configs,
            search_path: locations.search_path.clone(),
            answers: Mutex::default(),
        })
    }

    /// The credential for a repository, or for a registry as a whole; [`Credential::Anonymous`] where there is none.
    ///
    /// In each file the helper for the registry comes first, then what the file itself contains,
    /// then the helper for all registries. Helpers are run again after some minutes: what they
    /// give out may be short-lived. One that is not installed has nothing: what is public needs no credential.
    pub async fn find(
        &self,
        registry: &Registry,
        repository: Option<&Repository>,
    ) -> Result<Credential, CredentialError> {
        for (place, config) in &self.configs {
            let written = || {
                let place = place.clone();
                config
                    .credential(registry, repository)
                    .map_err(|source| CredentialError::Config { place, source })
            };
            if let Some(credential) = self.ask(config.helper(registry), place, registry).await? {
                return Ok(credential);
            }
            if let Some(credential) = written()? {
                return Ok(credential);
            }
            if let Some(credential) = self.ask(config.store(registry), place, registry).await? {
                return Ok(credential);
            }
        }
        Ok(Credential::Anonymous)
    }

    async fn ask(
        &self,
        name: Option<&str>,
        place: &Place,
        registry: &Registry,
    ) -> Result<Option<Credential>, CredentialError> {
        let Some(name) = name else {
            return Ok(None);
        };
        let answer = self.answer(name, place, registry).await;
        answer.map_err(|source| CredentialError::Helper {
            name: name.escape_debug().to_string(),
            place: place.clone(),
            registry: registry.clone(),
            source,
        })
    }

    /// What a helper said lately, or says now. Whoever asks meanwhile waits for that.
    async fn answer(&self, name: &str, place: &Place, registry: &Registry) -> Answer {
        let mut answers = self.answers.lock().await;
        let key = (name.to_owned(), registry.clone());
        if let Some((when, answer)) = answers.get(&key)
            && when.elapsed() < ANSWER_AGE
        {
            return answer.clone();
        }
        let helper = Helper {
            name,
            search_path: self.search_path.as_deref(),
        };
        let answer = match helper.get(registry).await {
            Err(HelperError::NotInstalled) => {
                warn!(
                    "docker-credential-{name}, which {place} names, is not installed: {registry} is asked without \
                     what it may have for it. Install it, or remove it from there"
                );
                Ok(None)
            }
            answer => answer.map_err(Arc::new),
        };
        answers.insert(key, (Instant::now(), answer.clone()));
        answer
    }
}

impl Keyring for Credentials {
    fn find<'a>(
        &'a self,
        registry: &'a Registry,
        repository: &'a Repository,
    ) -> BoxFuture<'a, Credential> {
        Box::pin(async move {
            let found = Self::find(self, registry, Some(repository)).await;
            found.unwrap_or_else(|error| {
                warn!("{registry} is asked as nobody: {error}");
                Credential::Anonymous
            })
        })
    }

    /// There is one person in a process.
    fn fingerprint(&self) -> Digest {
        Digest::sha256(b"the credentials of the person who runs the program")
    }
}

/// Gives a helper a credential to keep.
pub(super) async fn helper_store(
    name: &str,
    server: &str,
    username: &str,
    password: &SecretString,
) -> Result<(), HelperError> {
    let helper = Helper {
        name,
        search_path: None,
    };
    helper.store(server, username, password).await
}

/// Lets a helper forget a credential, and says whether it had one.
pub(super) async fn helper_erase(name: &str, server: &str) -> Result<bool, HelperError> {
    let helper = Helper {
        name,
        search_path: None,
    };
    helper.erase(server).await
}

/// A file, as far as a config may be long and one byte more.
async fn read(path: &Path) -> io::Result<SecretSlice<u8>> {
    let file = File::open(path).await?;
    let mut json = Vec::new();
    let longest = docker_config::BYTES as u64 + 1;
    file.take(longest).read_to_end(&mut json).await?;
    Ok(json.into())
}
