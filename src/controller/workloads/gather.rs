// SPDX-License-Identifier: Apache-2.0

//! What is gathered from objects.

use serde_json::Value;

use super::object_error::ObjectError;

/// Gathers something from objects, one after another: what may be in use, or the images that they name.
pub trait Gather: Clone + Send + Sync {
    /// Takes note of an object of this kind.
    fn add(&mut self, api_version: &str, kind: &str, object: &Value) -> Result<(), ObjectError>;

    /// Takes over what others found.
    fn merge(&mut self, other: Self);

    /// Whether it is more than can be kept in mind.
    fn is_too_much(&self) -> bool;
}
