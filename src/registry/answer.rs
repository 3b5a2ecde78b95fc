// SPDX-License-Identifier: Apache-2.0

//! Answers, and how their bodies are read: never more than is bounded, never slower than is bearable.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::header::{
    AsHeaderName, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderValue, SERVER,
};
use reqwest::{Response, StatusCode};
use tokio::time::{Instant, timeout, timeout_at};
use url::Url;

use super::auth::Authorization;
use super::cause::Cause;
use super::class::Class;
use super::connection::Connection;
use super::error_body::{self, Code, ErrorBody};
use super::hint::Hint;
use super::limiter::Permit;
use super::request::Request;
use super::said::Said;
use super::secrets::Secrets;
use super::status::Unexpected;
use super::traffic::Counters;
use super::way::Share;
use super::{http, origin, retry, specified};
use crate::oci::{Digest, MediaType, limits};
use crate::runtime::memory::{self, HeldMemory};

/// The header by which distribution and its kin are known.
const API_VERSION: &str = "docker-distribution-api-version";
/// The header with the digest of a manifest or blob.
const DIGEST: &str = "docker-content-digest";
/// The slowest that a body may come, in bytes per second. A body that is read as a whole may begin as
/// late as the longest silence, and is judged by what has come so far, not by what may come.
pub(super) const SLOWEST: u64 = 16 * 1024;
/// How long the body of an error is waited for: only its code is wanted.
const ERROR_TIMEOUT: Duration = Duration::from_secs(5);

/// What came of an exchange.
pub(super) struct Exchanged {
    pub(super) response: Response,
    /// What the request carried in the end.
    pub(super) sent: Option<Authorization>,
}

/// An answer whose body has not been read. It keeps its place in the window of the host.
#[derive(Debug)]
pub(super) struct Answer {
    response: Response,
    asked: Asked,
    counters: Arc<Counters>,
    _places: (Permit, Share),
}

/// What an error needs to know of the request.
#[derive(Clone, Debug)]
struct Asked {
    class: Class,
    /// Scheme, host and port of who was asked.
    base: Url,
    /// What we sent to prove who we are.
    secrets: Arc<Secrets>,
    sent: Option<Authorization>,
}

/// An answer whose body has been read.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    /// What was asked in the end, after redirects.
    pub(super) url: Url,
    pub(super) body: Bytes,
    asked: Asked,
    /// What the body takes.
    _held: HeldMemory,
}

// === impl Answer ===

impl Answer {
    pub(super) fn new(
        exchanged: Exchanged,
        request: &Request,
        places: (Permit, Share),
        connection: &Connection,
    ) -> Self {
        let Exchanged { response, sent } = exchanged;
        let base = if request.direct.is_some() {
            &request.url
        } else {
            &connection.base
        };
        Self {
            response,
            asked: Asked {
                class: request.class,
                base: base.clone(),
                secrets: Arc::clone(&connection.secrets),
                sent,
            },
            counters: Arc::clone(&connection.counters),
            _places: places,
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

    /// Whether a host that the registry redirects to refuses us, where the registry let us through: one that is
    /// no registry itself, which would have said what it wants to see.
    pub(super) fn is_refused_by_storage(&self) -> bool {
        let url = self.response.url();
        let is_storage = !origin::is_same(url, &self.asked.base) && !specified::is_of_registry(url);
        let is_absent = matches!(self.status(), StatusCode::NOT_FOUND | StatusCode::GONE);
        is_storage && self.status().is_client_error() && !is_absent
    }

    /// Why the body cannot be used: because it is a web page by its type, else because of `cause`.
    pub(super) fn unusable(&self, cause: Cause) -> Cause {
        let content_type = self
            .header(CONTENT_TYPE)
            .and_then(|value| value.to_str().ok());
        if error_body::is_web_page(content_type.unwrap_or_default(), b"") {
            let host = origin::of(self.response.url());
            return Cause::WebPage { host };
        }
        cause
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
            hint: Hint::NONE,
        }
    }

    /// The whole body, where it has at most `limit` bytes.
    async fn read(&mut self, limit: usize) -> Result<(Bytes, HeldMemory), Cause> {
        self.check_encoding()?;
        if self.length().is_some_and(|length| length > limit as u64) {
            return Err(Cause::TooLarge(limit));
        }
        let start = Instant::now();
        let (mut body, mut held) = (BytesMut::new(), memory::hold(0)?);
        while body.len() <= limit {
            let due = start + longest_wait(body.len());
            let Ok(frame) = timeout_at(due, self.frame()).await else {
                let host = origin::of(self.response.url());
                return Err(Cause::TooSlow { host });
            };
            match frame? {
                Some(frame) => {
                    held.grow(frame.len())?;
                    body.extend_from_slice(&frame);
                }
                None => break,
            }
        }
        if body.len() > limit {
            return Err(Cause::TooLarge(limit));
        }
        Ok((body.freeze(), held))
    }

    /// What of the body comes soon, and at most a little more than `limit` bytes.
    async fn read_beginning(&mut self, limit: usize) -> Bytes {
        let mut body = BytesMut::new();
        let read = async {
            while body.len() <= limit
                && let Ok(Some(frame)) = self.frame().await
            {
                body.extend_from_slice(&frame);
            }
        };
        // An error about an error is of no interest.
        let _ = timeout(ERROR_TIMEOUT, read).await;
        body.freeze()
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
                let (body, held) = answer.read(limit).await?;
                Ok(Self::new(&answer, body, held))
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
        Self::new(&answer, body, HeldMemory::default())
    }

    fn new(answer: &Answer, body: Bytes, held: HeldMemory) -> Self {
        Self {
            status: answer.status(),
            headers: answer.response.headers().clone(),
            url: answer.response.url().clone(),
            body,
            asked: answer.asked.clone(),
            _held: held,
        }
    }

    /// Whether distribution or its kin answer. Nexus says so of itself, too, and is not like them.
    pub(super) fn is_of_distribution(&self) -> bool {
        let server = self.header(SERVER);
        let is_nexus = server.is_some_and(|server| server.starts_with("Nexus"));
        !is_nexus && self.headers.contains_key(API_VERSION)
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
        let text = self.header(CONTENT_TYPE)?.to_ascii_lowercase();
        Some(MediaType::from(text))
    }

    /// The length that the answer announces; of a HEAD, that of the content.
    pub(super) fn length(&self) -> Option<u64> {
        length(&self.headers)
    }

    /// The error code in the body.
    pub(super) fn code(&self) -> Option<Code> {
        self.error_body().code
    }

    fn content_type(&self) -> &str {
        self.header(CONTENT_TYPE).unwrap_or_default()
    }

    fn error_body(&self) -> ErrorBody {
        ErrorBody::parse(self.content_type(), &self.body)
    }

    /// Whether the body is a web page, which no registry answers with.
    pub(super) fn is_web_page(&self) -> bool {
        error_body::is_web_page(self.content_type(), &self.body)
    }

    /// Why the body cannot be used: because it is a web page, else because of `cause`.
    pub(super) fn unusable(&self, cause: Cause) -> Cause {
        if self.is_web_page() {
            let host = origin::of(&self.url);
            return Cause::WebPage { host };
        }
        cause
    }

    /// The answer as an error.
    pub(super) fn into_cause(self) -> Cause {
        if is_about_encryption(&self) {
            let host = origin::of(&self.url);
            return Cause::Encrypted { host, side: None };
        }
        let is_web_page = self.is_web_page();
        if is_web_page && self.status.is_success() {
            let host = origin::of(&self.url);
            return Cause::WebPage { host };
        }
        let wait = retry::is_refusal(self.status)
            .then(|| retry::retry_after(&self.headers, retry::now()))
            .flatten();
        let ErrorBody { code, text } = self.error_body();
        let Asked {
            class,
            base,
            secrets,
            sent,
        } = &self.asked;
        let secrets = secrets.with(sent.as_ref());
        // A code is any word that the peer likes: also what we sent.
        let code = code.filter(|code| !code.reveals(&secrets));
        Cause::Status(Box::new(Unexpected {
            status: self.status,
            code,
            said: text.and_then(|text| Said::clean(&text, &secrets)),
            class: *class,
            side: None,
            storage: (!origin::is_same(&self.url, base)).then(|| origin::of(&self.url)),
            is_web_page,
            retry_at: wait.map(retry::time_after),
        }))
    }
}

/// Whether a server that expects TLS says that it was spoken to without: Go, nginx and Apache.
fn is_about_encryption(reply: &Reply) -> bool {
    const WORDS: [&[u8]; 3] = [
        b"HTTP request to an HTTPS server",
        b"plain HTTP request was sent to HTTPS port",
        b"speaking plain HTTP to an SSL-enabled server port",
    ];
    let says = |words: &[u8]| {
        let mut windows = reply.body.windows(words.len());
        windows.any(|window| window == words)
    };
    reply.status == StatusCode::BAD_REQUEST
        && reply.url.scheme() == "http"
        && WORDS.into_iter().any(says)
}

/// How long after its beginning a body of which so many bytes have come may make us wait for more.
fn longest_wait(received: usize) -> Duration {
    let received = received as u64;
    limits::IDLE_TIMEOUT + Duration::from_millis(received.saturating_mul(1_000) / SLOWEST)
}

fn length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use futures::{StreamExt, stream};

    use super::super::limiter::Limiter;
    use super::super::profile::Profile;
    use super::super::sharers::RequestSharers;
    use super::*;

    /// How long one byte takes.
    type Pace = fn(usize) -> Duration;

    /// An answer whose body comes in so many pieces of so many bytes, each after a while.
    async fn answer(pieces: usize, size: usize, wait: Pace) -> Answer {
        let frames = stream::iter(0..pieces).then(move |piece| async move {
            tokio::time::sleep(wait(piece)).await;
            Ok::<_, std::io::Error>(Bytes::from(vec![b' '; size]))
        });
        let body = reqwest::Body::wrap_stream(frames);
        let response = Response::from(axum::http::Response::new(body));
        let limiter = Limiter::new(Profile::of("registry.test"), &RequestSharers::default());
        let permit = limiter.admit(Class::Lookup).await.unwrap();
        Answer {
            response,
            asked: Asked {
                class: Class::Lookup,
                base: "https://registry.test".parse().unwrap(),
                secrets: Arc::default(),
                sent: None,
            },
            counters: Arc::new(Counters::new()),
            _places: (permit, Share::none()),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_comes_fast_enough_or_is_given_up_soon() {
        const LIMIT: usize = 8 << 20;
        let second: Pace = |_| Duration::from_secs(1);
        let late: Pace = |piece| Duration::from_secs(if piece == 0 { 29 } else { 0 });
        let pause: Pace = |piece| Duration::from_secs(if piece == 40 { 29 } else { 0 });
        let standstill: Pace = |piece| Duration::from_secs(if piece == 1 { 3_600 } else { 0 });
        // Pieces, bytes of each: when it is given up, in seconds.
        let cases = [
            ("as slow as may be", 300, 17_000, second, None),
            ("a beginning that is late", 10, 1_000, late, None),
            ("a pause behind much", 80, 64 << 10, pause, None),
            ("ten bytes a second", 4_000, 10, second, Some(30)),
            ("half as fast as may be", 4_000, 8 << 10, second, Some(59)),
            ("a standstill", 2, 1_000, standstill, Some(30)),
        ];
        for (name, pieces, size, pace, expected) in cases {
            let mut answer = answer(pieces, size, pace).await;
            let start = Instant::now();
            let read = answer.read(LIMIT).await;
            let given_up = read.is_err().then(|| start.elapsed().as_secs());
            assert_eq!(given_up, expected, "{name}: {:?}", read.err());
        }
    }
}
