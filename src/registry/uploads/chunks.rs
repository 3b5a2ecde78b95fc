// SPDX-License-Identifier: Apache-2.0

//! A blob in chunks (distribution specification, pushing a blob in chunks), for registries that do not take it in
//! one request: they say how much they take, answer 413, take only a part, or move the request elsewhere.
//!
//! A chunk is held until the registry has all of it, so it can be sent again, smaller or in part.

use bytes::{Bytes, BytesMut};
use futures::{Stream, StreamExt};
use reqwest::header::{CONTENT_RANGE, CONTENT_TYPE, HeaderValue, LOCATION, RANGE};
use reqwest::{Method, StatusCode};

use super::bounds::{Bounds, MOST_CHUNKS};
use super::session::{OCTET_STREAM, Session, is_taken, location};
use crate::oci::Repository;
use crate::registry::answer::Reply;
use crate::registry::auth::Scope;
use crate::registry::cause::Cause;
use crate::registry::class::Class;
use crate::registry::connection::Connection;
use crate::registry::outgoing::BodyError;
use crate::registry::request::Request;

/// The smallest chunk that is tried where larger ones are refused.
const SMALLEST: u64 = 1024;
/// How often a registry may take less of a blob than it was sent, or fail at a chunk.
const SETBACKS: u32 = 16;

/// A blob on its way.
pub(super) struct Chunked<'a, S> {
    connection: &'a Connection,
    repository: &'a Repository,
    session: &'a mut Session,
    source: S,
    /// What was read of the source and is not known to be at the registry.
    held: BytesMut,
    /// Bytes that the source has still to give.
    left: u64,
    /// Bytes that the registry has.
    taken: u64,
    /// How much is sent at once.
    chunk: u64,
    size: u64,
    setbacks: u32,
    /// Whether the range of an answer that has not moved turned out to be true.
    has_true_range: bool,
}

/// What became of a chunk.
enum Sent {
    /// The registry has so many bytes of the blob.
    Upto(u64),
    /// It is too large.
    TooLarge(Box<Reply>),
}

// === impl Chunked ===

impl<'a, S> Chunked<'a, S>
where
    S: Stream<Item = Result<Bytes, BodyError>> + Send + Unpin,
{
    pub(super) fn new(
        connection: &'a Connection,
        repository: &'a Repository,
        session: &'a mut Session,
        (size, chunk): (u64, u64),
        source: S,
    ) -> Self {
        Self {
            connection,
            repository,
            session,
            source,
            held: BytesMut::new(),
            left: size,
            taken: 0,
            chunk,
            size,
            setbacks: 0,
            has_true_range: false,
        }
    }

    /// Sends everything. The upload is to be closed afterwards.
    pub(super) async fn send(&mut self) -> Result<(), Cause> {
        while self.taken < self.size {
            self.fill().await?;
            let length = self.held.len().min(to_usize(self.chunk));
            let chunk = Bytes::copy_from_slice(self.held.get(..length).unwrap_or_default());
            match self.patch(chunk).await? {
                Sent::Upto(taken) => self.advance(taken, length as u64)?,
                Sent::TooLarge(reply) => self.shrink(*reply, length as u64)?,
            }
        }
        Ok(())
    }

    /// Reads until there is a chunk, or the end of the blob.
    async fn fill(&mut self) -> Result<(), Cause> {
        while (self.held.len() as u64) < self.chunk && self.left > 0 {
            let Some(frame) = self.source.next().await else {
                return Err(Cause::Body(format!("it ended {} bytes early", self.left)));
            };
            let frame = frame.map_err(|BodyError(reason)| Cause::Body(reason))?;
            let left = self.left.checked_sub(frame.len() as u64);
            self.left = left.ok_or_else(|| {
                Cause::Body("it has more bytes than its descriptor says".to_owned())
            })?;
            self.held.extend_from_slice(&frame);
        }
        Ok(())
    }

    /// Sends what stands behind the bytes that the registry has.
    async fn patch(&mut self, chunk: Bytes) -> Result<Sent, Cause> {
        let end = self.taken + chunk.len() as u64;
        let request = self.request(Method::PATCH);
        let request = request
            .header(CONTENT_TYPE, OCTET_STREAM)
            .header(CONTENT_RANGE, content_range(self.taken, end))
            .body(chunk);
        let reply = match self.connection.ask_once(&request).await {
            Ok(reply) => reply,
            Err(cause) if cause.is_worth_repeating() && self.setbacks < SETBACKS => {
                self.setbacks += 1;
                return self.look(end, cause).await.map(Sent::Upto);
            }
            Err(cause) => return Err(cause),
        };
        match reply.status {
            StatusCode::PAYLOAD_TOO_LARGE => Ok(Sent::TooLarge(Box::new(reply))),
            StatusCode::RANGE_NOT_SATISFIABLE => {
                let cause = reply.into_cause();
                self.look(end, cause).await.map(Sent::Upto)
            }
            status if is_taken(status) => {
                self.move_to(&reply)?;
                self.taken_of(taken(&reply), end).await.map(Sent::Upto)
            }
            _ => Err(reply.into_cause()),
        }
    }

    /// How much the registry has of what it has accepted up to `end`, where its answer says `said`.
    ///
    /// ECR goes on naming the end of the first chunk (aws/containers-roadmap#2831, June 2026), zot named the length
    /// of the last one (regclient#961, July 2025), and both have all of it. So a range that has not moved is asked
    /// for once more. Where that cannot be answered, as at ECR, the status counts.
    async fn taken_of(&mut self, said: Option<u64>, end: u64) -> Result<u64, Cause> {
        match said {
            Some(said) if said == self.taken && !self.has_true_range => {
                let reply = self.connection.ask(&self.request(Method::GET)).await;
                let Ok(reply) = reply.map_err(drop) else {
                    return Ok(end);
                };
                if !is_taken(reply.status) {
                    return Ok(end);
                }
                self.move_to(&reply)?;
                let found = taken(&reply).filter(|taken| (self.taken..=end).contains(taken));
                self.has_true_range = found == Some(self.taken);
                Ok(found.unwrap_or(end))
            }
            Some(said) if (self.taken..end).contains(&said) => Ok(said),
            Some(_) | None => Ok(end),
        }
    }

    /// Asks how much the registry has, where the answer to a chunk did not tell; `cause` is why.
    async fn look(&mut self, end: u64, cause: Cause) -> Result<u64, Cause> {
        let reply = self.connection.ask(&self.request(Method::GET)).await;
        let Ok(reply) = reply else {
            return Err(cause);
        };
        if !is_taken(reply.status) {
            return Err(cause);
        }
        self.move_to(&reply)?;
        match taken(&reply) {
            Some(taken) if (self.taken..=end).contains(&taken) => Ok(taken),
            // Nothing and one byte look alike.
            Some(1) | None if self.taken == 0 => Ok(0),
            Some(_) | None => Err(cause),
        }
    }

    fn request(&self, method: Method) -> Request {
        let (location, scope) = (
            self.session.location.clone(),
            Scope::pull_push(self.repository),
        );
        Request::new(Class::Upload, method, location, scope)
    }

    /// The upload goes on where the answer says, or where the request was moved to.
    fn move_to(&mut self, reply: &Reply) -> Result<(), Cause> {
        self.session.location = if reply.headers.contains_key(LOCATION) {
            location(reply)?
        } else {
            reply.url.clone()
        };
        Ok(())
    }

    fn advance(&mut self, taken: u64, sent: u64) -> Result<(), Cause> {
        let fresh = taken.saturating_sub(self.taken);
        if fresh < sent {
            self.setbacks += 1;
            if self.setbacks > SETBACKS {
                return Err(Cause::Protocol(
                    "the registry takes less of the blob than it is sent, again and again"
                        .to_owned(),
                ));
            }
        }
        let _ = self.held.split_to(to_usize(fresh).min(self.held.len()));
        self.taken = taken;
        Ok(())
    }

    /// Sends less at once from now on, if that can help.
    fn shrink(&mut self, reply: Reply, sent: u64) -> Result<(), Cause> {
        let said = Bounds::of(&reply.headers).most();
        let said = said.filter(|most| *most < sent);
        let smaller = said.unwrap_or(sent / 2);
        let is_hopeless = said.is_none() && smaller < SMALLEST;
        if is_hopeless || smaller < self.size / MOST_CHUNKS {
            return Err(reply.into_cause());
        }
        self.chunk = smaller;
        self.connection.host.habits.learn_chunk(smaller);
        Ok(())
    }
}

/// The bytes from `start` to before `end`, as uploads name them: without a unit.
fn content_range(start: u64, end: u64) -> HeaderValue {
    HeaderValue::try_from(format!("{start}-{}", end.saturating_sub(1)))
        .unwrap_or_else(|_| HeaderValue::from_static("0-0"))
}

/// How many bytes of the blob the registry has, by its `Range`; nothing where it does not say.
///
/// An answer that names the first byte alone says nothing: distribution and others write it for none.
pub(super) fn taken(reply: &Reply) -> Option<u64> {
    let text = reply.header(RANGE)?.trim();
    let text = text.strip_prefix("bytes").unwrap_or(text);
    let (first, last) = text.trim_start_matches([' ', '=']).split_once('-')?;
    let last: u64 = last.parse().ok()?;
    (first == "0" && last > 0).then(|| last.saturating_add(1))
}

fn to_usize(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
