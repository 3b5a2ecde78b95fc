// SPDX-License-Identifier: Apache-2.0

//! Blobs: look for them, read them (distribution specification, pulling blobs).

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{Stream, StreamExt, TryStreamExt, stream};
use reqwest::header::{CONTENT_RANGE, HeaderValue, RANGE};
use reqwest::{Method, StatusCode};
use tokio::time::Instant;

use super::answer::{Answer, SLOWEST};
use super::auth::Scope;
use super::cause::Cause;
use super::class::Class;
use super::connection::Connection;
use super::error::Error;
use super::range::{self, WrongRange};
use super::request::Request;
use crate::oci::{Descriptor, Digest, Repository};

/// So much waiting for a body is one look at its speed.
const SPEED_WINDOW: Duration = Duration::from_secs(60);

/// The bytes of a blob, from the offset that was asked for to its end, as they come.
///
/// It ends with an error where there are fewer or more than the descriptor says. The digest is not
/// checked: the reader has seen the bytes before the offset and is the one to know it.
pub struct BlobBody(BoxStream<'static, Result<Bytes, Error>>);

/// A body that is being read.
struct Reader {
    answer: Answer,
    /// Bytes before the offset that the registry sends nevertheless.
    skip: u64,
    /// Bytes that are still to come after those.
    left: u64,
    /// Bytes of the whole blob.
    size: u64,
    speed: Speed,
}

/// How fast a body comes, counting only the time that we wait for it.
struct Speed {
    waited: Duration,
    bytes: u64,
}

// === impl BlobBody ===

impl BlobBody {
    pub(super) fn new(body: BoxStream<'static, Result<Bytes, Cause>>, operation: String) -> Self {
        let body = body.map_err(move |cause| Error::new(&operation, cause));
        Self(body.boxed())
    }
}

impl Stream for BlobBody {
    type Item = Result<Bytes, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.as_mut().poll_next(context)
    }
}

impl std::fmt::Debug for BlobBody {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("BlobBody")
    }
}

pub(super) async fn has(
    connection: &Connection,
    repository: &Repository,
    digest: &Digest,
) -> Result<bool, Cause> {
    let request = look(connection, repository, digest).hand_back(StatusCode::INTERNAL_SERVER_ERROR);
    let reply = match connection.ask(&request).await {
        Ok(reply) => reply,
        Err(cause) if cause.is_without_challenge() => {
            return has_by_get(connection, repository, digest).await;
        }
        Err(cause) => return Err(cause),
    };
    match reply.status {
        // A login page has no blob.
        StatusCode::OK if reply.is_web_page() && reply.digest().is_none() => {
            Err(reply.into_cause())
        }
        StatusCode::OK => Ok(true),
        StatusCode::NOT_FOUND => Ok(false),
        _ => has_by_get(connection, repository, digest).await,
    }
}

/// Whether a repository gives the first byte of a blob: GET has the last word where a HEAD is answered
/// with an error, as storage does that signed its URL for a GET.
async fn has_by_get(
    connection: &Connection,
    repository: &Repository,
    digest: &Digest,
) -> Result<bool, Cause> {
    let url = connection.url(&[repository.as_str(), "blobs", digest.as_str()]);
    let request = Request::new(Class::BlobRead, Method::GET, url, Scope::pull(repository))
        .header(RANGE, HeaderValue::from_static("bytes=0-0"));
    // Its body is not read: it may be all of the blob.
    let answer = connection.open(&request).await?;
    match answer.status() {
        // An empty blob has no first byte.
        StatusCode::OK | StatusCode::PARTIAL_CONTENT | StatusCode::RANGE_NOT_SATISFIABLE => {
            Ok(true)
        }
        StatusCode::NOT_FOUND => Ok(false),
        _ => Err(answer.into_cause().await),
    }
}

/// Whether a repository says, when it is asked once, that it has a blob.
pub(super) async fn has_at_once(
    connection: &Connection,
    repository: &Repository,
    digest: &Digest,
) -> bool {
    let request = look(connection, repository, digest);
    let reply = connection.ask_once(&request).await;
    reply.is_ok_and(|reply| reply.status == StatusCode::OK)
}

/// Whether a repository serves a blob, as far as that can be told from a few bytes: its last one, else
/// its first ones, else its length.
///
/// What else comes is not read: a registry that does not know how to give a part (oras-project/oras-go#369)
/// must not send all of it for nothing.
pub(super) async fn proves(
    connection: &Connection,
    repository: &Repository,
    blob: &Descriptor,
) -> Result<bool, Cause> {
    let Some(last) = blob.size.checked_sub(1) else {
        return Ok(true);
    };
    let habits = &connection.host.habits;
    if !habits.may_give_last_bytes() {
        return has_all(connection, repository, blob).await;
    }
    let url = connection.url(&[repository.as_str(), "blobs", blob.digest.as_str()]);
    let request = Request::new(Class::BlobRead, Method::GET, url, Scope::pull(repository))
        .urgent()
        .header(RANGE, range::to_end(last, blob.size));
    // Dropped with what it still has to say, and its connection with it.
    let mut answer = connection.open(&request).await?;
    match answer.status() {
        StatusCode::OK => habits.learn_gives_whole_blobs(),
        StatusCode::PARTIAL_CONTENT
            if range::check(answer.header(CONTENT_RANGE), last, blob.size).is_ok() => {}
        StatusCode::PARTIAL_CONTENT | StatusCode::RANGE_NOT_SATISFIABLE => {
            habits.learn_gives_whole_blobs();
            return has_all(connection, repository, blob).await;
        }
        StatusCode::NOT_FOUND => return Ok(false),
        _ => return Err(answer.into_cause().await),
    }
    let expected = match answer.status() {
        StatusCode::OK => blob.size,
        _ => 1,
    };
    if answer.length().is_some_and(|found| found != expected) {
        return Ok(false);
    }
    Ok(answer.frame().await?.is_some_and(|frame| !frame.is_empty()))
}

/// Whether a repository says that it has a blob of this length.
async fn has_all(
    connection: &Connection,
    repository: &Repository,
    blob: &Descriptor,
) -> Result<bool, Cause> {
    let request = look(connection, repository, &blob.digest);
    let reply = connection.ask(&request).await?;
    let is_whole = reply.length().is_none_or(|length| length == blob.size);
    Ok(reply.status == StatusCode::OK && is_whole)
}

fn look(connection: &Connection, repository: &Repository, digest: &Digest) -> Request {
    let url = connection.url(&[repository.as_str(), "blobs", digest.as_str()]);
    Request::new(Class::Lookup, Method::HEAD, url, Scope::pull(repository))
}

pub(super) async fn fetch(
    connection: &Connection,
    repository: &Repository,
    blob: &Descriptor,
    offset: u64,
) -> Result<BoxStream<'static, Result<Bytes, Cause>>, Cause> {
    let left = blob.size.checked_sub(offset).ok_or(Cause::Length {
        found: blob.size,
        expected: offset,
    })?;
    if left == 0 {
        return Ok(stream::empty().boxed());
    }
    let url = connection.url(&[repository.as_str(), "blobs", blob.digest.as_str()]);
    let mut request = Request::new(Class::BlobRead, Method::GET, url, Scope::pull(repository));
    if offset > 0 {
        // Uploads may be waiting for the rest of this blob.
        request = request.urgent();
        if connection.host.habits.understands_range() {
            request = request.header(RANGE, range::to_end(offset, blob.size));
        }
    }
    let answer = connection.open(&request).await?;
    let skip = match bytes_to_skip(&answer, blob.size, offset) {
        Ok(Some(skip)) => skip,
        Ok(None) => return Err(answer.into_cause().await),
        Err(cause) => {
            if offset > 0 && matches!(cause, Cause::Range(_)) {
                connection.host.habits.learn_ignores_range();
            }
            return Err(cause);
        }
    };
    let reader = Reader {
        answer,
        skip,
        left,
        size: blob.size,
        speed: Speed::new(),
    };
    Ok(stream::try_unfold(reader, Reader::next).boxed())
}

// === impl Reader ===

impl Reader {
    async fn next(mut self) -> Result<Option<(Bytes, Self)>, Cause> {
        loop {
            let Some(mut frame) = self.frame().await? else {
                return match self.left {
                    0 => Ok(None),
                    left => {
                        let cause = self
                            .answer
                            .interrupted(&format!("{left} bytes are missing"));
                        Err(self.answer.unusable(cause))
                    }
                };
            };
            let skipped = self.skip.min(frame.len() as u64);
            self.skip -= skipped;
            // At most the length of the frame.
            frame = frame.slice(usize::try_from(skipped).unwrap_or(frame.len())..);
            if frame.is_empty() {
                continue;
            }
            let length = frame.len() as u64;
            let left = self.left.checked_sub(length);
            self.left = left.ok_or_else(|| self.answer.unusable(Cause::TooLong(self.size)))?;
            return Ok(Some((frame, self)));
        }
    }

    async fn frame(&mut self) -> Result<Option<Bytes>, Cause> {
        let start = Instant::now();
        let frame = self.answer.frame().await?;
        let length = frame.as_ref().map_or(0, Bytes::len);
        if self.speed.is_unbearable(start.elapsed(), length) {
            return Err(self.answer.interrupted("the blob comes too slowly"));
        }
        Ok(frame)
    }
}

// === impl Speed ===

impl Speed {
    fn new() -> Self {
        Self {
            waited: Duration::ZERO,
            bytes: 0,
        }
    }

    /// Whether so little came in so much waiting that a new connection is the better bet.
    fn is_unbearable(&mut self, waited: Duration, bytes: usize) -> bool {
        self.waited += waited;
        self.bytes += bytes as u64;
        if self.waited < SPEED_WINDOW {
            return false;
        }
        let too_slow = self.bytes < SLOWEST * self.waited.as_secs();
        *self = Self::new();
        too_slow
    }
}

/// How much of the answer comes before `offset`; nothing where the answer is no blob.
fn bytes_to_skip(answer: &Answer, size: u64, offset: u64) -> Result<Option<u64>, Cause> {
    let (skip, length) = match answer.status() {
        StatusCode::OK => (offset, size),
        // Caches that keep parts answer so to whoever wants all of it, too.
        StatusCode::PARTIAL_CONTENT => {
            range::check(answer.header(CONTENT_RANGE), offset, size)?;
            (0, size - offset)
        }
        StatusCode::RANGE_NOT_SATISFIABLE if offset > 0 => {
            return Err(WrongRange { offset, size }.into());
        }
        _ => return Ok(None),
    };
    answer.check_encoding()?;
    match answer.length() {
        Some(found) if found != length => Err(answer.unusable(Cause::Length {
            found,
            expected: length,
        })),
        _ => Ok(Some(skip)),
    }
}
