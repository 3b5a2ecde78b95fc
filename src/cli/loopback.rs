// SPDX-License-Identifier: Apache-2.0

//! Registries on the machine itself often speak plain HTTP: there is no network to be listened to on the way, so
//! nobody has to say so.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::OnceCell;
use tokio::time::timeout;

use crate::oci::Registry;

/// Longest wait for an answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// The port of plain HTTP.
const HTTP: u16 = 80;
/// The part of an answer that is read, in bytes.
const BYTES: u64 = 1024;
/// How servers begin that hear plain HTTP and speak HTTPS: this status, and one of these words.
const REFUSED: &str = " 400 ";
const ENCRYPTED: [&str; 3] = ["HTTPS", "SSL", "TLS"];

/// The registries of the machine itself, and whether they speak plain HTTP. Each is asked once.
#[derive(Debug, Default)]
pub(super) struct Loopback(Mutex<HashMap<Registry, Arc<OnceCell<bool>>>>);

impl Loopback {
    /// Whether a registry is on this machine and speaks plain HTTP.
    pub(super) async fn speaks_plain_http(&self, registry: &Registry) -> bool {
        if !registry.is_loopback() {
            return false;
        }
        let answer = self.answer_of(registry);
        *answer.get_or_init(|| ask(registry)).await
    }

    fn answer_of(&self, registry: &Registry) -> Arc<OnceCell<bool>> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(known.entry(registry.clone()).or_default())
    }
}

/// Says nothing of who asks. A server that does not answer may speak HTTPS.
async fn ask(registry: &Registry) -> bool {
    let mut answer = Vec::new();
    // What came until then counts, if somebody keeps the connection open.
    let _ = timeout(PATIENCE, read_answer(registry, &mut answer)).await;
    is_plain_http(&String::from_utf8_lossy(&answer))
}

/// Reads as much of an answer as tells how the server speaks.
async fn read_answer(registry: &Registry, answer: &mut Vec<u8>) -> std::io::Result<()> {
    let host = registry.host().trim_matches(['[', ']']);
    let plain = registry.in_plain_http();
    let mut stream = TcpStream::connect((host, plain.port().unwrap_or(HTTP))).await?;
    let request = format!("GET /v2/ HTTP/1.1\r\nHost: {plain}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut stream = stream.take(BYTES);
    while stream.read_buf(answer).await? > 0 {
        let status = answer.split_inclusive(|byte| *byte == b'\n').next();
        let status = status.filter(|line| line.ends_with(b"\n"));
        if status.is_some_and(|line| !String::from_utf8_lossy(line).contains(REFUSED)) {
            break;
        }
    }
    Ok(())
}

fn is_plain_http(answer: &str) -> bool {
    let status = answer.lines().next().unwrap_or_default();
    let is_refused = status.contains(REFUSED);
    status.starts_with("HTTP/1.")
        && !(is_refused && ENCRYPTED.iter().any(|word| answer.contains(word)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_answers_in_plain_http_and_does_not_ask_for_https() {
        for (answer, expected) in [
            ("HTTP/1.1 200 OK\r\n\r\n{}", true),
            ("HTTP/1.1 401 Unauthorized\r\n\r\n", true),
            ("HTTP/1.1 400 Bad Request\r\n\r\nno such registry", true),
            (
                "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n",
                false,
            ),
            (
                "HTTP/1.1 400 Bad Request\r\n\r\n<title>400 The plain HTTP request was sent to HTTPS port</title>",
                false,
            ),
            (
                "HTTP/1.1 400 Bad Request\r\n\r\nyou're speaking plain HTTP to an SSL-enabled server port",
                false,
            ),
            ("\u{15}\u{3}\u{3}\0\u{2}\u{2}\u{46}", false),
            ("SSH-2.0-OpenSSH_9.2\r\n", false),
            ("", false),
        ] {
            assert_eq!(is_plain_http(answer), expected, "{answer}");
        }
    }

    #[tokio::test]
    async fn only_the_machine_itself_is_asked() {
        let registry = "registry.test".parse().unwrap();
        assert!(!Loopback::default().speaks_plain_http(&registry).await);
    }
}
