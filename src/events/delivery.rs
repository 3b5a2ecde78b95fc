// SPDX-License-Identifier: Apache-2.0

//! An event, as it was sent.

/// One event, as it was sent.
#[derive(Clone, Copy)]
pub struct Delivery<'a> {
    /// Finds a header by its name in lower case.
    pub header: &'a dyn Fn(&str) -> Option<&'a str>,
    /// The body, whole.
    pub body: &'a [u8],
}
