// SPDX-License-Identifier: Apache-2.0

//! How much is taken in a time.

use std::time::{Duration, Instant};

/// A bucket that fills up again by itself.
#[derive(Clone, Debug)]
pub struct Bucket {
    /// Time in which one place comes back.
    every: Duration,
    /// The most places.
    places: u32,
    /// When all of it is free again.
    full_at: Instant,
}

impl Bucket {
    /// A full bucket of so many places, one of which comes back each time.
    pub fn new(places: u32, every: Duration, now: Instant) -> Self {
        Self {
            every,
            places,
            full_at: now,
        }
    }

    /// Takes so many places. False: there are not so many, and none was taken.
    pub fn take(&mut self, count: u32, now: Instant) -> bool {
        let full_at = self.full_at.max(now) + self.every * count;
        if full_at > now + self.every * self.places {
            return false;
        }
        self.full_at = full_at;
        true
    }

    /// Gives back what was taken for nothing.
    pub fn give_back(&mut self, count: u32) {
        let full_at = self.full_at.checked_sub(self.every * count);
        self.full_at = full_at.unwrap_or(self.full_at);
    }

    /// Whether nothing is missing.
    pub fn is_full(&self, now: Instant) -> bool {
        self.full_at <= now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_empties_and_fills_up_again() {
        let began = Instant::now();
        let second = Duration::from_secs(1);
        let mut bucket = Bucket::new(3, second, began);
        assert!(bucket.take(2, began));
        assert!(!bucket.take(2, began), "one is left");
        assert!(bucket.take(1, began));
        assert!(!bucket.take(1, began));
        assert!(bucket.take(1, began + second));
        assert!(!bucket.take(1, began + second));
        bucket.give_back(2);
        assert!(!bucket.is_full(began + second));
        assert!(bucket.take(2, began + second) && !bucket.take(1, began + second));
        let later = began + second * 100;
        assert!(bucket.is_full(later));
        assert!(
            bucket.take(3, later) && !bucket.take(1, later),
            "no more than it holds"
        );
    }
}
