// SPDX-License-Identifier: Apache-2.0

//! The token that somebody shows: as a bearer token, or as the password of any user, which browsers ask for.

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::SecretString;

/// Longest header that is looked at, in bytes.
const LENGTH: usize = 16 * 1024;

/// The token of a request; none where there is none that can be one.
pub(super) fn shown(headers: &HeaderMap) -> Option<SecretString> {
    let header = headers.get(AUTHORIZATION)?.to_str().ok()?;
    if header.len() > LENGTH {
        return None;
    }
    let (scheme, rest) = header.trim().split_once(' ')?;
    let token = match scheme.to_ascii_lowercase().as_str() {
        "bearer" => rest.trim().to_owned(),
        "basic" => {
            let decoded = String::from_utf8(STANDARD.decode(rest.trim()).ok()?).ok()?;
            decoded.split_once(':')?.1.to_owned()
        }
        _ => return None,
    };
    let is_token = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
    is_token.then(|| token.into())
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn how_a_token_is_shown() {
        let long = format!("Bearer {}", "a".repeat(LENGTH));
        for (header, expected) in [
            ("Bearer abc.def", Some("abc.def")),
            ("bearer  abc ", Some("abc")),
            ("Basic bWU6YWJjLmRlZg==", Some("abc.def")), // me:abc.def
            ("Basic OmFiYw==", Some("abc")),             // :abc
            ("Basic bWU6YTpi", Some("a:b")),             // me:a:b
            ("Basic bWU6", None),                        // me:
            ("Basic bWU=", None),                        // me
            ("Basic ???", None),
            ("Bearer a b", None),
            ("Bearer ", None),
            ("Bearer", None),
            ("Digest abc", None),
            ("", None),
            (long.as_str(), None),
        ] {
            let value = HeaderValue::from_str(header).unwrap();
            let headers = HeaderMap::from_iter([(AUTHORIZATION, value)]);
            let token = shown(&headers);
            let token = token.as_ref().map(secrecy::ExposeSecret::expose_secret);
            assert_eq!(token, expected, "{header:?}");
        }
        assert!(shown(&HeaderMap::new()).is_none());
    }
}
