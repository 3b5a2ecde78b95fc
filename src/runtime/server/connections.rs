// SPDX-License-Identifier: Apache-2.0

//! The connections of a port: few at a time, and none that is silent for long. Whoever reaches the port could otherwise
//! take all file descriptors of the process.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::serve::Listener;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, Sleep, sleep};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

/// How a connection of HTTP/2 begins, which is no method of HTTP/1.1. It takes any number of requests at once, where what
/// is counted here are connections.
const HTTP2: &[u8] = b"PRI";

/// What connections may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The most connections. The oldest gives way to one more.
    pub most: usize,
    /// The longest time without a byte.
    pub silence: Duration,
    /// The longest life: a request that comes byte by byte ends, too.
    pub life: Duration,
}

/// Accepts connections within these bounds.
pub(super) struct Bounded {
    listener: TcpListener,
    limits: Limits,
    /// What cuts off the open connections, the oldest first.
    open: VecDeque<CancellationToken>,
}

/// A connection that ends when it is silent, old, or in the way.
pub(super) struct Connection {
    stream: TcpStream,
    cut: Pin<Box<WaitForCancellationFutureOwned>>,
    silence: Pin<Box<Sleep>>,
    longest_silence: Duration,
    end: Pin<Box<Sleep>>,
    /// How many of its first bytes are those of HTTP/2; none once one is not.
    preface: Option<usize>,
    /// Tells that it has ended.
    token: CancellationToken,
}

// === impl Bounded ===

impl Bounded {
    pub(super) fn new(listener: TcpListener, limits: Limits) -> Self {
        Self {
            listener,
            limits,
            open: VecDeque::new(),
        }
    }
}

impl Listener for Bounded {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        let (stream, address) = Listener::accept(&mut self.listener).await;
        self.open.retain(|token| !token.is_cancelled());
        if self.open.len() >= self.limits.most
            && let Some(oldest) = self.open.pop_front()
        {
            oldest.cancel();
        }
        let token = CancellationToken::new();
        self.open.push_back(token.clone());
        (Connection::new(stream, token, self.limits), address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

// === impl Connection ===

impl Connection {
    fn new(stream: TcpStream, token: CancellationToken, limits: Limits) -> Self {
        let Limits {
            most: _,
            silence,
            life,
        } = limits;
        Self {
            stream,
            cut: Box::pin(token.clone().cancelled_owned()),
            silence: Box::pin(sleep(silence)),
            longest_silence: silence,
            end: Box::pin(sleep(life)),
            preface: Some(0),
            token,
        }
    }

    /// An error where it is over.
    fn check(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        let is_over = self.cut.as_mut().poll(context).is_ready()
            || self.silence.as_mut().poll(context).is_ready()
            || self.end.as_mut().poll(context).is_ready();
        if is_over {
            return Err(io::ErrorKind::TimedOut.into());
        }
        Ok(())
    }

    /// An error where the bytes that came begin HTTP/2.
    fn require_http1(&mut self, bytes: &[u8]) -> io::Result<()> {
        for byte in bytes {
            let Some(matched) = self.preface else {
                return Ok(());
            };
            self.preface = (HTTP2.get(matched) == Some(byte)).then_some(matched + 1);
            if self.preface == Some(HTTP2.len()) {
                return Err(io::ErrorKind::Unsupported.into());
            }
        }
        Ok(())
    }

    /// Takes note of bytes that came or went.
    fn stirred(&mut self) {
        let until = Instant::now() + self.longest_silence;
        self.silence.as_mut().reset(until);
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.check(context)?;
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        self.require_http1(buffer.filled().get(before..).unwrap_or_default())?;
        self.stirred();
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.check(context)?;
        let written = ready!(Pin::new(&mut self.stream).poll_write(context, bytes))?;
        self.stirred();
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.token.cancel();
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    const MOST: usize = 64;
    const SILENCE: Duration = Duration::from_secs(75);
    const LIFE: Duration = Duration::from_secs(10 * 60);

    async fn pair(bounded: &mut Bounded) -> (TcpStream, Connection) {
        let address = bounded.local_addr().unwrap();
        let (client, accepted) = tokio::join!(TcpStream::connect(address), bounded.accept());
        (client.unwrap(), accepted.0)
    }

    async fn bounded() -> Bounded {
        let limits = Limits {
            most: MOST,
            silence: SILENCE,
            life: LIFE,
        };
        Bounded::new(TcpListener::bind("127.0.0.1:0").await.unwrap(), limits)
    }

    #[tokio::test]
    async fn a_connection_is_of_http_1() {
        for (pieces, is_taken) in [
            (&["PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"][..], false),
            (&["P", "R", "I"], false),
            (&["POST / HTTP/1.1\r\n"], true),
            (&["G", "ET /PRI HTTP/1.1\r\n"], true),
        ] {
            let mut bounded = bounded().await;
            let (mut client, mut connection) = pair(&mut bounded).await;
            let mut outcome = Ok(0);
            for piece in pieces {
                client.write_all(piece.as_bytes()).await.unwrap();
                let mut bytes = [0; 64];
                outcome = connection.read(&mut bytes).await;
            }
            let kind = outcome.map_err(|error| error.kind());
            let expected = Err(io::ErrorKind::Unsupported);
            assert_eq!(kind == expected, !is_taken, "{pieces:?}");
        }
    }

    #[tokio::test]
    async fn the_oldest_gives_way_and_one_that_has_ended_takes_no_place() {
        let mut bounded = bounded().await;
        let (_first_client, mut first) = pair(&mut bounded).await;
        let mut others = Vec::new();
        for _ in 1..MOST {
            others.push(pair(&mut bounded).await);
        }
        drop(others.pop());
        others.push(pair(&mut bounded).await);
        assert!(!first.token.is_cancelled(), "there was room");
        let (mut client, mut last) = pair(&mut bounded).await;
        let error = first.read_u8().await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        client.write_all(b"x").await.unwrap();
        assert_eq!(last.read_u8().await.unwrap(), b'x');
        assert_eq!(bounded.open.len(), MOST);
    }

    #[tokio::test]
    async fn silence_and_age_end_a_connection() {
        let mut bounded = bounded().await;
        let (mut client, mut accepted) = pair(&mut bounded).await;
        client.write_all(b"G").await.unwrap();
        accepted.read_u8().await.unwrap();
        tokio::time::pause();
        let began = Instant::now();
        let error = accepted.read_u8().await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(began.elapsed() <= SILENCE + Duration::from_secs(1));
        accepted.silence.as_mut().reset(Instant::now() + LIFE * 2);
        let error = accepted.read_u8().await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(began.elapsed() > SILENCE && began.elapsed() <= LIFE + Duration::from_secs(1));
    }
}
