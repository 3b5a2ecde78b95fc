// SPDX-License-Identifier: Apache-2.0

//! Why a round deletes nothing at all.

use super::wanted::Selection;
use crate::api::Reason;
use crate::oci::Repository;
use crate::plan::conflicts::SourceImage;
use crate::plan::report::Failure;

/// Why nothing is deleted.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Stop {
    /// The category.
    pub reason: Reason,
    /// What is wrong, and what to do.
    pub message: String,
}

impl Stop {
    /// For a reason.
    pub fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self {
            reason,
            message: message.into(),
        }
    }

    /// The plan waits for approval.
    pub fn paused(message: &str) -> Self {
        Self::new(Reason::PrunePaused, message)
    }

    /// The command that runs deletes nothing.
    pub fn by_command() -> Self {
        let message = "this command deletes nothing: transship prune --delete does";
        Self::new(Reason::PrunePaused, message)
    }

    /// What the run writes is on no record that outlives it.
    pub fn unremembered() -> Self {
        let message = "nothing can be deleted, because nothing is remembered of what earlier runs wrote: pass --state FILE \
                       to each run";
        Self::new(Reason::PrunePaused, message)
    }

    /// A signal ended the run.
    pub fn interrupted() -> Self {
        let message = "it was interrupted: nothing but what is listed here was touched";
        Self::new(Reason::PrunePaused, message)
    }

    /// The operator stopped all deletion.
    pub fn by_operator() -> Self {
        let message =
            "--disable-prune stops all deletion, for every mirror: candidates are still listed";
        Self::new(Reason::PrunePaused, message)
    }

    /// What is about to be deleted cannot be put on record.
    pub fn unkept(error: &str, reason: Reason) -> Self {
        let message = format!("nothing is deleted that cannot be put on record: {error}");
        Self::new(reason, message)
    }

    /// A registry cannot delete tags.
    pub fn unsupported(registry: &str) -> Self {
        let message = format!(
            "{registry} cannot delete a tag by its name, and by its digest other tags would go along: nothing was \
             deleted there; use a registry that deletes tags, or set spec.prune.mode to Plan"
        );
        Self::new(Reason::PruneUnsupported, message)
    }

    /// A source has a tag that its list does not name.
    pub fn by_list(source: &SourceImage) -> Self {
        let message = format!(
            "{source} is there, and the list of tags that the source sent does not name it: the list is not whole, and \
             nothing is deleted"
        );
        Self::new(Reason::PrunePaused, message)
    }

    /// It cannot be found out whether a source still has a tag.
    pub fn unconfirmed(source: &SourceImage, reason: Reason, error: &str) -> Self {
        let message = format!(
            "nothing is deleted, because it cannot be found out whether {source} is gone: {error}"
        );
        Self::new(reason, message)
    }

    /// A registry takes the manifest of a tag along.
    /// `tags` are what it took, as far as that was just now.
    pub fn takes_along(registry: &str, tags: &[String]) -> Self {
        let taken = match tags {
            [] => String::new(),
            tags => format!(", this time {}", tags.join(", ")),
        };
        let message = format!(
            "{registry} takes the manifest along when it deletes a tag, and with it every other tag of the \
             digest{taken}: what it took is pushed again, and nothing more is deleted there; use a registry that \
             deletes tags alone, or set spec.prune.mode to Plan"
        );
        Self::new(Reason::PruneUnsupported, message)
    }

    /// It is not known what went along with a tag that was deleted, or it could not be pushed again.
    pub fn unhealed(failure: &Failure) -> Self {
        let Failure {
            subject,
            reason,
            message,
            ..
        } = failure;
        let message = format!(
            "nothing more is deleted before it is known what the last deletion took along: {subject}: {message}"
        );
        Self::new(*reason, message)
    }

    /// The clock does not say what time has passed.
    pub fn by_clock() -> Self {
        let message = "the clock jumped: the time since the last round does not count, and this one deletes nothing";
        Self::new(Reason::PrunePaused, message)
    }
}

/// Why a round does not know enough to delete anything: the first thing that is wrong. `worst` is the
/// first failure of the mirror, and `rebuilt` the number of tags that were found at destinations and are
/// not on record.
pub fn find_stop(
    worst: Option<&Failure>,
    selection: &Selection,
    has_records_of: impl Fn(&Repository) -> bool,
    rebuilt: usize,
) -> Option<Stop> {
    if let Some(failure) = worst {
        let Failure {
            subject,
            reason,
            message,
            ..
        } = failure;
        let message = format!("nothing is deleted in a round that fails: {subject}: {message}");
        return Some(Stop::new(*reason, message));
    }
    let mut empty = selection.empty_repositories();
    if let Some(repository) = empty.find(|repository| has_records_of(repository)) {
        let message = format!(
            "nothing of {repository} is selected any more: nothing is deleted, in case that is a mistake; \
             take the repository out of spec.images if it is not"
        );
        return Some(Stop::new(Reason::PrunePaused, message));
    }
    if rebuilt > 0 {
        let message = format!(
            "{rebuilt} tags were right and not on record: the records were lost, or are new, and are rebuilt first"
        );
        return Some(Stop::new(Reason::PrunePaused, message));
    }
    None
}
