// SPDX-License-Identifier: Apache-2.0

//! Tokens with which Google proves that a push is of a subscription: JWTs (RFC 7519), signed with RS256.
//! <https://cloud.google.com/pubsub/docs/authenticate-push-subscriptions#validate_tokens>

use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use super::delivery::Header;
use crate::api::image_receiver::OidcProof;

/// Longest token, in bytes. Those of Google have about a thousand.
const LENGTH: usize = 8 * 1024;
/// Most keys that are looked at. Google has two or three at a time.
const KEYS: usize = 32;
/// How far our clock may be from Google's.
const SKEW: SignedDuration = SignedDuration::from_secs(60);
/// What Google calls itself.
const ISSUERS: [&str; 2] = ["https://accounts.google.com", "accounts.google.com"];

/// Why a token proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OidcError {
    /// There is none.
    #[error("there is no token in Authorization: let the subscription authenticate its pushes")]
    NoToken,
    /// It is none.
    #[error("the token in Authorization is no JWT")]
    Malformed,
    /// It is signed in another way.
    #[error("the token is not signed with RS256")]
    Algorithm,
    /// Google has no such key.
    #[error("the token is signed with a key that is none of Google's")]
    UnknownKey,
    /// Its signature is wrong.
    #[error("the signature of the token is wrong")]
    Signature,
    /// Somebody else gave it out.
    #[error("the token is of another issuer than Google")]
    Issuer,
    /// It is for somebody else.
    #[error("the token is for another audience than spec.oidc.audience")]
    Audience,
    /// It is of somebody else.
    #[error("the token is of another account than spec.oidc.email")]
    Email,
    /// Google does not vouch for the address.
    #[error("Google has not verified the address in the token")]
    Unverified,
    /// It has ended, or does not say when it ends.
    #[error("the token has ended, or the clock of this machine is wrong")]
    Ended,
    /// It begins later.
    #[error("the token was given out later than now: the clock of this machine is wrong")]
    Early,
}

/// A token that has been read, and not believed.
pub struct Token<'a> {
    key: String,
    signed: &'a str,
    signature: Vec<u8>,
    claims: Claims,
}

/// The keys that Google signs with.
pub struct Keys(Vec<(String, RsaPublicKeyComponents<Vec<u8>>)>);

#[derive(Deserialize)]
struct Head {
    alg: String,
    #[serde(default)]
    kid: String,
}

#[derive(Deserialize)]
struct Claims {
    iss: Option<String>,
    aud: Option<String>,
    email: Option<String>,
    email_verified: Option<bool>,
    exp: Option<i64>,
    iat: Option<i64>,
}

/// Keys as a server tells them (RFC 7517).
#[derive(Deserialize)]
struct Set {
    keys: Vec<Key>,
}

#[derive(Deserialize)]
struct Key {
    #[serde(default)]
    kty: String,
    #[serde(default)]
    kid: String,
    #[serde(default)]
    n: String,
    #[serde(default)]
    e: String,
}

// === impl Keys ===

impl Keys {
    /// Those of RSA in a set of keys; nothing where it is none.
    pub fn parse(text: &str) -> Option<Self> {
        let Set { keys } = serde_json::from_str(text).ok()?;
        let keys = keys.into_iter().filter(|key| key.kty == "RSA").take(KEYS);
        let read = |key: Key| {
            let number = |text: &str| decode(text);
            let (n, e) = (number(&key.n)?, number(&key.e)?);
            Some((key.kid, RsaPublicKeyComponents { n, e }))
        };
        Some(Self(keys.filter_map(read).collect()))
    }

    fn find(&self, id: &str) -> Option<&RsaPublicKeyComponents<Vec<u8>>> {
        let (_, key) = self.0.iter().find(|(known, _)| known == id)?;
        Some(key)
    }
}

// === impl Token ===

impl<'a> Token<'a> {
    /// The token in the headers of an event.
    pub fn read(header: Header<'a>) -> Result<Self, OidcError> {
        let value = header("authorization").ok_or(OidcError::NoToken)?;
        let (scheme, token) = value.split_once(' ').ok_or(OidcError::NoToken)?;
        if !scheme.eq_ignore_ascii_case("Bearer") {
            return Err(OidcError::NoToken);
        }
        let token = token.trim();
        if token.len() > LENGTH {
            return Err(OidcError::Malformed);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(OidcError::Malformed)?;
        let (head, claims) = signed.split_once('.').ok_or(OidcError::Malformed)?;
        let Head { alg, kid } = part(head)?;
        if alg != "RS256" {
            return Err(OidcError::Algorithm);
        }
        Ok(Self {
            key: kid,
            signed,
            signature: decode(signature).ok_or(OidcError::Malformed)?,
            claims: part(claims)?,
        })
    }

    /// Whether Google signed it now for this audience and account.
    pub fn check(&self, proof: &OidcProof, keys: &Keys, now: Timestamp) -> Result<(), OidcError> {
        let key = keys.find(&self.key).ok_or(OidcError::UnknownKey)?;
        key.verify(
            &RSA_PKCS1_2048_8192_SHA256,
            self.signed.as_bytes(),
            &self.signature,
        )
        .map_err(|_| OidcError::Signature)?;
        let Claims {
            iss,
            aud,
            email,
            email_verified,
            exp,
            iat,
        } = &self.claims;
        let is_google = |issuer: &String| ISSUERS.contains(&issuer.as_str());
        if !iss.as_ref().is_some_and(is_google) {
            return Err(OidcError::Issuer);
        }
        if aud.as_ref() != Some(&proof.audience) {
            return Err(OidcError::Audience);
        }
        if email.as_ref() != Some(&proof.email) {
            return Err(OidcError::Email);
        }
        if *email_verified != Some(true) {
            return Err(OidcError::Unverified);
        }
        let time = |seconds: &Option<i64>| Timestamp::from_second((*seconds)?).ok();
        if time(exp).is_none_or(|end| now.duration_since(end) >= SKEW) {
            return Err(OidcError::Ended);
        }
        if time(iat).is_none_or(|begin| begin.duration_since(now) > SKEW) {
            return Err(OidcError::Early);
        }
        Ok(())
    }
}

fn part<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, OidcError> {
    let bytes = decode(text).ok_or(OidcError::Malformed)?;
    serde_json::from_slice(&bytes).map_err(|_| OidcError::Malformed)
}

fn decode(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

#[cfg(test)]
mod tests;
