// SPDX-License-Identifier: Apache-2.0

//! distribution: its programs, and the configuration that both of its versions read.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use super::super::credentials::HTPASSWD;
use super::super::tls::Authority;
use super::super::token::TokenServer;
use super::super::tools;
use super::Kind;
use super::object_store::BUCKET;
use super::options::{Authentication, Backing, Notified, Options, path_text};

/// The configuration, in the registry's directory.
pub(super) const CONFIGURATION: &str = "config.yml";

/// The program of a version.
///
/// # Panics
/// If the registry is another one.
pub(super) fn program(kind: Kind) -> PathBuf {
    match kind {
        Kind::Distribution3 => tools::built("registry"),
        Kind::Distribution2 => tools::packaged("docker-registry"),
        Kind::Crane | Kind::Ocimem => panic!("{kind:?} is not distribution"),
    }
}

impl Options {
    /// The configuration of distribution, the same for both versions.
    pub(super) fn configuration(
        &self,
        directory: &Path,
        authority: Option<&Authority>,
        token: Option<&TokenServer>,
        realm: Option<&str>,
    ) -> String {
        let file = |name: &str, content: &str| {
            let path = directory.join(name);
            fs::write(&path, content).expect("a file");
            path_text(&path)
        };
        let mut yaml = format!(
            "version: 0.1\n\
             log: {{level: info, formatter: text}}\n\
             storage:\n  {storage}\n  delete: {{enabled: true}}\n  cache: {{blobdescriptor: inmemory}}\n\
             {proxy}validation:\n  manifests:\n    urls: {{allow: ['.*']}}\n",
            storage = self.backing.storage(directory),
            proxy = self.backing.proxy(),
        );
        if let Some(Notified {
            url,
            token,
            ignored,
        }) = &self.notified
        {
            let endpoint = format!(
                "{{name: transship, url: '{url}', headers: {{Authorization: ['Bearer {token}']}}, timeout: 5s, \
                 threshold: 3, backoff: 1s{ignored}}}"
            );
            writeln!(yaml, "notifications: {{endpoints: [{endpoint}]}}").unwrap();
        }
        if self.sparse_indexes {
            yaml.push_str("    indexes: {platforms: none}\n");
        }
        yaml.push_str("http:\n  addr: 127.0.0.1:0\n  secret: transship-tests\n");
        if let Some(authority) = authority.filter(|_| !self.needs_front()) {
            let identity = authority.issue();
            let (certificate, key) = (
                file("tls.crt", &identity.certificate),
                file("tls.key", &identity.key),
            );
            writeln!(yaml, "  tls: {{certificate: {certificate}, key: {key}}}").unwrap();
        }
        match (self.authentication, token, realm) {
            (Authentication::Basic, ..) => {
                writeln!(
                    yaml,
                    "auth: {{htpasswd: {{realm: tests, path: {}}}}}",
                    file("htpasswd", HTPASSWD)
                )
                .unwrap();
            }
            (Authentication::Token, Some(token), Some(realm)) => {
                let issuer = token.issuer();
                let certificate = file("token.crt", issuer.certificate());
                let (name, service) = (issuer.name(), issuer.service());
                let settings = format!(
                    "realm: \"{realm}\", issuer: {name}, service: {service}, rootcertbundle: {certificate}"
                );
                writeln!(yaml, "auth: {{token: {{{settings}}}}}").unwrap();
            }
            (Authentication::Open | Authentication::Token, ..) => {}
        }
        yaml
    }
}

impl Backing {
    /// The lines of `storage` that say where the content is.
    fn storage(&self, directory: &Path) -> String {
        let files = |path: &Path| format!("filesystem: {{rootdirectory: {}}}", path_text(path));
        match self {
            Self::Files | Self::Upstream(_) => files(&directory.join("storage")),
            Self::ReadOnly(path) => {
                format!(
                    "{}\n  maintenance: {{readonly: {{enabled: true}}}}",
                    files(path)
                )
            }
            Self::Bucket { store, redirects } => format!(
                "s3: {{regionendpoint: 'http://{store}', forcepathstyle: true, secure: false, region: us-east-1, \
                 bucket: {BUCKET}, accesskey: tests, secretkey: tests}}\n  redirect: {{disable: {}}}",
                !redirects
            ),
        }
    }

    /// The line that names the registry behind a cache.
    fn proxy(&self) -> String {
        let Self::Upstream(access) = self else {
            return String::new();
        };
        let login = access.login.as_ref().map(|login| {
            let (name, password) = (&login.username, &login.password);
            format!(", username: '{name}', password: '{password}'")
        });
        let login = login.unwrap_or_default();
        format!("proxy: {{remoteurl: '{}'{login}}}\n", access.url)
    }
}
