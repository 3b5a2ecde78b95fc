// SPDX-License-Identifier: Apache-2.0

//! Since when a tag is unwanted.
//!
//! Only what was seen counts: a tag is due when complete rounds found it unwanted at both ends of the
//! grace. A clock that jumps gives no time away. What passed between two looks counts only if it is
//! plausible: a process that looked before compares the clock with one that nobody can set, and one that
//! looks for the first time takes no gap of more than a month for real.

use std::fmt;
use std::str::FromStr;

use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::policy::Duration;

/// What everything begins with that says that a policy keeps a tag.
pub(super) const BY_POLICY: &str = "policy ";
/// Longest time between the looks of two processes that counts, unless the grace is longer.
pub(super) const PLAUSIBLE: SignedDuration = SignedDuration::from_hours(31 * 24);
/// How far a clock may be behind the one of the process before.
pub(super) const TOLERANCE: SignedDuration = SignedDuration::from_mins(5);
/// Longest time after which a look is put on record again.
const STEP: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Why a tag on record is no longer wanted.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema, Deserialize,
)]
pub enum Cause {
    /// No entry of the mirror names its source repository.
    RepositoryRemoved,
    /// The `tags` of the entry do not name it.
    NotNamed,
    /// No policy selects it.
    NotSelected,
    /// The source does not list it any more.
    SourceGone,
    /// The templates of the destination give the image another name.
    Renamed,
}

/// All of them.
const CAUSES: [Cause; 5] = [
    Cause::RepositoryRemoved,
    Cause::NotNamed,
    Cause::NotSelected,
    Cause::SourceGone,
    Cause::Renamed,
];

/// A word that is no cause.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no reason for which a tag is not wanted")]
pub struct UnknownCause(String);

/// Since when a tag on record is not wanted.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, JsonSchema, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Unwanted {
    /// Why, as the last complete round found it.
    #[serde(rename = "reason")]
    pub cause: Cause,
    /// When a complete round first found it so; later by the time that does not count.
    pub since: Timestamp,
    /// Until when its time is counted. It is put on record now and then, not in every round.
    pub seen: Timestamp,
    /// What keeps it from being deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protected_by: Option<String>,
}

/// What is known of the clock since the last look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// This process has looked before, and as much time passed as the clock says.
    Steady,
    /// This process has not looked before.
    New,
    /// The clock was set, or the machine slept.
    Jumped,
}

/// A tag that was looked at again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Aged {
    pub(super) unwanted: Unwanted,
    /// Whether it has been unwanted for the grace, as at least two rounds saw it.
    pub(super) is_over: bool,
    /// Whether the time since the last look does not count.
    pub(super) is_doubtful: bool,
}

impl Unwanted {
    /// A tag that was found unwanted for the first time.
    fn new(cause: Cause, now: Timestamp) -> Self {
        Self {
            cause,
            since: now,
            seen: now,
            protected_by: None,
        }
    }

    /// When it is due, if nothing protects it.
    pub fn due(&self, grace: Duration) -> Timestamp {
        self.since
            .checked_add(length(grace))
            .unwrap_or(Timestamp::MAX)
    }

    /// Whether a policy of the mirror keeps it all the same.
    pub fn is_retained(&self) -> bool {
        let by = self.protected_by.as_deref();
        by.is_some_and(|by| by.starts_with(BY_POLICY))
    }

    /// Looks at a tag again, or for the first time.
    pub(super) fn look(
        known: Option<&Self>,
        cause: Cause,
        grace: Duration,
        clock: Clock,
        now: Timestamp,
    ) -> Aged {
        let Some(known) = known else {
            return Aged {
                unwanted: Self::new(cause, now),
                is_over: false,
                is_doubtful: false,
            };
        };
        let gap = now.duration_since(known.seen);
        let is_doubtful = match clock {
            Clock::Steady => gap < -TOLERANCE,
            Clock::New => gap < -TOLERANCE || gap > PLAUSIBLE.max(length(grace)),
            Clock::Jumped => true,
        };
        let mut unwanted = Self {
            cause,
            ..known.clone()
        };
        if is_doubtful {
            unwanted.since = known.since.checked_add(gap).unwrap_or(now).min(now);
            unwanted.seen = now;
        }
        let age = now.duration_since(unwanted.since);
        let was_over = unwanted.seen.duration_since(unwanted.since) >= length(grace);
        let is_over = age >= length(grace);
        let step = (length(grace) / 4).min(STEP);
        let step = if is_over { STEP } else { step };
        if is_over != was_over || gap >= step.max(SignedDuration::from_secs(1)) {
            unwanted.seen = now;
        }
        Aged {
            unwanted,
            is_over,
            is_doubtful,
        }
    }
}

pub(super) fn length(duration: Duration) -> SignedDuration {
    SignedDuration::try_from(duration.as_std()).unwrap_or(SignedDuration::MAX)
}

impl Cause {
    /// The word that stands in statuses.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RepositoryRemoved => "RepositoryRemoved",
            Self::NotNamed => "NotNamed",
            Self::NotSelected => "NotSelected",
            Self::SourceGone => "SourceGone",
            Self::Renamed => "Renamed",
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

impl FromStr for Cause {
    type Err = UnknownCause;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut all = CAUSES.into_iter();
        let found = all.find(|cause| cause.as_str() == text);
        found.ok_or_else(|| UnknownCause(text.to_owned()))
    }
}
