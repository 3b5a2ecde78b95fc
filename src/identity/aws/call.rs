// SPDX-License-Identifier: Apache-2.0

//! A call of an API of AWS that speaks JSON, signed.

use reqwest::Method;
use secrecy::ExposeSecret;
use url::Url;

use super::keys::Keys;
use super::sigv4::{Scope, Signable, sign};
use crate::identity::http::{Request, authority};
use crate::runtime::clock;

/// A call, before it is signed.
pub(super) struct Call<'a> {
    pub(super) url: Url,
    pub(super) scope: Scope<'a>,
    /// The operation with the name of its API in front.
    pub(super) target: String,
    /// Which JSON is spoken.
    pub(super) content_type: &'static str,
    /// What is asked for, as errors call it.
    pub(super) asked: &'static str,
}

// === impl Call ===

impl Call<'_> {
    /// The request, signed with these keys.
    pub(super) fn sign(self, keys: &Keys, body: String) -> Request {
        let Self {
            url,
            scope,
            target,
            content_type,
            asked,
        } = self;
        let host = authority(&url);
        let mut request = Request {
            method: Method::POST,
            body: body.into(),
            ..Request::get(url, asked)
        }
        .header("content-type", content_type.to_owned())
        .header("x-amz-target", target)
        .hide(&keys.secret);
        if let Some(token) = &keys.token {
            request = request.hide(token);
        }
        let signable = Signable {
            method: "POST",
            host: &host,
            path: request.url.path(),
            query: "",
            headers: &request.headers,
            body: request.body.expose_secret(),
        };
        let signed = sign(&signable, scope, keys, clock::now());
        request.headers.extend(signed);
        request
    }
}
