//! Uploads: mount or announce a blob, then send it (distribution specification, pushing blobs).

mod cancel;

use bytes::Bytes;
use futures::Stream;
use reqwest::header::{CONTENT_TYPE, HeaderValue, LOCATION};
use reqwest::{Method, StatusCode};
use url::Url;

use super::answer::Reply;
use super::auth::Scope;
use super::cause::Cause;
use super::class::Class;
use super::connection::Connection;
use super::host::MountFrom;
use super::outgoing::{BodyError, Outgoing};
use super::profile::UploadMode;
use super::request::Request;
use super::{blobs, origin};
use crate::oci::{Algorithm, Digest, Repository};

const OCTET_STREAM: HeaderValue = HeaderValue::from_static("application/octet-stream");

/// What a registry answered to the announcement of a blob.
#[derive(Debug)]
pub enum Upload {
    /// The blob is there: taken over from another repository.
    Mounted,
    /// The registry waits for the bytes.
    Session(Session),
}

/// An upload that waits for its bytes. It is good for one try.
pub struct Session {
    location: Url,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The query is a capability.
        write!(formatter, "Session({})", self.location.path())
    }
}

// === announcing ===

pub(super) async fn start(
    connection: &Connection,
    repository: &Repository,
    digest: &Digest,
    mount_from: Option<&Repository>,
) -> Result<Upload, Cause> {
    if let Some(from) = mount_from
        && let Some(upload) = mount(connection, repository, digest, from).await?
    {
        return Ok(upload);
    }
    let mut url = uploads(connection, repository);
    if digest.algorithm() != Algorithm::Sha256 {
        url.query_pairs_mut()
            .append_pair("digest-algorithm", digest.algorithm().as_str());
    }
    let reply = post(connection, url, Scope::pull_push(repository)).await?;
    match reply.status {
        StatusCode::ACCEPTED => session(&reply).map(Upload::Session),
        _ => Err(reply.into_cause()),
    }
}

/// Asks the registry to take the blob over from another of its repositories.
///
/// 202 is an open upload, not a failure. Nothing comes back where a plain upload is the way to go.
async fn mount(
    connection: &Connection,
    repository: &Repository,
    digest: &Digest,
    from: &Repository,
) -> Result<Option<Upload>, Cause> {
    let host = &connection.host;
    let kind = if from == repository {
        MountFrom::Itself
    } else {
        MountFrom::Another
    };
    if !host.can_mount(kind) {
        return Ok(None);
    }
    let mut url = uploads(connection, repository);
    url.query_pairs_mut()
        .append_pair("mount", digest.as_str())
        .append_pair("from", from.as_str());
    let reply = match post(connection, url, Scope::mount(repository, from)).await {
        Ok(reply) => reply,
        // No right to read the other repository is no reason not to write this one.
        Err(cause) if is_denial(&cause) => {
            host.learn_mount_refused(kind);
            return Ok(None);
        }
        Err(cause) => return Err(cause),
    };
    match reply.status.as_u16() {
        201 => {
            host.learn_mount_understood(kind);
            Ok(Some(Upload::Mounted))
        }
        202 => {
            host.learn_mount_understood(kind);
            session(&reply).map(|session| Some(Upload::Session(session)))
        }
        400 | 403 | 404 => {
            host.learn_mount_refused(kind);
            Ok(None)
        }
        405 => {
            host.learn_no_mounts();
            Ok(None)
        }
        _ => Err(reply.into_cause()),
    }
}

fn is_denial(cause: &Cause) -> bool {
    matches!(cause, Cause::Auth { error, .. } if !error.is_transient())
}

fn uploads(connection: &Connection, repository: &Repository) -> Url {
    connection.url(&[repository.as_str(), "blobs", "uploads", ""])
}

async fn post(connection: &Connection, url: Url, scope: Scope) -> Result<Reply, Cause> {
    let request = Request::new(Class::UploadStart, Method::POST, url, scope);
    connection.ask(&request).await
}

/// The upload that an answer opens or continues. The newest location counts: it may carry state.
fn session(reply: &Reply) -> Result<Session, Cause> {
    let location = origin::own_url("Location", reply.headers.get(LOCATION), &reply.url)?;
    Ok(Session { location })
}

// === sending ===

pub(super) async fn send<S>(
    connection: &Connection,
    repository: &Repository,
    mut session: Session,
    digest: &Digest,
    size: u64,
    body: S,
) -> Result<(), Cause>
where
    S: Stream<Item = Result<Bytes, BodyError>> + Send + 'static,
{
    let session = &mut session;
    let body = connection.outgoing(size, body);
    let progress = body.progress();
    let outcome = match connection.host.upload_mode() {
        UploadMode::Put => put_whole(connection, repository, session, digest, body).await,
        UploadMode::PatchPut => patch_and_put(connection, repository, session, digest, body).await,
    };
    match outcome {
        // The registry may have stored the blob although its answer says or is nothing.
        Err(cause)
            if progress.is_sent()
                && cause.is_worth_repeating()
                && blobs::has(connection, repository, digest)
                    .await
                    .unwrap_or(false) =>
        {
            Ok(())
        }
        Err(cause) => {
            if cancel::is_worthwhile(&cause) {
                cancel::cancel(connection, repository, session).await;
            }
            Err(cause)
        }
        Ok(()) => Ok(()),
    }
}

/// One PUT with everything.
async fn put_whole(
    connection: &Connection,
    repository: &Repository,
    session: &Session,
    digest: &Digest,
    body: Outgoing,
) -> Result<(), Cause> {
    let request = closing(repository, session, digest).header(CONTENT_TYPE, OCTET_STREAM);
    let reply = connection.send(&request, body).await?;
    match reply.status.as_u16() {
        405 | 411 | 413 => {
            connection.host.learn_needs_patch();
            Err(Cause::UploadMode(reply.status))
        }
        _ => check_stored(reply, digest),
    }
}

/// One PATCH with everything, and an empty PUT that closes the upload.
async fn patch_and_put(
    connection: &Connection,
    repository: &Repository,
    session: &mut Session,
    digest: &Digest,
    body: Outgoing,
) -> Result<(), Cause> {
    let scope = Scope::pull_push(repository);
    let location = session.location.clone();
    let request = Request::new(Class::Upload, Method::PATCH, location, scope)
        .header(CONTENT_TYPE, OCTET_STREAM);
    let reply = connection.send(&request, body).await?;
    if reply.status != StatusCode::ACCEPTED {
        return Err(reply.into_cause());
    }
    *session = self::session(&reply)?;
    let request = closing(repository, session, digest);
    let empty = connection.outgoing(0, futures::stream::empty());
    check_stored(connection.send(&request, empty).await?, digest)
}

/// The PUT that names the digest and so closes the upload. Everything else of the location stays
/// as the registry wrote it.
fn closing(repository: &Repository, session: &Session, digest: &Digest) -> Request {
    let mut url = session.location.clone();
    url.set_fragment(None);
    url.query_pairs_mut().append_pair("digest", digest.as_str());
    Request::new(
        Class::Upload,
        Method::PUT,
        url,
        Scope::pull_push(repository),
    )
}

fn check_stored(reply: Reply, digest: &Digest) -> Result<(), Cause> {
    match reply.status {
        StatusCode::CREATED | StatusCode::OK | StatusCode::NO_CONTENT => {}
        _ => return Err(reply.into_cause()),
    }
    // distribution names the sha256 digest of a blob that came with a sha512 one.
    match reply.digest() {
        Some(announced) if announced.algorithm() == digest.algorithm() && announced != *digest => {
            Err(Cause::Digest {
                announced,
                found: digest.clone(),
            })
        }
        _ => Ok(()),
    }
}
