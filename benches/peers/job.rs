// SPDX-License-Identifier: Apache-2.0

//! What a tool is to do: from here to there, all of this.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::corpus::Corpus;
use crate::support::program::Program;

/// A copy of a whole corpus.
pub(crate) struct Job<'a> {
    /// What is at the source.
    pub(crate) corpus: &'a Corpus,
    /// `HOST:PORT` of the source.
    pub(crate) source: String,
    /// `HOST:PORT` of each destination.
    pub(crate) destinations: Vec<String>,
    /// The authorities of the registries, as PEM; nothing where they speak plain HTTP.
    pub(crate) authorities: String,
    /// A directory of the tool's own: its home, its configuration, its caches. The unchanged run has the same.
    pub(crate) directory: PathBuf,
}

/// One repository on its way to one destination.
pub(crate) struct Route<'a> {
    /// Its name, the same at both ends.
    pub(crate) repository: &'a str,
    /// `HOST:PORT/REPOSITORY` to read from.
    pub(crate) from: String,
    /// `HOST:PORT/REPOSITORY` to write to.
    pub(crate) to: String,
    /// Its tags.
    pub(crate) tags: Vec<&'a str>,
}

impl Job<'_> {
    /// Every repository to every destination.
    pub(crate) fn routes(&self) -> impl Iterator<Item = Route<'_>> {
        self.destinations.iter().flat_map(move |destination| {
            self.corpus
                .repositories
                .iter()
                .map(move |repository| Route {
                    repository: &repository.name,
                    from: format!("{}/{}", self.source, repository.name),
                    to: format!("{destination}/{}", repository.name),
                    tags: repository
                        .tags
                        .iter()
                        .map(|(tag, _)| tag.as_str())
                        .collect(),
                })
        })
    }

    /// Whether there are signatures and the like to be copied with the images.
    pub(crate) fn has_referrers(&self) -> bool {
        self.corpus
            .images()
            .any(|(.., image)| !image.referrers.is_empty())
    }

    /// Writes a configuration file: JSON is YAML too.
    pub(crate) fn file(&self, name: &str, content: &Value) -> PathBuf {
        let path = self.directory.join(name);
        std::fs::write(&path, content.to_string())
            .unwrap_or_else(|error| panic!("cannot write {}: {error}", path.display()));
        path
    }

    /// Whether the registries speak plain HTTP.
    pub(crate) fn is_plain(&self) -> bool {
        self.authorities.is_empty()
    }

    /// A program at home in the directory. It trusts the authorities as if they were those of the system, and no others.
    pub(crate) fn program(&self, executable: &Path, arguments: &[&str]) -> Program {
        let program = Program::at(executable, arguments).environment("HOME", &self.directory);
        if self.is_plain() {
            return program;
        }
        let trusted = self.directory.join("authorities.pem");
        std::fs::write(&trusted, &self.authorities)
            .unwrap_or_else(|error| panic!("cannot write {}: {error}", trusted.display()));
        program
            .environment("SSL_CERT_FILE", trusted)
            .environment("SSL_CERT_DIR", self.directory.join("none"))
    }
}
