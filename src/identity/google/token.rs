// SPDX-License-Identifier: Apache-2.0

//! The tokens that registries of Google take.

/// What tokens are for: registries have no scope of their own.
pub(super) const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";
/// What is asked for, as errors call it.
pub(super) const ASKED: &str = "an access token";
