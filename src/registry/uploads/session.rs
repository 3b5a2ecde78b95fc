// SPDX-License-Identifier: Apache-2.0

//! An upload that is open, and where it goes on.

use reqwest::StatusCode;
use reqwest::header::{HeaderValue, LOCATION};
use url::Url;

use super::bounds::Bounds;
use crate::registry::answer::Reply;
use crate::registry::cause::Cause;
use crate::registry::origin::{self, UnsafeUrl};

pub(super) const OCTET_STREAM: HeaderValue = HeaderValue::from_static("application/octet-stream");

/// An upload that waits for its bytes. It is good for one try.
pub struct Session {
    pub(super) location: Url,
    pub(super) chunks: Bounds,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The query is a capability.
        write!(formatter, "Session({})", self.location.path())
    }
}

/// The upload that an answer opens or continues. The newest location counts: it may carry state.
pub(super) fn session(reply: &Reply) -> Result<Session, Cause> {
    Ok(Session {
        location: location(reply)?,
        chunks: Bounds::of(&reply.headers),
    })
}

pub(super) fn location(reply: &Reply) -> Result<Url, UnsafeUrl> {
    origin::own_url("Location", reply.headers.get(LOCATION), &reply.url)
}

/// Whether the registry took what was sent. Registries answer with any of these to a PATCH and to the
/// closing PUT, whichever the specification asks for.
pub(super) fn is_taken(status: StatusCode) -> bool {
    matches!(status.as_u16(), 200 | 201 | 202 | 204)
}
