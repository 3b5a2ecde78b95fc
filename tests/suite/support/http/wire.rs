// SPDX-License-Identifier: Apache-2.0

//! HTTP/1.1 on the wire: reading requests, writing answers.

use std::io::{Error, ErrorKind, Result};

use bytes::{Bytes, BytesMut};
use tokio::io::{
    AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader,
};

use super::{Headers, Reply, Request};

/// The longest head that is read; far more than any client sends.
const HEAD_LIMIT: u64 = 1 << 20;

/// A connection, with or without TLS.
pub trait Connection: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Connection for T {}

/// A buffered connection of any kind.
pub type Stream = BufReader<Box<dyn Connection>>;

/// Reads a request line and the header fields; `None` when the client has gone.
pub async fn read_head(stream: &mut Stream) -> Result<Option<Request>> {
    let mut head = stream.take(HEAD_LIMIT);
    let mut line = String::new();
    if head.read_line(&mut line).await? == 0 {
        return Ok(None);
    }
    let mut words = line.split_whitespace();
    let (Some(method), Some(target)) = (words.next(), words.next()) else {
        return Err(malformed("request line"));
    };
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut headers = Headers::default();
    loop {
        let mut field = String::new();
        if head.read_line(&mut field).await? == 0 {
            return Err(malformed("end of the head"));
        }
        let field = field.trim_end();
        if field.is_empty() {
            break;
        }
        let (name, value) = field
            .split_once(':')
            .ok_or_else(|| malformed("header field"))?;
        headers.add(name, value.trim());
    }
    Ok(Some(Request {
        method: method.to_owned(),
        path: path.to_owned(),
        query: query.to_owned(),
        headers,
        body: Bytes::new(),
    }))
}

/// Reads the body that the header fields announce.
pub async fn read_body(stream: &mut Stream, headers: &Headers) -> Result<Bytes> {
    continue_if_expected(stream, headers).await?;
    if headers
        .value("transfer-encoding")
        .is_some_and(|coding| coding.eq_ignore_ascii_case("chunked"))
    {
        return read_chunks(stream).await;
    }
    let mut body = vec![0; content_length(headers)];
    stream.read_exact(&mut body).await?;
    Ok(body.into())
}

/// Reads at most so many bytes of the body and leaves the rest.
pub async fn read_part_of_body(
    stream: &mut Stream,
    headers: &Headers,
    limit: usize,
) -> Result<usize> {
    continue_if_expected(stream, headers).await?;
    let mut part = vec![0; limit.min(content_length(headers))];
    stream.read_exact(&mut part).await?;
    Ok(part.len())
}

/// Writes the status line and the header fields as they are.
pub async fn write_head(stream: &mut Stream, reply: &Reply) -> Result<()> {
    let mut head = format!("HTTP/1.1 {} {}\r\n", reply.status, reason(reply.status));
    for (name, value) in reply.headers.iter() {
        head.extend([name, ": ", value, "\r\n"]);
    }
    head.push_str("\r\n");
    stream.write_all(head.as_bytes()).await?;
    stream.flush().await
}

async fn continue_if_expected(stream: &mut Stream, headers: &Headers) -> Result<()> {
    if headers.value("expect").is_some() {
        write_head(stream, &Reply::new(100)).await?;
    }
    Ok(())
}

fn content_length(headers: &Headers) -> usize {
    headers
        .value("content-length")
        .and_then(|length| length.parse().ok())
        .unwrap_or(0)
}

async fn read_chunks(stream: &mut Stream) -> Result<Bytes> {
    let mut body = BytesMut::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await?;
        let size = line.trim_end().split(';').next().unwrap_or_default();
        let size = usize::from_str_radix(size, 16).map_err(|_| malformed("chunk size"))?;
        // The data and the line end that follows it; after the last chunk only the line end.
        let mut chunk = vec![0; size + 2];
        stream.read_exact(&mut chunk).await?;
        body.extend_from_slice(&chunk[..size]);
        if size == 0 {
            return Ok(body.freeze());
        }
    }
}

fn reason(status: u16) -> &'static str {
    reqwest::StatusCode::from_u16(status)
        .ok()
        .and_then(|status| status.canonical_reason())
        .unwrap_or("Unknown")
}

fn malformed(what: &str) -> Error {
    Error::new(ErrorKind::InvalidData, format!("malformed {what}"))
}
