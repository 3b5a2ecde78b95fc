// SPDX-License-Identifier: Apache-2.0

//! What answers of registries are read by, for the fuzz targets.

use reqwest::header::HeaderValue;
use url::Url;

pub use super::auth::fuzzing::{token, token_server};
use super::{lists, origin, referrers};
use crate::oci::Descriptor;

/// Where an upload goes on whose answer has this `Location`.
pub fn upload_location(value: &HeaderValue, request: &Url) -> Option<Url> {
    origin::own_url("Location", Some(value), request).ok()
}

/// Where a redirect of a GET leads.
pub fn redirect(value: &HeaderValue, request: &Url) -> Option<Url> {
    origin::redirect_target(Some(value), request).ok()
}

/// The names on a page of tags or repositories.
pub fn names(body: &[u8]) -> Option<Vec<Option<String>>> {
    lists::names(body).ok()
}

/// The entries of a page of referrers.
pub fn referrers(body: &[u8], says_index: bool) -> Option<Vec<Descriptor>> {
    referrers::parse(body, says_index).ok().flatten()
}
