// SPDX-License-Identifier: Apache-2.0

//! Versions between two bounds.

use std::cmp::Ordering;

use crate::policy::number::{self, Number};
use crate::policy::version::{Release, Version};

/// Where an interval begins or ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Bound {
    pub(super) release: Release,
    /// The builds count where the bound has some.
    pub(super) builds: Vec<Number>,
    pub(super) inclusive: bool,
    /// Whether prereleases lie on the same side as their release.
    pub(super) numbers_only: bool,
}

/// Versions between two bounds; open where there is none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Interval {
    pub(super) lower: Option<Bound>,
    pub(super) upper: Option<Bound>,
}

// === impl Interval ===

impl Interval {
    pub(super) fn from(lower: Bound) -> Self {
        Self {
            lower: Some(lower),
            upper: None,
        }
    }

    pub(super) fn to(upper: Bound) -> Self {
        Self {
            lower: None,
            upper: Some(upper),
        }
    }

    pub(super) fn contains(&self, version: &Version) -> bool {
        let above = |bound: &Bound| match bound.compare(version) {
            Ordering::Less => false,
            Ordering::Equal => bound.inclusive,
            Ordering::Greater => true,
        };
        self.lower.as_ref().is_none_or(above) && !self.lies_below(version)
    }

    /// Whether the interval ends before a version.
    pub(super) fn lies_below(&self, version: &Version) -> bool {
        let beyond = |bound: &Bound| match bound.compare(version) {
            Ordering::Less => false,
            Ordering::Equal => !bound.inclusive,
            Ordering::Greater => true,
        };
        self.upper.as_ref().is_some_and(beyond)
    }
}

// === impl Bound ===

impl Bound {
    /// Where a version lies, seen from the bound.
    fn compare(&self, version: &Version) -> Ordering {
        if self.numbers_only {
            return number::compare(&version.release().numbers, &self.release.numbers);
        }
        let order = version.release().precedence(&self.release);
        if self.builds.is_empty() {
            return order;
        }
        order.then_with(|| version.builds().cmp(&self.builds))
    }
}
