// SPDX-License-Identifier: Apache-2.0

//! What is behind an error of a request.

// === what errors mean ===

/// The innermost reason of an error of a request: the ones around it only repeat the URL.
pub(in crate::registry) fn root(error: &(dyn std::error::Error + 'static)) -> String {
    causes(error)
        .last()
        .map(ToString::to_string)
        .unwrap_or_default()
}

/// An error and what is behind it, outermost first.
pub(in crate::registry) fn causes<'a>(
    error: &'a (dyn std::error::Error + 'static),
) -> impl Iterator<Item = &'a (dyn std::error::Error + 'static)> {
    std::iter::successors(Some(error), |error| {
        // An error of input and output names as its source that of the error inside it, not that error.
        match error
            .downcast_ref::<std::io::Error>()
            .and_then(std::io::Error::get_ref)
        {
            Some(inside) => Some(inside),
            None => error.source(),
        }
    })
}
