// SPDX-License-Identifier: Apache-2.0

//! The clock. Decisions take the time as a parameter; only the edges ask for it, here.

use jiff::Timestamp;

/// The time now.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the one place that reads the clock"
)]
pub fn now() -> Timestamp {
    Timestamp::now()
}
