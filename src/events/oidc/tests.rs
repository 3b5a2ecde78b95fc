// SPDX-License-Identifier: Apache-2.0

use std::sync::LazyLock;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};
use serde_json::{Value, json};

use super::*;

/// The time of the tests: 2026-11-01, noon.
const NOW: i64 = 1_793_534_400;

static PAIR: LazyLock<KeyPair> = LazyLock::new(|| KeyPair::generate(KeySize::Rsa2048).unwrap());
static OTHER: LazyLock<KeyPair> = LazyLock::new(|| KeyPair::generate(KeySize::Rsa2048).unwrap());

fn set(pairs: &[(&str, &KeyPair)]) -> String {
    let key = |(id, pair): &(&str, &KeyPair)| {
        let number = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let key = pair.public_key();
        let modulus = key.modulus().big_endian_without_leading_zero();
        let exponent = key.exponent().big_endian_without_leading_zero();
        json!({
            "kty": "RSA", "alg": "RS256", "use": "sig", "kid": id, "n": number(modulus), "e": number(exponent),
        })
    };
    let keys: Vec<Value> = pairs.iter().map(key).collect();
    json!({"keys": keys}).to_string()
}

fn token(head: &Value, claims: &Value, pair: &KeyPair) -> String {
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", encode(head), encode(claims));
    let mut signature = vec![0; pair.public_modulus_len()];
    let random = SystemRandom::new();
    pair.sign(
        &RSA_PKCS1_SHA256,
        &random,
        signed.as_bytes(),
        &mut signature,
    )
    .unwrap();
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

fn claims() -> Value {
    json!({
        "iss": "https://accounts.google.com", "aud": "https://events.example.com",
        "azp": "113774264463038321964", "sub": "113774264463038321964",
        "email": "push@project.iam.gserviceaccount.com", "email_verified": true,
        "iat": NOW - 10, "exp": NOW + 3590,
    })
}

fn found(header: Option<&str>, keys: &str) -> Result<(), OidcError> {
    let proof = OidcProof {
        email: "push@project.iam.gserviceaccount.com".to_owned(),
        audience: "https://events.example.com".to_owned(),
    };
    let now = Timestamp::from_second(NOW).unwrap();
    let header = |name: &str| header.filter(|_| name == "authorization");
    Token::read(&header)?.check(&proof, &Keys::parse(keys).unwrap(), now)
}

#[test]
fn a_token_that_google_signed_for_the_receiver_is_believed() {
    let head = json!({"alg": "RS256", "kid": "one", "typ": "JWT"});
    let keys = set(&[("other", &OTHER), ("one", &PAIR)]);
    let good = format!("Bearer {}", token(&head, &claims(), &PAIR));
    assert_eq!(found(Some(&good), &keys), Ok(()));
    assert_eq!(
        found(Some(&good.replace("Bearer", "bearer")), &keys),
        Ok(())
    );
    let mut short = claims();
    short["iss"] = json!("accounts.google.com");
    // The clocks may differ.
    short["exp"] = json!(NOW - 59);
    short["iat"] = json!(NOW + 59);
    let short = format!("Bearer {}", token(&head, &short, &PAIR));
    assert_eq!(found(Some(&short), &keys), Ok(()));
}

#[test]
fn each_claim_that_is_wrong_late_or_missing_has_its_words() {
    let keys = set(&[("one", &PAIR)]);
    let head = json!({"alg": "RS256", "kid": "one"});
    let cases = [
        (
            "iss",
            json!("https://issuer.example.com"),
            OidcError::Issuer,
        ),
        ("iss", Value::Null, OidcError::Issuer),
        (
            "aud",
            json!("https://events.example.com/"),
            OidcError::Audience,
        ),
        ("aud", Value::Null, OidcError::Audience),
        (
            "email",
            json!("other@project.iam.gserviceaccount.com"),
            OidcError::Email,
        ),
        ("email", Value::Null, OidcError::Email),
        ("email_verified", json!(false), OidcError::Unverified),
        ("email_verified", Value::Null, OidcError::Unverified),
        ("exp", json!(NOW - 60), OidcError::Ended),
        ("exp", json!(i64::MAX), OidcError::Ended),
        ("exp", Value::Null, OidcError::Ended),
        ("iat", json!(NOW + 61), OidcError::Early),
        ("iat", Value::Null, OidcError::Early),
        ("exp", json!("soon"), OidcError::Malformed),
        (
            "aud",
            json!(["https://events.example.com"]),
            OidcError::Malformed,
        ),
    ];
    for (name, value, expected) in cases {
        let mut wrong = claims();
        wrong[name] = value.clone();
        let value_of = format!("Bearer {}", token(&head, &wrong, &PAIR));
        assert_eq!(
            found(Some(&value_of), &keys),
            Err(expected),
            "{name} {value}"
        );
    }
}

#[test]
fn what_google_did_not_sign_is_not_believed() {
    let keys = set(&[("one", &PAIR)]);
    let head = |alg: &str, kid: &str| json!({"alg": alg, "kid": kid});
    let good = token(&head("RS256", "one"), &claims(), &PAIR);
    let mut other = claims();
    other["email"] = json!("evil@example.com");
    let other = token(&head("RS256", "one"), &other, &PAIR);
    let (_, signature) = good.rsplit_once('.').unwrap();
    let (signed, _) = other.rsplit_once('.').unwrap();
    let swapped = format!("{signed}.{signature}");
    let bearer = |token: &str| Some(format!("Bearer {token}"));
    let by = |alg: &str, kid: &str, pair| bearer(&token(&head(alg, kid), &claims(), pair));
    let cases = [
        (None, OidcError::NoToken),
        (Some(good.clone()), OidcError::NoToken),
        (Some(format!("Basic {good}")), OidcError::NoToken),
        (bearer("a-token"), OidcError::Malformed),
        (bearer("a.b"), OidcError::Malformed),
        (bearer("e30.e30.e30"), OidcError::Malformed),
        (bearer(&format!("{good}=")), OidcError::Malformed),
        (bearer(&"a.".repeat(LENGTH)), OidcError::Malformed),
        (by("none", "one", &PAIR), OidcError::Algorithm),
        (by("HS256", "one", &PAIR), OidcError::Algorithm),
        (by("RS256", "two", &PAIR), OidcError::UnknownKey),
        (by("RS256", "one", &OTHER), OidcError::Signature),
        (bearer(&swapped), OidcError::Signature),
        (bearer(&format!("{signed}.")), OidcError::Signature),
    ];
    for (value, expected) in cases {
        assert_eq!(found(value.as_deref(), &keys), Err(expected), "{value:?}");
    }
    for text in ["", "{}", "[]", r#"{"keys": 1}"#] {
        assert!(Keys::parse(text).is_none(), "{text}");
    }
    let odd = r#"{"keys": [{}, {"kty": "EC", "kid": "one"}, {"kty": "RSA", "kid": "one", "n": "!", "e": "AQAB"}]}"#;
    let good = bearer(&good);
    assert_eq!(found(good.as_deref(), odd), Err(OidcError::UnknownKey));
}
