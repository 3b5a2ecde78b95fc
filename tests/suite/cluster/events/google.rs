// SPDX-License-Identifier: Apache-2.0

//! Pushes of Pub/Sub, for which Google vouches.

use std::fs;
use std::sync::{Arc, Mutex};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use tempfile::TempDir;

use super::*;
use crate::support::cloud::Cloud;
use crate::support::http::Reply;
use crate::support::tls::Authority;
use crate::support::tunnel::Tunnel;

const EMAIL: &str = "push@project.iam.gserviceaccount.com";
const HOST: &str = "www.googleapis.com";

/// A key of Google by its name.
struct Key {
    name: &'static str,
    pair: KeyPair,
}

impl Key {
    fn new(name: &'static str) -> Self {
        let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
        Self { name, pair }
    }

    fn public(&self) -> Value {
        let number = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let key = self.pair.public_key();
        json!({
            "kty": "RSA", "alg": "RS256", "use": "sig", "kid": self.name,
            "n": number(key.modulus().big_endian_without_leading_zero()),
            "e": number(key.exponent().big_endian_without_leading_zero()),
        })
    }

    /// The header of a push with a token of this account.
    fn token(&self, email: &str) -> String {
        let now = crate::support::now().as_second();
        let claims = json!({
            "iss": "https://accounts.google.com", "aud": "transship", "email": email, "email_verified": true,
            "iat": now, "exp": now + 3600,
        });
        let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let head = encode(&json!({"alg": "RS256", "kid": self.name, "typ": "JWT"}));
        let signed = format!("{head}.{}", encode(&claims));
        let mut signature = vec![0; self.pair.public_modulus_len()];
        let random = SystemRandom::new();
        let made = self.pair.sign(
            &RSA_PKCS1_SHA256,
            &random,
            signed.as_bytes(),
            &mut signature,
        );
        made.unwrap();
        format!("Bearer {signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

/// What Pub/Sub pushes when an image was.
fn push(image: &str) -> Bytes {
    let event = json!({"action": "INSERT", "digest": "x", "tag": image}).to_string();
    let message = json!({"data": STANDARD.encode(event), "messageId": "1"});
    json!({"message": message, "subscription": "projects/p/subscriptions/transship"})
        .to_string()
        .into()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_is_taken_that_google_signed_for_the_receiver_and_no_other() {
    let (authority, directory) = (Authority::generate(), TempDir::new().unwrap());
    let (one, two, other) = (Key::new("one"), Key::new("two"), Key::new("one"));
    let keys = Arc::new(Mutex::new(None));
    let shared: Arc<Mutex<Option<Vec<Value>>>> = Arc::clone(&keys);
    let google = Cloud::start_in_tls(authority.issue_for(&[HOST]).server(), move |request| {
        assert_eq!(request.path, "/oauth2/v3/certs");
        match &*shared.lock().unwrap() {
            Some(keys) => Reply::json(200, &json!({"keys": keys})),
            None => Reply::new(503),
        }
    });
    let tunnel = Tunnel::to(google.address());
    let ca = directory.path().join("ca.pem");
    fs::write(&ca, authority.pem()).unwrap();
    let (source, destination) = (FaultRegistry::start(), FaultRegistry::start());
    let spec = json!({
        "type": "GAR", "registry": source.host(), "oidc": {"email": EMAIL, "audience": "transship"},
    });
    let reception = Reception::open_with("events-google", &spec, |options| {
        options
            .argument(&format!("--ca-file={}", ca.display()))
            .environment("ALL_PROXY", &tunnel.url())
            .environment("NO_PROXY", "127.0.0.1")
    })
    .await;
    source.load("app", "1", &image(1));
    let mirror = Mirror::of(&source.host())
        .image("app", &["*"])
        .destination("d", &destination.host());
    reception.namespace.apply(&mirror.to_string()).await;
    ready_for(&reception.namespace, "imir", "mirror", "Succeeded").await;
    source.load("app", "2", &image(2));
    let (client, path) = (reception.client(), reception.path().await);
    let body = push(&format!("{}/app:2", source.host()));
    let send = async |token: Option<String>| {
        let header = token.as_deref().map(|token| ("authorization", token));
        let headers: Vec<(&str, &str)> = header.into_iter().collect();
        let answer = client.send("POST", &path, &headers, body.clone()).await;
        answer.unwrap().status
    };
    // Without Google nobody knows: Pub/Sub sends again.
    assert_eq!(send(Some(one.token(EMAIL))).await, 503);
    *keys.lock().unwrap() = Some(vec![one.public()]);
    until("Google is asked again", async || {
        send(Some(other.token(EMAIL))).await == 401
    })
    .await;
    let asked = google.requests().len();
    for token in [
        None,
        Some(format!("Bearer {TOKEN}")),
        Some(one.token("evil@example.com")),
        Some(two.token(EMAIL)),
    ] {
        assert_eq!(send(token.clone()).await, 401, "{token:?}");
    }
    assert!(looked_up(&source).iter().all(|looked| looked != "app:2"));
    assert_eq!(send(Some(one.token(EMAIL))).await, 202);
    arrives(&destination.client(), "app", "2", &image(2)).await;
    // A key that nobody knows is asked for once in a minute at most.
    assert_eq!(google.requests().len(), asked);
    assert!(reception.count("GAR", "unverifiable").await >= 1);
    assert!(reception.count("GAR", "unauthenticated").await >= 4);
    let refused = reception.controller.log().into_iter();
    let refused: Vec<String> = refused
        .filter(|line| line["message"] == "a push of Pub/Sub is refused")
        .filter_map(|line| Some(line["error"].as_str()?.to_owned()))
        .collect();
    for doubt in [
        "the signature of the token is wrong",
        "there is no token in Authorization: let the subscription authenticate its pushes",
        "the token in Authorization is no JWT",
        "the token is of another account than spec.oidc.email",
        "the token is signed with a key that is none of Google's",
    ] {
        assert!(
            refused.iter().any(|said| said == doubt),
            "{doubt}: {refused:?}"
        );
    }
}
