// SPDX-License-Identifier: Apache-2.0

//! The bytes of manifests that deleted tags need to come back: a registry's garbage collection takes what no
//! tag leads to.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::Tombstone;
use crate::oci::manifest::ManifestError;
use crate::oci::{Content, Digest, Manifest, MediaType, limits};

/// Most bytes that are kept for the deleted tags of one mirror. An index of ten platforms is some 10 KiB with all
/// that it lists.
const MIRROR_BYTES: usize = 8 * 1024 * 1024;
/// Most bytes that are kept for the deleted tags of all mirrors. They stay in memory, where they are read from a
/// file or objects that have a third more.
const ALL_BYTES: usize = 32 * 1024 * 1024;

/// Manifests by their digests.
pub type Keepsakes = BTreeMap<Digest, Keepsake>;

/// The bytes of one manifest. They come from a file or an object that people can edit: only
/// [`Keepsake::manifest`] believes them.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "Form", into = "Form")]
pub struct Keepsake {
    media_type: String,
    bytes: Bytes,
    /// What it lists, if it is an index.
    below: Vec<Digest>,
}

/// As it is written.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Form {
    /// The media type.
    pub media_type: String,
    /// The bytes, in base64.
    pub data: String,
}

/// How many bytes are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Kept {
    /// For one mirror.
    pub(super) here: usize,
    /// For all of them.
    pub(super) all: usize,
}

// === impl Keepsake ===

impl Keepsake {
    /// The bytes of a manifest.
    pub fn new(manifest: &Manifest) -> Self {
        Self {
            media_type: manifest.media_type().as_str().to_owned(),
            bytes: manifest.bytes().clone(),
            below: below(manifest),
        }
    }

    /// The manifest, if the bytes are those that the digest says.
    pub fn manifest(&self, digest: &Digest) -> Result<Manifest, ManifestError> {
        let media_type = MediaType::from(self.media_type.as_str());
        Manifest::parse(self.bytes.clone(), Some(&media_type), Some(digest))
    }

    /// How many bytes it is.
    pub fn size(&self) -> usize {
        self.bytes.len()
    }
}

/// What an index lists.
fn below(manifest: &Manifest) -> Vec<Digest> {
    let children = match manifest.content() {
        Content::Index(index) => index.manifests.as_slice(),
        Content::Image(_) => &[],
    };
    children.iter().map(|child| child.digest.clone()).collect()
}

impl From<Form> for Keepsake {
    /// What is no manifest leads nowhere, and is refused when it is to be used.
    fn from(form: Form) -> Self {
        let Form { media_type, data } = form;
        let bytes = Bytes::from(BASE64_STANDARD.decode(data).unwrap_or_default());
        let kind = MediaType::from(media_type.as_str());
        let manifest = Manifest::parse(bytes.clone(), Some(&kind), None);
        Self {
            media_type,
            bytes,
            below: manifest.map_or_else(|_| Vec::new(), |manifest| below(&manifest)),
        }
    }
}

impl From<Keepsake> for Form {
    fn from(keepsake: Keepsake) -> Self {
        Self {
            media_type: keepsake.media_type,
            data: BASE64_STANDARD.encode(&keepsake.bytes),
        }
    }
}

// === impl Kept ===

impl Kept {
    /// How many bytes may still come.
    pub(super) fn room(self) -> usize {
        let here = MIRROR_BYTES.saturating_sub(self.here);
        here.min(ALL_BYTES.saturating_sub(self.all))
    }
}

/// How many bytes these are.
pub(super) fn size(keepsakes: &Keepsakes) -> usize {
    keepsakes.values().map(Keepsake::size).sum()
}

/// What a deleted tag needs of what is kept: its manifest and what refers to that, with everything below,
/// the deepest first.
pub(in crate::sync) fn needed<'a>(
    tombstone: &'a Tombstone,
    keepsakes: &'a Keepsakes,
) -> Vec<(&'a Digest, &'a Keepsake)> {
    let mut walk = Walk {
        keepsakes,
        seen: BTreeSet::new(),
        found: Vec::new(),
    };
    for root in std::iter::once(&tombstone.digest).chain(&tombstone.referrers) {
        walk.visit(root, 0);
    }
    walk.found
}

/// A walk through what is kept: what lists something comes after it.
struct Walk<'a> {
    keepsakes: &'a Keepsakes,
    seen: BTreeSet<&'a Digest>,
    found: Vec<(&'a Digest, &'a Keepsake)>,
}

impl Walk<'_> {
    fn visit(&mut self, digest: &Digest, depth: usize) {
        let Some((digest, keepsake)) = self.keepsakes.get_key_value(digest) else {
            return;
        };
        if depth > limits::INDEX_DEPTH || !self.seen.insert(digest) {
            return;
        }
        for child in &keepsake.below {
            self.visit(child, depth + 1);
        }
        self.found.push((digest, keepsake));
    }
}

/// Drops what none of these deleted tags needs.
pub(super) fn sweep<'a>(
    keepsakes: &mut Keepsakes,
    tombstones: impl IntoIterator<Item = &'a Tombstone>,
) {
    let used: BTreeSet<Digest> = tombstones
        .into_iter()
        .filter(|tombstone| !tombstone.cleared)
        .flat_map(|tombstone| needed(tombstone, keepsakes))
        .map(|(digest, _)| digest.clone())
        .collect();
    keepsakes.retain(|digest, _| used.contains(digest));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sync::ledger::keepsake_samples::{image, index, kept, tombstone};

    /// What each needs, by the names of `names`.
    fn names<'a>(
        needed: Vec<(&Digest, &Keepsake)>,
        known: &[(&'a str, &Manifest)],
    ) -> Vec<&'a str> {
        needed
            .into_iter()
            .map(|(digest, _)| {
                let found = known.iter().find(|(_, known)| known.digest() == digest);
                found.unwrap().0
            })
            .collect()
    }

    #[test]
    fn what_a_tag_needs_comes_after_what_it_lists() {
        let (arm, amd, sbom) = (image("arm"), image("amd"), image("sbom"));
        let inner = index(&[&arm]);
        let root = index(&[&inner, &amd, &arm]);
        let known = [
            ("arm", &arm),
            ("amd", &amd),
            ("sbom", &sbom),
            ("inner", &inner),
            ("root", &root),
        ];
        let all = kept(&[&arm, &amd, &sbom, &inner, &root, &image("other")]);
        let cases: [(&str, Tombstone, &Keepsakes, &[&str]); 5] = [
            (
                "an index of indexes, each part once",
                tombstone(&root, &[]),
                &all,
                &["arm", "inner", "amd", "root"],
            ),
            (
                "what refers to it after it",
                tombstone(&amd, &[&sbom]),
                &all,
                &["amd", "sbom"],
            ),
            (
                "parts that nobody had",
                tombstone(&root, &[&sbom]),
                &kept(&[&amd, &root]),
                &["amd", "root"],
            ),
            (
                "only what refers to it",
                tombstone(&root, &[&sbom]),
                &kept(&[&sbom]),
                &["sbom"],
            ),
            ("nothing", tombstone(&root, &[]), &kept(&[&amd]), &[]),
        ];
        for (case, tombstone, keepsakes, expected) in cases {
            let found = names(needed(&tombstone, keepsakes), &known);
            assert_eq!(found, expected, "{case}");
        }
    }

    #[test]
    fn what_no_deleted_tag_needs_is_dropped() {
        let (shared, one, two) = (image("shared"), image("one"), image("two"));
        let (first, second) = (index(&[&shared, &one]), index(&[&shared, &two]));
        let all = kept(&[&shared, &one, &two, &first, &second]);
        let over = Tombstone {
            cleared: true,
            ..tombstone(&second, &[])
        };
        let first_alone = kept(&[&shared, &one, &first]);
        let cases = [
            (vec![tombstone(&first, &[]), tombstone(&second, &[])], &all),
            (vec![tombstone(&first, &[])], &first_alone),
            (vec![tombstone(&first, &[]), over], &first_alone),
            (Vec::new(), &Keepsakes::new()),
        ];
        for (tombstones, expected) in &cases {
            let mut found = all.clone();
            sweep(&mut found, tombstones);
            assert_eq!(found, **expected, "{tombstones:?}");
        }
    }

    #[test]
    fn what_is_not_what_its_digest_says_is_refused() {
        let manifest = image("it");
        let digest = manifest.digest();
        let form = Form::from(Keepsake::new(&manifest));
        let read = Keepsake::from(form.clone()).manifest(digest).unwrap();
        assert_eq!(read.bytes(), manifest.bytes());
        assert_eq!(read.media_type(), manifest.media_type());
        let other = Form::from(Keepsake::new(&image("another"))).data;
        for data in [
            String::new(),
            "no base64!".to_owned(),
            "e30=".to_owned(),
            form.data.get(4..).unwrap().to_owned(),
            other,
        ] {
            let damaged = Form {
                data: data.clone(),
                ..form.clone()
            };
            assert!(Keepsake::from(damaged).manifest(digest).is_err(), "{data}");
        }
    }

    #[test]
    fn there_is_room_for_one_mirror_and_for_all() {
        for (here, all, expected) in [
            (0, 0, MIRROR_BYTES),
            (MIRROR_BYTES - 5, MIRROR_BYTES - 5, 5),
            (MIRROR_BYTES, MIRROR_BYTES, 0),
            (0, ALL_BYTES - 7, 7),
            (MIRROR_BYTES + 1, ALL_BYTES + 1, 0),
        ] {
            assert_eq!(Kept { here, all }.room(), expected, "{here} {all}");
        }
    }
}
