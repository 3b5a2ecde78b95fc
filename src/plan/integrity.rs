// SPDX-License-Identifier: Apache-2.0

//! When an immutable tag is looked at all the same.

use jiff::Timestamp;

use super::recheck::share;
use crate::oci::Digest;
use crate::policy::Duration;

/// A share of the tags is looked at each day.
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A look at a tag and at all that it leads to, or the copy that came before the first one.
#[derive(Clone, Copy, Debug)]
pub struct LastCheck<'a> {
    /// The image.
    pub image: &'a Digest,
    /// When.
    pub at: Timestamp,
}

impl LastCheck<'_> {
    /// Whether the next one is due: a time has passed that comes once in each interval, on a day that depends on the
    /// image.
    pub fn is_over(&self, interval: Duration, now: Timestamp) -> bool {
        let days = (interval.as_millis() / DAY.as_millis()).max(1);
        let day = share(self.image, days) * (interval.as_millis() / days);
        let window = |time: Timestamp| {
            let since = i128::from(time.as_millisecond()) - i128::from(day);
            since.div_euclid(i128::from(interval.as_millis().max(1)))
        };
        // A look that lies ahead is of a clock that was set back.
        self.at > now || window(now) > window(self.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: u64 = 60 * 60;

    fn at(hour: i64) -> Timestamp {
        Timestamp::from_second(hour * 3600).unwrap()
    }

    fn images() -> Vec<Digest> {
        let numbers = 0..700_u32;
        numbers
            .map(|number| Digest::sha256(&number.to_be_bytes()))
            .collect()
    }

    #[test]
    fn each_day_a_share_is_looked_at_and_each_tag_once_in_an_interval() {
        let week = Duration::from_secs(7 * 24 * HOUR);
        let mut checked = vec![at(5); images().len()];
        let mut looks = vec![0; checked.len()];
        for day in 1..=14 {
            let now = at(5 + 24 * day);
            let mut due = 0;
            for ((image, checked), looks) in images().iter().zip(&mut checked).zip(&mut looks) {
                let last = LastCheck {
                    image,
                    at: *checked,
                };
                if last.is_over(week, now) {
                    (*checked, *looks, due) = (now, *looks + 1, due + 1);
                    let again = LastCheck { image, at: now };
                    assert!(!again.is_over(week, now));
                }
            }
            assert!((60..140).contains(&due), "{due} on day {day}");
        }
        assert!(looks.iter().all(|looks| *looks == 2), "{looks:?}");
    }

    #[test]
    fn a_short_interval_has_no_days_and_a_clock_that_was_set_back_is_not_believed() {
        let image = Digest::sha256(b"a");
        let is_over = |before: i64, now: i64| {
            let last = LastCheck {
                image: &image,
                at: at(before),
            };
            last.is_over(Duration::from_secs(2 * HOUR), at(now))
        };
        for (before, now, expected) in [
            (4, 4, false),
            (4, 5, false),
            (4, 6, true),
            (5, 6, true),
            (4, 400, true),
            (5, 4, true),
        ] {
            assert_eq!(is_over(before, now), expected, "{before} {now}");
        }
    }
}
