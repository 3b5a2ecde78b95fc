// SPDX-License-Identifier: Apache-2.0

//! What a tree of layouts promises, on real directories.

mod blobs;
mod manifests;
mod removals;
mod tree;

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use futures::stream;
use serde_json::json;
use tempfile::TempDir;

use super::{Error, Layout};
use crate::oci::media_type::{OCI_INDEX, OCI_MANIFEST};
use crate::oci::{Digest, Manifest, Repository, TagOrDigest};

const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const BUNDLE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";

type Frame = Result<bytes::Bytes, std::io::Error>;

/// A tree in a directory that goes with it.
struct Fixture {
    root: TempDir,
    layout: Layout,
    repository: Repository,
}

impl Fixture {
    fn new() -> Self {
        let root = TempDir::new().unwrap();
        let layout = Layout::open(root.path().join("tree"));
        Self {
            layout,
            root,
            repository: repository("demo/hello"),
        }
    }

    fn path(&self, below: &str) -> PathBuf {
        self.layout
            .path()
            .join(self.repository.as_str())
            .join(below)
    }

    fn blob_path(&self, digest: &Digest) -> PathBuf {
        self.path(&format!("blobs/sha256/{}", digest.encoded()))
    }

    async fn write(&self, content: &'static [u8]) -> Result<(), Error> {
        let digest = Digest::sha256(content);
        let body = stream::iter(content.chunks(3).map(|chunk| Frame::Ok(chunk.into())));
        self.layout
            .write_blob(&self.repository, &digest, content.len() as u64, body)
            .await
    }

    async fn put(&self, target: &str, manifest: &Manifest) {
        self.layout
            .put_manifest(&self.repository, &self::target(target), manifest)
            .await
            .unwrap();
    }

    async fn put_by_digest(&self, manifest: &Manifest) {
        self.put(manifest.digest().as_str(), manifest).await;
    }

    async fn resolve(&self, target: &str) -> Option<Digest> {
        let resolved = self
            .layout
            .resolve(&self.repository, &self::target(target))
            .await;
        resolved.unwrap().map(|resolved| resolved.digest)
    }

    /// The entries of `index.json` as `tag@digest`.
    fn listed(&self) -> Vec<String> {
        let text = fs::read(self.path("index.json")).unwrap();
        let document: serde_json::Value = serde_json::from_slice(&text).unwrap();
        let entries = document["manifests"].as_array().unwrap();
        entries
            .iter()
            .map(|entry| {
                let tag = entry["annotations"]["org.opencontainers.image.ref.name"].as_str();
                format!(
                    "{}@{}",
                    tag.unwrap_or_default(),
                    entry["digest"].as_str().unwrap()
                )
            })
            .collect()
    }

    /// The names of everything in the tree with inode and time of change.
    fn state(&self) -> Vec<(PathBuf, u64, i64, i64)> {
        let mut found = Vec::new();
        let mut pending = vec![self.root.path().to_owned()];
        while let Some(path) = pending.pop() {
            let metadata = fs::symlink_metadata(&path).unwrap();
            if metadata.is_dir() {
                pending.extend(
                    fs::read_dir(&path)
                        .unwrap()
                        .map(|entry| entry.unwrap().path()),
                );
            }
            found.push((
                path,
                metadata.ino(),
                metadata.mtime(),
                metadata.mtime_nsec(),
            ));
        }
        found.sort();
        found
    }

    fn temporary_files(&self) -> usize {
        let entries = fs::read_dir(self.path("")).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name());
        names
            .filter(|name| name.to_string_lossy().starts_with(".transship-"))
            .count()
    }
}

fn repository(name: &str) -> Repository {
    name.parse().unwrap()
}

fn target(text: &str) -> TagOrDigest {
    match text.parse() {
        Ok(digest) => TagOrDigest::Digest(digest),
        Err(_) => TagOrDigest::Tag(text.parse().unwrap()),
    }
}

fn at(tag: &str, manifest: &Manifest) -> String {
    format!("{tag}@{}", manifest.digest())
}

fn descriptor(media_type: &str, content: &[u8]) -> serde_json::Value {
    json!({"mediaType": media_type, "digest": Digest::sha256(content).as_str(), "size": content.len()})
}

fn parse(document: &serde_json::Value) -> Manifest {
    Manifest::parse(document.to_string().into(), None, None).unwrap()
}

fn image(name: &'static str) -> Manifest {
    parse(&json!({
        "schemaVersion": 2, "mediaType": OCI_MANIFEST,
        "config": descriptor(CONFIG, b"{}"),
        "layers": [descriptor(LAYER, name.as_bytes())],
    }))
}

fn index_of(children: &[&Manifest]) -> Manifest {
    let entry = |child: &&Manifest| descriptor(child.media_type().as_str(), child.bytes());
    let manifests: Vec<_> = children.iter().map(entry).collect();
    parse(&json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": manifests}))
}

fn signature_of(subject: &Manifest) -> Manifest {
    parse(&json!({
        "schemaVersion": 2, "mediaType": OCI_MANIFEST, "artifactType": BUNDLE,
        "config": descriptor("application/vnd.oci.empty.v1+json", b"{}"),
        "layers": [descriptor(BUNDLE, b"signature")],
        "subject": descriptor(subject.media_type().as_str(), subject.bytes()),
        "annotations": {"by": "somebody"},
    }))
}
