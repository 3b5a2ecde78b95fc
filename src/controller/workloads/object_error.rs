// SPDX-License-Identifier: Apache-2.0

//! Why an object is not understood.

/// An object that is not understood. It may use anything.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind} {name} is not understood: {message}")]
pub struct ObjectError {
    pub(super) kind: String,
    /// `namespace/name`.
    pub(super) name: String,
    pub(super) message: String,
}
