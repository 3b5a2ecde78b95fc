// SPDX-License-Identifier: Apache-2.0

//! A server of a cloud, that keeps what it was asked with and answers as it is told. What is signed must be signed right.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use rustls::ServerConfig;

use super::http::script::Script;
use super::http::server::{Handler, Server};
use super::http::{Reply, Request};
use super::sigv4;

/// A server of a cloud.
pub struct Cloud {
    server: Server,
    asked: Arc<Asked>,
}

/// How a server answers.
type Answer = Box<dyn Fn(&Request) -> Reply + Send + Sync>;

struct Asked {
    requests: Mutex<Vec<Request>>,
    answer: Mutex<Answer>,
}

impl Cloud {
    /// A server that answers so.
    pub fn start(answer: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        Self::start_with(None, answer)
    }

    /// The same in HTTPS.
    pub fn start_in_tls(
        tls: Arc<ServerConfig>,
        answer: impl Fn(&Request) -> Reply + Send + Sync + 'static,
    ) -> Self {
        Self::start_with(Some(tls), answer)
    }

    fn start_with(
        tls: Option<Arc<ServerConfig>>,
        answer: impl Fn(&Request) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let asked = Arc::new(Asked {
            requests: Mutex::default(),
            answer: Mutex::new(Box::new(answer)),
        });
        Self {
            server: Server::start(asked.clone(), tls),
            asked,
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// Answers otherwise from now on.
    pub fn answers(&self, answer: impl Fn(&Request) -> Reply + Send + Sync + 'static) {
        *self.asked.answer.lock().unwrap() = Box::new(answer);
    }

    /// Its address as a URL, without a slash at the end.
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// Its rules, of which those that hold something come before what it answers.
    pub fn script(&self) -> &Script {
        self.server.script()
    }

    /// What it was asked, oldest first.
    pub fn requests(&self) -> Vec<Request> {
        self.asked.requests.lock().unwrap().clone()
    }
}

impl Handler for Asked {
    fn answer(&self, request: &Request) -> Reply {
        self.requests.lock().unwrap().push(request.clone());
        // Whoever signs is known by a right signature only, whatever the test is about.
        sigv4::refusal(request).unwrap_or_else(|| (self.answer.lock().unwrap())(request))
    }

    fn rehearse(&self, request: &Request) -> Reply {
        (self.answer.lock().unwrap())(request)
    }
}
