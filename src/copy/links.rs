// SPDX-License-Identifier: Apache-2.0

//! What refers to a manifest, as a source has it, before any of it is read.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use crate::oci::{Content, Descriptor, Digest, Manifest, Tag};

/// What a tag takes besides its letters, in bytes, about.
const TAG_BYTES: usize = 64;

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
    /// The list under the fallback tag, at a source that has none itself.
    pub(super) list: Option<TagList>,
    /// Whether the source keeps lists itself. Otherwise its tags tell everything.
    pub(super) is_kept: bool,
}

/// What the fallback tag of a manifest names, where that is not the manifest itself.
#[derive(Clone, Debug)]
pub(super) enum TagList {
    /// A list of what refers to the manifest.
    Read(Arc<Manifest>),
    /// Something that nobody has read: most likely such a list.
    Named(Digest),
}

/// How much is found out about what a fallback tag names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Detail {
    /// Its digest: no read, so that it counts as no pull.
    Digests,
    /// What it lists.
    Members,
}

/// The tags of a repository that are named after digests, by what they have before their suffix.
#[derive(Debug, Default)]
pub(super) struct AttachedTags(BTreeMap<String, BTreeSet<Tag>>);

// === impl TagList ===

impl TagList {
    pub(super) fn digest(&self) -> &Digest {
        match self {
            Self::Read(list) => list.digest(),
            Self::Named(digest) => digest,
        }
    }
}

// === impl Links ===

impl Links {
    /// Whether an entry is a member of the list under the fallback tag: it has yet to prove that it refers
    /// to the subject.
    pub(super) fn is_member(&self, entry: &Entry) -> bool {
        self.list.is_some() && matches!(entry.by, Link::Subject(_))
    }

    /// The digest that the fallback tag names, where nobody has read what it is.
    pub(super) fn unread(&self) -> Option<&Digest> {
        match &self.list {
            Some(TagList::Named(digest)) => Some(digest),
            Some(TagList::Read(_)) | None => None,
        }
    }

    /// Takes note of what a list names.
    pub(super) fn add(&mut self, entries: &[Descriptor]) {
        let subject = &self.subject;
        self.entries.extend(entries.iter().map(|entry| Entry {
            by: Link::Subject(subject.clone()),
            digest: entry.digest.clone(),
            artifact_type: entry.artifact_type.clone(),
        }));
    }

    /// Takes over what the fallback tag turned out to name; nothing where that is no list.
    pub(super) fn take_list(&mut self, list: Option<Arc<Manifest>>) {
        if let Some(list) = &list {
            self.add(members(list));
        }
        self.list = list.map(TagList::Read);
    }
}

/// What an index lists.
pub(super) fn members(manifest: &Manifest) -> &[Descriptor] {
    match manifest.content() {
        Content::Index(index) => &index.manifests,
        Content::Image(_) => &[],
    }
}

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

    /// What they take in memory, in bytes, about.
    pub(super) fn weight(&self) -> usize {
        let tags = self.0.values().flatten();
        let tags = tags.map(|tag| TAG_BYTES + tag.as_str().len());
        self.0.len() * TAG_BYTES + tags.sum::<usize>()
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
