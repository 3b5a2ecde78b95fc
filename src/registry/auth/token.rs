// SPDX-License-Identifier: Apache-2.0

//! What a token server answers, and how long it is good for.

use std::time::Duration;

use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::Value;

use super::authorization::Authorization;
use crate::oci::limits;
use crate::registry::error_body::is_web_page;
use crate::registry::said::Said;

/// The shortest life of a token: the specification promises it where the server says nothing.
const SHORTEST_LIFE: Duration = Duration::from_secs(60);
/// The longest life that is believed.
const LONGEST_LIFE: Duration = Duration::from_secs(24 * 60 * 60);
/// A token is renewed so long before its end, or a tenth of its life if that is longer.
const MARGIN: Duration = Duration::from_secs(5);
/// A token is used at least so long, whatever clocks say.
const SHORTEST_USE: Duration = Duration::from_secs(5);
/// The longest token, in characters.
const TOKEN_LENGTH: usize = 16 * 1024;

/// What a token server gave.
#[derive(Debug)]
pub(super) struct Grant {
    /// The token, as the registry wants to see it.
    pub(super) authorization: Authorization,
    /// How long it is to be used from now on.
    pub(super) usable: Duration,
    /// What takes the place of the identity token that was sent.
    pub(super) refresh_token: Option<SecretString>,
}

/// Why an answer gives no token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenFault {
    /// It has another status than 200; with the words of the server.
    #[error("it answers {}{}", .0, words(.1.as_ref()))]
    Status(u16, Option<Said>),
    /// It is a redirect to another host, which could lead the credential anywhere, or one too many.
    #[error("it redirects, and a credential follows no redirect to another scheme, host or port")]
    Redirect,
    /// It is too large.
    #[error("its answer is larger than {} bytes", limits::TOKEN_BYTES)]
    TooLarge,
    /// It is not the JSON of the token specification.
    #[error("its answer is not a JSON object with a token")]
    NotJson,
    /// It is a web page, such as a login page.
    #[error(
        "its answer is a web page: check the address of the token server, and whether a proxy or login page answers in its place"
    )]
    WebPage,
    /// It has no token, or an empty one.
    #[error("its answer has no token")]
    Missing,
    /// The token has characters that tokens do not have, or too many.
    #[error("the token has characters that no token may have, or more than {TOKEN_LENGTH}")]
    NotAToken,
}

fn words(said: Option<&Said>) -> String {
    said.map(|said| format!(" and says \"{said}\""))
        .unwrap_or_default()
}

#[derive(Deserialize)]
struct Answer {
    token: Option<SecretString>,
    access_token: Option<SecretString>,
    refresh_token: Option<SecretString>,
    /// Servers write all kinds of numbers.
    expires_in: Option<Value>,
    issued_at: Option<Value>,
}

// === impl Grant ===

impl Grant {
    /// The grant in the body of an answer that came at `now`.
    pub(super) fn parse(body: &[u8], now: Timestamp) -> Result<Self, TokenFault> {
        let answer: Answer = serde_json::from_slice(body).map_err(|_| {
            if is_web_page("", body) {
                TokenFault::WebPage
            } else {
                TokenFault::NotJson
            }
        })?;
        let Answer {
            token,
            access_token,
            refresh_token,
            expires_in,
            issued_at,
        } = answer;
        let token = [token, access_token]
            .into_iter()
            .find_map(non_empty)
            .ok_or(TokenFault::Missing)?;
        let authorization = is_token(token.expose_secret())
            .then(|| Authorization::bearer(&token))
            .flatten()
            .ok_or(TokenFault::NotAToken)?;
        Ok(Self {
            authorization,
            usable: usable(life(expires_in.as_ref()), age(issued_at.as_ref(), now)),
            refresh_token: non_empty(refresh_token),
        })
    }
}

fn non_empty(text: Option<SecretString>) -> Option<SecretString> {
    text.filter(|secret| !secret.expose_secret().is_empty())
}

/// Whether a text is a token (RFC 6750, section 2.1): it goes into a header of ours.
pub(in crate::registry) fn is_token(text: &str) -> bool {
    (1..=TOKEN_LENGTH).contains(&text.len())
        && text.bytes().all(|byte| {
            byte.is_ascii_alphanumeric()
                || matches!(byte, b'.' | b'_' | b'~' | b'+' | b'/' | b'=' | b'-')
        })
}

/// How long the server says that its token lives.
fn life(expires_in: Option<&Value>) -> Duration {
    let seconds = match expires_in {
        Some(Value::Number(number)) => number.as_f64(),
        Some(Value::String(text)) => text.parse().ok(),
        Some(Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_)) | None => None,
    };
    // Out of range are negative, infinite and undefined numbers, and those beyond any life.
    let life = match seconds {
        Some(seconds) if seconds >= LONGEST_LIFE.as_secs_f64() => LONGEST_LIFE,
        Some(seconds) => Duration::try_from_secs_f64(seconds).unwrap_or_default(),
        None => Duration::ZERO,
    };
    life.max(SHORTEST_LIFE)
}

/// How long ago the server gave the token out, where it says so and by our clock is not wrong.
fn age(issued_at: Option<&Value>, now: Timestamp) -> Duration {
    issued_at
        .and_then(Value::as_str)
        .and_then(|text| text.parse::<Timestamp>().ok())
        .and_then(|issued_at| Duration::try_from(now.duration_since(issued_at)).ok())
        .unwrap_or_default()
}

/// How long a token is to be used. An age beyond its life means that the clocks differ.
fn usable(life: Duration, age: Duration) -> Duration {
    let left = life.checked_sub(age).filter(|left| !left.is_zero());
    let margin = MARGIN.max(life / 10);
    left.unwrap_or(life)
        .saturating_sub(margin)
        .max(SHORTEST_USE)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(body: &str) -> Result<Grant, TokenFault> {
        Grant::parse(body.as_bytes(), "2026-11-20T10:00:00Z".parse().unwrap())
    }

    #[test]
    fn tokens_by_either_name() {
        let cases = [
            ("token", r#"{"token":"a"}"#, Ok("Bearer a")),
            ("access token", r#"{"access_token":"b"}"#, Ok("Bearer b")),
            (
                "both",
                r#"{"token":"a","access_token":"b"}"#,
                Ok("Bearer a"),
            ),
            (
                "first is empty",
                r#"{"token":"","access_token":"b"}"#,
                Ok("Bearer b"),
            ),
            (
                "first is null",
                r#"{"token":null,"access_token":"b"}"#,
                Ok("Bearer b"),
            ),
            ("none", "{}", Err(TokenFault::Missing)),
            ("empty", r#"{"token":""}"#, Err(TokenFault::Missing)),
            (
                "line break",
                r#"{"token":"a\r\nX: y"}"#,
                Err(TokenFault::NotAToken),
            ),
            (
                "zero byte",
                r#"{"token":"a\u0000"}"#,
                Err(TokenFault::NotAToken),
            ),
            ("space", r#"{"token":"a b"}"#, Err(TokenFault::NotAToken)),
            (
                "letter of another script",
                r#"{"token":"ä"}"#,
                Err(TokenFault::NotAToken),
            ),
            ("number", r#"{"token":5}"#, Err(TokenFault::NotJson)),
            ("page", "<html>", Err(TokenFault::WebPage)),
            ("nothing", "", Err(TokenFault::NotJson)),
            ("list", r#"["token"]"#, Err(TokenFault::NotJson)),
        ];
        for (name, body, expected) in cases {
            let found = parse(body).map(|grant| grant.authorization.header_value());
            let expected = expected.map(reqwest::header::HeaderValue::from_static);
            assert_eq!(found, expected, "{name}");
        }
        let longest = "a".repeat(TOKEN_LENGTH);
        assert!(parse(&format!(r#"{{"token":"{longest}"}}"#)).is_ok());
        assert!(parse(&format!(r#"{{"token":"{longest}a"}}"#)).is_err());
    }

    #[test]
    fn how_long_a_token_is_used() {
        let cases = [
            ("nothing said", "", 54),
            ("zero", r#","expires_in":0"#, 54),
            ("negative", r#","expires_in":-5"#, 54),
            ("too short", r#","expires_in":10"#, 54),
            ("five minutes", r#","expires_in":300"#, 270),
            ("fraction", r#","expires_in":300.9"#, 270),
            ("text", r#","expires_in":"300""#, 270),
            ("other text", r#","expires_in":"soon""#, 54),
            ("another type", r#","expires_in":[1]"#, 54),
            ("for ever", r#","expires_in":1000000000000"#, 77_760),
            ("no number at all", r#","expires_in":"nan""#, 54),
            ("infinite", r#","expires_in":"inf""#, 77_760),
            (
                "issued before",
                r#","expires_in":300,"issued_at":"2026-11-20T09:59:00Z""#,
                210,
            ),
            (
                "other zone",
                r#","expires_in":300,"issued_at":"2026-11-20T11:59:00.5+02:00""#,
                210,
            ),
            (
                "issued in the future",
                r#","expires_in":300,"issued_at":"2026-11-20T11:00:00Z""#,
                270,
            ),
            (
                "expired already",
                r#","expires_in":300,"issued_at":"2026-11-20T09:00:00Z""#,
                270,
            ),
            (
                "nearly expired",
                r#","expires_in":300,"issued_at":"2026-11-20T09:55:02Z""#,
                5,
            ),
            (
                "no date",
                r#","expires_in":300,"issued_at":"yesterday""#,
                270,
            ),
            (
                "year one",
                r#","expires_in":300,"issued_at":"0001-01-01T00:00:00Z""#,
                270,
            ),
        ];
        for (name, fields, expected) in cases {
            let grant = parse(&format!(r#"{{"token":"a"{fields}}}"#)).unwrap();
            assert_eq!(grant.usable.as_secs(), expected, "{name}");
        }
    }

    #[test]
    fn a_new_identity_token_is_kept() {
        let kept = |body: &str| {
            let refresh_token = parse(body).unwrap().refresh_token;
            refresh_token.map(|token| token.expose_secret().to_owned())
        };
        assert_eq!(
            kept(r#"{"token":"a","refresh_token":"r"}"#).as_deref(),
            Some("r")
        );
        assert_eq!(kept(r#"{"token":"a","refresh_token":""}"#), None);
    }

    proptest! {
        #[test]
        fn any_answer_is_read_without_a_panic(body in prop::collection::vec(any::<u8>(), 0..100)) {
            let _ = Grant::parse(&body, Timestamp::UNIX_EPOCH);
        }

        #[test]
        fn a_token_is_used_neither_too_shortly_nor_for_ever(expires_in in any::<f64>(), second in any::<i32>()) {
            let issued_at = Timestamp::from_second(i64::from(second)).unwrap();
            let body = serde_json::json!({"token": "a", "expires_in": expires_in, "issued_at": issued_at.to_string()});
            let usable = parse(&body.to_string()).unwrap().usable;
            prop_assert!((SHORTEST_USE..=LONGEST_LIFE).contains(&usable));
        }
    }
}
