// SPDX-License-Identifier: Apache-2.0

//! moto, that plays AWS: what it takes and answers is written by others, from the models of AWS's own SDKs.
//!
//! It believes every signature: who asks it through `Cloud::start(|request| moto.answer(request))` is looked at first.

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use serde_json::Value;
use tempfile::TempDir;

use super::http::{Reply, Request};
use super::process::Daemon;
use super::{sigv4, tools};

/// A running moto. It ends when dropped.
pub struct Moto {
    address: SocketAddr,
    _daemon: Daemon,
    _directory: TempDir,
}

impl Moto {
    /// Starts one, without anything in it.
    pub async fn start() -> Self {
        let directory = tempfile::Builder::new().prefix("moto-").tempdir();
        let directory = directory.expect("a directory");
        let program = tools::built("moto");
        let mut daemon = Daemon::spawn(&program, &["-p", "0"], directory.path());
        Self {
            address: daemon.wait_for(announced_address).await,
            _daemon: daemon,
            _directory: directory,
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// A call of the JSON API of a service that nobody signed: only for what a test itself does.
    pub fn call(&self, service: &str, content_type: &str, target: &str, body: &Value) -> Value {
        let mut request = Request {
            method: "POST".to_owned(),
            path: "/".to_owned(),
            body: body.to_string().into(),
            ..Request::default()
        };
        let length = request.body.len().to_string();
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential=tests/20260101/eu-west-1/{service}/aws4_request, SignedHeaders=host, Signature=0"
        );
        for (name, value) in [
            ("host", "127.0.0.1"),
            ("content-type", content_type),
            ("content-length", &length),
            ("x-amz-target", target),
            ("authorization", &authorization),
        ] {
            request.headers.add(name, value);
        }
        let answer = self.answer(&request);
        assert_eq!(answer.status, 200, "{target}: {answer:?}");
        if answer.body.is_empty() {
            return Value::Null;
        }
        serde_json::from_slice(&answer.body).expect("JSON of moto")
    }

    /// What it answers. Keys that it gives out are known from then on.
    pub fn answer(&self, request: &Request) -> Reply {
        let mut stream = TcpStream::connect(self.address).expect("a moto that listens");
        let mut head = format!("{} {} HTTP/1.1\r\n", request.method, request.target());
        for (name, value) in request.headers.iter() {
            if !name.eq_ignore_ascii_case("connection") {
                write!(head, "{name}: {value}\r\n").expect("a text");
            }
        }
        head += "connection: close\r\n\r\n";
        stream
            .write_all(head.as_bytes())
            .expect("a moto that reads");
        stream.write_all(&request.body).expect("a moto that reads");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("an answer of moto");
        let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n");
        let (head, body) = answer.split_at(end.expect("a head") + 4);
        let head = String::from_utf8_lossy(head);
        let status = head.split(' ').nth(1).and_then(|word| word.parse().ok());
        learn(&String::from_utf8_lossy(body));
        Reply::new(status.expect("a status")).body(body.to_vec())
    }
}

/// Takes note of keys, which stand in XML of STS or JSON of an instance.
fn learn(body: &str) {
    let part = |name: &str| {
        let (_, rest) = body.split_once(name)?;
        let rest = rest.trim_start_matches(['>', '"', ':', ' ']);
        rest.split(['<', '"']).next()
    };
    if let (Some(key), Some(secret)) = (part("AccessKeyId"), part("SecretAccessKey")) {
        sigv4::know(key, secret);
    }
}

/// Reads ` * Running on http://127.0.0.1:41007`.
fn announced_address(line: &str) -> Option<SocketAddr> {
    let (_, address) = line.split_once("Running on http://")?;
    address.trim().parse().ok()
}
