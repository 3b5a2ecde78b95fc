// SPDX-License-Identifier: Apache-2.0

//! What a token (JWT, RFC 7519) says about itself. Nobody's signature is verified here: the server that it is for does.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::error::Error;
use crate::runtime::clock;

/// The claims that are read.
#[derive(Debug, Deserialize)]
struct Claims {
    exp: Option<f64>,
}

/// When a token ends; nothing where it does not say.
pub(super) fn end(token: &SecretString) -> Result<Option<Timestamp>, &'static str> {
    let mut parts = token.expose_secret().split('.');
    let (Some(_), Some(claims), Some(_), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err("is no JWT");
    };
    let claims = URL_SAFE_NO_PAD
        .decode(claims.trim_end_matches('='))
        .map_err(|_| "is no JWT")?;
    let claims: Claims = serde_json::from_slice(&claims).map_err(|_| "has no claims")?;
    let end = claims.exp.map(|exp| {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a number of seconds, and what is out of range ends in the far future or past"
        )]
        let seconds = exp as i64;
        Timestamp::from_second(seconds).map_err(|_| "ends at a time that cannot be")
    });
    end.transpose()
}

/// A token that is about to prove who we are: not one that has ended.
pub(super) fn check(token: &SecretString, what: &str) -> Result<(), Error> {
    match end(token) {
        Ok(Some(end)) if end <= clock::now() => Err(Error::Wrong(format!(
            "{what} ended at {end:.0}: who renews it has stopped, or the clock of this machine is wrong"
        ))),
        Ok(_) => Ok(()),
        Err(fault) => Err(Error::Wrong(format!("{what} {fault}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(claims: &str) -> SecretString {
        format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims)).into()
    }

    #[test]
    fn tokens_that_prove_nothing_any_more() {
        let cases = [
            (token(r#"{"exp": 4102444800}"#), "fine"),
            (token(r#"{"exp": 4102444800.5, "aud": ["a"]}"#), "fine"),
            (token("{}"), "fine"),
            (
                token(r#"{"exp": 1420070400}"#),
                "it ended at 2015-01-01T00:00:00Z: who renews it has stopped, or the clock of this machine is wrong",
            ),
            (
                token(r#"{"exp": 1e300}"#),
                "it ends at a time that cannot be",
            ),
            (token(r#"{"exp": "soon"}"#), "it has no claims"),
            ("canary".into(), "it is no JWT"),
            ("a.b.c.d".into(), "it is no JWT"),
            ("e30.!.c".into(), "it is no JWT"),
        ];
        for (token, expected) in cases {
            let found = check(&token, "it");
            let found = found.map_or_else(|error| error.to_string(), |()| "fine".to_owned());
            assert_eq!(found, expected);
        }
    }
}
