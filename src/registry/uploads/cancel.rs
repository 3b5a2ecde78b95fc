// SPDX-License-Identifier: Apache-2.0

//! Uploads that failed: the registry is told, so that it need not keep them until they expire.

use std::time::Duration;

use futures::FutureExt;
use reqwest::Method;
use tokio::time::timeout;
use tracing::debug;

use super::Session;
use crate::oci::Repository;
use crate::registry::auth::Scope;
use crate::registry::cause::Cause;
use crate::registry::class::Class;
use crate::registry::connection::Connection;
use crate::registry::request::Request;

/// How long a registry may take to hear that an upload is given up.
const CANCEL_TIMEOUT: Duration = Duration::from_secs(2);

/// Whether an upload that failed so is still open at a registry that would hear of its end. One that
/// is in trouble is left alone, and one that does not know the upload needs not be told.
pub(super) fn is_worthwhile(cause: &Cause) -> bool {
    match cause {
        Cause::Body(_) | Cause::UploadMode(_) | Cause::LateChallenge => true,
        Cause::Status(answer) => !answer.is_transient(),
        Cause::Settings(_)
        | Cause::Incomplete { .. }
        | Cause::Unconfirmed { .. }
        | Cause::Auth { .. }
        | Cause::Own(_)
        | Cause::Paused(_)
        | Cause::Silent { .. }
        | Cause::PutOff { .. }
        | Cause::Unreachable { .. }
        | Cause::Tls { .. }
        | Cause::Plain { .. }
        | Cause::Encrypted { .. }
        | Cause::NotHttp { .. }
        | Cause::WebPage { .. }
        | Cause::Proxy(_)
        | Cause::NoAnswer { .. }
        | Cause::Interrupted { .. }
        | Cause::TooSlow { .. }
        | Cause::UnsafeUrl(_)
        | Cause::OutOfBounds(_)
        | Cause::Lapsed(_)
        | Cause::Manifest(_)
        | Cause::Digest { .. }
        | Cause::Length { .. }
        | Cause::TooLong(_)
        | Cause::Range(_)
        | Cause::TooLarge(_)
        | Cause::Compressed
        | Cause::Full(_)
        | Cause::Protocol(_) => false,
    }
}

/// Gives an upload up, so that the registry need not keep it until it expires. One short request:
/// where it fails, the upload expires.
pub(super) async fn cancel(connection: &Connection, repository: &Repository, session: &Session) {
    let (location, scope) = (session.location.clone(), Scope::pull_push(repository));
    let request = Request::new(Class::UploadStart, Method::DELETE, location, scope);
    match timeout(CANCEL_TIMEOUT, connection.tell(&request).boxed()).await {
        Ok(Ok(())) => {}
        Ok(Err(cause)) => debug!(%cause, "the upload stays open"),
        Err(_) => debug!("the upload stays open: no answer in time"),
    }
}
