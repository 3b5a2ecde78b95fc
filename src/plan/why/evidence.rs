// SPDX-License-Identifier: Apache-2.0

//! What is on record, and who has it.

use std::borrow::Cow;

use super::asked::AskedImage;
use super::digest_start::DigestStart;
use crate::api::{ImageMirror, MirroredRepository};
use crate::oci::Digest;

/// Looks for what is on record of a mirror, as far as it may be about what is asked for.
pub type RecordLookup<'l, 'r> = dyn Fn(&ImageMirror, RecordQuery<'_>) -> KnownRecords<'r> + 'l;

/// What is on record of a mirror.
#[derive(Clone, Debug)]
pub enum KnownRecords<'a> {
    /// This.
    Here(Vec<Cow<'a, MirroredRepository>>),
    /// Another process has it.
    With(RecordKeeper),
}

/// Who has what is on record of a mirror, where several processes share the work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordKeeper {
    /// The member of them that works on the mirror; none while nobody does.
    pub member: Option<String>,
    /// The shard of the mirror.
    pub shard: String,
}

/// Which of what is on record is asked for.
#[derive(Clone, Copy, Debug)]
pub enum RecordQuery<'a> {
    /// What may be about an image.
    Image(&'a AskedImage),
    /// What has a digest that begins so.
    Digest(&'a DigestStart),
}

// === impl RecordKeeper ===

impl RecordKeeper {
    /// Who has it, and what to do to see it.
    pub fn told(&self) -> String {
        let Self { member, shard } = self;
        member.as_ref().map_or_else(
            || format!("no member works on shard {shard} yet: look again in some seconds"),
            |member| {
                format!(
                    "member {member} works on it (shard {shard}) and has what is on record: ask its page"
                )
            },
        )
    }
}

// === impl RecordQuery ===

impl RecordQuery<'_> {
    /// Whether it may be about a registry that the mirror names.
    pub fn may_concern(&self, mirror: &ImageMirror) -> bool {
        match self {
            Self::Image(asked) => asked.may_concern(mirror),
            Self::Digest(_) => true,
        }
    }

    /// Whether a tag on record, of this repository, may be one of those that are asked for.
    pub fn may_be(&self, repository: &str, source: &str, digests: [&Digest; 2]) -> bool {
        match self {
            Self::Image(asked) => {
                let name = asked.bare_repository();
                repository.contains(name) || source.contains(name)
            }
            Self::Digest(start) => digests.into_iter().any(|digest| start.begins(digest)),
        }
    }
}
