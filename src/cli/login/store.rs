// SPDX-License-Identifier: Apache-2.0

//! The file that `docker login` writes, and the helpers that it names. What else stands there is kept.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};

use super::super::credentials::{Locations, helper_erase, helper_store};
use super::super::error::Error;
use crate::oci::Registry;
use crate::registry::docker_config;

/// The key of Docker Hub.
const DOCKER_HUB: &str = "https://index.docker.io/v1/";

/// Where credentials are kept.
pub(super) struct Store {
    path: PathBuf,
    config: Map<String, Value>,
}

// === impl Store ===

impl Store {
    /// The file that is read first of those that can be written.
    pub(super) fn find(locations: &Locations) -> Result<Self, Error> {
        let path = locations.written().ok_or_else(|| {
            Error::Usage("there is no home directory: name one with DOCKER_CONFIG".to_owned())
        })?;
        let bad = |what: String| Error::Usage(format!("{} {what}", path.display()));
        let text = match fs::read(&path) {
            Ok(text) if text.len() > docker_config::BYTES => {
                return Err(bad("is too large".to_owned()));
            }
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(bad(format!("cannot be read: {error}"))),
        };
        if text.trim_ascii().is_empty() {
            return Ok(Self {
                path,
                config: Map::new(),
            });
        }
        // No word of the file is shown: there are passwords in it.
        let config = serde_json::from_slice(&text).map_err(|error| {
            bad(format!(
                "is no JSON object: see line {}, column {}",
                error.line(),
                error.column()
            ))
        })?;
        Ok(Self { path, config })
    }

    /// Keeps a credential, and says where.
    pub(super) async fn keep(
        mut self,
        registry: &Registry,
        username: &str,
        password: &SecretString,
    ) -> Result<String, Error> {
        if let Some(name) = self.helper(registry) {
            let server = server(registry);
            helper_store(&name, &server, username, password)
                .await
                .map_err(|error| failed(&name, &error))?;
            return Ok(format!("by docker-credential-{name}"));
        }
        let auth = STANDARD.encode(format!("{username}:{}", password.expose_secret()));
        let auths = self.config.entry("auths").or_insert_with(|| json!({}));
        let Some(auths) = auths.as_object_mut() else {
            return Err(Error::Usage(format!(
                "auths of {} is no JSON object",
                self.path.display()
            )));
        };
        auths.insert(server(registry), json!({"auth": auth}));
        self.write()?;
        Ok(format!("in {}, unencrypted", self.path.display()))
    }

    /// Forgets the credential of a registry, and says whether there was one.
    pub(super) async fn forget(mut self, registry: &Registry) -> Result<bool, Error> {
        let mut had = false;
        if let Some(name) = self.helper(registry) {
            let erased = helper_erase(&name, &server(registry)).await;
            had |= erased.map_err(|error| failed(&name, &error))?;
        }
        let auths = self.config.get_mut("auths").and_then(Value::as_object_mut);
        let removed = auths.is_some_and(|auths| auths.remove(&server(registry)).is_some());
        if removed {
            self.write()?;
        }
        Ok(had || removed)
    }

    /// The helper for a registry, else that for all.
    fn helper(&self, registry: &Registry) -> Option<String> {
        let of_registry = self
            .config
            .get("credHelpers")
            .and_then(|helpers| helpers.get(server(registry)));
        let name = of_registry.or_else(|| self.config.get("credsStore"));
        let name = name.and_then(Value::as_str).filter(|name| !name.is_empty());
        name.map(str::to_owned)
    }

    /// Writes the file as a whole, for nobody else to read. A link is followed, not replaced.
    fn write(&self) -> Result<(), Error> {
        let path = fs::canonicalize(&self.path).unwrap_or_else(|_| self.path.clone());
        let written = self.write_to(&path);
        written.map_err(|error| Error::Usage(format!("cannot write {}: {error}", path.display())))
    }

    fn write_to(&self, path: &Path) -> io::Result<()> {
        let directory = path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(directory)?;
        let temporary = directory.join(format!(".transship-{:016x}", fastrand::u64(..)));
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&temporary)?;
        let text = serde_json::to_string_pretty(&self.config).map_err(io::Error::other)? + "\n";
        let written = file
            .write_all(text.as_bytes())
            .and_then(|()| file.sync_all())
            .and_then(|()| fs::rename(&temporary, path));
        if written.is_err() {
            let _ = fs::remove_file(&temporary);
        }
        written
    }
}

/// The key of a registry.
fn server(registry: &Registry) -> String {
    if registry.is_docker_hub() {
        DOCKER_HUB.to_owned()
    } else {
        registry.to_string()
    }
}

fn failed(name: &str, error: &dyn std::error::Error) -> Error {
    Error::Image(format!("docker-credential-{name} {error}"))
}
