// SPDX-License-Identifier: Apache-2.0

//! Listeners that nobody should ever talk to, or that should never hear a secret.

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};

use rustls::ServerConfig;

use super::http::script::Script;
use super::http::server::{Handler, Server};
use super::http::{Reply, Request};

/// A server that gives everybody the same answer and remembers every word. It ends when dropped.
pub struct Canary {
    server: Server,
    heard: Arc<Heard>,
}

struct Heard {
    reply: Reply,
    requests: Mutex<Vec<Request>>,
}

impl Canary {
    /// A canary that answers 404.
    pub fn start() -> Self {
        Self::answering(Reply::new(404))
    }

    /// A canary with an answer of its own: a challenge, a token, a redirect.
    pub fn answering(reply: Reply) -> Self {
        Self::answering_over(reply, None)
    }

    /// The same with TLS.
    pub fn answering_over(reply: Reply, tls: Option<Arc<ServerConfig>>) -> Self {
        Self::answering_at(Ipv4Addr::LOCALHOST, reply, tls)
    }

    /// The same on another loopback address.
    pub fn answering_at(address: Ipv4Addr, reply: Reply, tls: Option<Arc<ServerConfig>>) -> Self {
        let heard = Arc::new(Heard {
            reply,
            requests: Mutex::default(),
        });
        Self {
            server: Server::start_at(address, Arc::clone(&heard) as Arc<dyn Handler>, tls),
            heard,
        }
    }

    /// Address and port.
    pub fn host(&self) -> String {
        self.server.address().to_string()
    }

    /// Its base URL without a trailing slash.
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// What happens to requests besides being heard.
    pub fn script(&self) -> &Script {
        self.server.script()
    }

    /// How many connections were opened, even without a request.
    pub fn connections(&self) -> usize {
        self.server.connections()
    }

    /// Every request, with its body.
    pub fn requests(&self) -> Vec<Request> {
        self.heard.requests.lock().unwrap().clone()
    }

    /// Whether a word stood anywhere in a request: its target, a header field, the body. For a login give
    /// [`super::credentials::Login::basic`] too: it travels encoded.
    pub fn heard(&self, word: &str) -> bool {
        self.requests().iter().any(|request| {
            request.target().contains(word)
                || request
                    .headers
                    .iter()
                    .any(|(_, value)| value.contains(word))
                || String::from_utf8_lossy(&request.body).contains(word)
        })
    }
}

impl Handler for Heard {
    fn answer(&self, request: &Request) -> Reply {
        self.requests.lock().unwrap().push(request.clone());
        self.reply.clone()
    }

    fn rehearse(&self, request: &Request) -> Reply {
        self.answer(request)
    }
}
