// SPDX-License-Identifier: Apache-2.0

//! The harness's own way to the API server, for what kubectl is too slow for.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use reqwest::{Certificate, Method};
use serde_json::Value;

use super::super::runtime;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// How often a question without a watch is asked again.
pub(super) const POLL: Duration = Duration::from_millis(25);

/// How long the API server may take to serve a kind whose definition it has accepted.
const DISCOVERY_DELAY: Duration = Duration::from_secs(30);

/// Everything that is served, in one answer.
const DISCOVERY: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";

/// A client of the API server with one identity.
#[derive(Clone)]
pub struct ApiClient {
    http: reqwest::Client,
    url: String,
    token: String,
    kinds: Arc<Mutex<Vec<Kind>>>,
}

/// An answer of the API server.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The body; what is not JSON becomes a string.
    pub body: Value,
}

/// A kind of object and where it is served.
#[derive(Clone)]
struct Kind {
    /// Everything it is called: plural, singular, short names, and the plural with its group.
    names: Vec<String>,
    /// `/apis/GROUP/VERSION`.
    prefix: String,
    plural: String,
    is_namespaced: bool,
}

impl ApiClient {
    /// A client that trusts one authority and shows one token.
    pub fn new(url: &str, authority: &str, token: &str) -> Self {
        let authority = Certificate::from_pem(authority.as_bytes()).expect("PEM");
        let http = reqwest::Client::builder()
            .tls_certs_only([authority])
            .no_proxy()
            .timeout(PATIENCE)
            .build()
            .expect("a client");
        Self {
            http,
            url: url.to_owned(),
            token: token.to_owned(),
            kinds: Arc::default(),
        }
    }

    /// `GET` of a path and query.
    pub async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, "application/json", Bytes::new())
            .await
    }

    /// `POST` of an object.
    pub async fn create(&self, path: &str, object: &Value) -> Answer {
        self.send_object("POST", path, "application/json", object)
            .await
    }

    /// `PUT` of an object.
    pub async fn replace(&self, path: &str, object: &Value) -> Answer {
        self.send_object("PUT", path, "application/json", object)
            .await
    }

    /// `PATCH` of an object with a merge patch.
    pub async fn merge(&self, path: &str, change: &Value) -> Answer {
        self.send_object("PATCH", path, "application/merge-patch+json", change)
            .await
    }

    /// `DELETE` of a path.
    pub async fn delete(&self, path: &str) -> Answer {
        self.send("DELETE", path, "application/json", Bytes::new())
            .await
    }

    /// `DELETE` of a path, whatever becomes of it.
    pub async fn abandon(&self, path: &str) {
        drop(
            self.try_send("DELETE", path, "application/json", Bytes::new())
                .await,
        );
    }

    /// Whether a path answers with success; no answer at all is none.
    pub async fn is_answered(&self, path: &str) -> bool {
        let sent = self.try_send("GET", path, "application/json", Bytes::new());
        sent.await.is_ok_and(|answer| answer.status == 200)
    }

    /// The path of the objects of a kind, named as for kubectl: `imir`, `imagemirrors`, `deployments.apps`.
    ///
    /// # Panics
    /// If the API server serves no such kind.
    pub async fn path(&self, kind: &str, namespace: Option<&str>) -> String {
        let deadline = tokio::time::Instant::now() + DISCOVERY_DELAY;
        loop {
            if let Some(known) = self.known(kind) {
                return known.path(namespace);
            }
            assert!(
                tokio::time::Instant::now() < deadline,
                "the API server serves no kind {kind}"
            );
            self.discover().await;
            tokio::time::sleep(POLL).await;
        }
    }

    fn known(&self, name: &str) -> Option<Kind> {
        let kinds = self.kinds.lock().unwrap();
        let name = name.to_ascii_lowercase();
        kinds
            .iter()
            .find(|kind| kind.names.contains(&name))
            .cloned()
    }

    async fn discover(&self) {
        let mut kinds = Vec::new();
        for root in ["/api", "/apis"] {
            let answer = self.send("GET", root, DISCOVERY, Bytes::new()).await;
            kinds.extend(kinds_of(root, &answer.body));
        }
        *self.kinds.lock().unwrap() = kinds;
    }

    async fn send_object(&self, method: &str, path: &str, kind: &str, object: &Value) -> Answer {
        self.send(method, path, kind, object.to_string().into())
            .await
    }

    async fn send(&self, method: &str, path: &str, media_type: &str, body: Bytes) -> Answer {
        self.try_send(method, path, media_type, body)
            .await
            .unwrap_or_else(|error| panic!("the API server does not answer: {error:?}"))
    }

    /// On the harness's runtime: connections are kept, and a test's own runtime ends before the next test.
    async fn try_send(
        &self,
        method: &str,
        path: &str,
        media_type: &str,
        body: Bytes,
    ) -> reqwest::Result<Answer> {
        let method = Method::from_bytes(method.as_bytes()).expect("a method");
        let request = self
            .http
            .request(method, format!("{}{path}", self.url))
            .bearer_auth(&self.token)
            .header("accept", media_type.replace("merge-patch+", ""))
            .header("content-type", media_type)
            .body(body);
        let exchange = async move {
            let mut response = request.send().await?;
            let mut body = Vec::new();
            while let Some(bytes) = response.chunk().await? {
                body.extend_from_slice(&bytes);
            }
            let text = |_| String::from_utf8_lossy(&body).into_owned().into();
            Ok(Answer {
                status: response.status().as_u16(),
                body: serde_json::from_slice(&body).unwrap_or_else(text),
            })
        };
        runtime().spawn(exchange).await.expect("a request")
    }
}

impl Answer {
    /// The body, if the answer is a success.
    ///
    /// # Panics
    /// If it is not, with what the API server said.
    pub fn assert_success(self) -> Value {
        assert!(
            (200..300).contains(&self.status),
            "{}: {}",
            self.status,
            self.body
        );
        self.body
    }
}

impl Kind {
    fn path(&self, namespace: Option<&str>) -> String {
        let Self { prefix, plural, .. } = self;
        match namespace.filter(|_| self.is_namespaced) {
            Some(namespace) => format!("{prefix}/namespaces/{namespace}/{plural}"),
            None => format!("{prefix}/{plural}"),
        }
    }
}

/// The kinds of an `APIGroupDiscoveryList`, each in the group's preferred version.
fn kinds_of(root: &str, groups: &Value) -> Vec<Kind> {
    let mut kinds = Vec::new();
    for group in items(&groups["items"]) {
        let name = text(&group["metadata"]["name"]);
        let Some(version) = items(&group["versions"]).next() else {
            continue;
        };
        let base = format!("{root}/{name}").trim_end_matches('/').to_owned();
        let prefix = format!("{base}/{}", text(&version["version"]));
        for resource in items(&version["resources"]) {
            let plural = text(&resource["resource"]);
            let short = items(&resource["shortNames"]).map(text);
            let names = [
                plural.clone(),
                text(&resource["singularResource"]),
                format!("{plural}.{name}"),
            ];
            kinds.push(Kind {
                names: names.into_iter().chain(short).collect(),
                prefix: prefix.clone(),
                plural,
                is_namespaced: resource["scope"] == "Namespaced",
            });
        }
    }
    kinds
}

fn items(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
