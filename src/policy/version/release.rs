// SPDX-License-Identifier: Apache-2.0

//! What makes a version newer than another one, whatever its variant and spelling.

use std::cmp::Ordering;

use super::super::number::{self, Number};
use super::prerelease::Prerelease;

/// The numbers of a version, and where it stands seen from the release with these numbers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(in super::super) struct Release {
    pub(in super::super) numbers: Vec<Number>,
    pub(in super::super) prerelease: Option<Prerelease>,
    /// The number of a correction such as SP1: newer than the release, and older than one with a further
    /// number.
    pub(in super::super) correction: Option<Number>,
}

impl Release {
    /// Which of two versions is the newer one.
    pub(in super::super) fn precedence(&self, other: &Self) -> Ordering {
        number::compare(&self.numbers, &other.numbers)
            .then_with(|| compare_prereleases(self.prerelease.as_ref(), other.prerelease.as_ref()))
            .then_with(|| self.correction.cmp(&other.correction))
    }
}

/// A release is newer than its prereleases.
fn compare_prereleases(left: Option<&Prerelease>, right: Option<&Prerelease>) -> Ordering {
    match (left, right) {
        (None, None) => Ordering::Equal,
        (None, Some(_)) => Ordering::Greater,
        (Some(_), None) => Ordering::Less,
        (Some(left), Some(right)) => left.cmp(right),
    }
}
