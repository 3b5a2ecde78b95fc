// SPDX-License-Identifier: Apache-2.0

//! The way to whoever is told, with what proves that it is us.

use aws_lc_rs::hmac::{self, HMAC_SHA256};
use secrecy::{ExposeSecret, SecretString};

use crate::plan::message::MessageBody;
use crate::registry::{Outlet, Post, PostError};

/// The header of a token.
const AUTHORIZATION: &str = "authorization";
/// The header of a signature, which Flux sends, too: `sha256=` and the HMAC of the body in hex.
const SIGNATURE: &str = "x-signature";
/// The header that says what came twice.
const ID: &str = "x-transship-id";

/// The way to whoever is told.
pub(in crate::controller) struct Channel {
    /// Where messages go.
    pub(in crate::controller) outlet: Outlet,
    /// Sent as a Bearer token.
    pub(in crate::controller) token: Option<SecretString>,
    /// Messages are signed with it.
    pub(in crate::controller) key: Option<SecretString>,
}

// === impl Channel ===

impl Channel {
    /// Whether another one is the same.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        self.outlet.is_like(&other.outlet)
            && text(self.token.as_ref()) == text(other.token.as_ref())
            && text(self.key.as_ref()) == text(other.key.as_ref())
    }

    /// Sends a message, once.
    pub(super) async fn send(&self, body: &MessageBody) -> Result<(), PostError> {
        let MessageBody {
            id,
            content_type,
            text,
        } = body;
        let mut headers = vec![(ID, SecretString::from(id.clone()))];
        if let Some(token) = &self.token {
            let value = format!("Bearer {}", token.expose_secret());
            headers.push((AUTHORIZATION, value.into()));
        }
        if let Some(key) = &self.key {
            let key = hmac::Key::new(HMAC_SHA256, key.expose_secret().as_bytes());
            let signature = hmac::sign(&key, text.as_bytes());
            let value = format!("sha256={}", hex::encode(signature.as_ref()));
            headers.push((SIGNATURE, value.into()));
        }
        let post = Post {
            content_type,
            headers,
            body: text.clone(),
        };
        self.outlet.post(&post).await
    }
}

fn text(secret: Option<&SecretString>) -> Option<&str> {
    secret.map(ExposeSecret::expose_secret)
}
