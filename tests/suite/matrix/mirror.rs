// SPDX-License-Identifier: Apache-2.0

//! Mirrors as people write them, Secrets included, and what the program says of them.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::support::client::Access;
use crate::support::credentials::docker_config;
use crate::support::program::{Finished, Program};

/// A file with one mirror and everything it names, in the making.
#[derive(Clone, Default)]
pub(super) struct Mirror {
    name: String,
    source: String,
    images: String,
    destinations: String,
    rest: String,
    /// The other documents of the file, by kind and name.
    others: BTreeMap<String, String>,
}

/// What a run reported on its standard output.
pub(super) struct Report {
    pub(super) code: Option<i32>,
    document: Value,
    finished: Finished,
}

/// Something that failed, as it was reported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) subject: String,
    pub(super) reason: String,
    pub(super) message: String,
}

impl Mirror {
    pub(super) fn from(source: &Access) -> Self {
        let mut mirror = Self {
            name: "m".to_owned(),
            ..Self::default()
        };
        mirror.source = mirror.reach(source);
        mirror
    }

    pub(super) fn named(mut self, name: &str) -> Self {
        name.clone_into(&mut self.name);
        self
    }

    /// Another mirror with everything it names, in the same file.
    pub(super) fn beside(mut self, other: &Self) -> Self {
        let name = format!("mirror {}", other.name);
        self.others.insert(name, other.document());
        self.others.extend(other.others.clone());
        self
    }

    /// An entry with these tags.
    pub(super) fn image(self, repository: &str, tags: &[&str]) -> Self {
        self.entry(&format!("repository: {repository}, tags: {tags:?}"))
    }

    /// An entry with whatever fields it has.
    pub(super) fn entry(mut self, fields: &str) -> Self {
        writeln!(self.images, "    - {{{fields}}}").unwrap();
        self
    }

    pub(super) fn to(self, destination: &Access) -> Self {
        self.destination(destination, "")
    }

    /// A destination with more fields, such as `, previousTag: …`.
    pub(super) fn destination(mut self, destination: &Access, fields: &str) -> Self {
        let number = self.destinations.lines().count();
        let registry = self.reach(destination);
        writeln!(
            self.destinations,
            "    - {{name: d{number}, {registry}{fields}}}"
        )
        .unwrap();
        self
    }

    /// One more field of the spec, such as `tagMutability: Fail`.
    pub(super) fn with(mut self, field: &str) -> Self {
        writeln!(self.rest, "  {field}").unwrap();
        self
    }

    /// An `ImagePolicy` that selects, in the same file.
    pub(super) fn policy(mut self, name: &str, select: &str) -> Self {
        let text = format!(
            "apiVersion: transship.dev/v1alpha1\nkind: ImagePolicy\nmetadata: {{name: {name}}}\n\
             spec: {{select: {select}}}\n"
        );
        self.others.insert(format!("policy {name}"), text);
        self
    }

    pub(super) fn yaml(&self) -> String {
        self.others
            .values()
            .fold(self.document(), |text, other| text + "---\n" + other)
    }

    fn document(&self) -> String {
        let Self {
            name,
            source,
            images,
            destinations,
            rest,
            others: _,
        } = self;
        format!(
            "apiVersion: transship.dev/v1alpha1\nkind: ImageMirror\nmetadata: {{name: {name}}}\nspec:\n  \
             source: {{{source}}}\n  images:\n{images}  destinations:\n{destinations}{rest}"
        )
    }

    /// A command of the program with this file on its standard input.
    pub(super) fn command(&self, arguments: &[&str]) -> Program {
        Program::transship(arguments)
            .argument("-f")
            .argument("-")
            .input(self.yaml())
    }

    pub(super) async fn sync(&self) -> Report {
        Report::read(self.command(&["sync", "-o", "json"]).run().await)
    }

    /// The fields that name a registry, and the Secrets that these name.
    fn reach(&mut self, access: &Access) -> String {
        let Access { url, ca_pem, login } = access;
        let (scheme, host) = url.split_once("://").expect("a URL");
        let id = host.replace(['.', ':'], "-");
        let mut fields = format!("registry: '{host}', insecure: {}", scheme == "http");
        if let Some(login) = login {
            let config = STANDARD.encode(docker_config(&[(host, login)]));
            let text = format!(
                "type: kubernetes.io/dockerconfigjson\ndata: {{.dockerconfigjson: {config}}}"
            );
            write!(fields, ", secretRef: {{name: login-{id}}}").unwrap();
            self.secret(&format!("login-{id}"), &text);
        }
        if let Some(pem) = ca_pem {
            let indented = pem.trim_end().replace('\n', "\n    ");
            let text = format!("type: Opaque\nstringData:\n  ca.crt: |\n    {indented}");
            write!(fields, ", certSecretRef: {{name: ca-{id}}}").unwrap();
            self.secret(&format!("ca-{id}"), &text);
        }
        fields
    }

    fn secret(&mut self, name: &str, fields: &str) {
        let text = format!("apiVersion: v1\nkind: Secret\nmetadata: {{name: {name}}}\n{fields}\n");
        self.others.insert(format!("secret {name}"), text);
    }
}

impl Report {
    pub(super) fn read(finished: Finished) -> Self {
        let document = serde_json::from_str(&finished.stdout)
            .unwrap_or_else(|error| panic!("{error}: {:?} {}", finished.stdout, finished.stderr));
        Self {
            code: finished.code,
            document,
            finished,
        }
    }

    /// Goes on only with this exit code, and so many tags copied, retagged, unchanged, frozen, failed.
    ///
    /// # Panics
    /// Otherwise, with the case and all that was reported.
    #[track_caller]
    pub(super) fn expect(&self, code: i32, counts: [u64; 5], case: impl fmt::Display) {
        let found = (self.code, self.counts());
        assert_eq!(found, (Some(code), counts), "{case}: {self}");
    }

    fn counts(&self) -> [u64; 5] {
        ["copied", "retagged", "unchanged", "frozen", "failed"].map(|key| self.total(key))
    }

    /// Bytes of blobs that were sent.
    pub(super) fn bytes(&self) -> u64 {
        self.total("bytes")
    }

    fn total(&self, key: &str) -> u64 {
        self.document["totals"][key]
            .as_u64()
            .unwrap_or_else(|| panic!("{key}: {self}"))
    }

    /// The digests that were written, in the order of the tags.
    pub(super) fn digests(&self) -> Vec<&str> {
        self.all("tags")
            .filter_map(|tag| tag["digest"].as_str())
            .collect()
    }

    /// Everything that failed: mirrors, repositories, images, then tags.
    pub(super) fn failures(&self) -> Vec<Failure> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let of_tags = self.all("tags").filter(|tag| tag["action"] == "Failed");
        self.all("failures")
            .chain(of_tags)
            .map(|failure| Failure {
                subject: text(&failure["subject"]),
                reason: text(&failure["reason"]),
                message: text(&failure["message"]),
            })
            .collect()
    }

    /// The only failure there is.
    ///
    /// # Panics
    /// If there are more or none.
    pub(super) fn failure(&self) -> Failure {
        let [failure] = self
            .failures()
            .try_into()
            .unwrap_or_else(|_| panic!("{self}"));
        failure
    }

    fn all(&self, list: &str) -> impl Iterator<Item = &Value> {
        let mirrors = self.document["mirrors"].as_array().into_iter().flatten();
        mirrors.flat_map(move |mirror| mirror[list].as_array().into_iter().flatten())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Finished {
            code,
            stdout,
            stderr,
        } = &self.finished;
        write!(formatter, "exit {code:?}\n{stdout}\n{stderr}")
    }
}
