// SPDX-License-Identifier: Apache-2.0

//! What rounds learn of images and tags at sources, so that none asks again.

use super::build_times::BuildTimes;
use super::steps::gate::{Facts, Testimonies};

/// What is known.
#[derive(Default)]
pub(super) struct Learned {
    /// What images are like that had to be judged.
    pub(super) facts: Facts,
    /// Who vouches for images whose policies ask for it.
    pub(super) testimonies: Testimonies,
    /// When images were built, where rules ask for it.
    pub(super) created: BuildTimes,
}
