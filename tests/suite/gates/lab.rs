// SPDX-License-Identifier: Apache-2.0

//! A mirror with policies between two registries, and the rounds of one process.

use std::path::Path;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use transship::api::document::{self, Document, Resource};
use transship::api::{ObjectName, Secret};
use transship::oci::Registry;
use transship::plan::report::{Failure, MirrorReport, Outcome, TagReport};
use transship::plan::{self, CloudIdentity, Mirror};
use transship::registry::{Issuer, Pool};
use transship::sync::secrets::FindSecret;
use transship::sync::trust::Authorities;
use transship::sync::{Ledger, Mode};

use crate::plain::{Plain, Process, Trusted, Unwatched};
use crate::support::content::{Blob, Image, ImageBuilder, media_type};
use crate::support::faults::FaultRegistry;

/// The tags of `team/app` and `policies`, a list of policies: name and spec.
pub(super) struct Lab {
    pub(super) source: Arc<FaultRegistry>,
    pub(super) destination: Arc<FaultRegistry>,
    syncer: Process,
    /// The documents of Secrets.
    secrets: Mutex<String>,
    /// Whom the policies of the last mirror trust.
    authorities: Trusted,
}

/// The Secrets among documents.
struct Secrets<'a>(&'a [Document]);

#[derive(Debug, thiserror::Error)]
#[error("there is no secret {0}")]
pub(super) struct NoSecret(ObjectName);

impl FindSecret for Secrets<'_> {
    type Error = NoSecret;

    fn find(&self, name: &ObjectName) -> Result<&Secret, NoSecret> {
        let mut secrets = self
            .0
            .iter()
            .filter_map(|document| match &document.resource {
                Resource::Secret(secret) => Some(&**secret),
                Resource::ImageMirror(_)
                | Resource::ImagePolicy(_)
                | Resource::MirroredRepository(_) => None,
            });
        let secret = secrets.find(|secret| secret.metadata.name == *name);
        secret.ok_or_else(|| NoSecret(name.clone()))
    }

    fn issuer(&self, registry: &Registry, _: &CloudIdentity) -> Result<Arc<dyn Issuer>, NoSecret> {
        panic!("{registry} is no registry of a cloud")
    }
}

impl Lab {
    /// A process without a memory that outlives it.
    pub(super) fn new() -> Self {
        Self::remembering(Ledger::in_memory())
    }

    /// A process with the memory of an earlier one.
    pub(super) fn with_state(path: &Path) -> Self {
        Self::remembering(Ledger::open(path).unwrap())
    }

    fn remembering(ledger: Ledger) -> Self {
        let authorities = Trusted::default();
        Self {
            source: Arc::new(FaultRegistry::start()),
            destination: Arc::new(FaultRegistry::start()),
            syncer: syncer(ledger, &authorities),
            secrets: Mutex::default(),
            authorities,
        }
    }

    /// The next process at the same registries.
    pub(super) fn restart(self, path: &Path) -> Self {
        let Self {
            source,
            destination,
            syncer: ended,
            secrets,
            authorities,
        } = self;
        drop(ended);
        Self {
            syncer: syncer(Ledger::open(path).unwrap(), &authorities),
            source,
            destination,
            secrets,
            authorities,
        }
    }

    /// The same with a source that cannot list referrers.
    pub(super) fn without_referrers_api() -> Self {
        let source = FaultRegistry::options().without_referrers_api().start();
        Self {
            source: Arc::new(source),
            ..Self::new()
        }
    }

    /// Puts a public key into the only Secret.
    pub(super) fn keep_only_key(&self, name: &str, pem: &str) {
        self.secrets.lock().unwrap().clear();
        self.keep_key(name, pem);
    }

    /// Puts a public key into a Secret.
    pub(super) fn keep_key(&self, name: &str, pem: &str) {
        let secret = serde_json::json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": {"cosign.pub": pem},
        });
        let mut secrets = self.secrets.lock().unwrap();
        secrets.push_str("---\n");
        secrets.push_str(&secret.to_string());
        secrets.push('\n');
    }

    /// A mirror of these tags that must pass these policies, with more fields of its spec.
    pub(super) fn mirror(&self, tags: &str, policies: &[(&str, &str)], more: &str) -> Mirror {
        let references: Vec<String> = policies
            .iter()
            .map(|(name, _)| format!("{{name: {name}}}"))
            .collect();
        let images = format!("[{{repository: team/app, tags: {tags}}}]");
        self.mirror_of(&images, &references.join(", "), policies, more)
    }

    /// The same with other entries.
    pub(super) fn mirror_of(
        &self,
        images: &str,
        references: &str,
        policies: &[(&str, &str)],
        more: &str,
    ) -> Mirror {
        let (source, destination) = (self.source.host(), self.destination.host());
        let mut text = format!(
            "apiVersion: transship.dev/v1alpha1\nkind: ImageMirror\nmetadata: {{name: m}}\nspec:\n  \
             source: {{registry: '{source}', insecure: true}}\n  images: {images}\n  \
             policyRefs: [{references}]\n  \
             destinations: [{{name: d, registry: '{destination}', insecure: true}}]\n  {more}\n"
        );
        for (name, spec) in policies {
            text.push_str(&policy(name, spec));
        }
        text.push_str(&self.secrets.lock().unwrap());
        let documents = document::parse(&text, "mirror.yaml").unwrap().documents;
        let mut policies = Vec::new();
        let mut mirrors = Vec::new();
        for document in &documents {
            match &document.resource {
                Resource::ImageMirror(mirror) => mirrors.push(mirror),
                Resource::ImagePolicy(policy) => policies.push(&**policy),
                Resource::MirroredRepository(_) | Resource::Secret(_) => {}
            }
        }
        let mirror = plan::validate(mirrors[0], &policies).unwrap();
        let authorities = Authorities::read(&mirror, &Secrets(&documents)).unwrap();
        *self.authorities.lock().unwrap() = Arc::new(authorities);
        mirror
    }

    /// One round: what came of it.
    pub(super) async fn round(&self, mirror: &Mirror) -> MirrorReport {
        let mut report = self.syncer.round(&[mirror], Mode::Apply, &Unwatched).await;
        report.mirrors.remove(0)
    }

    /// One round: each tag with what came of it, as `TAG: OUTCOME`, without addresses.
    pub(super) async fn outcomes(&self, mirror: &Mirror) -> Vec<String> {
        outcomes(&self.round(mirror).await)
            .into_iter()
            .map(|line| line.replace(&self.source.host(), "SOURCE"))
            .collect()
    }

    /// How many requests of the source were about configs, other manifests than by tag, and tags.
    pub(super) fn reads(&self) -> Reads {
        let mut reads = Reads::default();
        for request in self.source.requests() {
            let target = &request.path;
            match request.method.as_str() {
                "HEAD" => reads.heads += 1,
                _ if target.contains("/blobs/") => reads.blobs += 1,
                _ if target.contains("/manifests/") => reads.manifests += 1,
                _ => reads.others += 1,
            }
        }
        self.source.script().clear_requests();
        reads
    }
}

/// Requests of a source by what they read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Reads {
    pub(super) heads: usize,
    pub(super) manifests: usize,
    pub(super) blobs: usize,
    pub(super) others: usize,
}

pub(super) fn policy(name: &str, spec: &str) -> String {
    format!(
        "---\napiVersion: transship.dev/v1alpha1\nkind: ImagePolicy\nmetadata: {{name: {name}}}\nspec: {{{spec}}}\n"
    )
}

/// Each tag with what came of it, sorted.
pub(super) fn outcomes(report: &MirrorReport) -> Vec<String> {
    let failed = |failure: &Failure| format!("Failed {}: {}", failure.reason, failure.message);
    let name = |image: &str| image.rsplit(':').next().unwrap().to_owned();
    let tags = report.tags.iter().map(|tag| {
        let TagReport {
            source, outcome, ..
        } = tag;
        let outcome = match outcome {
            Outcome::Copied { .. } => "Copied".to_owned(),
            Outcome::Unchanged => "Unchanged".to_owned(),
            Outcome::Retagged { .. } => "Retagged".to_owned(),
            Outcome::Completed { .. } => "Completed".to_owned(),
            Outcome::Planned { .. } => "Planned".to_owned(),
            Outcome::Frozen => "Frozen".to_owned(),
            Outcome::Refused(refusal) => format!("Refused {} {}", refusal.policy, refusal.gate),
            Outcome::Quarantined(quarantine) => {
                format!("Quarantined by {}", quarantine.refusal.policy)
            }
            Outcome::Failed(failure) => failed(failure),
        };
        format!("{}: {outcome}", name(source))
    });
    let failures = report.failures.iter();
    let failures =
        failures.map(|failure| format!("{}: {}", name(&failure.subject), failed(failure)));
    let mut lines: Vec<String> = tags.chain(failures).collect();
    lines.sort();
    lines
}

/// A small image that runs as a user other than root.
pub(super) fn good(seed: u64) -> ImageBuilder {
    ImageBuilder::new(seed).layers(&[500]).user("1000")
}

/// The config of an image.
pub(super) fn config(image: &Image) -> &Blob {
    let is_config = |blob: &&Blob| blob.media_type == media_type::OCI_CONFIG;
    image.blobs.iter().find(is_config).unwrap()
}

/// An index of images, each with its platform and the annotations of its entry.
pub(super) fn index(images: &[(&str, &Image, Value)]) -> Image {
    let entries: Vec<Value> = images
        .iter()
        .map(|(platform, image, annotations)| {
            let (os, architecture) = platform.split_once('/').unwrap();
            let mut entry = image.root.descriptor();
            entry["platform"] = json!({"os": os, "architecture": architecture});
            entry["annotations"] = annotations.clone();
            entry
        })
        .collect();
    let root =
        json!({"schemaVersion": 2, "mediaType": media_type::OCI_INDEX, "manifests": entries});
    Image {
        root: Blob::json(media_type::OCI_INDEX, &root),
        children: images
            .iter()
            .map(|(_, image, _)| image.root.clone())
            .collect(),
        blobs: images
            .iter()
            .flat_map(|(_, image, _)| image.blobs.clone())
            .collect(),
        referrers: Vec::new(),
    }
}

fn syncer(ledger: Ledger, authorities: &Trusted) -> Process {
    Process::new(
        Plain::new(Pool::new("transship-tests"), authorities.clone()),
        Arc::new(ledger),
    )
}
