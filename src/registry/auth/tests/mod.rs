// SPDX-License-Identifier: Apache-2.0

//! The dialogue with a real HTTP server in the part of the token server.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::to_bytes;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures::future::join_all;
use reqwest::header::{AUTHORIZATION, HeaderValue, LOCATION, RETRY_AFTER, WWW_AUTHENTICATE};
use tokio::net::TcpListener;
use tokio::time::{advance, pause, resume};
use url::Url;

use super::*;
use crate::oci::{Registry, Repository};
use crate::registry::Settings;
use crate::registry::http::Http;

mod challenges;
mod failures;
mod realms;
mod scopes;
mod tokens;

/// A token server that answers by a script, its last line again and again, and writes down what it was asked.
struct TokenServer {
    address: String,
    script: Script,
    _serving: tokio::task::JoinHandle<()>,
}

#[derive(Clone, Default)]
struct Script {
    answers: Arc<Mutex<VecDeque<Answer>>>,
    asked: Arc<Mutex<Vec<Asked>>>,
}

type Answer = (StatusCode, HeaderMap, String);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Asked {
    method: String,
    query: String,
    authorization: Option<String>,
    body: String,
}

impl TokenServer {
    async fn start(answers: impl IntoIterator<Item = Answer>) -> Self {
        let script = Script::default();
        script.answers.lock().unwrap().extend(answers);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let app = Router::new().fallback(play).with_state(script.clone());
        let serving = async { axum::serve(listener, app).await.unwrap() };
        Self {
            address,
            script,
            _serving: tokio::spawn(serving),
        }
    }

    /// An authenticator for a registry at the address of this server.
    fn registry(&self, credential: Credential) -> Authenticator {
        self.registry_trusting(credential, &[])
    }

    fn registry_trusting(&self, credential: Credential, realms: &[&str]) -> Authenticator {
        let base = format!("http://{}", self.address);
        authenticator(&base, credential, realms)
    }

    fn challenge(&self) -> HeaderMap {
        let address = &self.address;
        challenge(&format!(
            r#"Bearer realm="http://{address}/token",service="s""#
        ))
    }

    fn asked(&self) -> Vec<Asked> {
        self.script.asked.lock().unwrap().clone()
    }

    /// The message of an error, the same at every run.
    fn message(&self, error: &Error) -> String {
        error.to_string().replace(&self.address, "R")
    }
}

/// An authenticator for the registry at the URL `base`.
fn authenticator(base: &str, credential: Credential, realms: &[&str]) -> Authenticator {
    let settings = Settings {
        insecure: true,
        ..Settings::default()
    };
    let base: Url = base.parse().unwrap();
    let http = Http::new("test", base.clone(), &settings, None).unwrap();
    let registry: Registry = base.authority().parse().unwrap();
    let realms = realms.iter().map(|&realm| realm.to_owned()).collect();
    Authenticator::new(registry, base, credential, realms, http)
}

async fn play(State(script): State<Script>, request: Request) -> Answer {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, 65_536).await.unwrap();
    let authorization = parts.headers.get(AUTHORIZATION);
    script.asked.lock().unwrap().push(Asked {
        method: parts.method.to_string(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        authorization: authorization.map(|value| value.to_str().unwrap().to_owned()),
        body: String::from_utf8(body.to_vec()).unwrap(),
    });
    let mut answers = script.answers.lock().unwrap();
    match answers.len() {
        1 => answers[0].clone(),
        _ => answers.pop_front().unwrap(),
    }
}

fn challenge(line: &str) -> HeaderMap {
    HeaderMap::from_iter([(WWW_AUTHENTICATE, HeaderValue::from_str(line).unwrap())])
}

fn grant(token: &str) -> Answer {
    let body = format!(r#"{{"token":"{token}","expires_in":60}}"#);
    (StatusCode::OK, HeaderMap::new(), body)
}

fn status(code: u16) -> Answer {
    let status = StatusCode::from_u16(code).unwrap();
    (status, HeaderMap::new(), String::new())
}

fn retry_after(code: u16, seconds: &'static str) -> Answer {
    let (status, mut headers, body) = status(code);
    headers.insert(RETRY_AFTER, HeaderValue::from_static(seconds));
    (status, headers, body)
}

fn user() -> Credential {
    Credential::Basic {
        username: "user".to_owned(),
        password: "pass:word".into(),
    }
}

fn identity() -> Credential {
    Credential::IdentityToken {
        username: "<token>".to_owned(),
        token: "identity".into(),
    }
}

fn basic(pair: &str) -> String {
    format!("Basic {}", STANDARD.encode(pair))
}

fn pull(repository: &str) -> Scope {
    Scope::pull(&repository.parse::<Repository>().unwrap())
}

/// What an authorization says to the registry.
fn said(authorization: &Authorization) -> String {
    let value = authorization.header_value();
    value.to_str().unwrap().to_owned()
}

async fn pass(seconds: u64) {
    pause();
    advance(Duration::from_secs(seconds)).await;
    resume();
}
