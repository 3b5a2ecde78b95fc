// SPDX-License-Identifier: Apache-2.0

//! Who we are in the clouds, each played by a server that looks at what it is asked.

mod aws;
mod azure;
mod google;
mod helper;
mod quay;
mod sharing;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use futures::future::BoxFuture;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use transship::identity::{self, Account, Environment, Identities, Tokens, Who};
use transship::oci::{CloudRegistry, Registry};
use transship::registry::{Credential, IssueFault, Issuer};

use crate::support::credentials::Login;

/// The registries of the tests by their names.
const ECR: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";
const GAR: &str = "europe-docker.pkg.dev";
const ACR: &str = "team.azurecr.io";

/// Who gives out credentials for a registry, with these variables.
fn issuer(registry: &str, variables: &[(&str, &str)], who: &Who) -> Arc<dyn Issuer> {
    of(&identities(variables), registry, who)
}

fn of(identities: &Identities, registry: &str, who: &Who) -> Arc<dyn Issuer> {
    let registry: Registry = registry.parse().unwrap();
    let cloud = CloudRegistry::of(&registry).unwrap();
    identities.issuer(&registry, &cloud, who)
}

fn identities(variables: &[(&str, &str)]) -> Identities {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    let environment = Environment::new(variables.iter().map(owned));
    Identities::new("transship/test", None, environment).unwrap()
}

/// User name and password, or what kind of failure it is with its words.
async fn issue(issuer: &Arc<dyn Issuer>) -> Result<(String, String), (IssueFault, String)> {
    match issuer.issue().await {
        Ok(
            Credential::Basic { username, password }
            | Credential::IdentityToken {
                username,
                token: password,
            },
        ) => Ok((username, password.expose_secret().to_owned())),
        Ok(other) => panic!("{other:?}"),
        Err(error) => Err((error.fault, error.message)),
    }
}

/// The words of a failure, in which no port is seen.
async fn words(issuer: &Arc<dyn Issuer>) -> String {
    let (fault, message) = issue(issuer).await.unwrap_err();
    assert!(!message.contains("canary"), "{message}");
    format!("{fault:?}: {}", without_ports(&message))
}

fn without_ports(text: &str) -> String {
    let mut parts = text.split("127.0.0.1:");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| {
        text + "SERVER" + part.trim_start_matches(|digit: char| digit.is_ascii_digit())
    })
}

/// A time that is over, or not, so many seconds from now.
fn time(seconds: i64) -> String {
    format!("{:.0}", end(seconds))
}

fn end(seconds: i64) -> jiff::Timestamp {
    crate::support::now() + jiff::SignedDuration::from_secs(seconds)
}

/// A token that ends so many seconds from now.
pub(crate) fn jwt(seconds: i64, mut claims: Value) -> String {
    claims["exp"] = json!(end(seconds).as_second());
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!(
        "{}.{}.canary",
        encode(&json!({"alg": "RS256"})),
        encode(&claims)
    )
}

/// The claims of a token.
fn claims(token: &str) -> Value {
    let part = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

/// What ECR gives for the login that the registries of the tests take.
fn login() -> String {
    let Login { username, password } = Login::valid();
    STANDARD.encode(format!("{username}:{password}"))
}

/// An API server that gives out tokens of a ServiceAccount, for the audience that it is asked for.
#[derive(Debug, Default)]
struct ApiServer {
    audiences: Mutex<Vec<String>>,
    subject: String,
}

impl ApiServer {
    /// One whose tokens are of this subject.
    fn of(subject: &str) -> Self {
        Self {
            subject: subject.to_owned(),
            ..Self::default()
        }
    }
}

impl Tokens for ApiServer {
    fn token<'a>(
        &'a self,
        audience: &'a str,
    ) -> BoxFuture<'a, Result<SecretString, identity::Error>> {
        self.audiences.lock().unwrap().push(audience.to_owned());
        let token = jwt(600, json!({"aud": [audience], "sub": self.subject}));
        Box::pin(async move { Ok(token.into()) })
    }
}

/// A ServiceAccount of namespace `team`.
fn account(name: &str, annotations: &[(&str, &str)], tokens: &Arc<ApiServer>) -> Who {
    let annotations = annotations
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    Who::Account(Arc::new(Account {
        namespace: "team".to_owned(),
        name: name.to_owned(),
        uid: format!("uid of {name}"),
        annotations: annotations.collect::<BTreeMap<_, _>>(),
        tokens: tokens.clone(),
    }))
}
