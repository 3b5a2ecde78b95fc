// SPDX-License-Identifier: Apache-2.0

//! The one client of this floor: bounded, without redirects, and never the client of a mirror.
//!
//! What mirrors ask for stays within their boundaries, which refuse metadata addresses. This client goes there, so
//! nothing that a mirror names may reach it: its URLs are fixed, or named by the process's own environment.

use std::net::IpAddr;
use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Certificate, ClientBuilder, Method, StatusCode, redirect, retry, tls};
use secrecy::{ExposeSecret, SecretString};
use tokio::time::{sleep, timeout};
use url::{Host, Url};

use super::answer::Answer;
use super::error::Error;
use super::words::words;

/// The longest answer, in bytes.
const ANSWER_BYTES: usize = 64 * 1024;
/// The longest time for a connection: to a cloud, and to an address that answers at once or never.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const METADATA_CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// The longest time for one answer, unless somebody waits on purpose.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(15);
/// Waits between tries of what may pass.
const WAITS: [Duration; 2] = [Duration::from_millis(200), Duration::from_secs(1)];
/// Names and addresses that plain HTTP is spoken with: those of the clouds' metadata servers.
const METADATA: [&str; 7] = [
    "169.254.169.254",
    "169.254.170.2",
    "169.254.170.23",
    "fd00:ec2::23",
    "fd00:ec2::254",
    "fd20:ce::254",
    "metadata.google.internal",
];

/// Asks servers of clouds.
#[derive(Clone, Debug)]
pub(super) struct Http {
    /// Goes through the proxies of the environment.
    cloud: reqwest::Client,
    /// Goes through none, to this machine and its metadata server.
    metadata: reqwest::Client,
}

/// One request.
pub(super) struct Request {
    pub(super) method: Method,
    pub(super) url: Url,
    /// What is asked for, as errors call it.
    pub(super) asked: &'static str,
    pub(super) headers: Vec<(&'static str, SecretString)>,
    pub(super) body: SecretString,
    /// Secrets that must not be seen in what the server says.
    pub(super) hidden: Vec<SecretString>,
    /// The longest answer, in bytes.
    pub(super) limit: usize,
    /// The longest time for one answer.
    pub(super) patience: Duration,
}

// === impl Request ===

impl Request {
    /// A request without body.
    pub(super) fn get(url: Url, asked: &'static str) -> Self {
        Self {
            method: Method::GET,
            url,
            asked,
            headers: Vec::new(),
            body: SecretString::default(),
            hidden: Vec::new(),
            limit: ANSWER_BYTES,
            patience: ANSWER_TIMEOUT,
        }
    }

    /// A form.
    pub(super) fn form(url: Url, asked: &'static str, fields: &[(&str, &str)]) -> Self {
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        form.extend_pairs(fields);
        let kind = "application/x-www-form-urlencoded".to_owned();
        Self {
            method: Method::POST,
            body: form.finish().into(),
            ..Self::get(url, asked)
        }
        .header("content-type", kind)
    }

    /// The same with a header.
    pub(super) fn header(mut self, name: &'static str, value: String) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// The same, and `secret` is kept out of errors.
    pub(super) fn hide(mut self, secret: &SecretString) -> Self {
        self.hidden.push(secret.clone());
        self
    }
}

// === impl Http ===

impl Http {
    /// A client that trusts the authorities of the system and these, as PEM.
    pub(super) fn new(user_agent: &str, ca_pem: Option<&[u8]>) -> Result<Self, Error> {
        let wrong = |_| Error::Wrong("the CA certificates cannot be used".to_owned());
        let authorities = ca_pem.map(Certificate::from_pem_bundle).transpose();
        let authorities = authorities.map_err(wrong)?.unwrap_or_default();
        let make = |builder: ClientBuilder, connect_timeout: Duration| {
            builder
                .user_agent(user_agent)
                .http1_only()
                .redirect(redirect::Policy::none())
                .retry(retry::never())
                .referer(false)
                .tls_version_min(tls::Version::TLS_1_2)
                .tls_certs_merge(authorities.clone())
                .connect_timeout(connect_timeout)
                .pool_max_idle_per_host(1)
                .build()
                .map_err(wrong)
        };
        Ok(Self {
            cloud: make(reqwest::Client::builder(), CONNECT_TIMEOUT)?,
            metadata: make(
                reqwest::Client::builder().no_proxy(),
                METADATA_CONNECT_TIMEOUT,
            )?,
        })
    }

    /// The answer to a request, whatever its status; what may pass is tried again.
    pub(super) async fn send(&self, request: Request) -> Result<Answer, Error> {
        self.send_repeatedly(request, &WAITS).await
    }

    /// The same, tried once: whoever asks decides about another try.
    pub(super) async fn send_once(&self, request: Request) -> Result<Answer, Error> {
        self.send_repeatedly(request, &[]).await
    }

    async fn send_repeatedly(&self, request: Request, waits: &[Duration]) -> Result<Answer, Error> {
        let client = self.client(&request)?;
        let headers = headers(&request)?;
        let mut waits = waits.iter();
        loop {
            let sent = client
                .request(request.method.clone(), request.url.clone())
                .headers(headers.clone())
                .body(request.body.expose_secret().to_owned());
            let outcome = match timeout(request.patience, read(sent, request.limit)).await {
                Ok(outcome) => outcome,
                Err(_) => Err("no answer in time".to_owned()),
            };
            let is_passing = match &outcome {
                Ok((status, _)) => is_passing(*status),
                Err(_) => true,
            };
            if is_passing && let Some(wait) = waits.next() {
                sleep(*wait).await;
                continue;
            }
            let server = authority(&request.url);
            return match outcome {
                Ok((status, body)) => Ok(Answer {
                    server,
                    asked: request.asked,
                    status,
                    body,
                    hidden: request.hidden,
                }),
                Err(detail) => Err(Error::Unreachable { server, detail }),
            };
        }
    }

    /// Plain HTTP is for this machine and metadata servers, HTTPS for everybody else.
    fn client(&self, request: &Request) -> Result<&reqwest::Client, Error> {
        let is_near = is_near(&request.url);
        match request.url.scheme() {
            "https" if !is_near => Ok(&self.cloud),
            "https" | "http" if is_near => Ok(&self.metadata),
            _ => Err(Error::Wrong(format!(
                "{} is not asked for {} in plain HTTP: only this machine and metadata servers are",
                authority(&request.url),
                request.asked
            ))),
        }
    }
}

/// Whether a URL leads to this machine or a metadata server.
pub(super) fn is_near(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback() || is_metadata(address.into()),
        Some(Host::Ipv6(address)) => address.is_loopback() || is_metadata(address.into()),
        Some(Host::Domain(name)) => name == "localhost" || METADATA.contains(&name),
        None => false,
    }
}

fn is_metadata(address: IpAddr) -> bool {
    METADATA.contains(&address.to_string().as_str())
}

/// Host and port, as the header `Host` has them.
pub(super) fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

fn headers(request: &Request) -> Result<HeaderMap, Error> {
    let mut headers = HeaderMap::new();
    for (name, value) in &request.headers {
        let mut value = HeaderValue::from_str(value.expose_secret()).map_err(|_| {
            let asked = request.asked;
            Error::Wrong(format!(
                "what {asked} is asked for with has characters that no header may have"
            ))
        })?;
        value.set_sensitive(true);
        headers.insert(HeaderName::from_static(name), value);
    }
    Ok(headers)
}

fn is_passing(status: StatusCode) -> bool {
    status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS
}

async fn read(
    request: reqwest::RequestBuilder,
    limit: usize,
) -> Result<(StatusCode, SecretString), String> {
    let mut response = request.send().await.map_err(|error| root(&error))?;
    let status = response.status();
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| root(&error))? {
        if body.len() + chunk.len() > limit {
            return Err(format!("its answer has more than {limit} bytes"));
        }
        body.extend_from_slice(&chunk);
    }
    let body = String::from_utf8(body).map_err(|_| "its answer is no text".to_owned())?;
    Ok((status, body.into()))
}

/// The cause at the end of the chain: those before it name URLs.
fn root(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    if cause.source().is_none() && std::ptr::addr_eq(cause, error) {
        return "the connection failed".to_owned();
    }
    words(&cause.to_string(), &[]).unwrap_or_else(|| "the connection failed".to_owned())
}
