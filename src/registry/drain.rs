// SPDX-License-Identifier: Apache-2.0

//! The rest of an answer that nobody wants but for its words.

use std::time::Duration;

use bytes::BytesMut;
use reqwest::Response;
use reqwest::header::CONTENT_TYPE;
use tokio::time::timeout;

use super::error_body::ErrorBody;
use super::said::Said;
use super::secrets::Secrets;
use crate::oci::limits;

/// How long the rest of an answer is waited for that nobody wants.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(1);

/// Reads what is left of a small answer, so that its connection can be used again.
pub(super) async fn drain(response: Response) {
    beginning(response).await;
}

/// The words of a small answer that is an error, and its connection can be used again.
pub(super) async fn words(response: Response, secrets: &Secrets) -> Option<Said> {
    let content_type = response.headers().get(CONTENT_TYPE).cloned();
    let content_type = content_type.as_ref().and_then(|value| value.to_str().ok());
    let body = beginning(response).await;
    let text = ErrorBody::parse(content_type.unwrap_or_default(), &body).text;
    Said::clean(&text?, secrets)
}

/// What of a body comes at once.
async fn beginning(mut response: Response) -> BytesMut {
    let mut body = BytesMut::new();
    let read = async {
        while body.len() <= limits::ERROR_BYTES
            && let Ok(Some(frame)) = response.chunk().await
        {
            body.extend_from_slice(&frame);
        }
    };
    // A connection that cannot be used again is no loss worth waiting for.
    let _ = timeout(DRAIN_TIMEOUT, read).await;
    body
}
