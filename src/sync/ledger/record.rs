// SPDX-License-Identifier: Apache-2.0

//! What is remembered of one tag.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::api::ObjectName;
use crate::api::mirrored_repository::{OWN_REFERRERS, Took};
use crate::copy::Seen;
use crate::oci::{Digest, Registry, Tag};
use crate::plan::gates::{Vouched, Voucher};
use crate::plan::prune::{Holding, Unwanted};
use crate::plan::{Claim, SourceImage};
use crate::sync::shape::Shape;

/// Before any look.
pub(in crate::sync) const NEVER: Timestamp = Timestamp::UNIX_EPOCH;

/// What is remembered of a tag. What few tags have is on the heap: there are hundreds of thousands of these.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Record {
    /// The image at the source, with its tag.
    pub source: String,
    /// The digest that the tag has at the source.
    pub source_digest: Digest,
    /// The digest that was written.
    pub digest: Digest,
    /// Which parts of the image were written.
    pub shape: String,
    /// When this source digest was first seen.
    pub first_seen: Timestamp,
    /// When it was written; nothing while the push has begun and not ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub copied_at: Option<Timestamp>,
    /// Whether the tag was already right when it was first looked at: somebody else wrote it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub adopted: bool,
    /// Whether a policy does not admit what the source tag names now.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub refused: bool,
    /// The registry that it was written to; nothing in records of older versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registry: Option<Registry>,
    /// Since when the tag is not wanted; nothing while it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unwanted: Option<Box<Unwanted>>,
    /// Who vouches for the image, where a policy asks for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verified: Option<Box<Verified>>,
    /// The last look at what refers to the image at the source; nothing where nobody looked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub referrers: Option<Looked>,
    /// The last look at all that the tag leads to at the destination, where its mirror says that the tag is immutable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checked_at: Option<Timestamp>,
    /// What refers to the image at the destination and was copied there with it: at most
    /// [`OWN_REFERRERS`] manifests.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub own_referrers: Vec<Digest>,
}

/// What gives a mirror a tag at a destination, the least first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ownership {
    /// It wants the tag.
    #[default]
    Wanted,
    /// The tag was right when it was looked at.
    Right,
    /// It wrote the tag.
    Written,
}

/// A look at what refers to an image. What was found is at the destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Looked {
    /// When.
    pub at: Timestamp,
    /// What was found.
    pub seen: Seen,
}

/// What is remembered of a tag that was pruned: enough to bring it back.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Tombstone {
    /// The image at the source, with its tag.
    pub source: String,
    /// The digest that it had there.
    pub source_digest: Digest,
    /// The digest that the tag named.
    pub digest: Digest,
    /// Which parts of the image were written.
    pub shape: String,
    /// The registry.
    pub registry: Registry,
    /// When it was deleted.
    pub deleted_at: Timestamp,
    /// Whether a person approved its deletion.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub approved: bool,
    /// Whether the time to restore it is over, and what referred to it has been seen to. It only counts
    /// among what was deleted lately.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cleared: bool,
    /// What refers to the image and was copied with it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub referrers: Vec<Digest>,
    /// The other tags of the digest, where it is not known whether the registry takes them along: at most
    /// [`SHARERS`](crate::api::mirrored_repository::SHARERS).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shared_with: Vec<Tag>,
    /// What went with the tag; nothing where nobody looked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub took: Option<Took>,
}

/// Who vouches for an image.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Verified {
    /// The policy that asks for it.
    pub policy: ObjectName,
    /// The authority, by its name in the policy.
    pub authority: String,
    /// What it signed.
    pub evidence: Digest,
    /// When it was verified first.
    pub at: Timestamp,
}

/// A digest that a policy keeps waiting.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Sight {
    /// The digest that the tag has at the source.
    pub source_digest: Digest,
    /// When the tag was first seen with this digest.
    pub first_seen: Timestamp,
}

// === impl Tombstone ===

impl Tombstone {
    /// Whether a record of the same name is of the same tag: the destination may have been at another registry.
    pub(in crate::sync) fn is_about(&self, record: &Record) -> bool {
        let registry = record.registry.as_ref();
        registry.is_none_or(|registry| *registry == self.registry)
    }

    /// Whether a push that ended leaves nothing of it to be undone. What went along with the tag may be.
    pub(super) fn is_undone_by(&self, pushed: &Record) -> bool {
        self.is_about(pushed) && !self.may_have_taken_others()
    }

    /// Whether other tags may have gone along with it that are not there again.
    pub(in crate::sync) fn may_have_taken_others(&self) -> bool {
        self.took.is_none() && !self.shared_with.is_empty()
    }
}

// === impl Verified ===

impl Verified {
    /// Takes over what a policy found at a time.
    pub(in crate::sync) fn new(voucher: &Voucher, at: Timestamp) -> Self {
        let Voucher {
            policy,
            vouched,
            used: _,
        } = voucher.clone();
        let Vouched {
            authority,
            evidence,
        } = vouched;
        Self {
            policy,
            authority,
            evidence,
            at,
        }
    }

    /// Whether it is the same but for its time.
    pub(in crate::sync) fn is_like(&self, other: &Self) -> bool {
        let Self {
            policy,
            authority,
            evidence,
            at: _,
        } = self;
        *policy == other.policy && *authority == other.authority && *evidence == other.evidence
    }
}

// === impl Record ===

impl Record {
    /// Remembers what was copied with the image. What is too much is taken for somebody else's.
    pub(in crate::sync) fn add_referrers(&mut self, copied: &[Digest]) {
        for digest in copied {
            if self.own_referrers.len() < OWN_REFERRERS && !self.own_referrers.contains(digest) {
                self.own_referrers.push(digest.clone());
            }
        }
    }

    /// Whether it is about this digest of the source, in this shape.
    pub(in crate::sync) fn is_of(&self, source: &Digest, shape: &Shape) -> bool {
        self.source_digest == *source && self.shape == shape.to_string()
    }

    /// Whether it says that a tag is what it should be: this image of the source, whole, in a shape as its text says.
    pub(in crate::sync) fn is_right(
        &self,
        source: &SourceImage,
        digest: &Digest,
        shape: &str,
        claim: &Claim,
    ) -> bool {
        self.source == source.to_string()
            && self.source_digest == *digest
            && self.shape == shape
            && self.registry.as_ref() == Some(&claim.registry)
            && self.unwanted.is_none()
            && !self.refused
            && !self.is_pending()
    }

    /// When all that the tag leads to was last known to be at the destination: by a look, or by a push of ours that
    /// came after the last one.
    pub(in crate::sync) fn seen_whole_at(&self) -> Timestamp {
        let pushed = self.copied_at.filter(|_| !self.adopted);
        self.checked_at.or(pushed).unwrap_or(NEVER)
    }

    /// Whether the same tag, of which this is on record, too, may name what this says in place of what the other one
    /// does: it was seen so later, or its push has begun. Times on record may lack what is below a second.
    pub(super) fn may_have_replaced(&self, other: &Self) -> bool {
        let seen = self.copied_at.max(self.checked_at);
        let is_later =
            seen.is_none_or(|seen| seen.as_second() >= other.seen_whole_at().as_second());
        self.digest != other.digest && (self.is_pending() || is_later)
    }

    /// The tag as something that the mirror wants.
    pub(in crate::sync) fn holding(&self, mirror: &str, tag: &Tag) -> Holding {
        Holding {
            mirror: mirror.to_owned(),
            registry: self.registry.clone(),
            tag: tag.clone(),
            digest: Some(self.digest.clone()),
        }
    }

    /// Whether the mirror wants the tag, or keeps it by a policy although it does not.
    pub(in crate::sync) fn is_kept(&self) -> bool {
        self.unwanted.as_deref().is_none_or(Unwanted::is_retained)
    }

    /// Whether a push of ours has ended since this was on record. That a tag is right may be an answer from before it
    /// was deleted, and is no push.
    pub(super) fn is_pushed_since(&self, before: Option<&Self>) -> bool {
        let known = before.and_then(|before| before.copied_at);
        !self.adopted && self.copied_at.is_some() && self.copied_at != known
    }

    /// What gives its mirror the tag.
    pub const fn ownership(&self) -> Ownership {
        match (self.copied_at, self.adopted) {
            (Some(_), false) => Ownership::Written,
            (Some(_), true) => Ownership::Right,
            (None, _) => Ownership::Wanted,
        }
    }

    /// Whether a push of this digest is to be made, and has not been seen to end.
    pub fn announces(&self, digest: &Digest) -> bool {
        self.is_pending() && !self.refused && self.digest == *digest
    }

    /// Whether the push that it announces has not been seen to end.
    pub fn is_pending(&self) -> bool {
        self.copied_at.is_none() && !self.adopted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(digest: &[u8], copied_at: Option<i64>) -> Record {
        Record {
            source: "docker.io/library/a:1".to_owned(),
            source_digest: Digest::sha256(digest),
            digest: Digest::sha256(digest),
            shape: "all platforms".to_owned(),
            first_seen: NEVER,
            copied_at: copied_at.map(|second| Timestamp::from_second(second).unwrap()),
            adopted: false,
            refused: false,
            registry: None,
            unwanted: None,
            verified: None,
            referrers: None,
            checked_at: None,
            own_referrers: Vec::new(),
        }
    }

    #[test]
    fn what_others_wrote_later_may_be_what_a_tag_names() {
        let own = record(b"own", Some(60));
        let adopted = Record {
            adopted: true,
            ..record(b"other", Some(70))
        };
        let checked = Record {
            checked_at: Some(Timestamp::from_second(70).unwrap()),
            ..record(b"other", Some(50))
        };
        for (name, other, expected) in [
            ("the same", record(b"own", Some(70)), false),
            ("written before", record(b"other", Some(59)), false),
            ("in the same second", record(b"other", Some(60)), true),
            ("written later", record(b"other", Some(70)), true),
            ("found right later", adopted, true),
            ("looked at later", checked, true),
            ("a push that has begun", record(b"other", None), true),
        ] {
            assert_eq!(other.may_have_replaced(&own), expected, "{name}");
        }
    }
}
