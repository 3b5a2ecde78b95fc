// SPDX-License-Identifier: Apache-2.0

//! How long what was given out is good.

use std::time::Duration;

use jiff::Timestamp;

use crate::runtime::clock;

/// What is said to end later is asked for again after this time.
const LONGEST: Duration = Duration::from_secs(12 * 60 * 60);
/// What has ended already, as far as our clock tells, and is used all the same, is asked for again after this time.
const SHORTEST: Duration = Duration::from_secs(60);

/// Something with the time for which it is good.
#[derive(Clone, Debug)]
pub(super) struct Lasting<T> {
    /// The thing.
    pub(super) value: T,
    /// How long it is good from now on.
    pub(super) life: Duration,
}

/// The time until `end`; nothing where that is over.
pub(super) fn until(end: Timestamp) -> Option<Duration> {
    let left = Duration::try_from(end.duration_since(clock::now())).ok()?;
    (!left.is_zero()).then(|| left.min(LONGEST))
}

/// The time of what says nothing about it, or nothing that can be true: it is used, and not asked for in a loop.
pub(super) fn shortest() -> Duration {
    SHORTEST
}

/// The longest time that anything is kept.
pub(super) fn longest() -> Duration {
    LONGEST
}

/// The time of so many seconds, as OAuth says it; nothing where it is over.
pub(super) fn seconds(seconds: u64) -> Option<Duration> {
    (seconds > 0).then(|| Duration::from_secs(seconds).min(LONGEST))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_bounded() {
        let end = |text: &str| until(text.parse().unwrap());
        assert_eq!(end("2015-01-01T00:00:00Z"), None);
        assert_eq!(end("9999-01-01T00:00:00Z"), Some(LONGEST));
        assert_eq!(seconds(0), None);
        assert_eq!(seconds(u64::MAX), Some(LONGEST));
        assert_eq!(seconds(60), Some(Duration::from_secs(60)));
    }
}
