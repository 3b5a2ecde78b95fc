//! The credentials of the person at the command line: what `docker login` and `podman login` left
//! behind just works.
//!
//! Credential helpers are programs. They are run here and nowhere else: never by the controller,
//! where the registry is named by someone else than the owner of the credentials.

use std::collections::HashMap;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::fs::File;
use tokio::io::AsyncReadExt as _;
use tokio::sync::Mutex;

use self::helper::{Helper, HelperError};
use crate::oci::{Registry, Repository};
use crate::registry::Credential;
use crate::registry::docker_config::{self, ConfigError, DockerConfig};

mod helper;
#[cfg(test)]
mod tests;

/// How long the answer of a helper is used. What helpers give out lives for an hour and more.
const ANSWER_AGE: Duration = Duration::from_secs(5 * 60);

/// Where credentials are looked for.
#[derive(Clone, Debug, Default)]
pub struct Locations {
    /// The only file to read, where it is named (`REGISTRY_AUTH_FILE`).
    pub registry_auth_file: Option<PathBuf>,
    /// The directory of `config.json` (`DOCKER_CONFIG`); else `.docker` in the home directory.
    pub docker_config: Option<PathBuf>,
    /// The home directory.
    pub home: Option<PathBuf>,
    /// The directory of `containers/auth.json` (`XDG_RUNTIME_DIR`).
    pub runtime_directory: Option<PathBuf>,
    /// Where credential helpers are looked for; else in `PATH`.
    pub search_path: Option<OsString>,
}

/// The credentials in the files, and those that helpers give out.
#[derive(Debug, Default)]
pub struct Credentials {
    files: Vec<(PathBuf, DockerConfig)>,
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
    #[error("cannot read the credentials in {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file or one of its credentials is broken.
    #[error("{} {source}", path.display())]
    Config {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: ConfigError,
    },
    /// A credential helper gives no answer.
    #[error("docker-credential-{name}, which {} names for {registry}, {source}", path.display())]
    Helper {
        /// The name of the helper, as it is written in the file.
        name: String,
        /// The file that names it.
        path: PathBuf,
        /// The registry that it was asked for.
        registry: Registry,
        /// What is wrong.
        source: Arc<HelperError>,
    },
}

// === impl Locations ===

impl Locations {
    /// The locations of Docker and Podman, by the environment of the process.
    pub fn from_environment() -> Self {
        let directory = |name| {
            std::env::var_os(name)
                .filter(|text| !text.is_empty())
                .map(PathBuf::from)
        };
        Self {
            registry_auth_file: directory("REGISTRY_AUTH_FILE"),
            docker_config: directory("DOCKER_CONFIG"),
            home: std::env::home_dir(),
            runtime_directory: directory("XDG_RUNTIME_DIR"),
            search_path: None,
        }
    }

    /// The files to read, first the one that counts most.
    fn files(&self) -> Vec<PathBuf> {
        if let Some(file) = &self.registry_auth_file {
            return vec![file.clone()];
        }
        let in_home = || self.home.as_ref().map(|home| home.join(".docker"));
        let docker = self.docker_config.clone().or_else(in_home);
        let docker = docker.map(|directory| directory.join("config.json"));
        let podman = self.runtime_directory.as_ref();
        let podman = podman.map(|directory| directory.join("containers").join("auth.json"));
        docker.into_iter().chain(podman).collect()
    }
}

// === impl Credentials ===

impl Credentials {
    /// Reads the files. Only one that was named may not be missing.
    pub async fn load(locations: &Locations) -> Result<Self, CredentialError> {
        let mut files = Vec::new();
        for path in locations.files() {
            let is_required = locations.registry_auth_file.is_some();
            match read(&path).await {
                Ok(json) if json.trim_ascii().is_empty() => {}
                Ok(json) => match DockerConfig::parse(&json) {
                    Ok(config) => files.push((path, config)),
                    Err(source) => return Err(CredentialError::Config { path, source }),
                },
                Err(error) if error.kind() == io::ErrorKind::NotFound && !is_required => {}
                Err(source) => return Err(CredentialError::Read { path, source }),
            }
        }
        Ok(Self {
            files,
            search_path: locations.search_path.clone(),
            answers: Mutex::default(),
        })
    }

    /// The credential for a repository, or for a registry as a whole; [`Credential::Anonymous`] where there is none.
    ///
    /// In each file the helper for the registry comes first, then what the file itself contains,
    /// then the helper for all registries. Helpers are run again after some minutes: what they
    /// give out may be short-lived.
    pub async fn find(
        &self,
        registry: &Registry,
        repository: Option<&Repository>,
    ) -> Result<Credential, CredentialError> {
        for (path, config) in &self.files {
            let written = || {
                let path = path.clone();
                config
                    .credential(registry, repository)
                    .map_err(|source| CredentialError::Config { path, source })
            };
            if let Some(credential) = self.ask(config.helper(registry), path, registry).await? {
                return Ok(credential);
            }
            if let Some(credential) = written()? {
                return Ok(credential);
            }
            if let Some(credential) = self.ask(config.store(), path, registry).await? {
                return Ok(credential);
            }
        }
        Ok(Credential::Anonymous)
    }

    async fn ask(
        &self,
        name: Option<&str>,
        path: &Path,
        registry: &Registry,
    ) -> Result<Option<Credential>, CredentialError> {
        let Some(name) = name else {
            return Ok(None);
        };
        let answer = self.answer(name, registry).await;
        answer.map_err(|source| CredentialError::Helper {
            name: name.escape_debug().to_string(),
            path: path.to_owned(),
            registry: registry.clone(),
            source,
        })
    }

    /// What a helper said lately, or says now. Whoever asks meanwhile waits for that.
    async fn answer(&self, name: &str, registry: &Registry) -> Answer {
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
        let answer = helper.get(registry).await.map_err(Arc::new);
        answers.insert(key, (Instant::now(), answer.clone()));
        answer
    }
}

/// A file, as far as a config may be long and one byte more.
async fn read(path: &Path) -> io::Result<Vec<u8>> {
    let file = File::open(path).await?;
    let mut json = Vec::new();
    let longest = docker_config::BYTES as u64 + 1;
    file.take(longest).read_to_end(&mut json).await?;
    Ok(json)
}
