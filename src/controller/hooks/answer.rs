// SPDX-License-Identifier: Apache-2.0

//! One request: who may say it, what it says, and what the sender is told. Whether anything matched is not.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::State;
use axum::http::{Method, Request, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures::StreamExt as _;
use tokio::time::timeout;

use super::doors::{Door, Found};
use super::listener::Hooks;
use super::vouched::Unvouched;
use crate::events::oidc::Token;
use crate::events::{self, BODY_BYTES, Delivery, authenticity, path};
use crate::runtime::clock;

/// Longest time for a body to come.
const PATIENCE: Duration = Duration::from_secs(10);
/// How much of a body is read that is too long, in bytes.
const DROPPED: usize = 4 * BODY_BYTES;
/// When a sender may try again, in seconds: another process may lead by then, or a receiver may be open again.
const AGAIN: u64 = 15;
/// The same where it only was too fast.
const SOON: u64 = 2;

/// What came of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::controller) enum Outcome {
    /// Mirrors look.
    Accepted,
    /// No mirror of the namespace wants what it names.
    Unmatched,
    /// It tells of no push of a tag.
    Ignored,
    /// Its sender does not know the token.
    Unauthenticated,
    /// Whether Google vouches for it cannot be found out now.
    Unverifiable,
    /// It is not what such a sender sends.
    Malformed,
    /// It is too long.
    TooLarge,
    /// It did not come to its end in time.
    TooSlow,
    /// There are too many.
    Throttled,
    /// The receiver is suspended.
    Suspended,
    /// It is no POST.
    WrongMethod,
}

/// Answers a request of any kind.
pub(super) async fn answer(State(hooks): State<Arc<Hooks>>, request: Request<Body>) -> Response {
    let place = request.uri().path();
    if !place.starts_with(path::PREFIX) {
        return StatusCode::NOT_FOUND.into_response();
    }
    let door = match hooks.doors.find(place) {
        Found::Door(door) => door,
        Found::Nothing => return StatusCode::NOT_FOUND.into_response(),
        Found::Unknown => return later(StatusCode::SERVICE_UNAVAILABLE, AGAIN),
    };
    let outcome = take(&hooks, &door, request).await;
    let kind = door.sender.kind.as_str();
    hooks.metrics.count_event(kind, outcome.as_str());
    outcome.response()
}

async fn take(hooks: &Hooks, door: &Door, request: Request<Body>) -> Outcome {
    if request.method() != Method::POST {
        return Outcome::WrongMethod;
    }
    if door.is_suspended {
        return Outcome::Suspended;
    }
    let (head, body) = request.into_parts();
    let header = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok());
    // Who knows the path alone takes no room where a header has to prove more.
    if authenticity::check_headers(&door.sender, &door.token, &header).is_err() {
        return Outcome::Unauthenticated;
    }
    if let Some(proof) = &door.sender.oidc {
        let vouched = hooks.vouch(proof, Token::read(&header)).await;
        if let Err(unvouched) = vouched {
            return match unvouched {
                Unvouched::Unknown(error) => {
                    hooks.told.unverifiable(&error);
                    Outcome::Unverifiable
                }
                Unvouched::Refused(error) => {
                    hooks.told.refused(door, error);
                    Outcome::Unauthenticated
                }
            };
        }
    }
    let Some(_room) = hooks.doors.body(door) else {
        return Outcome::Throttled;
    };
    let body = match timeout(PATIENCE, collect(body)).await {
        Ok(Ok(body)) => body,
        Ok(Err(outcome)) => return outcome,
        Err(_) => return Outcome::TooSlow,
    };
    let delivery = Delivery {
        header: &header,
        body: &body,
    };
    read(hooks, door, &delivery)
}

/// What an event comes to that was read whole.
fn read(hooks: &Hooks, door: &Door, delivery: &Delivery<'_>) -> Outcome {
    if authenticity::check(&door.sender, &door.token, delivery).is_err() {
        return Outcome::Unauthenticated;
    }
    if !hooks.doors.take(door, 1, Instant::now()) {
        return Outcome::Throttled;
    }
    let hints = match events::read(&door.sender, delivery) {
        Ok(hints) => hints,
        Err(error) => {
            let kind = door.sender.kind.as_str();
            tracing::debug!(namespace = door.namespace, kind, %error, "an event is not understood");
            return Outcome::Malformed;
        }
    };
    if hints.is_empty() {
        return Outcome::Ignored;
    }
    if !hooks.doors.take(door, hints.len() - 1, Instant::now()) {
        return Outcome::Throttled;
    }
    if hooks.tell(&door.namespace, &hints, clock::now()) {
        Outcome::Accepted
    } else {
        Outcome::Unmatched
    }
}

/// The whole body. Of one that is too long some more is read and dropped: a sender that still sends would not see the
/// answer.
async fn collect(body: Body) -> Result<Vec<u8>, Outcome> {
    let mut stream = body.into_data_stream();
    let (mut bytes, mut length) = (Vec::new(), 0_usize);
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|_| Outcome::Malformed)?;
        length += chunk.len();
        if length <= BODY_BYTES {
            bytes.extend_from_slice(&chunk);
        } else {
            bytes = Vec::new();
        }
        if length > DROPPED {
            break;
        }
    }
    if length > BODY_BYTES {
        return Err(Outcome::TooLarge);
    }
    Ok(bytes)
}

fn later(status: StatusCode, seconds: u64) -> Response {
    (status, [(header::RETRY_AFTER, seconds.to_string())]).into_response()
}

// === impl Outcome ===

impl Outcome {
    /// The text in metrics.
    pub(in crate::controller) fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Unmatched => "unmatched",
            Self::Ignored => "ignored",
            Self::Unauthenticated => "unauthenticated",
            Self::Unverifiable => "unverifiable",
            Self::Malformed => "malformed",
            Self::TooLarge => "too_large",
            Self::TooSlow => "too_slow",
            Self::Throttled => "throttled",
            Self::Suspended => "suspended",
            Self::WrongMethod => "wrong_method",
        }
    }

    fn response(self) -> Response {
        match self {
            // The same, so that nobody finds out what is mirrored.
            Self::Accepted | Self::Unmatched | Self::Ignored => {
                (StatusCode::ACCEPTED, "accepted\n").into_response()
            }
            Self::Unauthenticated => StatusCode::UNAUTHORIZED.into_response(),
            Self::Malformed => StatusCode::BAD_REQUEST.into_response(),
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE.into_response(),
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT.into_response(),
            Self::Throttled => later(StatusCode::TOO_MANY_REQUESTS, SOON),
            Self::Suspended | Self::Unverifiable => later(StatusCode::SERVICE_UNAVAILABLE, AGAIN),
            Self::WrongMethod => {
                let allow = [(header::ALLOW, "POST")];
                (StatusCode::METHOD_NOT_ALLOWED, allow).into_response()
            }
        }
    }
}
