//! A subset of the platforms of an index.
//!
//! Attestation entries follow the image that they speak about. Where every entry stays, the
//! original bytes stay too, so that digest and signatures remain valid.

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
    /// Whether entries were left out.
    pub is_partial: bool,
}

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
    /// Chooses the entries of `index` for the `wanted` platforms.
    ///
    /// An entry without a platform, and a nested index, is kept: it cannot be judged from outside.
    pub fn choose(index: &Manifest, wanted: &[Platform]) -> Result<Self, SubsetError> {
        let Content::Index(content) = index.content() else {
            return Err(SubsetError::NotAnIndex(index.digest().clone()));
        };
        let is_wanted = |entry: &Descriptor| match &entry.platform {
            Some(platform) => wanted.iter().any(|wanted| wanted.covers(platform)),
            None => true,
        };
        let images: Vec<&Descriptor> = content
            .manifests
            .iter()
            .filter(|entry| entry.attests().is_none() && is_wanted(entry))
            .collect();
        let found = || {
            content
                .manifests
                .iter()
                .filter_map(|entry| entry.platform.as_ref())
        };
        if images.is_empty() {
            return Err(SubsetError::Empty {
                index: index.digest().clone(),
                wanted: wanted.to_vec(),
                found: found()
                    .filter(|platform| !platform.is_unknown())
                    .cloned()
                    .collect(),
            });
        }
        let kept: Vec<Descriptor> = content
            .manifests
            .iter()
            .filter(|entry| match entry.attests() {
                Some(subject) => images.iter().any(|image| image.digest.as_str() == subject),
                None => is_wanted(entry),
            })
            .cloned()
            .collect();
        let absent = wanted
            .iter()
            .filter(|wanted| !found().any(|platform| wanted.covers(platform)))
            .cloned()
            .collect();
        Ok(Self {
            is_partial: kept.len() < content.manifests.len(),
            kept,
            absent,
        })
    }

    /// The index that lists only the kept entries: the original where nothing was left out.
    pub fn rewrite(&self, index: &Manifest) -> Result<Manifest, SubsetError> {
        if !self.is_partial {
            return Ok(index.clone());
        }
        let mut document: Value =
            serde_json::from_slice(index.bytes()).map_err(SubsetError::Json)?;
        if let Some(entries) = document.get_mut("manifests").and_then(Value::as_array_mut) {
            entries.retain(|entry| {
                let digest = entry.get("digest").and_then(Value::as_str);
                self.kept
                    .iter()
                    .any(|kept| Some(kept.digest.as_str()) == digest)
            });
        }
        let bytes = serde_json::to_vec(&document).map_err(SubsetError::Json)?;
        Ok(Manifest::parse(
            Bytes::from(bytes),
            Some(index.media_type()),
            None,
        )?)
    }
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
        let subset = Subset::choose(&index, &platforms(&["linux/arm64"])).unwrap();
        assert!(subset.is_partial);
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
        let subset = Subset::choose(&index, &platforms(&["linux/amd64/v1"])).unwrap();
        assert_eq!(subset.rewrite(&index).unwrap(), index);
    }

    #[test]
    fn absent_platforms_are_named_and_nothing_is_never_a_result() {
        let index = index(&[child("linux/amd64"), attestation("linux/amd64")]);
        let subset = Subset::choose(&index, &platforms(&["linux/amd64", "linux/s390x"])).unwrap();
        assert_eq!(subset.absent, platforms(&["linux/s390x"]));

        let error = Subset::choose(&index, &platforms(&["linux/s390x"]))
            .unwrap_err()
            .to_string();
        assert!(
            error.ends_with("has none of the platforms linux/s390x; it has linux/amd64"),
            "{error}"
        );
    }
}
