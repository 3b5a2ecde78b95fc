// SPDX-License-Identifier: Apache-2.0

//! The `index.json` of a layout (image specification, image layout): which manifests it lists, and
//! under which tags. What other tools wrote beside that is kept.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::listed::Listed;
use crate::oci::{Descriptor, Digest, Manifest, Tag, media_type};

/// The annotation of an entry that names its tag.
const REF_NAME: &str = "org.opencontainers.image.ref.name";

/// The annotation of an entry that names the image in full, as containerd and Docker write it.
const IMAGE_NAME: &str = "io.containerd.image.name";

/// A parsed `index.json`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Index {
    entries: Vec<Entry>,
    /// Everything but `manifests`.
    rest: Map<String, Value>,
}

/// One of its `manifests`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Entry {
    /// What the entry says of the manifest.
    pub(super) descriptor: Descriptor,
    /// The tag of the manifest, where it has one.
    pub(super) tag: Option<Tag>,
    /// The descriptor with whatever else was written there.
    document: Value,
}

/// Why the text is not an `index.json`.
#[derive(Debug, thiserror::Error)]
pub(super) enum IndexError {
    #[error("it is not JSON of the expected form: {0}")]
    Json(#[from] serde_json::Error),
    #[error("its schemaVersion is {0}, expected 2")]
    SchemaVersion(Value),
    #[error("its mediaType is {0}, expected {expected:?}", expected = media_type::OCI_INDEX)]
    MediaType(Value),
    #[error("its entry {place} is not a descriptor: {cause}")]
    Entry {
        place: usize,
        cause: serde_json::Error,
    },
}

// === impl Index ===

impl Index {
    /// The index of a layout in which nothing is listed.
    pub(super) fn empty() -> Self {
        let rest = [
            ("schemaVersion".to_owned(), json!(2)),
            ("mediaType".to_owned(), json!(media_type::OCI_INDEX)),
        ];
        Self {
            entries: Vec::new(),
            rest: rest.into_iter().collect(),
        }
    }

    /// Reads an `index.json`.
    pub(super) fn parse(text: &[u8]) -> Result<Self, IndexError> {
        let mut rest: Map<String, Value> = serde_json::from_slice(text)?;
        let version = rest.get("schemaVersion").unwrap_or(&Value::Null);
        if *version != json!(2) {
            return Err(IndexError::SchemaVersion(version.clone()));
        }
        if let Some(media_type) = rest.get("mediaType")
            && !matches!(media_type.as_str(), Some("" | media_type::OCI_INDEX))
        {
            return Err(IndexError::MediaType(media_type.clone()));
        }
        // Go writes an empty list as null.
        let documents: Option<Vec<Value>> =
            serde_json::from_value(rest.remove("manifests").unwrap_or_default())?;
        let entries = documents
            .unwrap_or_default()
            .into_iter()
            .enumerate()
            .map(|(number, document)| {
                Entry::parse(document).map_err(|cause| IndexError::Entry {
                    place: number + 1,
                    cause,
                })
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { entries, rest })
    }

    /// The text to write.
    pub(super) fn render(&self) -> Vec<u8> {
        let mut document = self.rest.clone();
        let entries = self.entries.iter().map(|entry| entry.document.clone());
        document.insert("manifests".to_owned(), entries.collect());
        Value::Object(document).to_string().into_bytes()
    }

    /// What is listed.
    pub(super) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The entries that have a tag.
    pub(super) fn tagged<'a>(&'a self, tag: &Tag) -> impl Iterator<Item = &'a Entry> {
        self.entries
            .iter()
            .filter(move |entry| entry.tag.as_ref() == Some(tag))
    }

    /// Whether a manifest is listed, with a tag or without.
    pub(super) fn lists(&self, digest: &Digest) -> bool {
        self.entries
            .iter()
            .any(|entry| entry.descriptor.digest == *digest)
    }

    /// Lists a manifest without a tag.
    pub(super) fn append(&mut self, manifest: &Manifest) {
        self.entries.push(Entry::of(manifest));
    }

    /// Makes a tag stand for a manifest and for nothing else. An entry that loses the tag stays
    /// without one only if `stays` says so of it.
    pub(super) fn tag(
        &mut self,
        manifest: &Manifest,
        tag: &Tag,
        stays: impl Fn(&Descriptor) -> bool,
    ) {
        let digest = manifest.digest();
        let mut is_done = false;
        self.entries.retain_mut(|entry| {
            if entry.tag.as_ref() != Some(tag) {
                return true;
            }
            if entry.descriptor.digest == *digest {
                return !std::mem::replace(&mut is_done, true);
            }
            entry.set_tag(None);
            stays(&entry.descriptor)
        });
        if is_done {
            return;
        }
        let untagged = self
            .entries
            .iter_mut()
            .find(|entry| entry.tag.is_none() && entry.descriptor.digest == *digest);
        if let Some(entry) = untagged {
            entry.set_tag(Some(tag));
        } else {
            let mut entry = Entry::of(manifest);
            entry.set_tag(Some(tag));
            self.entries.push(entry);
        }
    }

    /// Takes a tag from the entries that have it. They stay without it only if `stays` says so.
    pub(super) fn untag(&mut self, tag: &Tag, stays: impl Fn(&Descriptor) -> bool) {
        self.entries.retain_mut(|entry| {
            if entry.tag.as_ref() != Some(tag) {
                return true;
            }
            entry.set_tag(None);
            stays(&entry.descriptor)
        });
    }

    /// Lists what another index lists; its image under a full name.
    pub(super) fn merge(&mut self, other: &Self, name: Option<&str>) {
        for entry in &other.entries {
            let mut entry = entry.clone();
            if let (Some(name), Some(tag)) = (name, entry.tag.clone()) {
                let annotations = &mut entry.descriptor.annotations;
                annotations.insert(IMAGE_NAME.to_owned(), name.to_owned());
                entry.set_tag(Some(&tag));
            }
            self.entries.push(entry);
        }
    }

    /// Lists a manifest by what is known of it, under a name or without one.
    pub(super) fn list(&mut self, descriptor: &Descriptor, name: Option<&str>) {
        let mut document = json!({
            "mediaType": descriptor.media_type.as_str(),
            "digest": descriptor.digest.as_str(),
            "size": descriptor.size,
        });
        if let Some(artifact_type) = &descriptor.artifact_type {
            document["artifactType"] = json!(artifact_type);
        }
        if let Some(name) = name {
            document["annotations"] = json!({REF_NAME: name, IMAGE_NAME: name});
        }
        // It was a descriptor before, so it is one.
        self.entries.extend(Entry::parse(document).ok());
    }

    /// Lists a manifest under full names, or without one.
    pub(super) fn name(&mut self, manifest: &Manifest, names: &[String]) {
        if names.is_empty() {
            self.append(manifest);
        }
        for name in names {
            let mut entry = Entry::of(manifest);
            let annotations = &mut entry.descriptor.annotations;
            annotations.insert(IMAGE_NAME.to_owned(), name.clone());
            let tag = parse_ref_name(name);
            entry.set_tag(tag.as_ref());
            self.entries.push(entry);
        }
    }

    /// What is listed, as whoever wrote it called it.
    pub(super) fn listed(&self) -> impl Iterator<Item = Listed> {
        self.entries.iter().map(|entry| {
            let annotations = &entry.descriptor.annotations;
            let name = annotations.get(IMAGE_NAME).or(annotations.get(REF_NAME));
            Listed {
                name: name.cloned(),
                tag: entry.tag.clone(),
                digest: entry.descriptor.digest.clone(),
            }
        })
    }

    /// Takes out every entry of a manifest.
    pub(super) fn remove(&mut self, digest: &Digest) {
        self.entries
            .retain(|entry| entry.descriptor.digest != *digest);
    }

    /// Takes out the entries without a tag of which `is_listed_below` says that another entry
    /// leads to them.
    pub(super) fn remove_untagged(&mut self, is_listed_below: impl Fn(&Descriptor) -> bool) {
        self.entries
            .retain(|entry| entry.tag.is_some() || !is_listed_below(&entry.descriptor));
    }
}

// === impl Entry ===

impl Entry {
    fn parse(document: Value) -> Result<Self, serde_json::Error> {
        let descriptor = Descriptor::deserialize(&document)?;
        let tag = descriptor.annotations.get(REF_NAME);
        Ok(Self {
            tag: tag.and_then(|name| parse_ref_name(name)),
            descriptor,
            document,
        })
    }

    fn of(manifest: &Manifest) -> Self {
        let mut document = json!({
            "mediaType": manifest.media_type().as_str(),
            "digest": manifest.digest().as_str(),
            "size": manifest.size(),
        });
        let mut descriptor = manifest.descriptor();
        if manifest.subject().is_some() {
            descriptor.artifact_type = manifest.artifact_type().map(str::to_owned);
            document["artifactType"] = json!(descriptor.artifact_type);
        }
        Self {
            descriptor,
            tag: None,
            document,
        }
    }

    fn set_tag(&mut self, tag: Option<&Tag>) {
        self.tag = tag.cloned();
        let annotations = &mut self.descriptor.annotations;
        match tag {
            Some(tag) => annotations.insert(REF_NAME.to_owned(), tag.to_string()),
            None => annotations.remove(REF_NAME),
        };
        self.document["annotations"] = json!(annotations);
        if let (true, Some(document)) = (annotations.is_empty(), self.document.as_object_mut()) {
            document.remove("annotations");
        }
    }
}

/// The tag in a name: the name itself, or the tag of the reference that skopeo, crane and
/// containerd write in full.
fn parse_ref_name(name: &str) -> Option<Tag> {
    let tag = match name.split_once('@') {
        Some((name, _digest)) => name.rsplit_once(':')?.1,
        None => name.rsplit_once(':').map_or(name, |(_, tag)| tag),
    };
    tag.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(name: &str) -> Manifest {
        let text = json!({"schemaVersion": 2, "manifests": [], "annotations": {"name": name}});
        Manifest::parse(text.to_string().into(), None, None).unwrap()
    }

    fn tag(text: &str) -> Tag {
        text.parse().unwrap()
    }

    /// Every entry as `tag@name`, with nothing before the `@` where it has no tag.
    fn listing(index: &Index, manifests: &[(&str, &Manifest)]) -> Vec<String> {
        let name = |entry: &Entry| {
            manifests
                .iter()
                .find(|(_, manifest)| *manifest.digest() == entry.descriptor.digest)
                .map_or("?", |(name, _)| name)
        };
        let read_back = Index::parse(&index.render()).unwrap();
        assert_eq!(read_back, *index);
        index
            .entries()
            .iter()
            .map(|entry| {
                let tag = entry.tag.as_ref().map(Tag::as_str).unwrap_or_default();
                format!("{tag}@{}", name(entry))
            })
            .collect()
    }

    #[test]
    fn names_of_entries_are_tags_or_references_with_one() {
        for (name, expected) in [
            ("1.0", Some("1.0")),
            ("alpine:3.20", Some("3.20")),
            ("docker.io/library/alpine:3.20", Some("3.20")),
            ("localhost:5000/a:1", Some("1")),
            ("localhost:5000/a", None),
            ("a/b", None),
            ("registry.example.com/a:1@sha256:00", Some("1")),
            ("alpine@sha256:00", None),
            ("", None),
            ("-x", None),
        ] {
            assert_eq!(parse_ref_name(name), expected.map(tag), "{name}");
        }
    }

    #[test]
    fn tags_move_and_share_manifests() {
        let (a, b) = (manifest("a"), manifest("b"));
        let known = [("a", &a), ("b", &b)];
        let mut index = Index::empty();

        index.append(&a);
        assert_eq!(listing(&index, &known), ["@a"]);
        index.tag(&a, &tag("1"), |_| false);
        assert_eq!(listing(&index, &known), ["1@a"], "the entry takes the tag");
        index.tag(&a, &tag("latest"), |_| false);
        assert_eq!(listing(&index, &known), ["1@a", "latest@a"]);
        index.tag(&b, &tag("latest"), |_| false);
        assert_eq!(listing(&index, &known), ["1@a", "latest@b"]);
        index.tag(&b, &tag("1"), |entry| entry.digest == *a.digest());
        assert_eq!(
            listing(&index, &known),
            ["@a", "latest@b", "1@b"],
            "kept without its tag"
        );
        index.remove_untagged(|_| true);
        assert_eq!(listing(&index, &known), ["latest@b", "1@b"]);

        let before = index.clone();
        index.tag(&b, &tag("1"), |_| false);
        assert_eq!(index, before, "a tag that stands right changes nothing");
    }

    #[test]
    fn what_other_tools_wrote_stays() {
        let a = manifest("a");
        let text = json!({
            "schemaVersion": 2,
            "annotations": {"tool": "other"},
            "manifests": [{
                "mediaType": a.media_type().as_str(), "digest": a.digest().as_str(), "size": a.size(),
                "annotations": {"io.containerd.image.name": "docker.io/library/a:1"}, "x": [1],
            }],
        });
        let mut index = Index::parse(text.to_string().as_bytes()).unwrap();
        index.tag(&a, &tag("1"), |_| false);
        let mut expected = text.clone();
        expected["manifests"][0]["annotations"][REF_NAME] = json!("1");
        let rendered: Value = serde_json::from_slice(&index.render()).unwrap();
        assert_eq!(rendered, expected);
    }

    #[test]
    fn texts_that_are_no_index_are_refused_with_the_reason() {
        let digest = Digest::sha256(b"");
        for (text, expected) in [
            ("", "it is not JSON of the expected form: EOF while parsing"),
            ("[]", "it is not JSON of the expected form: invalid type"),
            ("{}", "its schemaVersion is null, expected 2"),
            (
                r#"{"schemaVersion":1}"#,
                "its schemaVersion is 1, expected 2",
            ),
            (
                r#"{"schemaVersion":2,"mediaType":"text/plain"}"#,
                r#"its mediaType is "text/plain", expected"#,
            ),
            (
                r#"{"schemaVersion":2,"manifests":{}}"#,
                "it is not JSON of the expected form: invalid type",
            ),
            (
                r#"{"schemaVersion":2,"manifests":[{"mediaType":"a","digest":"sha256:00","size":1}]}"#,
                r#"its entry 1 is not a descriptor: digest "sha256:00" has 2 characters"#,
            ),
            (
                &format!(
                    r#"{{"schemaVersion":2,"manifests":[{{"mediaType":"a","digest":"{digest}","size":-1}}]}}"#
                ),
                "its entry 1 is not a descriptor: invalid value: integer `-1`",
            ),
        ] {
            let error = Index::parse(text.as_bytes()).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{text}: {error}");
        }
        for text in [
            r#"{"schemaVersion":2,"manifests":null}"#,
            r#"{"schemaVersion":2}"#,
            r#"{"schemaVersion":2,"mediaType":""}"#,
        ] {
            let index = Index::parse(text.as_bytes()).unwrap();
            assert!(index.entries().is_empty(), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_stops_the_reader(text in r#"\{"schemaVersion":2,"manifests":\[.{0,40}\]\}|.{0,40}"#) {
            if let Ok(index) = Index::parse(text.as_bytes()) {
                proptest::prop_assert_eq!(Index::parse(&index.render()).unwrap(), index);
            }
        }

        #[test]
        fn the_tag_of_a_reference_is_its_name(
            repository in "([a-z]{1,5}/){0,2}[a-z]{1,5}", name in "[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}"
        ) {
            let written = format!("registry.example.com:5000/{repository}:{name}");
            proptest::prop_assert_eq!(parse_ref_name(&written), Some(tag(&name)));
        }
    }
}
