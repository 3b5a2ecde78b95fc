// SPDX-License-Identifier: Apache-2.0

//! A small HTTP/1.1 server whose every byte can be scripted.
//!
//! Written by hand over TCP because a fault is exact only if nothing polite sits in between: a body
//! that ends after byte k, a length that lies, an answer that never comes.

pub mod script;
pub mod server;
pub mod wire;

use bytes::Bytes;
use serde_json::{Value, json};

/// A request as it arrived.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// The method, as sent.
    pub method: String,
    /// The path, percent-encoded as sent.
    pub path: String,
    /// What stood after `?`, without it.
    pub query: String,
    /// The header fields in order.
    pub headers: Headers,
    /// The whole body.
    pub body: Bytes,
}

/// An answer to be sent.
#[derive(Clone, Debug, Default)]
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// The header fields in order. `Content-Length` is added where it is absent.
    pub headers: Headers,
    /// The body; for HEAD only its length is used.
    pub body: Bytes,
}

/// Header fields in order; names compare without case.
#[derive(Clone, Debug, Default)]
pub struct Headers(Vec<(String, String)>);

impl Request {
    /// Path and query as in the request line.
    pub fn target(&self) -> String {
        if self.query.is_empty() {
            self.path.clone()
        } else {
            format!("{}?{}", self.path, self.query)
        }
    }

    /// The decoded values of a query parameter, in order.
    pub fn parameters(&self, name: &str) -> Vec<String> {
        form_values(self.query.as_bytes(), name)
    }

    /// The first decoded value of a query parameter.
    pub fn parameter(&self, name: &str) -> Option<String> {
        self.parameters(name).into_iter().next()
    }
}

/// The decoded values of one field of `application/x-www-form-urlencoded` data.
pub fn form_values(form: &[u8], name: &str) -> Vec<String> {
    url::form_urlencoded::parse(form)
        .filter(|(key, _)| key == name)
        .map(|(_, value)| value.into_owned())
        .collect()
}

impl Reply {
    /// An answer without header fields and body.
    pub fn new(status: u16) -> Self {
        Self {
            status,
            ..Self::default()
        }
    }

    /// An answer with a JSON body.
    pub fn json(status: u16, value: &Value) -> Self {
        Self::new(status)
            .header("content-type", "application/json")
            .body(value.to_string())
    }

    /// An error as registries report it.
    pub fn error(status: u16, code: &str, message: &str) -> Self {
        Self::json(
            status,
            &json!({"errors": [{"code": code, "message": message}]}),
        )
    }

    /// The same with one more header field.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.add(name, value);
        self
    }

    /// The same with a body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }
}

impl Headers {
    /// The first value of a field.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.values(name).next()
    }

    /// Every value of a field.
    pub fn values(&self, name: &str) -> impl Iterator<Item = &str> {
        self.iter()
            .filter(move |(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    /// All fields.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Adds a field, keeping others of the same name.
    pub fn add(&mut self, name: &str, value: &str) {
        self.0.push((name.to_owned(), value.to_owned()));
    }

    /// Replaces every field of this name.
    pub fn set(&mut self, name: &str, value: &str) {
        self.remove(name);
        self.add(name, value);
    }

    /// Removes every field of this name.
    pub fn remove(&mut self, name: &str) {
        self.0.retain(|(key, _)| !key.eq_ignore_ascii_case(name));
    }
}
