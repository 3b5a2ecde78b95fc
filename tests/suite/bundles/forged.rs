// SPDX-License-Identifier: Apache-2.0

//! Bundles as somebody else might write them.

use serde_json::{Value, json};

use crate::support::digest::sha256;

/// The type of the manifest of a bundle.
const BUNDLE: &str = "application/vnd.transship.bundle.v1";

/// The files of an archive.
pub(super) struct Members(Vec<(String, Vec<u8>)>);

impl Members {
    pub(super) fn of(archive: &[u8]) -> Self {
        let mut members = Vec::new();
        let mut rest = archive;
        while let Some(header) = rest.get(..512).filter(|header| header[0] != 0) {
            let text = |range: std::ops::Range<usize>| {
                let field = header[range].split(|byte| *byte == 0).next().unwrap();
                String::from_utf8(field.to_vec()).unwrap()
            };
            let size = usize::from_str_radix(&text(124..136), 8).unwrap();
            members.push((text(0..100), rest[512..512 + size].to_vec()));
            rest = &rest[512 + size.next_multiple_of(512)..];
        }
        Self(members)
    }

    /// The same under other names.
    pub(super) fn renamed(mut self, name: impl Fn(&str) -> String) -> Self {
        for member in &mut self.0 {
            member.0 = name(&member.0);
        }
        self
    }

    /// The archive.
    pub(super) fn pack(&self) -> Vec<u8> {
        let mut archive = Vec::new();
        for (name, content) in &self.0 {
            archive.extend(header(name, &format!("{:011o}", content.len()), b'0'));
            archive.extend(content);
            archive.resize(archive.len().next_multiple_of(512), 0);
        }
        archive.resize(archive.len() + 1_024, 0);
        archive
    }

    /// The same with another index of the bundle, under the digests that it has then.
    pub(super) fn with_index(mut self, change: impl FnOnce(&mut Value)) -> Self {
        let mut listed = self.json("index.json");
        let manifests = listed["manifests"].as_array_mut().unwrap();
        let mut own = manifests.iter_mut();
        let own = own.find(|one| one["artifactType"] == BUNDLE).unwrap();
        let mut manifest = self.json(&blob(&own["digest"]));
        let mut index = self.json(&blob(&manifest["layers"][0]["digest"]));
        change(&mut index);
        manifest["layers"][0] = self.add(&index, &manifest["layers"][0]);
        *own = self.add(&manifest, own);
        self.replace("index.json", listed.to_string().into_bytes());
        self
    }

    pub(super) fn index(&self) -> Value {
        let listed = self.json("index.json");
        let manifests = listed["manifests"].as_array().unwrap();
        let own = manifests.iter().find(|one| one["artifactType"] == BUNDLE);
        let manifest = self.json(&blob(&own.unwrap()["digest"]));
        self.json(&blob(&manifest["layers"][0]["digest"]))
    }

    pub(super) fn get(&self, name: &str) -> &[u8] {
        let found = self.0.iter().find(|(known, _)| known == name);
        &found.unwrap_or_else(|| panic!("no {name}")).1
    }

    /// Adds a document, and returns its descriptor, which is otherwise like another one.
    fn add(&mut self, document: &Value, like: &Value) -> Value {
        let content = document.to_string().into_bytes();
        let mut descriptor = like.clone();
        descriptor["digest"] = json!(sha256(&content));
        descriptor["size"] = json!(content.len());
        self.0.push((blob(&descriptor["digest"]), content));
        descriptor
    }

    fn replace(&mut self, name: &str, content: Vec<u8>) {
        let found = self.0.iter_mut().find(|(known, _)| known == name);
        found.unwrap().1 = content;
    }

    fn json(&self, name: &str) -> Value {
        serde_json::from_slice(self.get(name)).unwrap()
    }
}

/// The name of a blob.
pub(super) fn blob(digest: &Value) -> String {
    let digest = digest.as_str().unwrap();
    format!("blobs/{}", digest.replace(':', "/"))
}

pub(super) fn header(name: &str, size: &str, kind: u8) -> Vec<u8> {
    let mut block = vec![0; 512];
    block[..name.len()].copy_from_slice(name.as_bytes());
    block[100..108].copy_from_slice(b"0000644\0");
    block[124..124 + size.len()].copy_from_slice(size.as_bytes());
    block[148..156].fill(b' ');
    block[156] = kind;
    let target = b"/etc/passwd";
    if kind == b'2' {
        block[157..157 + target.len()].copy_from_slice(target);
    }
    block[257..265].copy_from_slice(b"ustar\x0000");
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    block
}
