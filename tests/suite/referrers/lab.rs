// SPDX-License-Identifier: Apache-2.0

//! A mirror between two registries, and rounds with and without a memory.

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Value, json};
use tempfile::TempDir;
use transship::api::document::{self, Resource};
use transship::plan::report::{MirrorReport, Outcome};
use transship::plan::{self, Mirror};
use transship::registry::Pool;
use transship::sync::{Ledger, Mode};

use crate::plain::{Plain, Process, Trusted, Unwatched};
use crate::support::content::{Blob, FoundBy, Referrer, media_type};
use crate::support::faults::FaultRegistry;

/// The repository of all images.
pub(super) const REPOSITORY: &str = "team/app";

/// Two registries, and a mirror between them with a state file.
pub(super) struct Lab {
    pub(super) source: FaultRegistry,
    pub(super) destination: FaultRegistry,
    /// Fields of the mirror.
    fields: String,
    /// What its only entry takes.
    tags: String,
    directory: TempDir,
}

/// Requests, as `METHOD WHAT`.
pub(super) type Requests = Vec<String>;

impl Lab {
    pub(super) fn new() -> Self {
        Self::between(FaultRegistry::start(), FaultRegistry::start())
    }

    pub(super) fn between(source: FaultRegistry, destination: FaultRegistry) -> Self {
        Self {
            source,
            destination,
            fields: String::new(),
            tags: "['*']".to_owned(),
            directory: TempDir::new().unwrap(),
        }
    }

    /// Neither registry can list referrers.
    pub(super) fn without_api() -> Self {
        let start = || FaultRegistry::options().without_referrers_api().start();
        Self::between(start(), start())
    }

    /// The same with a mirror that has this field.
    pub(super) fn with(self, field: &str) -> Self {
        Self {
            fields: field.to_owned(),
            ..self
        }
    }

    /// The same with a mirror that takes these tags.
    pub(super) fn taking(self, tags: &str) -> Self {
        Self {
            tags: tags.to_owned(),
            ..self
        }
    }

    pub(super) fn mirror(&self) -> Mirror {
        let text = format!(
            "apiVersion: transship.dev/v1alpha1\nkind: ImageMirror\nmetadata: {{name: m}}\nspec:\n  \
             source: {{registry: '{}', insecure: true}}\n  images: [{{repository: {REPOSITORY}, tags: {}}}]\n  \
             destinations: [{{name: d, registry: '{}', insecure: true}}]\n  {}\n",
            self.source.host(),
            self.tags,
            self.destination.host(),
            self.fields,
        );
        let documents = document::parse(&text, "mirror.yaml").unwrap().documents;
        let Resource::ImageMirror(mirror) = &documents[0].resource else {
            panic!("a mirror")
        };
        plan::validate(mirror, &[]).unwrap()
    }

    fn state(&self) -> PathBuf {
        self.directory.path().join("state.json")
    }

    /// A round of a new process that remembers what the last one did.
    pub(super) async fn round(&self) -> Vec<String> {
        self.run(Ledger::open(&self.state()).unwrap(), Mode::Apply)
            .await
    }

    /// The same, as a person asks for it.
    pub(super) async fn asked(&self) -> Vec<String> {
        self.run(Ledger::open(&self.state()).unwrap(), Mode::Refresh)
            .await
    }

    /// A round of a process that remembers nothing.
    pub(super) async fn forgetful(&self) -> Vec<String> {
        self.run(Ledger::in_memory(), Mode::Apply).await
    }

    /// What a round would do.
    pub(super) async fn planned(&self) -> Vec<String> {
        self.run(Ledger::in_memory(), Mode::Plan).await
    }

    async fn run(&self, ledger: Ledger, mode: Mode) -> Vec<String> {
        let syncer = Self::syncer(ledger);
        self.round_of(&syncer, mode).await
    }

    /// A process.
    pub(super) fn syncer(ledger: Ledger) -> Process {
        Process::new(
            Plain::new(Pool::new("transship-tests"), Trusted::default()),
            Arc::new(ledger),
        )
    }

    /// A round: each tag with what came of it, as `TAG: OUTCOME`.
    pub(super) async fn round_of(&self, syncer: &Process, mode: Mode) -> Vec<String> {
        let mirror = self.mirror();
        let mut report = syncer.round(&[&mirror], mode, &Unwatched).await;
        outcomes(&report.mirrors.remove(0))
    }

    /// Makes as if the last look at referrers was so many hours ago.
    pub(super) fn age(&self, hours: i64) {
        self.edit(|record| {
            for field in ["copiedAt", "firstSeen"] {
                if !record[field].is_null() {
                    record[field] = earlier(&record[field], hours);
                }
            }
            let at = &mut record["referrers"]["at"];
            *at = earlier(at, hours);
        });
        self.edit_state(|state| {
            let repositories = state.pointer_mut("/bareTags/default~1m");
            let repositories = repositories.and_then(Value::as_object_mut);
            for tags in repositories.into_iter().flat_map(|all| all.values_mut()) {
                for naming in tags.as_object_mut().unwrap().values_mut() {
                    naming["at"] = earlier(&naming["at"], hours);
                }
            }
        });
    }

    /// Takes from the records what an older version did not write.
    pub(super) fn forget_looks(&self) {
        self.edit(|record| {
            record.as_object_mut().unwrap().remove("referrers").unwrap();
        });
    }

    /// Whether it is on record of all tags what refers to them.
    pub(super) fn has_looked(&self) -> bool {
        let mut has_looked = true;
        self.edit(|record| has_looked &= record.get("referrers").is_some());
        has_looked
    }

    fn edit(&self, mut edit: impl FnMut(&mut Value)) {
        self.edit_state(|state| {
            let tags = &mut state["mirrors"]["default/m"]["d"][REPOSITORY];
            tags.as_object_mut()
                .unwrap()
                .values_mut()
                .for_each(&mut edit);
        });
    }

    fn edit_state(&self, edit: impl FnOnce(&mut Value)) {
        let text = std::fs::read_to_string(self.state()).unwrap();
        let mut state: Value = serde_json::from_str(&text).unwrap();
        edit(&mut state);
        std::fs::write(self.state(), state.to_string()).unwrap();
        // What was written last is not known then. It may be gone from an earlier edit.
        let _ = std::fs::remove_file(self.state().with_extension("json.lock"));
    }

    /// Puts something beside an image of the source.
    pub(super) fn attach(&self, referrer: &Referrer) {
        attach(&self.source, referrer);
    }

    /// Whether the destination has it, and says so.
    pub(super) async fn has(&self, referrer: &Referrer) -> bool {
        let digest = &referrer.manifest.digest;
        match &referrer.found_by {
            FoundBy::Tag(tag) => {
                let found = self.destination.manifest(REPOSITORY, tag);
                found.is_some_and(|manifest| manifest.digest == *digest)
            }
            FoundBy::Subject => {
                let path = format!("/v2/{REPOSITORY}/referrers/{}", referrer.subject);
                let answer = self.destination.client().get(&path).await.unwrap();
                let list = if answer.status == 200 {
                    answer.json().unwrap()
                } else {
                    self.fallback(&referrer.subject).unwrap_or_default()
                };
                let is_there = self.destination.manifest(REPOSITORY, digest).is_some();
                is_there && list.to_string().contains(digest)
            }
        }
    }

    /// The list under the fallback tag of a digest at the destination.
    pub(super) fn fallback(&self, subject: &str) -> Option<Value> {
        let list = self
            .destination
            .manifest(REPOSITORY, &fallback_tag(subject))?;
        serde_json::from_slice(&list.bytes).ok()
    }

    /// What both registries were asked since the last time, sorted.
    pub(super) fn requests(&self) -> [Requests; 2] {
        [&self.source, &self.destination].map(|registry| {
            let requests = registry.requests();
            registry.script().clear_requests();
            let mut requests: Requests = requests.iter().map(describe).collect();
            requests.sort();
            requests
        })
    }

    /// Whether the tag of an image was written since the last time.
    pub(super) fn wrote(&self, tag: &str) -> bool {
        let path = format!("/manifests/{tag}");
        let requests = self.destination.requests();
        self.destination.script().clear_requests();
        let mut requests = requests.iter();
        requests.any(|request| request.method == "PUT" && request.path.ends_with(&path))
    }
}

/// Puts something beside an image.
pub(super) fn attach(registry: &FaultRegistry, referrer: &Referrer) {
    for blob in &referrer.blobs {
        registry.load_blob(REPOSITORY, blob);
    }
    let reference = match &referrer.found_by {
        FoundBy::Tag(tag) => tag,
        FoundBy::Subject => &referrer.manifest.digest,
    };
    registry.load_manifest(REPOSITORY, reference, &referrer.manifest);
}

/// Lists these as referring to an image, for registries that cannot do it themselves.
pub(super) fn list(registry: &FaultRegistry, subject: &str, referrers: &[Referrer]) -> Blob {
    let entries: Vec<Value> = referrers.iter().map(Referrer::descriptor).collect();
    let index =
        json!({"manifests": entries, "mediaType": media_type::OCI_INDEX, "schemaVersion": 2});
    let index = Blob::json(media_type::OCI_INDEX, &index);
    registry.load_manifest(REPOSITORY, &fallback_tag(subject), &index);
    index
}

/// `sha256-<hex>`
pub(super) fn fallback_tag(subject: &str) -> String {
    subject.replace(':', "-")
}

fn earlier(time: &Value, hours: i64) -> Value {
    let time: jiff::Timestamp = time.as_str().unwrap().parse().unwrap();
    let earlier = time - jiff::SignedDuration::from_hours(hours);
    json!(earlier.to_string())
}

fn describe(request: &crate::support::http::script::Recorded) -> String {
    let what = request.path.trim_start_matches("/v2/team/app/");
    let (kind, name) = what.split_once('/').unwrap_or((what, ""));
    let name = match (kind, name.split_once(':')) {
        ("blobs", _) => "",
        (_, Some(_)) => "DIGEST",
        (_, None) => name,
    };
    format!("{} {kind} {name}", request.method)
        .trim()
        .to_owned()
}

fn outcomes(report: &MirrorReport) -> Vec<String> {
    let name = |image: &str| image.rsplit(':').next().unwrap().to_owned();
    let tags = report.tags.iter().map(|tag| {
        let outcome = match &tag.outcome {
            Outcome::Copied { .. } => "Copied".to_owned(),
            Outcome::Completed { .. } => "Completed".to_owned(),
            Outcome::Unchanged => "Unchanged".to_owned(),
            Outcome::Planned {
                completes: true, ..
            } => "to complete".to_owned(),
            Outcome::Failed(failure) => format!("{}: {}", failure.reason, failure.message),
            other @ (Outcome::Planned { .. }
            | Outcome::Retagged { .. }
            | Outcome::Frozen
            | Outcome::Refused(_)
            | Outcome::Quarantined(_)) => format!("{other:?}"),
        };
        format!("{}: {outcome}", name(&tag.source))
    });
    let failures = report
        .failures
        .iter()
        .map(|failure| format!("failed {}: {}", failure.subject, failure.message));
    let mut lines: Vec<String> = tags.chain(failures).collect();
    lines.sort();
    lines
}
