// SPDX-License-Identifier: Apache-2.0

//! Uploads: mount or announce a blob, then send it (distribution specification, pushing blobs).

mod bounds;
mod cancel;
pub(super) mod chunks;
mod session;

use bytes::Bytes;
use futures::{Stream, StreamExt};
use reqwest::header::{CONTENT_TYPE, LOCATION};
use reqwest::{Method, StatusCode};
use url::Url;

use self::bounds::{Bounds, CHUNK};
use self::chunks::Chunked;
pub use self::session::Session;
use self::session::{OCTET_STREAM, is_taken, location, session};
use super::answer::Reply;
use super::auth::Scope;
use super::cause::Cause;
use super::class::Class;
use super::connection::Connection;
use super::habits::MountFrom;
use super::origin::UnsafeUrl;
use super::outgoing::{BodyError, Outgoing};
use super::profile::UploadMode;
use super::request::Request;
use super::{blobs, retry};
use crate::oci::{Algorithm, Digest, Repository};

/// How often a mount is asked for that the registry has trouble with.
const MOUNT_TRIES: u32 = 3;

/// What a registry answered to the announcement of a blob.
#[derive(Debug)]
pub enum Upload {
    /// The blob is there: taken over from another repository.
    Mounted,
    /// The registry waits for the bytes.
    Session(Session),
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
    let request = announcement(url, Scope::pull_push(repository));
    let reply = connection.ask(&request).await?;
    match reply.status.as_u16() {
        202 => session(&reply).map(Upload::Session),
        // containerd takes these for 202, too; a login page has no location.
        200 | 204 if reply.headers.contains_key(LOCATION) => session(&reply).map(Upload::Session),
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
    let habits = &connection.host.habits;
    let kind = if from == repository {
        MountFrom::Itself
    } else {
        MountFrom::Another
    };
    if !habits.can_mount(kind) {
        return Ok(None);
    }
    let mut url = uploads(connection, repository);
    url.query_pairs_mut()
        .append_pair("mount", digest.as_str())
        .append_pair("from", from.as_str());
    let request = announcement(url, Scope::mount(repository, from));
    let reply = match ask_for_mount(connection, &request).await {
        Ok(reply) => reply,
        // No right to read the other repository is no reason not to write this one.
        Err(cause) if says_nothing_of_uploads(&cause) => {
            habits.learn_mount_refused(kind);
            return Ok(None);
        }
        Err(cause) => return Err(cause),
    };
    match reply.status.as_u16() {
        201 => {
            habits.learn_mount_understood(kind);
            Ok(Some(Upload::Mounted))
        }
        202 => {
            habits.learn_mount_understood(kind);
            // One without a place to send the blob to is none.
            Ok(session(&reply).ok().map(Upload::Session))
        }
        405 => {
            habits.learn_no_mounts();
            Ok(None)
        }
        // What else is an answer is no mount: 200, for one, names no blob that was created.
        _ => {
            habits.learn_mount_refused(kind);
            Ok(None)
        }
    }
}

/// Asks for a mount, some times where that may help: there is another way.
async fn ask_for_mount(connection: &Connection, request: &Request) -> Result<Reply, Cause> {
    let mut tries = 1;
    let mut earlier: Option<Cause> = None;
    loop {
        let cause = match (connection.ask_once(request).await, earlier.take()) {
            (Ok(reply), _) => return Ok(reply),
            // What was refused before says more than that nothing is asked now, and neither is a plain upload.
            (Err(Cause::Paused(until) | Cause::Silent { until, .. }), Some(earlier)) => {
                let cause = Box::new(earlier);
                return Err(Cause::PutOff { cause, until });
            }
            (Err(cause), _) => cause,
        };
        let may_repeat = cause.status().is_some()
            && cause.is_worth_repeating()
            && !says_nothing_of_uploads_at_once(&cause);
        if !may_repeat || tries == MOUNT_TRIES {
            return Err(cause);
        }
        tokio::time::sleep(retry::delay(tries)).await;
        tries += 1;
        earlier = Some(cause);
    }
}

/// Whether a mount that failed so says nothing of a plain upload. Some registries break at a mount, and
/// answer 500, 502 or 503 to each, instead of refusing it.
fn says_nothing_of_uploads(cause: &Cause) -> bool {
    says_nothing_of_uploads_at_once(cause) || cause.is_worth_repeating()
}

/// The same of the first answer.
fn says_nothing_of_uploads_at_once(cause: &Cause) -> bool {
    let is_denied = matches!(cause, Cause::Auth { error, .. } if !error.is_transient());
    is_denied || is_broken(cause)
}

/// Whether the registry is broken at this request, more likely than in trouble as a whole.
fn is_broken(cause: &Cause) -> bool {
    cause.status() == Some(StatusCode::INTERNAL_SERVER_ERROR)
}

fn uploads(connection: &Connection, repository: &Repository) -> Url {
    connection.url(&[repository.as_str(), "blobs", "uploads", ""])
}

fn announcement(url: Url, scope: Scope) -> Request {
    Request::new(Class::UploadStart, Method::POST, url, scope)
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
    let (mode, chunk) = {
        let habits = &connection.host.habits;
        (
            habits.upload_mode(),
            session.chunks.chunk(size, habits.chunk()),
        )
    };
    let (outcome, is_sent) = if let Some(chunk) = chunk {
        let body = body.boxed();
        let mut chunked = Chunked::new(connection, repository, session, (size, chunk), body);
        let outcome = match chunked.send().await {
            Ok(()) => close(connection, repository, session, digest).await,
            Err(cause) => Err(cause),
        };
        (outcome, true)
    } else {
        let body = connection.outgoing(size, body);
        let progress = body.progress();
        let outcome = match mode {
            UploadMode::Put => put_whole(connection, repository, session, digest, body).await,
            UploadMode::PatchPut => {
                patch_and_put(connection, repository, session, digest, body).await
            }
        };
        (outcome, progress.is_sent())
    };
    let Err(cause) = outcome else {
        return check_kept(connection, repository, digest).await;
    };
    // The registry may have stored the blob although its answer says or is nothing.
    if is_sent && cause.leaves_open() && blobs::has_at_once(connection, repository, digest).await {
        return Ok(());
    }
    if is_broken(&cause) && chunk.is_none() {
        connection.host.habits.learn_failed_at(mode);
    }
    if cancel::is_worthwhile(&cause) {
        cancel::cancel(connection, repository, session).await;
    }
    Err(cause)
}

/// Gives up an upload of which nothing was sent: the blob turned out to be there.
pub(super) async fn give_up(connection: &Connection, repository: &Repository, session: &Session) {
    cancel::cancel(connection, repository, session).await;
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
    let reply = send_once(connection, &request, body).await?;
    let is_another_way_wanted = matches!(reply.status.as_u16(), 405 | 411 | 501)
        || reply
            .code()
            .is_some_and(|code| code.as_str() == "UNSUPPORTED");
    if is_another_way_wanted {
        connection.host.habits.learn_needs_patch();
        return Err(Cause::UploadMode(reply.status));
    }
    check_stored(reply, digest)?;
    connection.host.habits.learn_takes_put();
    Ok(())
}

/// One PATCH with everything, and an empty PUT that closes the upload.
///
/// The latter is repeated as often as it takes: nothing has to be sent again for it.
async fn patch_and_put(
    connection: &Connection,
    repository: &Repository,
    session: &mut Session,
    digest: &Digest,
    body: Outgoing,
) -> Result<(), Cause> {
    let scope = Scope::pull_push(repository);
    let request = Request::new(
        Class::Upload,
        Method::PATCH,
        session.location.clone(),
        scope,
    )
    .header(CONTENT_TYPE, OCTET_STREAM);
    let size = body.size();
    let reply = send_once(connection, &request, body).await?;
    if !is_taken(reply.status) {
        return Err(reply.into_cause());
    }
    if chunks::taken(&reply).is_some_and(|taken| taken < size) {
        connection.host.habits.learn_chunk(CHUNK);
        return Err(Cause::UploadMode(reply.status));
    }
    // The specification asks for 202 and a location; with another answer the upload may stay where it was.
    if reply.headers.contains_key(LOCATION) {
        session.location = location(&reply)?;
    }
    close(connection, repository, session, digest).await
}

/// Sends a body that exists once. Where the registry takes less at once, or moves the request to another of its
/// URLs, the next try sends what can be sent again: chunks.
async fn send_once(
    connection: &Connection,
    request: &Request,
    body: Outgoing,
) -> Result<Reply, Cause> {
    let mut chunk = CHUNK;
    let status = match connection.send(request, body).await {
        Ok(reply) if reply.status == StatusCode::PAYLOAD_TOO_LARGE => {
            chunk = Bounds::of(&reply.headers).most().unwrap_or(chunk);
            reply.status
        }
        Err(Cause::UnsafeUrl(UnsafeUrl::MovedWrite { status: 307 })) => {
            StatusCode::TEMPORARY_REDIRECT
        }
        Err(Cause::UnsafeUrl(UnsafeUrl::MovedWrite { status: 308 })) => {
            StatusCode::PERMANENT_REDIRECT
        }
        sent => return sent,
    };
    connection.host.habits.learn_chunk(chunk);
    Err(Cause::UploadMode(status))
}

async fn close(
    connection: &Connection,
    repository: &Repository,
    session: &Session,
    digest: &Digest,
) -> Result<(), Cause> {
    let request = closing(repository, session, digest);
    check_stored(connection.ask(&request).await?, digest)
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
    if !is_taken(reply.status) {
        return Err(reply.into_cause());
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

/// Looks for what was stored under another algorithm than everybody's: some registries take such a
/// blob, file it under its sha256 digest and know the other one no more.
async fn check_kept(
    connection: &Connection,
    repository: &Repository,
    digest: &Digest,
) -> Result<(), Cause> {
    let algorithm = digest.algorithm();
    if algorithm == Algorithm::Sha256 || blobs::has(connection, repository, digest).await? {
        return Ok(());
    }
    Err(Cause::Protocol(format!(
        "the registry took the blob and does not have it under its digest: it knows no {}",
        algorithm.as_str()
    )))
}
