// SPDX-License-Identifier: Apache-2.0

//! What can be deleted at a registry, and what became of it.

/// What became of something that was to be deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Deletion {
    /// It is gone, by this request.
    Deleted,
    /// It was gone before.
    Missing,
    /// The tag stands for another manifest by now: it is left alone.
    Moved,
    /// The registry cannot delete such a thing: it is left alone.
    Unsupported,
    /// It has other tags that are to stay, and the registry deletes all of them at once or none: it is left alone.
    Shared,
    /// An index lists its manifest, which the registry deletes with its last tag: it is left alone.
    Needed,
    /// The time until which it might be deleted had passed before the request could leave: it is left
    /// alone, unless an earlier try was not answered.
    TooLate,
}

/// What a registry is able to delete, each by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Deletable {
    /// A tag; the manifest stays.
    Tag,
    /// A manifest with all of its tags.
    Manifest,
}
