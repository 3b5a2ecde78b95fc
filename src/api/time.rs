// SPDX-License-Identifier: Apache-2.0

//! Times as the API server keeps them.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

/// The time without its fraction of a second: what is written must read back as the same value, or every
/// comparison finds a change.
pub fn whole_seconds(time: Timestamp) -> Time {
    Time(Timestamp::from_second(time.as_second()).unwrap_or(time))
}
