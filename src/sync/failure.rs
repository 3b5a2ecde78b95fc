// SPDX-License-Identifier: Apache-2.0

//! Failures, by what was being done.

use super::connect::ConnectError;
use super::ledger::KeepError;
use super::neighbours::NeighboursError;
use crate::api::Reason;
use crate::api::text::shorten;
use crate::copy::{self, endpoint};
use crate::oci::Digest;
use crate::plan::Mirror;
use crate::plan::conflicts::ConflictKind;
use crate::plan::report::Failure;
use crate::plan::template::TemplateError;
use crate::policy::Duration;
use crate::runtime::memory;

/// The longest message, in characters: a peer may have had words in it.
const MESSAGE_LENGTH: usize = 2_000;

/// What a mirror is told of another one: its name, where that is of its own namespace.
pub(super) fn name_for<'a>(mirror: &Mirror, other: &'a str) -> &'a str {
    let is_near = other.split('/').next() == Some(&*mirror.namespace);
    if is_near {
        other
    } else {
        "of another namespace"
    }
}

impl Failure {
    fn new(subject: &str, reason: Reason, message: impl Into<String>) -> Self {
        let message: String = message.into();
        Self {
            subject: subject.to_owned(),
            reason,
            message: shorten(&message, MESSAGE_LENGTH),
            next_attempt_time: None,
            is_of_tag: false,
        }
    }

    pub(super) fn connecting(subject: &str, error: ConnectError) -> Self {
        let ConnectError { reason, message } = error;
        Self::new(subject, reason, message)
    }

    pub(super) fn requesting(subject: &str, error: &endpoint::Error) -> Self {
        Self {
            next_attempt_time: error.retry_at(),
            ..Self::new(subject, error.reason(), error.to_string())
        }
    }

    pub(super) fn copying(subject: &str, error: &copy::Error) -> Self {
        Self {
            next_attempt_time: error.retry_at(),
            ..Self::new(subject, error.reason(), error.to_string())
        }
    }

    /// An image that could not be judged has not passed.
    pub(super) fn judging(subject: &str, error: &copy::Error) -> Self {
        let failure = Self::copying(subject, error);
        Self {
            message: format!("not copied, because its policies cannot judge it: {error}"),
            ..failure
        }
    }

    /// An image whose evidence is not understood has not passed, and nobody has refused it.
    pub(super) fn verifying(subject: &str, problem: &str) -> Self {
        let message = format!("not copied, because its policies cannot judge it: {problem}");
        Self::new(subject, Reason::VerificationFailed, message)
    }

    pub(super) fn naming(subject: &str, error: &TemplateError) -> Self {
        Self::new(subject, Reason::InvalidSpec, error.to_string())
    }

    pub(super) fn selecting(subject: &str, error: &impl ToString) -> Self {
        Self::new(subject, Reason::InvalidSpec, error.to_string())
    }

    /// What was copied again is still not there.
    pub(super) fn unmended(subject: &str) -> Self {
        Self::new(
            subject,
            Reason::CopyFailed,
            "the destination confirmed what was copied again, and still does not serve all of it: it believes that it \
             has what it lost; delete the image there, or repair its storage",
        )
    }

    pub(super) fn missing(subject: &str) -> Self {
        Self::new(
            subject,
            Reason::NotFound,
            format!("{subject} does not exist"),
        )
    }

    /// A digest that a tag is pinned to is not there, and the tag may name another one by now.
    pub(super) fn not_as_pinned(subject: &str, pin: &Digest, named: Option<&Digest>) -> Self {
        match named {
            Some(named) => Self::new(
                subject,
                Reason::TagMoved,
                format!("{pin}, to which the tag is pinned, does not exist: the tag names {named}"),
            ),
            None => Self::new(
                subject,
                Reason::NotFound,
                format!(
                    "{pin}, to which the tag is pinned, does not exist, and neither does the tag"
                ),
            ),
        }
    }

    /// The time of a build costs a request for each tag, and three for each new digest.
    pub(super) fn too_many_to_date(subject: &str, found: usize, most: usize) -> Self {
        let message = format!(
            "newest.by: Created would have to ask {found} tags for the time of their build, and asks at most {most}: \
             narrow them with include, exclude or semver"
        );
        Self::new(subject, Reason::InvalidSpec, message)
    }

    /// Each tag at each destination takes memory, and room on record.
    pub(super) fn too_many_tags(subject: &str, found: usize, most: usize) -> Self {
        let message = format!(
            "{found} tags at destinations are selected, and one mirror may have {most}: select less, split it into \
             several mirrors, or let an operator raise --max-tags-per-mirror"
        );
        Self::new(subject, Reason::LimitExceeded, message)
    }

    /// There is no memory for what the round has to do.
    pub(super) fn full(subject: &str, full: memory::Full) -> Self {
        Self::new(subject, Reason::LimitExceeded, full.to_string())
    }

    pub(super) fn nothing_matches(
        subject: &str,
        registry: &impl ToString,
        glob: &impl ToString,
    ) -> Self {
        let message = format!(
            "no repository of {} matches {}",
            registry.to_string(),
            glob.to_string()
        );
        Self::new(subject, Reason::NotFound, message)
    }

    /// A repository that was named, and gives nothing.
    pub(super) fn nothing_selected(subject: &str, listed: usize, why: &str) -> Self {
        let message = match listed {
            0 => format!("{subject} has no tags"),
            listed => format!(
                "no tag of {subject} is selected, of {listed} that are there: {why}; widen the tags of its entry, or its policies"
            ),
        };
        Self::new(subject, Reason::NotFound, message)
    }

    pub(super) fn conflict(subject: &str, kind: &ConflictKind) -> Self {
        Self::new(subject, Reason::DestinationConflict, kind.to_string())
    }

    /// Somebody is about to delete the tag, or to write it: what comes of that is known soon.
    pub(super) fn disputed(subject: &str, mirror: &str, what: &str) -> Self {
        let message = format!(
            "not copied yet: mirror {mirror} has begun to {what} {subject}, and has not ended"
        );
        Self::new(subject, Reason::ProgressingWithRetry, message)
    }

    /// A mirror that comes first may want the tag: whether it does is known soon.
    pub(super) fn undecided(subject: &str, mirror: &str) -> Self {
        let message = format!(
            "not copied yet: mirror {mirror} comes first and may want {subject}, which is known soon"
        );
        Self::new(subject, Reason::ProgressingWithRetry, message)
    }

    /// It cannot be seen whether other processes have the tag.
    pub(super) fn unseen(subject: &str, unseen: &NeighboursError) -> Self {
        let message = format!(
            "not copied, because it cannot be seen whether a mirror of another shard has it: {unseen}"
        );
        Self::new(subject, unseen.reason, message)
    }

    pub(super) fn moved(subject: &str, message: String) -> Self {
        Self::new(subject, Reason::TagMoved, message)
    }

    /// A push that did not begin: what cannot be put on record is not pushed.
    pub(super) fn unrecorded(subject: &str, error: &KeepError) -> Self {
        let message = format!("not copied, because it cannot be put on record: {error}");
        Self::new(subject, error.reason, message)
    }

    /// What was pushed is on record as begun only.
    pub(super) fn unkept(subject: &str, error: &KeepError) -> Self {
        let message = format!("the records are not up to date: {error}");
        Self::new(subject, error.reason, message)
    }

    /// A registry said that it deleted a tag, and has it.
    pub(crate) fn undeleted(subject: &str) -> Self {
        let message = "the registry says that it deleted the tag, and still has it".to_owned();
        Self::new(subject, Reason::CopyFailed, message)
    }

    /// Its workloads would have to be looked at again and again.
    pub(super) fn too_slow(subject: &str) -> Self {
        let message = "not deleted: the registry takes longer to be asked than a look at the workloads is good for";
        Self::new(subject, Reason::Unreachable, message.to_owned())
    }

    /// What is to be restored names something else.
    pub(super) fn taken(subject: &str, found: &Digest) -> Self {
        let message = format!("not restored: the tag names {found} by now, and is left alone");
        Self::new(subject, Reason::DestinationConflict, message)
    }

    /// What is to be restored is gone for good.
    pub(super) fn lost(subject: &str, digest: &Digest, source: &str) -> Self {
        let message = format!(
            "not restored: the registry does not have all of {digest} any more: select the tag again to copy it anew \
             from {source}"
        );
        Self::new(subject, Reason::NotFound, message)
    }

    /// What restores a tag is not what it should be.
    pub(super) fn damaged(subject: &str, problem: &str, source: &str) -> Self {
        let message =
            format!("not restored: {problem}; select the tag again to copy it anew from {source}");
        Self::new(subject, Reason::CopyFailed, message)
    }

    /// A registry took more than a tag, and it could not be pushed again.
    pub(super) fn unhealed(
        subject: &str,
        digest: &Digest,
        tags: &[String],
        error: &impl ToString,
    ) -> Self {
        let also = if tags.is_empty() {
            String::new()
        } else {
            format!(" and the tags {}", tags.join(", "))
        };
        let message = format!(
            "the registry deleted {digest}{also} along with the tag, and they could not be pushed again: {}; the next \
             round tries again",
            error.to_string()
        );
        Self::new(subject, Reason::PruneUnsupported, message)
    }

    /// What is to be restored has no destination any more.
    pub(super) fn no_destination(subject: &str) -> Self {
        let message = "not restored: the mirror has no such destination any more".to_owned();
        Self::new(subject, Reason::NotFound, message)
    }

    pub(super) fn timed_out(subject: &str, timeout: Duration) -> Self {
        let message = format!("not copied within spec.timeout, {timeout}: the next round goes on");
        Self::new(subject, Reason::ProgressingWithRetry, message)
    }
}
