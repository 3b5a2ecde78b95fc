//! Answers, and how their bodies are read: never more than is bounded, never slower than is bearable.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::header::{
    AsHeaderName, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderValue,
};
use reqwest::{Response, StatusCode};
use tokio::time::timeout;
use url::Url;

use super::cause::Cause;
use super::class::Class;
use super::limiter::Permit;
use super::status::{Code, Unexpected};
use super::traffic::Counters;
use super::{http, origin, retry};
use crate::oci::{Digest, MediaType, limits};

/// The header with the digest of a manifest or blob.
const DIGEST: &str = "docker-content-digest";
/// The slowest that a body may come, in bytes per second.
pub(super) const SLOWEST: u64 = 16 * 1024;
/// How long the body of an error is waited for: only its code is wanted.
const ERROR_TIMEOUT: Duration = Duration::from_secs(5);
/// How long the rest of an answer is waited for that nobody wants.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(1);

/// An answer whose body has not been read. It keeps its place in the window of the host.
#[derive(Debug)]
pub(super) struct Answer {
    response: Response,
    class: Class,
    counters: Arc<Counters>,
    _permit: Permit,
}

/// An answer whose body has been read.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    /// What was asked in the end, after redirects.
    pub(super) url: Url,
    pub(super) body: Bytes,
    class: Class,
}

// === impl Answer ===

impl Answer {
    pub(super) fn new(
        response: Response,
        class: Class,
        permit: Permit,
        counters: Arc<Counters>,
    ) -> Self {
        Self {
            response,
            class,
            counters,
            _permit: permit,
        }
    }

    pub(super) fn status(&self) -> StatusCode {
        self.response.status()
    }

    pub(super) fn header(&self, name: impl AsHeaderName) -> Option<&HeaderValue> {
        self.response.headers().get(name)
    }

    /// The length that the answer announces.
    pub(super) fn length(&self) -> Option<u64> {
        length(self.response.headers())
    }

    /// Refuses content that was encoded on the way: its bytes are not those of the digest.
    pub(super) fn check_encoding(&self) -> Result<(), Cause> {
        match self.header(CONTENT_ENCODING) {
            Some(encoding) if !encoding.as_bytes().eq_ignore_ascii_case(b"identity") => {
                Err(Cause::Compressed)
            }
            _ => Ok(()),
        }
    }

    /// The next bytes of the body as they came, or nothing at its end.
    pub(super) async fn frame(&mut self) -> Result<Option<Bytes>, Cause> {
        let frame = match timeout(limits::IDLE_TIMEOUT, self.response.chunk()).await {
            Ok(Ok(frame)) => frame,
            Ok(Err(error)) => return Err(self.interrupted(&http::root(&error))),
            Err(_) => return Err(self.interrupted("nothing came for too long")),
        };
        self.counters
            .count_read(frame.as_ref().map_or(0, Bytes::len));
        Ok(frame)
    }

    /// The body broke off.
    pub(super) fn interrupted(&self, detail: &str) -> Cause {
        Cause::Interrupted {
            host: origin::of(self.response.url()),
            detail: detail.to_owned(),
        }
    }

    /// The whole body, where it has at most `limit` bytes.
    async fn read(&mut self, limit: usize) -> Result<Bytes, Cause> {
        self.check_encoding()?;
        if self.length().is_some_and(|length| length > limit as u64) {
            return Err(Cause::TooLarge(limit));
        }
        let longest = limits::IDLE_TIMEOUT + Duration::from_secs(limit as u64 / SLOWEST);
        let mut body = BytesMut::new();
        match timeout(longest, self.append(&mut body, limit)).await {
            Ok(read) => read?,
            Err(_) => return Err(self.interrupted("the answer comes too slowly")),
        }
        if body.len() > limit {
            return Err(Cause::TooLarge(limit));
        }
        Ok(body.freeze())
    }

    /// What of the body comes soon, and at most a little more than `limit` bytes.
    async fn read_beginning(&mut self, limit: usize) -> Bytes {
        let mut body = BytesMut::new();
        // An error about an error is of no interest.
        let _ = timeout(ERROR_TIMEOUT, self.append(&mut body, limit)).await;
        body.freeze()
    }

    /// Appends the body up to its end, or until there are more than `limit` bytes.
    async fn append(&mut self, body: &mut BytesMut, limit: usize) -> Result<(), Cause> {
        while body.len() <= limit
            && let Some(frame) = self.frame().await?
        {
            body.extend_from_slice(&frame);
        }
        Ok(())
    }

    /// The answer as an error.
    pub(super) async fn into_cause(self) -> Cause {
        Reply::read_beginning_of(self).await.into_cause()
    }
}

// === impl Reply ===

impl Reply {
    /// Reads the body of an answer: as a whole where it is good and has a limit, else the beginning.
    pub(super) async fn read(mut answer: Answer, limit: Option<usize>) -> Result<Self, Cause> {
        match limit {
            Some(limit) if answer.status() == StatusCode::OK => {
                let body = answer.read(limit).await?;
                Ok(Self::new(&answer, body))
            }
            _ => Ok(Self::read_beginning_of(answer).await),
        }
    }

    async fn read_beginning_of(mut answer: Answer) -> Self {
        // distribution announces the length of the blob here and sends a short text.
        let body = if answer.status() == StatusCode::RANGE_NOT_SATISFIABLE {
            Bytes::new()
        } else {
            answer.read_beginning(limits::ERROR_BYTES).await
        };
        Self::new(&answer, body)
    }

    fn new(answer: &Answer, body: Bytes) -> Self {
        Self {
            status: answer.status(),
            headers: answer.response.headers().clone(),
            url: answer.response.url().clone(),
            body,
            class: answer.class,
        }
    }

    /// The text of a header.
    pub(super) fn header(&self, name: impl AsHeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The digest that the registry names, where it names one that we can verify.
    pub(super) fn digest(&self) -> Option<Digest> {
        self.header(DIGEST)?.trim().parse().ok()
    }

    /// The media type of the content.
    pub(super) fn media_type(&self) -> Option<MediaType> {
        self.header(CONTENT_TYPE).map(MediaType::from)
    }

    /// The length that the answer announces; of a HEAD, that of the content.
    pub(super) fn length(&self) -> Option<u64> {
        length(&self.headers)
    }

    /// The error code in the body.
    pub(super) fn code(&self) -> Option<Code> {
        Code::parse(&self.body)
    }

    /// The answer as an error.
    pub(super) fn into_cause(self) -> Cause {
        let asked = retry::retry_after(&self.headers, retry::now());
        let wait = match self.status {
            StatusCode::TOO_MANY_REQUESTS => Some(asked.unwrap_or(retry::REST)),
            StatusCode::SERVICE_UNAVAILABLE => asked,
            _ => None,
        };
        Cause::Status(Unexpected {
            status: self.status,
            code: self.code(),
            class: self.class,
            retry_at: wait.map(retry::time_after),
        })
    }
}

/// Reads what is left of a small answer, so that its connection can be used again.
pub(super) async fn drain(mut response: Response) {
    let read = async {
        let mut length = 0;
        while length <= limits::ERROR_BYTES
            && let Ok(Some(frame)) = response.chunk().await
        {
            length += frame.len();
        }
    };
    // A connection that cannot be used again is no loss worth waiting for.
    let _ = timeout(DRAIN_TIMEOUT, read).await;
}

fn length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}
