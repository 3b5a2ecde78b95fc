// SPDX-License-Identifier: Apache-2.0

//! Registries that send as much as they may, and more.

use bytes::Bytes;
use serde_json::{Value, json};

use super::tenants::Mirror;
use crate::support::content::{Blob, ImageBuilder, Signer, media_type};
use crate::support::faults::FaultRegistry;
use crate::support::http::script::{Action, Gate};
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

fn config() -> Value {
    json!({"mediaType": media_type::EMPTY, "digest": Blob::new(media_type::EMPTY, "{}").digest, "size": 2})
}

/// A manifest with these annotations and layers.
pub(super) fn manifest(annotations: &str, layers: &Value) -> Blob {
    let (kind, config) = (media_type::OCI_MANIFEST, config());
    let document = format!(
        r#"{{"schemaVersion":2,"mediaType":"{kind}","config":{config},"layers":{layers},"annotations":{annotations}}}"#
    );
    Blob::new(kind, document)
}

/// So many texts that differ, of the least length: the middle of an object.
fn texts(count: usize) -> String {
    let texts: Vec<String> = (0..count)
        .map(|index| format!(r#""{index:x}":"","#))
        .collect();
    texts.concat()
}

/// An object of these texts and one more of `padding` letters.
fn object(texts: &str, padding: usize, seed: usize) -> String {
    let padding = "x".repeat(padding);
    format!(r#"{{{texts}"seed":"{seed}{padding}"}}"#)
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
                .map(|tag| format!("\"{page}-{tag:0>width$}\"", width = TAG_LENGTH - 2))
                .collect();
            let body = Bytes::from(format!(r#"{{"name":"x","tags":[{}]}}"#, tags.join(",")));
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
            let letters = "x".repeat(4_000_000);
            let document = format!(
                r#"{{"schemaVersion":2,"mediaType":"{seed}{letters}","config":{},"layers":[]}}"#,
                config()
            );
            let blob = Blob::new(media_type::OCI_MANIFEST, document);
            self.load("typed", &format!("t{seed}"), &blob);
        }
        let (too_many, many, labels) = (texts(345_000), texts(30_000), texts(340_000));
        for seed in 0..10 {
            let blob = manifest(&object(&too_many, 0, seed), &json!([]));
            self.load("annotated", &format!("a{seed}"), &blob);
            // Below the bound of values.
            let blob = manifest(&object(&many, 3_000_000, seed), &json!([]));
            self.load("laden", &format!("l{seed}"), &blob);
            let blob = self.labelled(&object(&labels, 0, seed));
            self.load("labelled", &format!("c{seed}"), &blob);
        }
        let few = texts(10);
        for seed in 0..4 {
            let children: Vec<Value> = (0..400)
                .map(|child| {
                    let child =
                        manifest(&object(&few, 128 << 10, seed * 1_000 + child), &json!([]));
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
    fn labelled(&self, labels: &str) -> Blob {
        let config =
            format!(r#"{{"os":"linux","architecture":"amd64","config":{{"Labels":{labels}}}}}"#);
        let config = Blob::new(media_type::OCI_CONFIG, config);
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
        self.load("slow", "s", &manifest("{}", &json!(layers)));
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
            let mirror = mirror.image(repository, &["*"]).policy(policy);
            mirror.under("evidence/{name}")
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
