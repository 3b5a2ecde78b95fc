// SPDX-License-Identifier: Apache-2.0

//! Registries that send as much as they may, and more.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Value, json};

use super::tenants::Mirror;
use crate::support::content::{Blob, ImageBuilder, Signer, media_type};
use crate::support::faults::FaultRegistry;
use crate::support::http::script::{Action, Gate};
use crate::support::http::server::{Handler, Server};
use crate::support::http::{Reply, Request};

/// Tags on a page, their length, and pages of a list: each below every bound of its own.
const TAGS: usize = 60_000;
const TAG_LENGTH: usize = 120;
const PAGES: usize = 4;
/// Entries of a mirror.
const ENTRIES: usize = 16;
/// What a signature is in that is not one, in bytes.
const EVIDENCE: usize = 16 << 20;
/// A layer that does not come, in bytes.
const LARGE: usize = 16 << 20;
const BUNDLE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";

/// A registry whose content is too much.
pub(super) struct Evil {
    registry: FaultRegistry,
    signer: Signer,
}

/// A registry whose lists have no end.
pub(super) struct Listless(Server);

struct Endless {
    manifests: BTreeMap<&'static str, Blob>,
}

fn config() -> Value {
    json!({"mediaType": media_type::EMPTY, "digest": Blob::new(media_type::EMPTY, "{}").digest, "size": 2})
}

/// A manifest with these annotations and layers.
fn manifest(annotations: &Value, layers: &Value) -> Blob {
    let document = json!({
        "schemaVersion": 2,
        "mediaType": media_type::OCI_MANIFEST,
        "config": config(),
        "layers": layers,
        "annotations": annotations,
    });
    Blob::json(media_type::OCI_MANIFEST, &document)
}

/// So many texts that differ, of the least length, and one more of `padding` letters.
fn texts(count: usize, padding: usize, seed: usize) -> Value {
    let mut texts: serde_json::Map<String, Value> = (0..count)
        .map(|index| (format!("{index:x}"), json!("")))
        .collect();
    texts.insert(
        "seed".to_owned(),
        json!(format!("{seed}{}", "x".repeat(padding))),
    );
    Value::Object(texts)
}

impl Evil {
    pub(super) fn start() -> Self {
        let evil = Self {
            registry: FaultRegistry::options().sparse().start(),
            signer: Signer::generate(),
        };
        evil.serve_lists();
        evil.serve_manifests();
        evil.serve_evidence();
        evil
    }

    fn load(&self, repository: &str, tag: &str, manifest: &Blob) {
        self.registry.load_manifest(repository, tag, manifest);
    }

    /// Four pages of tags that nobody named, one behind the other, for every repository `many-…`.
    fn serve_lists(&self) {
        for page in 0..PAGES {
            let tags: Vec<String> = (0..TAGS)
                .map(|tag| format!("{page}-{tag:0>width$}", width = TAG_LENGTH - 2))
                .collect();
            let body = Bytes::from(json!({"name": "x", "tags": tags}).to_string());
            let reply = |repository: &str| {
                let reply = Reply::new(200).header("content-type", "application/json");
                let next = format!(
                    "</v2/{repository}/tags/list?page={}>; rel=\"next\"",
                    page + 1
                );
                let reply = reply.body(body.clone());
                if page + 1 < PAGES {
                    reply.header("link", &next)
                } else {
                    reply
                }
            };
            for entry in 0..ENTRIES {
                let repository = format!("many-{entry}");
                let path = format!("/v2/{repository}/tags/list");
                let reply = reply(&repository);
                let is_page = move |request: &Request| {
                    let asked = request.parameter("page").unwrap_or_else(|| "0".to_owned());
                    request.path == path && asked == page.to_string()
                };
                self.registry.script().when(is_page).responds(reply);
            }
        }
    }

    fn serve_manifests(&self) {
        for seed in 0..50 {
            let text = format!("{seed}{}", "x".repeat(4_000_000));
            let document =
                json!({"schemaVersion": 2, "mediaType": text, "config": config(), "layers": []});
            let blob = Blob::json(media_type::OCI_MANIFEST, &document);
            self.load("typed", &format!("t{seed}"), &blob);
        }
        for seed in 0..10 {
            let many = manifest(&texts(345_000, 0, seed), &json!([]));
            self.load("annotated", &format!("a{seed}"), &many);
            // Below the bound of values.
            let some = manifest(&texts(30_000, 3_000_000, seed), &json!([]));
            self.load("laden", &format!("l{seed}"), &some);
            self.load("labelled", &format!("c{seed}"), &self.labelled(seed));
        }
        for seed in 0..4 {
            let children: Vec<Value> = (0..400)
                .map(|child| {
                    let child = manifest(&texts(10, 128 << 10, seed * 1_000 + child), &json!([]));
                    self.registry.load_manifest("graph", &child.digest, &child);
                    child.descriptor()
                })
                .collect();
            let index = json!({"schemaVersion": 2, "mediaType": media_type::OCI_INDEX, "manifests": children});
            let index = Blob::json(media_type::OCI_INDEX, &index);
            self.load("graph", &format!("g{seed}"), &index);
        }
        self.serve_slow_layers();
    }

    /// An image whose config has 4 MB of labels.
    fn labelled(&self, seed: usize) -> Blob {
        let config = json!({"os": "linux", "architecture": "amd64", "config": {"Labels": texts(340_000, 0, seed)}});
        let config = Blob::json(media_type::OCI_CONFIG, &config);
        self.registry.load_blob("labelled", &config);
        let document = json!({
            "schemaVersion": 2,
            "mediaType": media_type::OCI_MANIFEST,
            "config": config.descriptor(),
            "layers": [],
        });
        Blob::json(media_type::OCI_MANIFEST, &document)
    }

    /// Six large layers of which only the beginning comes.
    fn serve_slow_layers(&self) {
        let layers: Vec<Value> = (0..6)
            .map(|layer| {
                let blob = Blob::new(media_type::OCI_LAYER, vec![layer; LARGE]);
                self.registry.load_blob("slow", &blob);
                let path = format!("/v2/slow/blobs/{}", blob.digest);
                let hold = Action::HoldBody(32 << 10, Gate::closed());
                self.registry.on("GET", path).does(hold);
                blob.descriptor()
            })
            .collect();
        self.load("slow", "s", &manifest(&json!({}), &json!(layers)));
    }

    /// An image with forty signatures of 16 MiB.
    fn serve_evidence(&self) {
        let image = ImageBuilder::new(9_001).layers(&[1_000]).build();
        self.registry.load("signed", "e", &image);
        let layer = Blob::new(BUNDLE, vec![b' '; EVIDENCE]);
        self.registry.load_blob("signed", &layer);
        for seed in 0..40 {
            let document = json!({
                "schemaVersion": 2,
                "mediaType": media_type::OCI_MANIFEST,
                "artifactType": BUNDLE,
                "config": config(),
                "layers": [layer.descriptor()],
                "subject": image.root.descriptor(),
                "annotations": {"seed": seed.to_string()},
            });
            let referrer = Blob::json(media_type::OCI_MANIFEST, &document);
            self.load("signed", &referrer.digest.clone(), &referrer);
        }
    }

    pub(super) fn of_lists(&self, destination: &FaultRegistry) -> Vec<Mirror> {
        let mirror = |name: &str, tags: &[&str]| {
            let mirror = Mirror::of(name, &self.registry.host(), &destination.host());
            (0..ENTRIES).fold(mirror, |mirror, entry| {
                mirror.image(&format!("many-{entry}"), tags)
            })
        };
        vec![mirror("none", &["zzz*"]), mirror("all", &["*"])]
    }

    pub(super) fn of_manifests(&self, destination: &FaultRegistry) -> Vec<Mirror> {
        let repositories = ["typed", "annotated", "laden", "labelled", "graph", "slow"];
        let mirrors = repositories.map(|repository| {
            let mirror = Mirror::of(repository, &self.registry.host(), &destination.host());
            mirror.image(repository, &["*"])
        });
        mirrors.into()
    }

    pub(super) fn of_evidence(&self, destination: &FaultRegistry) -> Vec<Mirror> {
        let mirror = |name: &str, repository: &str, policy: &str| {
            let mirror = Mirror::of(name, &self.registry.host(), &destination.host());
            mirror.image(repository, &["*"]).policy(policy)
        };
        vec![
            mirror("signed", "signed", "verified"),
            mirror("labelled", "labelled", "required"),
            mirror("laden", "laden", "required"),
        ]
    }

    /// The policies, and the key that they trust.
    pub(super) fn policies(&self) -> String {
        let of = |kind: &str, name: &str, spec: Value| {
            let object = json!({
                "apiVersion": "transship.dev/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec,
            });
            format!("---\n{object}\n")
        };
        let key = json!({"secretRef": {"name": "key", "key": "cosign.pub"}});
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "key"},
            "stringData": {"cosign.pub": self.signer.public_pem()},
        });
        let verify = json!({"verify": [{"name": "key", "type": "Key", "key": key}]});
        let require = json!({"require": {"maxSize": "500Mi"}});
        [
            format!("---\n{secret}\n"),
            of("ImagePolicy", "verified", verify),
            of("ImagePolicy", "required", require),
        ]
        .concat()
    }
}

impl Listless {
    pub(super) fn start() -> Self {
        let image = manifest(&json!({}), &json!([]));
        let manifests = BTreeMap::from([("r", image)]);
        Self(Server::start(Arc::new(Endless { manifests }), None))
    }

    pub(super) fn mirrors(&self, destination: &FaultRegistry) -> Vec<Mirror> {
        let host = self.0.address().to_string();
        let of = |name: &str| Mirror::of(name, &host, &destination.host());
        vec![
            of("links").image("links", &["zzz*"]),
            of("referrers").image("refs", &["r"]),
        ]
    }
}

impl Endless {
    fn page(request: &Request) -> usize {
        let page = request.parameter("page").and_then(|page| page.parse().ok());
        page.unwrap_or_default()
    }

    fn next(request: &Request) -> String {
        let padding = "x".repeat(60_000);
        format!(
            "<{}?page={}&padding={padding}>; rel=\"next\"",
            request.path,
            Self::page(request) + 1
        )
    }

    fn manifest(&self, reference: &str) -> Reply {
        let mut all = self.manifests.iter();
        match all.find(|(tag, blob)| **tag == reference || blob.digest == reference) {
            Some((_, blob)) => Reply::new(200)
                .header("content-type", &blob.media_type)
                .header("docker-content-digest", &blob.digest)
                .body(blob.bytes.clone()),
            None => Reply::error(404, "MANIFEST_UNKNOWN", "no such manifest"),
        }
    }
}

impl Handler for Endless {
    fn answer(&self, request: &Request) -> Reply {
        let path = request.path.trim_start_matches("/v2/");
        let listed = |body: &Value| Reply::json(200, body).header("link", &Self::next(request));
        if path.contains("/tags/list") {
            return listed(&json!({"tags": [format!("t{}", Self::page(request))]}));
        }
        if path.contains("/referrers/") {
            let referrer = manifest(
                &json!({"page": Self::page(request).to_string()}),
                &json!([]),
            );
            let body = json!({
                "schemaVersion": 2, "mediaType": media_type::OCI_INDEX, "manifests": [referrer.descriptor()],
            });
            return listed(&body);
        }
        match path.rsplit_once("/manifests/") {
            Some((_, reference)) => self.manifest(reference),
            None => Reply::new(200),
        }
    }

    fn rehearse(&self, request: &Request) -> Reply {
        self.answer(request)
    }
}
