// SPDX-License-Identifier: Apache-2.0

//! How often what fails was tried. A status tells the first try, the second, the fourth, the eighth and so on:
//! a mirror that keeps failing in the same way is no news each time.

use std::collections::HashMap;

use crate::api::image_mirror::{FailureStatus, ImageMirrorStatus};

/// Rounds in a row that failed with what stands in a status, as far as this process knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tries(HashMap<Failing, i32>);

/// An image, or a repository, and the destination where it fails.
type Failing = (String, Option<String>);

impl Tries {
    /// Those that a status counts.
    pub(super) fn of(status: &ImageMirrorStatus) -> Self {
        let counted = |failure: &FailureStatus| (failing(failure), failure.attempts);
        Self(status.failures.iter().map(counted).collect())
    }

    /// Counts a further round that failed with each of `failures`, after what `previous` tells.
    pub(super) fn count(&self, failures: &mut [FailureStatus], previous: &ImageMirrorStatus) {
        let told = Self::of(previous);
        for failure in failures {
            let failing = failing(failure);
            let known = [&self.0, &told.0]
                .into_iter()
                .filter_map(|tries| tries.get(&failing));
            failure.attempts = known.max().map_or(1, |tries| tries.saturating_add(1));
        }
    }
}

/// Whether `status` tells a person something that `previous` does not.
pub(super) fn is_news(previous: &ImageMirrorStatus, status: &ImageMirrorStatus) -> bool {
    let mut untold = status.clone();
    for failure in &mut untold.failures {
        let known = previous
            .failures
            .iter()
            .find(|known| failing(known) == failing(failure));
        if let Some(known) = known
            && !failure.attempts.unsigned_abs().is_power_of_two()
        {
            failure.attempts = known.attempts;
            failure
                .next_attempt_time
                .clone_from(&known.next_attempt_time);
        }
    }
    untold != *previous
}

fn failing(failure: &FailureStatus) -> Failing {
    (failure.image.clone(), failure.destination.clone())
}
