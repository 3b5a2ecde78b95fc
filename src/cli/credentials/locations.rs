// SPDX-License-Identifier: Apache-2.0

//! Where `docker login`, `podman login` and CI systems leave credentials.

use std::ffi::OsString;
use std::fmt;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret, SecretSlice, SecretString};

/// The variable with a whole config, as GitLab and Docker know it.
const AUTH_CONFIG: &str = "DOCKER_AUTH_CONFIG";

/// Where credentials are looked for.
#[derive(Clone, Debug, Default)]
pub struct Locations {
    /// The only file to read, where it is named (`REGISTRY_AUTH_FILE`).
    pub registry_auth_file: Option<PathBuf>,
    /// A whole config (`DOCKER_AUTH_CONFIG`).
    pub auth_config: Option<SecretString>,
    /// The directory of `config.json` (`DOCKER_CONFIG`); else `.docker` in the home directory.
    pub docker_config: Option<PathBuf>,
    /// The home directory.
    pub home: Option<PathBuf>,
    /// Where Podman's programs leave `auth.json` until the next start of the machine:
    /// `containers` below `XDG_RUNTIME_DIR`, else `/run/containers/UID`.
    pub podman_runtime: Option<PathBuf>,
    /// Where they read what a person puts there: `containers` below `XDG_CONFIG_HOME`, else below `.config` in
    /// the home directory.
    pub podman_config: Option<PathBuf>,
    /// Where credential helpers are looked for; else in `PATH`.
    pub search_path: Option<OsString>,
}

/// Where a config is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// In a file.
    File(PathBuf),
    /// In the environment.
    Variable,
}

// === impl Locations ===

impl Locations {
    /// The locations of Docker and Podman, by the environment of the process.
    pub fn from_environment() -> Self {
        let variable = |name| std::env::var_os(name).filter(|text| !text.is_empty());
        let directory = |name| variable(name).map(PathBuf::from);
        let home = std::env::home_dir();
        let runtime = directory("XDG_RUNTIME_DIR").map(|directory| directory.join("containers"));
        let config = directory("XDG_CONFIG_HOME")
            .or_else(|| home.as_ref().map(|home| home.join(".config")))
            .map(|directory| directory.join("containers"));
        let auth_config = variable(AUTH_CONFIG);
        Self {
            registry_auth_file: directory("REGISTRY_AUTH_FILE"),
            auth_config: auth_config.map(|text| text.to_string_lossy().into_owned().into()),
            docker_config: directory("DOCKER_CONFIG"),
            home,
            podman_runtime: runtime.or_else(podman_runtime),
            podman_config: config,
            search_path: None,
        }
    }

    /// The places to read, first the one that counts most: Docker's before Podman's.
    pub(super) fn places(&self) -> Vec<Place> {
        if let Some(file) = &self.registry_auth_file {
            return vec![Place::File(file.clone())];
        }
        let in_home = || self.home.as_ref().map(|home| home.join(".docker"));
        let docker = self.docker_config.clone().or_else(in_home);
        let docker = docker.map(|directory| directory.join("config.json"));
        let podman = [&self.podman_runtime, &self.podman_config];
        let podman = podman
            .into_iter()
            .flatten()
            .map(|directory| directory.join("auth.json"));
        let files = docker.into_iter().chain(podman).map(Place::File);
        let variable = self.auth_config.as_ref().map(|_| Place::Variable);
        variable.into_iter().chain(files).collect()
    }

    /// The file that credentials are written to: the one that is named, else Docker's.
    pub(in super::super) fn written(&self) -> Option<PathBuf> {
        self.places().into_iter().find_map(|place| match place {
            Place::File(path) => Some(path),
            Place::Variable => None,
        })
    }

    /// The config in the environment.
    pub(super) fn auth_config(&self) -> SecretSlice<u8> {
        let text = self.auth_config.as_ref().map(ExposeSecret::expose_secret);
        text.unwrap_or_default().as_bytes().to_vec().into()
    }
}

/// Where Podman's programs leave `auth.json` where `XDG_RUNTIME_DIR` is not set.
fn podman_runtime() -> Option<PathBuf> {
    let user = std::fs::metadata("/proc/self").ok()?.uid();
    Some(Path::new("/run/containers").join(user.to_string()))
}

// === impl Place ===

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(formatter),
            Self::Variable => formatter.write_str(AUTH_CONFIG),
        }
    }
}
