// SPDX-License-Identifier: Apache-2.0

//! What a service account with a key says about itself (RFC 7523), signed with RS256.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretSlice, SecretString};
use serde_json::json;

use super::file::Key;
use super::token::SCOPE;
use crate::identity::error::Error;

/// How long it is good, in seconds.
const LIFE: i64 = 3600;

/// The assertion for a token endpoint.
pub(super) fn assertion(key: &Key, audience: &str, now: Timestamp) -> Result<SecretString, Error> {
    let wrong = || {
        Error::Wrong(format!(
            "the private_key of {} is not an RSA key (PKCS #8, PEM)",
            key.client_email
        ))
    };
    let der = der(key.pem.expose_secret()).ok_or_else(wrong)?;
    let pair = RsaKeyPair::from_pkcs8(der.expose_secret()).map_err(|_| wrong())?;
    let header = json!({"alg": "RS256", "typ": "JWT", "kid": key.id});
    let issued = now.as_second();
    let claims = json!({
        "iss": key.client_email,
        "scope": SCOPE,
        "aud": audience,
        "iat": issued,
        "exp": issued + LIFE,
    });
    let encode = |value: serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", encode(header), encode(claims));
    let mut signature = vec![0; pair.public_modulus_len()];
    pair.sign(
        &RSA_PKCS1_SHA256,
        &SystemRandom::new(),
        signed.as_bytes(),
        &mut signature,
    )
    .map_err(|_| wrong())?;
    Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)).into())
}

fn der(pem: &str) -> Option<SecretSlice<u8>> {
    let (_, rest) = pem.split_once("-----BEGIN PRIVATE KEY-----")?;
    let (body, _) = rest.split_once("-----END PRIVATE KEY-----")?;
    let body = SecretString::from(body.split_whitespace().collect::<String>());
    Some(STANDARD.decode(body.expose_secret()).ok()?.into())
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::encoding::AsDer as _;
    use aws_lc_rs::rsa::{KeyPair, KeySize};
    use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};

    use super::*;

    fn key(pem: &str) -> Key {
        Key {
            client_email: "mirror@project.iam.gserviceaccount.com".to_owned(),
            pem: pem.into(),
            id: Some("k1".to_owned()),
            token_uri: None,
        }
    }

    #[test]
    fn an_assertion_says_who_for_what_and_until_when() {
        let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
        let der: aws_lc_rs::encoding::Pkcs8V1Der<'_> = pair.as_der().unwrap();
        let pem = format!(
            "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
            STANDARD.encode(der.as_ref())
        );
        let now = "2026-01-01T00:00:00Z".parse().unwrap();
        let token = assertion(&key(&pem), "https://oauth2.googleapis.com/token", now).unwrap();
        let parts: Vec<&str> = token.expose_secret().split('.').collect();
        let [header, claims, signature] = parts[..] else {
            panic!("{} parts", parts.len())
        };
        let json = |part| -> serde_json::Value {
            serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
        };
        assert_eq!(
            json(header),
            json!({"alg": "RS256", "typ": "JWT", "kid": "k1"})
        );
        assert_eq!(
            json(claims),
            json!({
                "iss": "mirror@project.iam.gserviceaccount.com",
                "scope": "https://www.googleapis.com/auth/cloud-platform",
                "aud": "https://oauth2.googleapis.com/token",
                "iat": 1_767_225_600,
                "exp": 1_767_229_200,
            })
        );
        let public =
            UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, pair.public_key().as_ref());
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
        public
            .verify(format!("{header}.{claims}").as_bytes(), &signature)
            .unwrap();
    }

    #[test]
    fn keys_that_are_none() {
        for text in [
            "",
            "canary",
            "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----",
        ] {
            let error = assertion(&key(text), "a", Timestamp::UNIX_EPOCH).unwrap_err();
            assert_eq!(
                error.to_string(),
                "the private_key of mirror@project.iam.gserviceaccount.com is not an RSA key (PKCS #8, PEM)"
            );
        }
    }
}
