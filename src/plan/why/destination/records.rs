// SPDX-License-Identifier: Apache-2.0

//! What is on record of the image.

use jiff::{SignedDuration, Timestamp};

use super::Look;
use crate::api::image_mirror::FailureStatus;
use crate::api::mirrored_repository::{
    DeletedTag, MirroredRepositoryStatus, RecordedTag, TagState, WaitingTag,
};
use crate::oci::{Digest, Reference, Tag};
use crate::plan::why::answer::Whereabouts;
use crate::plan::why::asked::AskedImage;
use crate::plan::why::origins::SoughtImage;

// === impl Look ===

impl<'a> Look<'a> {
    /// The records of the registry that the destination has, each with where it is.
    pub(super) fn pages(&self) -> impl Iterator<Item = (&'a str, &'a MirroredRepositoryStatus)> {
        let here = *self;
        self.all_pages()
            .filter(move |(repository, _)| here.is_here(repository))
    }

    /// The same, and those of registries that it had before.
    pub(super) fn all_pages(
        &self,
    ) -> impl Iterator<Item = (&'a str, &'a MirroredRepositoryStatus)> {
        let name = &self.destination.name;
        let records = self.records.iter();
        let own = records.filter(move |record| record.spec.destination == *name);
        own.filter_map(|record| Some((record.spec.repository.as_str(), record.status.as_ref()?)))
    }

    /// The tag on record that was asked for; one with the digest where that was asked for, too.
    pub(super) fn recorded(
        &self,
        asked: &AskedImage,
        sought: &SoughtImage,
    ) -> Option<(String, &'a RecordedTag)> {
        let all = self.pages().flat_map(|(repository, status)| {
            let tags = status.tags.iter();
            tags.map(move |tag| (repository, tag))
        });
        let fitting = all
            .filter(|(_, tag)| self.is_sought(sought, &tag.source, &tag.tag))
            .filter(|(_, tag)| sought.tag.is_some() || has_digest(tag, asked.digest()));
        let best = fitting.min_by_key(|(_, tag)| !has_digest(tag, asked.digest()));
        best.map(|(repository, tag)| (format!("{repository}:{}", tag.tag), tag))
    }

    pub(super) fn is_sought(&self, sought: &SoughtImage, source: &str, tag: &Tag) -> bool {
        // Of most tags on record this says already that they are others.
        let wanted = sought.tag.as_ref().map_or("", Tag::as_str);
        if !source.ends_with(wanted) || sought.target.as_ref().is_some_and(|target| target != tag) {
            return false;
        }
        let source: Option<Reference> = source.parse().ok();
        source.is_some_and(|source| {
            source.registry.may_be(&self.mirror.source.registry)
                && source.repository == sought.repository
                && (sought.tag.is_none() || source.tag == sought.tag)
        })
    }

    pub(super) fn of_record(
        &self,
        asked: &AskedImage,
        sought: &SoughtImage,
        target: String,
        tag: &RecordedTag,
    ) -> Whereabouts {
        let digest = tag.digest.clone();
        if asked.digest().is_some() && !has_digest(tag, asked.digest()) {
            return Whereabouts::OtherImage { target, digest };
        }
        if tag.state == Some(TagState::Pending) {
            // A copy that failed is told by what failed.
            let failure = self.failed(sought);
            return failure.unwrap_or(Whereabouts::Copying { target });
        }
        let verified = tag.verified_by.as_ref();
        Whereabouts::Mirrored {
            notes: self.notes(sought, &target, tag),
            target,
            digest,
            since: tag.copied_at.as_ref().map(|time| time.0),
            verified_by: verified.map(|by| {
                let (policy, authority) = (&by.policy, &by.authority);
                format!("{authority} (policy {policy}), evidence {}", by.evidence)
            }),
        }
    }

    /// What else is to be known of a tag that is there.
    pub(super) fn notes(
        &self,
        sought: &SoughtImage,
        target: &str,
        tag: &RecordedTag,
    ) -> Vec<String> {
        let mut notes = Vec::new();
        if tag.adopted {
            notes.push("it was right before Transship first looked".to_owned());
        }
        if let Some(refusal) = self.refusal(sought) {
            let message = &refusal.message;
            notes.push(format!(
                "what the source tag names now is not let through: {message}"
            ));
        } else if tag.state == Some(TagState::Refused) {
            notes.push("a policy does not admit what the source tag names now".to_owned());
        }
        if let Some(failure) = self.failure(sought) {
            let FailureStatus {
                reason, message, ..
            } = failure;
            notes.push(format!(
                "the last round failed with it: {reason}: {message}"
            ));
        }
        let mut candidates = self.pages().flat_map(|(repository, status)| {
            let candidates = status.candidates.iter();
            candidates.map(move |candidate| (repository, candidate))
        });
        let candidate = candidates.find(|(repository, candidate)| {
            target.strip_suffix(candidate.tag.as_str()) == Some(&format!("{repository}:"))
        });
        if let Some((_, candidate)) = candidate {
            let (reason, since) = (&candidate.reason, candidate.since.0);
            let kept = candidate.protected_by.as_ref();
            let kept = kept.map_or_else(String::new, |by| format!(", kept by {by}"));
            notes.push(format!(
                "it is no longer wanted since {since:.0}: {reason}{kept}"
            ));
        }
        notes
    }

    pub(super) fn pruned(&self, asked: &AskedImage, sought: &SoughtImage) -> Option<Whereabouts> {
        let mut deleted = self.pages().flat_map(|(repository, status)| {
            let deleted = status.deleted.iter();
            deleted.map(move |deleted| (repository, deleted))
        });
        let (repository, deleted) = deleted.find(|(_, deleted)| {
            let digests = [&deleted.digest, &deleted.source_digest];
            self.is_sought(sought, &deleted.source, &deleted.tag)
                && (sought.tag.is_some() || is_any(digests, asked.digest()))
        })?;
        Some(Whereabouts::Pruned {
            target: format!("{repository}:{}", deleted.tag),
            deleted_at: deleted.deleted_at.0,
            restorable_until: self.restorable_until(deleted),
        })
    }

    /// Until when the mirror can still restore a tag; none where it cleared it away already.
    fn restorable_until(&self, deleted: &DeletedTag) -> Option<Timestamp> {
        let grace = SignedDuration::try_from(self.mirror.prune.grace.as_std()).ok()?;
        let until = deleted.deleted_at.0.checked_add(grace).ok();
        until.filter(|_| !deleted.cleared)
    }

    /// What waits under one of the names that the image has at the destination.
    pub(super) fn waiting(&self, sought: &SoughtImage) -> Option<&'a WaitingTag> {
        let repositories = self.repositories(&sought.repository);
        let pages = self.pages().filter(|(at, _)| {
            let at: Option<Reference> = at.parse().ok();
            at.is_some_and(|at| repositories.contains(&at.repository))
        });
        let mut waiting = pages.flat_map(|(_, status)| &status.waiting);
        waiting.find(|waiting| {
            let digest = Some(&waiting.source_digest);
            self.targets(sought, digest).contains(&waiting.tag)
        })
    }
}

fn has_digest(tag: &RecordedTag, digest: Option<&Digest>) -> bool {
    is_any([&tag.digest, &tag.source_digest], digest)
}

fn is_any(digests: [&Digest; 2], asked: Option<&Digest>) -> bool {
    asked.is_some_and(|asked| digests.contains(&asked))
}
