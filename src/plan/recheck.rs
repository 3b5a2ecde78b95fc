// SPDX-License-Identifier: Apache-2.0

//! When it is looked again at what refers to an image.

use jiff::Timestamp;

use crate::oci::Digest;
use crate::policy::Duration;

/// A look at what refers to an image.
#[derive(Clone, Copy, Debug)]
pub struct LastLook<'a> {
    /// The image.
    pub image: &'a Digest,
    /// When.
    pub at: Timestamp,
    /// Whether it was the first one. Those of many images come together, since they are copied together.
    pub is_first: bool,
}

impl LastLook<'_> {
    /// Whether the next one is due. After the first look it comes between half of the time and all of it, by
    /// the digest of the image, so that those of many images spread.
    pub fn is_over(&self, recheck: Duration, now: Timestamp) -> bool {
        let Self {
            image,
            at,
            is_first,
        } = *self;
        let whole = recheck.as_millis();
        let shortest = if is_first {
            whole / 2 + share(image, whole / 2)
        } else {
            whole
        };
        // A look that lies ahead is of a clock that was set back.
        at > now || Duration::since(at, now).as_millis() >= shortest
    }
}

/// A part of a time, by a digest, which is always less than all of it where there is any.
pub(super) fn share(image: &Digest, time: u64) -> u64 {
    let digits = image.encoded().get(..8);
    let number = digits.and_then(|digits| u64::from_str_radix(digits, 16).ok());
    let number = u128::from(number.unwrap_or_default());
    let part = (u128::from(time) * number) >> 32;
    u64::try_from(part).unwrap_or(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hour: i64) -> Timestamp {
        Timestamp::from_second(hour * 3600).unwrap()
    }

    #[test]
    fn the_looks_after_many_first_ones_spread_over_half_of_the_time() {
        let day = Duration::from_secs(24 * 60 * 60);
        let images: Vec<Digest> = (0..1000_u32)
            .map(|number| Digest::sha256(&number.to_be_bytes()))
            .collect();
        let due = |hour, is_first| {
            let over = images.iter().filter(|image| {
                let look = LastLook {
                    image,
                    at: at(0),
                    is_first,
                };
                look.is_over(day, at(hour))
            });
            over.count()
        };
        assert_eq!(due(11, true), 0);
        assert!((400..600).contains(&due(18, true)), "{}", due(18, true));
        assert_eq!(due(24, true), 1000);
        assert_eq!((due(23, false), due(24, false)), (0, 1000));
        assert_eq!(due(-1, false), 1000, "the clock was set back");
    }
}
