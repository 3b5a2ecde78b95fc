// SPDX-License-Identifier: Apache-2.0

//! An event, as it was sent.

/// Finds a header by its name in lower case.
pub(super) type Header<'a> = &'a dyn Fn(&str) -> Option<&'a str>;

/// One event, as it was sent.
#[derive(Clone, Copy)]
pub struct Delivery<'a> {
    /// Its headers.
    pub header: Header<'a>,
    /// The body, whole.
    pub body: &'a [u8],
}
