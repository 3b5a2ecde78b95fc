// SPDX-License-Identifier: Apache-2.0

//! How long a deleted tag can be restored, with all that refers to it.

use jiff::Timestamp;

use super::unwanted::{Clock, PLAUSIBLE, TOLERANCE, length};
use crate::policy::Duration;

/// Whether a tag that was deleted can still be restored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Undo {
    /// It can: what refers to it stays.
    Open,
    /// The grace after the deletion has passed.
    Over,
    /// The clock does not say: the grace begins anew.
    Doubtful,
}

/// Since when deletions are healed that may have taken other tags along: whoever comes later finds too much changed.
pub fn healed_since(now: Timestamp) -> Timestamp {
    now.checked_sub(PLAUSIBLE).unwrap_or(Timestamp::MIN)
}

impl Undo {
    /// Judges a tag by the time of its deletion, for a process that knows this of the clock.
    pub fn judge(deleted_at: Timestamp, grace: Duration, clock: Clock, now: Timestamp) -> Self {
        let age = now.duration_since(deleted_at);
        let grace = length(grace);
        let is_doubtful = match clock {
            Clock::Steady => age < -TOLERANCE,
            Clock::New => age < -TOLERANCE || age > grace.saturating_add(PLAUSIBLE.max(grace)),
            Clock::Jumped => true,
        };
        if is_doubtful {
            Self::Doubtful
        } else if age < grace {
            Self::Open
        } else {
            Self::Over
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    #[test]
    fn until_when_a_deleted_tag_can_be_restored() {
        let now = Timestamp::from_second(2_000_000_000).unwrap();
        let grace: Duration = "24h".parse().unwrap();
        // Hours since the deletion.
        for (clock, hours, expected) in [
            (Clock::Steady, 0, Undo::Open),
            (Clock::Steady, 23, Undo::Open),
            (Clock::Steady, 24, Undo::Over),
            (Clock::Steady, 24 * 365, Undo::Over),
            (Clock::Steady, -1, Undo::Doubtful),
            (Clock::New, 23, Undo::Open),
            (Clock::New, 24, Undo::Over),
            (Clock::New, 24 * 32, Undo::Over),
            (Clock::New, 24 * 32 + 1, Undo::Doubtful),
            (Clock::New, 24 * 365, Undo::Doubtful),
            (Clock::New, -1, Undo::Doubtful),
            (Clock::Jumped, 0, Undo::Doubtful),
            (Clock::Jumped, 24, Undo::Doubtful),
        ] {
            let deleted_at = now - SignedDuration::from_hours(hours);
            let found = Undo::judge(deleted_at, grace, clock, now);
            assert_eq!(found, expected, "{clock:?} {hours}");
        }
    }
}
