// SPDX-License-Identifier: Apache-2.0

//! A subset of the platforms of an index.
//!
//! Attestation entries follow the image that they speak about. Where every entry stays, the
//! original bytes stay too, so that digest and signatures remain valid.

use std::collections::{HashMap, HashSet};

use bytes::Bytes;
use serde_json::Value;

use super::manifest::ManifestError;
use super::{Content, Descriptor, Digest, Manifest, Platform};

/// The entries of an index that are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subset {
    /// The kept entries, in their order.
    pub kept: Vec<Descriptor>,
    /// The wanted platforms that the index does not have.
    pub absent: Vec<Platform>,
    /// The first entry that is for a platform and is kept: what a node takes that wants one of them.
    pub first: Option<Descriptor>,
    /// For each entry of the index whether it is kept. Not its digest decides: two platforms may share one.
    is_kept: Vec<bool>,
}

/// The platforms of what entries name that do not say theirs, by digest. What is not there has none.
pub type Inside = HashMap<Digest, Vec<Platform>>;

/// Why an index cannot be reduced.
#[derive(Debug, thiserror::Error)]
pub enum SubsetError {
    /// There is nothing to keep.
    #[error("the index {index} has none of the platforms {}; it has {}", join(.wanted), join(.found))]
    Empty {
        /// The digest of the index.
        index: Digest,
        /// What was wanted.
        wanted: Vec<Platform>,
        /// What there is.
        found: Vec<Platform>,
    },
    /// The manifest is not an index.
    #[error("{0} is not an index")]
    NotAnIndex(Digest),
    /// The new index could not be written.
    #[error("the index cannot be rewritten: {0}")]
    Json(serde_json::Error),
    /// The new index does not pass its own checks.
    #[error("the rewritten index is refused: {0}")]
    Rewritten(#[from] ManifestError),
}

impl Subset {
    /// Chooses the entries of `index` for the `wanted` platforms, for all where there is none, with or without its
    /// attestations.
    ///
    /// An entry counts for its platform, or else for those that are `inside`. What has none at all, such as
    /// another artifact, is kept. So is an index of attestations alone.
    pub fn choose(
        index: &Manifest,
        inside: &Inside,
        wanted: &[Platform],
        with_attestations: bool,
    ) -> Result<Self, SubsetError> {
        let Content::Index(content) = index.content() else {
            return Err(SubsetError::NotAnIndex(index.digest().clone()));
        };
        let entries = || content.manifests.iter();
        let images = || entries().filter(|entry| entry.attests().is_none());
        let found: Vec<&Platform> = images()
            .flat_map(|entry| platforms(entry, inside))
            .filter(|platform| !platform.is_unknown())
            .collect();
        let is_wanted = |entry: &Descriptor| {
            let platforms = platforms(entry, inside);
            platforms.is_empty() || platforms.iter().any(|found| covered(wanted, found))
        };
        let kept: HashSet<&str> = images()
            .filter(|entry| is_wanted(entry))
            .map(|entry| entry.digest.as_str())
            .collect();
        let has_another = !found.is_empty() && !found.iter().any(|found| covered(wanted, found));
        let lacks_all = kept.is_empty() && !wanted.is_empty();
        if lacks_all || has_another {
            return Err(SubsetError::Empty {
                index: index.digest().clone(),
                wanted: wanted.to_vec(),
                found: found.into_iter().cloned().collect(),
            });
        }
        // Where an index has nothing but attestations, they are what it is for.
        let has_images = images().next().is_some();
        let is_kept: Vec<bool> = entries()
            .map(|entry| match entry.attests() {
                Some(_) if !has_images => true,
                Some(subject) => with_attestations && kept.contains(subject),
                None => is_wanted(entry),
            })
            .collect();
        let is_absent = |wanted: &&Platform| !found.iter().any(|found| wanted.covers(found));
        let absent = wanted.iter().filter(is_absent);
        let is_first = |entry: &&Descriptor| {
            let platforms = platforms(entry, inside);
            platforms.iter().any(|found| covered(wanted, found))
        };
        Ok(Self {
            first: images().find(is_first).cloned(),
            kept: entries()
                .zip(&is_kept)
                .filter(|(_, is_kept)| **is_kept)
                .map(|(entry, _)| entry.clone())
                .collect(),
            // Where nothing has a platform, there is no image that could lack one.
            absent: absent.filter(|_| !found.is_empty()).cloned().collect(),
            is_kept,
        })
    }

    /// Whether entries were left out.
    pub fn is_partial(&self) -> bool {
        self.is_kept.contains(&false)
    }

    /// The index that lists only the kept entries: the original where nothing was left out.
    pub fn rewrite(&self, index: &Manifest) -> Result<Manifest, SubsetError> {
        if !self.is_partial() {
            return Ok(index.clone());
        }
        let mut document: Value =
            serde_json::from_slice(index.bytes()).map_err(SubsetError::Json)?;
        if let Some(entries) = document.get_mut("manifests").and_then(Value::as_array_mut) {
            let mut is_kept = self.is_kept.iter();
            entries.retain(|_| is_kept.next().is_some_and(|is_kept| *is_kept));
        }
        let bytes = serde_json::to_vec(&document).map_err(SubsetError::Json)?;
        Ok(Manifest::parse(
            Bytes::from(bytes),
            Some(index.media_type()),
            None,
        )?)
    }
}

/// What an entry is for, by what it says or else by what is inside.
fn platforms<'a>(entry: &'a Descriptor, inside: &'a Inside) -> &'a [Platform] {
    match entry.own_platform() {
        Some(platform) => std::slice::from_ref(platform),
        None => inside.get(&entry.digest).map_or(&[], Vec::as_slice),
    }
}

fn covered(wanted: &[Platform], found: &Platform) -> bool {
    wanted.is_empty() || wanted.iter().any(|wanted| wanted.covers(found))
}

fn join(platforms: &[Platform]) -> String {
    if platforms.is_empty() {
        return "none".to_owned();
    }
    platforms
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(", ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn child(platform: &str) -> Value {
        let parsed: Platform = platform.parse().unwrap();
        json!({
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "digest": Digest::sha256(platform.as_bytes()).as_str(),
            "size": platform.len(),
            "platform": {"os": parsed.os, "architecture": parsed.architecture, "variant": parsed.variant},
            "x-kept": {"b": 1, "a": 2},
        })
    }

    fn attestation(of: &str) -> Value {
        json!({
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "digest": Digest::sha256(format!("attests {of}").as_bytes()).as_str(),
            "size": 7,
            "platform": {"os": "unknown", "architecture": "unknown"},
            "annotations": {
                "vnd.docker.reference.type": "attestation-manifest",
                "vnd.docker.reference.digest": Digest::sha256(of.as_bytes()).as_str(),
            },
        })
    }

    fn index(entries: &[Value]) -> Manifest {
        let document = json!({"schemaVersion": 2, "manifests": entries, "annotations": {"k": "v"}});
        let media_type = "application/vnd.oci.image.index.v1+json".into();
        Manifest::parse(Bytes::from(document.to_string()), Some(&media_type), None).unwrap()
    }

    fn platforms(texts: &[&str]) -> Vec<Platform> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn attestations_follow_their_image() {
        let entries = ["linux/amd64", "linux/arm64"];
        let index = index(&[
            child(entries[0]),
            child(entries[1]),
            attestation(entries[0]),
            attestation(entries[1]),
        ]);
        let subset =
            Subset::choose(&index, &Inside::new(), &platforms(&["linux/arm64"]), true).unwrap();
        assert!(subset.is_partial());
        let rewritten = subset.rewrite(&index).unwrap();
        let document: Value = serde_json::from_slice(rewritten.bytes()).unwrap();
        assert_eq!(
            document["manifests"],
            json!([child(entries[1]), attestation(entries[1])])
        );
        assert_eq!(document["annotations"], json!({"k": "v"}));
    }

    #[test]
    fn original_bytes_stay_where_everything_stays() {
        let index = index(&[child("linux/amd64"), attestation("linux/amd64")]);
        let subset = Subset::choose(
            &index,
            &Inside::new(),
            &platforms(&["linux/amd64/v1"]),
            true,
        )
        .unwrap();
        assert_eq!(subset.rewrite(&index).unwrap(), index);
    }

    #[test]
    fn absent_platforms_are_named_and_nothing_is_never_a_result() {
        let index = index(&[child("linux/amd64"), attestation("linux/amd64")]);
        let subset = Subset::choose(
            &index,
            &Inside::new(),
            &platforms(&["linux/amd64", "linux/s390x"]),
            true,
        )
        .unwrap();
        assert_eq!(subset.absent, platforms(&["linux/s390x"]));

        let error = Subset::choose(&index, &Inside::new(), &platforms(&["linux/s390x"]), true)
            .unwrap_err()
            .to_string();
        assert!(
            error.ends_with("has none of the platforms linux/s390x; it has linux/amd64"),
            "{error}"
        );
    }

    #[test]
    fn attestations_may_go_and_images_stay() {
        let all = [
            child("linux/amd64"),
            child("linux/arm64"),
            attestation("linux/amd64"),
            attestation("linux/arm64"),
        ];
        let whole = index(&all);
        for (wanted, with_attestations, kept) in [
            (&[][..], true, &[0, 1, 2, 3][..]),
            (&[], false, &[0, 1]),
            (&["linux/arm64"], false, &[1]),
            (&["linux/arm64"], true, &[1, 3]),
        ] {
            let subset = Subset::choose(
                &whole,
                &Inside::new(),
                &platforms(wanted),
                with_attestations,
            );
            let rewritten = subset.unwrap().rewrite(&whole).unwrap();
            let document: Value = serde_json::from_slice(rewritten.bytes()).unwrap();
            let kept: Vec<Value> = kept
                .iter()
                .map(|&place: &usize| all[place].clone())
                .collect();
            assert_eq!(document["manifests"], json!(kept), "{wanted:?}");
        }
        let bare = index(&all[..2]);
        let subset = Subset::choose(&bare, &Inside::new(), &[], false).unwrap();
        assert_eq!(subset.rewrite(&bare).unwrap(), bare);
        let attestations = index(&all[2..]);
        let subset = Subset::choose(&attestations, &Inside::new(), &[], false).unwrap();
        assert_eq!(subset.rewrite(&attestations).unwrap(), attestations);
        let empty = index(&[]);
        let subset = Subset::choose(&empty, &Inside::new(), &[], false).unwrap();
        assert_eq!(subset.rewrite(&empty).unwrap(), empty);
    }

    #[test]
    fn two_platforms_may_share_a_digest() {
        let entry = |platform: &str| {
            let mut entry = child("linux/amd64");
            entry["platform"] = child(platform)["platform"].clone();
            entry
        };
        let index = index(&[
            entry("linux/amd64"),
            entry("linux/arm64"),
            attestation("linux/amd64"),
        ]);
        for (wanted, kept) in [
            (&["linux/amd64"][..], &[0, 2][..]),
            (&["linux/arm64"], &[1, 2]),
            (&["linux/arm64", "linux/amd64"], &[0, 1, 2]),
        ] {
            let subset = Subset::choose(&index, &Inside::new(), &platforms(wanted), true).unwrap();
            let rewritten = subset.rewrite(&index).unwrap();
            let [found, all] = [&rewritten, &index].map(|index| {
                let document: Value = serde_json::from_slice(index.bytes()).unwrap();
                document["manifests"].as_array().unwrap().clone()
            });
            let kept: Vec<Value> = kept.iter().map(|&place| all[place].clone()).collect();
            assert_eq!(found, kept, "{wanted:?}");
        }
    }
}
