//! What refers to a manifest, as a source has it, before any of it is read.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use crate::oci::{Digest, Manifest, Tag};

/// How it is found.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Link {
    /// It names its subject.
    Subject(Digest),
    /// A tag names the digest of the image.
    Tag(Tag),
}

/// Something that refers to a manifest, as the source has it, before it is read.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) by: Link,
    pub(super) digest: Digest,
    /// Its type, where the source says it.
    pub(super) artifact_type: Option<String>,
}

/// What refers to one manifest.
#[derive(Clone, Debug)]
pub(super) struct Links {
    pub(super) subject: Digest,
    pub(super) entries: Vec<Entry>,
    /// The list under the fallback tag, at a source that keeps none itself.
    pub(super) list: Option<Arc<Manifest>>,
    /// Whether the source keeps lists itself. Otherwise its tags tell everything.
    pub(super) is_kept: bool,
}

/// The tags of a repository that are named after digests, by what they have before their suffix.
#[derive(Debug, Default)]
pub(super) struct AttachedTags(BTreeMap<String, BTreeSet<Tag>>);

// === impl AttachedTags ===

impl AttachedTags {
    pub(super) fn among(tags: &[Tag]) -> Self {
        let mut found: BTreeMap<String, BTreeSet<Tag>> = BTreeMap::new();
        for tag in tags {
            if let Some(attachment) = tag.attachment() {
                let subject = attachment.subject.to_owned();
                found.entry(subject).or_default().insert(tag.clone());
            }
        }
        Self(found)
    }

    /// Those that are named after a digest, with or without a suffix, sorted.
    pub(super) fn of(&self, subject: &Digest) -> impl Iterator<Item = &Tag> {
        let name = Tag::of_referrers(subject, "");
        let tags = name.and_then(|name| self.0.get(name.as_str()));
        tags.into_iter().flatten()
    }

    /// Whether some are named after other digests than these.
    pub(super) fn has_others(&self, known: &HashSet<Digest>) -> bool {
        let known = known
            .iter()
            .filter_map(|digest| Tag::of_referrers(digest, ""));
        let known: HashSet<String> = known.map(String::from).collect();
        self.0.keys().any(|subject| !known.contains(subject))
    }

    pub(super) fn contains(&self, tag: &Tag) -> bool {
        let subject = tag.attachment().map(|attachment| attachment.subject);
        let tags = subject.and_then(|subject| self.0.get(subject));
        tags.is_some_and(|tags| tags.contains(tag))
    }
}
