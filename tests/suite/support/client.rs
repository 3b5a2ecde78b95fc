// SPDX-License-Identifier: Apache-2.0

//! A registry client of a few lines: enough to push test content and to look at what arrived.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::header::HeaderMap;
use reqwest::{Certificate, Method, Url};
use serde_json::Value;

use super::access_log::HARNESS_AGENT;
use super::credentials::{Login, repository_of};

/// Every manifest type there is, as registries want to see them in one field.
pub const MANIFEST_TYPES: &str = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, \
    application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.docker.distribution.manifest.v2+json";

/// How long a server may stay silent.
const PATIENCE: Duration = Duration::from_secs(60);

/// How a registry is reached.
#[derive(Clone, Debug)]
pub struct Access {
    /// Base URL without a trailing slash.
    pub url: String,
    /// The authority to trust.
    pub ca_pem: Option<String>,
    /// Who to log in as.
    pub login: Option<Login>,
}

/// A client for one registry.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    access: Access,
    /// The last `Authorization` that worked, by kind of method and repository.
    authorizations: Arc<Mutex<HashMap<String, String>>>,
}

/// An answer with its whole body.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The header fields.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

/// A request that got no answer.
#[derive(Debug)]
pub struct Unanswered(String);

/// A request in the making.
struct Call<'a> {
    method: &'a str,
    url: Url,
    headers: &'a [(&'a str, &'a str)],
    body: Bytes,
}

impl Client {
    /// A client that trusts only what `access` names and follows no redirect.
    pub fn new(access: Access) -> Self {
        let certificates = access
            .ca_pem
            .as_ref()
            .map(|pem| Certificate::from_pem(pem.as_bytes()).expect("PEM"));
        let http = reqwest::Client::builder()
            .tls_certs_only(certificates)
            .user_agent(HARNESS_AGENT)
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .read_timeout(PATIENCE)
            .build()
            .expect("a client");
        Self {
            http,
            access,
            authorizations: Arc::default(),
        }
    }

    /// `GET` of a path and query.
    pub async fn get(&self, path: &str) -> Result<Answer, Unanswered> {
        self.send("GET", path, &[("accept", MANIFEST_TYPES)], Bytes::new())
            .await
    }

    /// `HEAD` of a path and query.
    pub async fn head(&self, path: &str) -> Result<Answer, Unanswered> {
        self.send("HEAD", path, &[("accept", MANIFEST_TYPES)], Bytes::new())
            .await
    }

    /// `DELETE` of a path and query.
    pub async fn delete(&self, path: &str) -> Result<Answer, Unanswered> {
        self.send("DELETE", path, &[], Bytes::new()).await
    }

    /// Sends a request, logging in if the registry asks for it. `path` may be an absolute URL.
    pub async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Bytes,
    ) -> Result<Answer, Unanswered> {
        let call = Call {
            method,
            url: self.resolve(path),
            headers,
            body,
        };
        let response = self.authorized(&call).await?;
        read(response).await
    }

    /// Sends a request as it is: no login, no second try.
    pub async fn send_once(&self, method: &str, path: &str) -> Result<Answer, Unanswered> {
        let call = Call {
            method,
            url: self.resolve(path),
            headers: &[],
            body: Bytes::new(),
        };
        read(self.attempt(&call, None).await?).await
    }

    /// `GET` of a body too large to keep, in parts; answers with the status.
    pub async fn stream(&self, path: &str, mut part: impl FnMut(&[u8])) -> Result<u16, Unanswered> {
        let call = Call {
            method: "GET",
            url: self.resolve(path),
            headers: &[],
            body: Bytes::new(),
        };
        let mut response = self.authorized(&call).await?;
        while let Some(bytes) = response.chunk().await? {
            part(&bytes);
        }
        Ok(response.status().as_u16())
    }

    /// The tags of a repository, none if it does not exist; follows paging.
    pub async fn tags(&self, repository: &str) -> Result<Vec<String>, Unanswered> {
        let mut tags = Vec::new();
        let mut page = Some(format!("/v2/{repository}/tags/list"));
        while let Some(path) = page {
            let answer = self.get(&path).await?;
            if answer.status == 404 {
                break;
            }
            let list: Value = answer.json()?;
            let names = list["tags"].as_array().into_iter().flatten();
            tags.extend(names.filter_map(Value::as_str).map(str::to_owned));
            page = answer
                .header("link")
                .and_then(|link| Some(link.split_once('<')?.1.split_once('>')?.0.to_owned()));
        }
        Ok(tags)
    }

    /// The digest a tag or digest resolves to, `None` if there is none.
    pub async fn resolve_digest(
        &self,
        repository: &str,
        reference: &str,
    ) -> Result<Option<String>, Unanswered> {
        let answer = self
            .get(&format!("/v2/{repository}/manifests/{reference}"))
            .await?;
        Ok((answer.status == 200).then(|| super::digest::sha256(&answer.body)))
    }

    fn resolve(&self, path: &str) -> Url {
        Url::parse(&self.access.url)
            .and_then(|base| base.join(path))
            .expect("a URL")
    }

    async fn authorized(&self, call: &Call<'_>) -> Result<reqwest::Response, Unanswered> {
        let key = authorization_key(call);
        let known = self.authorizations.lock().unwrap().get(&key).cloned();
        let response = self.attempt(call, known.as_deref()).await?;
        let Some(login) = self
            .access
            .login
            .as_ref()
            .filter(|_| response.status() == 401)
        else {
            return Ok(response);
        };
        let challenge = response
            .headers()
            .get("www-authenticate")
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        let Some(fresh) = self.log_in(login, challenge).await? else {
            return Ok(response);
        };
        let response = self.attempt(call, Some(&fresh)).await?;
        self.authorizations.lock().unwrap().insert(key, fresh);
        Ok(response)
    }

    async fn attempt(
        &self,
        call: &Call<'_>,
        authorization: Option<&str>,
    ) -> Result<reqwest::Response, Unanswered> {
        let method = Method::from_bytes(call.method.as_bytes()).expect("a method");
        let mut request = self.http.request(method, call.url.clone());
        if !call.body.is_empty() || matches!(call.method, "POST" | "PUT") {
            request = request.body(call.body.clone());
        }
        for (name, value) in call.headers {
            request = request.header(*name, *value);
        }
        if let Some(authorization) = authorization {
            request = request.header("authorization", authorization);
        }
        Ok(request.send().await?)
    }

    async fn log_in(&self, login: &Login, challenge: &str) -> Result<Option<String>, Unanswered> {
        if challenge.starts_with("Basic") {
            return Ok(Some(login.basic()));
        }
        let Some(realm) = challenge_parameter(challenge, "realm") else {
            return Ok(None);
        };
        let mut url = Url::parse(realm).expect("a realm");
        for name in ["service", "scope"] {
            if let Some(value) = challenge_parameter(challenge, name) {
                url.query_pairs_mut().append_pair(name, value);
            }
        }
        let answer = read(
            self.http
                .get(url)
                .header("authorization", login.basic())
                .send()
                .await?,
        )
        .await?;
        if answer.status != 200 {
            return Ok(None);
        }
        let token: Value = answer.json()?;
        Ok(token["token"]
            .as_str()
            .map(|token| format!("Bearer {token}")))
    }
}

impl Answer {
    /// A header field as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The body as JSON.
    pub fn json(&self) -> Result<Value, Unanswered> {
        serde_json::from_slice(&self.body).map_err(|error| Unanswered(error.to_string()))
    }
}

impl fmt::Display for Unanswered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<reqwest::Error> for Unanswered {
    fn from(error: reqwest::Error) -> Self {
        Self(format!("{error:?}"))
    }
}

async fn read(mut response: reqwest::Response) -> Result<Answer, Unanswered> {
    let mut body = BytesMut::new();
    while let Some(bytes) = response.chunk().await? {
        body.extend_from_slice(&bytes);
    }
    Ok(Answer {
        status: response.status().as_u16(),
        headers: response.headers().clone(),
        body: body.freeze(),
    })
}

fn authorization_key(call: &Call<'_>) -> String {
    let action = if matches!(call.method, "GET" | "HEAD") {
        "pull"
    } else {
        call.method
    };
    format!(
        "{action} {}",
        repository_of(call.url.path()).unwrap_or_default()
    )
}

fn challenge_parameter<'a>(challenge: &'a str, name: &str) -> Option<&'a str> {
    challenge
        .split_once(&format!("{name}=\""))?
        .1
        .split('"')
        .next()
}
