// SPDX-License-Identifier: Apache-2.0

//! A request as the endpoints describe it, before a credential and redirects come in.

use bytes::Bytes;
use reqwest::header::{AUTHORIZATION, CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, StatusCode};
use url::Url;

use super::auth::{Authorization, Scope};
use super::class::Class;
use super::http::Http;
use super::outgoing::Outgoing;

/// How another server than the registry is asked: with this and nothing else, and no redirect is followed.
#[derive(Clone, Debug)]
pub(super) struct Direct {
    pub(super) authorization: Option<Authorization>,
}

/// What to ask, what for, and how the answer is to be read.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) class: Class,
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) scope: Scope,
    /// The most bytes that a good answer may have; none where its body is of no interest.
    pub(super) limit: Option<usize>,
    pub(super) follows_redirects: bool,
    /// Whether others wait for its answer while they keep their places.
    pub(super) is_urgent: bool,
    /// A status that may pass and is an answer all the same: whoever asks has another way.
    pub(super) handed_back: Option<StatusCode>,
    /// Whether it is for another server of the registry's owner, which is asked for nothing else.
    pub(super) direct: Option<Direct>,
    headers: HeaderMap,
    body: Option<Bytes>,
}

impl Request {
    pub(super) fn new(class: Class, method: Method, url: Url, scope: Scope) -> Self {
        Self {
            class,
            method,
            url,
            scope,
            limit: None,
            follows_redirects: true,
            is_urgent: false,
            handed_back: None,
            direct: None,
            headers: HeaderMap::new(),
            body: None,
        }
    }

    pub(super) fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    pub(super) fn body(mut self, body: Bytes) -> Self {
        self.body = Some(body);
        self
    }

    /// Wants the body of a good answer, which has at most so many bytes.
    pub(super) fn limit(mut self, bytes: usize) -> Self {
        self.limit = Some(bytes);
        self
    }

    /// Takes a status that may pass for an answer, and is not repeated for it.
    pub(super) fn hand_back(mut self, status: StatusCode) -> Self {
        self.handed_back = Some(status);
        self
    }

    /// Is for a server of the registry's owner whose URL we made ourselves, and carries this.
    pub(super) fn directly(mut self, authorization: Option<Authorization>) -> Self {
        self.direct = Some(Direct { authorization });
        self
    }

    /// Does not wait long for a place: others wait for its answer and keep theirs.
    pub(super) fn urgent(mut self) -> Self {
        self.is_urgent = true;
        self
    }

    /// The number of bytes that it sends besides those of a body that exists only once.
    pub(super) fn body_length(&self) -> usize {
        self.body.as_ref().map_or(0, Bytes::len)
    }

    /// The request for one hop. A body that exists only once is put in when it is sent.
    pub(super) fn build(
        &self,
        http: &Http,
        url: Url,
        body: Option<&Outgoing>,
        authorization: Option<&Authorization>,
    ) -> reqwest::Result<reqwest::Request> {
        let mut builder = http
            .request(self.method.clone(), url)
            .headers(self.headers.clone());
        if let Some(authorization) = authorization {
            builder = builder.header(AUTHORIZATION, authorization.header_value());
        }
        // Always a length: Nexus answers 411 to chunks, some proxies to a POST without one.
        let length = match (body, &self.body) {
            (Some(body), _) => Some(body.size()),
            (None, Some(body)) => Some(body.len() as u64),
            (None, None) => self.class.is_write().then_some(0),
        };
        if let Some(length) = length {
            builder = builder.header(CONTENT_LENGTH, length);
        }
        if let Some(body) = &self.body {
            builder = builder.body(body.clone());
        }
        builder.build()
    }
}
