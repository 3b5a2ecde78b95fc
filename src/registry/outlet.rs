// SPDX-License-Identifier: Apache-2.0

//! Messages to an address that somebody wrote into a cluster: by the one way out, within its boundaries, and without
//! anything in an error that could be a secret. Of an answer its status counts, and nothing of it is read or followed.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use tokio::time::timeout;
use url::Url;

use super::boundaries::{Boundaries, OutOfBounds};
use super::cause::Cause;
use super::guard::WriteGuard;
use super::http::{CERTIFICATE_NAMES, Http, HttpError, reason};
use super::settings::Settings;
use super::{origin, retry};
use crate::oci::Digest;

/// Longest time for the connection, the message and the head of the answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// The way to one address.
#[derive(Clone)]
pub struct Outlet {
    http: Http,
    address: Url,
    guard: WriteGuard,
    identity: Digest,
}

/// A message.
#[derive(Debug)]
pub struct Post {
    /// The type of its body.
    pub content_type: &'static str,
    /// Further header fields.
    pub headers: Vec<(&'static str, SecretString)>,
    /// The body.
    pub body: String,
}

/// Why a message did not arrive. The address is not in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PostError {
    /// It must not be sent there.
    #[error("the address is out of bounds: if it is meant, the operator has to open it with {0}")]
    OutOfBounds(&'static str),
    /// A certificate, a proxy or a header cannot be used.
    #[error("{0}")]
    Settings(String),
    /// There is no connection, or it broke.
    #[error("the address cannot be reached: {0}")]
    Unreachable(String),
    /// The proxy does not let it through.
    #[error("the proxy does not let it through: check its address, user name and password")]
    Proxy,
    /// There was no answer.
    #[error("there is no answer within {} s", PATIENCE.as_secs())]
    TimedOut,
    /// The answer leads elsewhere.
    #[error("the answer is a redirect ({}), which is not followed: write the address that it leads to", .0.as_u16())]
    Redirected(StatusCode),
    /// The answer is no.
    #[error("the receiver answers {}: {}", .0.as_u16(), advice(*.0))]
    Refused(StatusCode, Option<Duration>),
    /// This process may not tell anything any more.
    #[error("this process no longer holds the lease")]
    Lapsed,
}

/// A cause without what tells where the address leads: the address may be a secret.
fn without_names(cause: &str, host: &str) -> String {
    if let Some((before, _)) = cause.split_once(CERTIFICATE_NAMES) {
        return format!("{before}{CERTIFICATE_NAMES} other names");
    }
    let is_of_name = |part: char| part.is_ascii_alphanumeric() || "-._:[]".contains(part);
    let words = cause.split(' ').map(|word| {
        let name = word.trim_matches(|part| !is_of_name(part));
        let name = name.trim_end_matches([':', '.']);
        let is_host = name.eq_ignore_ascii_case(host)
            || name
                .rsplit_once(':')
                .is_some_and(|(name, _)| name.eq_ignore_ascii_case(host));
        if is_host { "its host" } else { word }
    });
    words.collect::<Vec<_>>().join(" ")
}

/// What somebody can do about an answer that is no.
fn advice(status: StatusCode) -> &'static str {
    match status.as_u16() {
        401 | 403 => "check the token and the key in the Secret",
        _ if status.is_server_error() => "look at its log; the message is tried again",
        _ if may_change(status) => "the message is tried again",
        _ => "check the address, and whether it takes such messages",
    }
}

/// Whether the answer may well be another one a little later.
fn may_change(status: StatusCode) -> bool {
    status.is_server_error()
        || matches!(
            status,
            StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY
        )
}

// === impl Outlet ===

impl Outlet {
    /// The way to an address, which is judged before anything is sent there.
    pub(super) fn open(
        user_agent: &str,
        address: &Url,
        settings: &Settings,
        (boundaries, guard): (Option<Arc<Boundaries>>, WriteGuard),
    ) -> Result<Self, PostError> {
        if let Some(boundaries) = &boundaries {
            let checked = boundaries.check_address(address);
            checked.map_err(|error| PostError::of_bounds(&error))?;
        }
        let settings = Settings {
            insecure: address.scheme() == "http",
            ..settings.clone()
        };
        let fingerprint = settings.fingerprint();
        let identity = Digest::sha256(format!("{fingerprint} {address}").as_bytes());
        let http = Http::new(user_agent, address.clone(), &settings, boundaries);
        Ok(Self {
            http: http.map_err(PostError::of_settings)?,
            address: address.clone(),
            guard,
            identity,
        })
    }

    /// Whether another one leads to the same address in the same way.
    pub fn is_like(&self, other: &Self) -> bool {
        self.identity == other.identity
    }

    /// Sends a message, once.
    pub async fn post(&self, post: &Post) -> Result<(), PostError> {
        let request = self.http.request(Method::POST, self.address.clone());
        let request = request
            .headers(headers(post)?)
            .body(post.body.clone())
            .build();
        let request = request.map_err(|_| PostError::Settings("it is no request".to_owned()))?;
        self.guard.check().map_err(|_| PostError::Lapsed)?;
        let answer = timeout(PATIENCE, self.http.execute(request)).await;
        let answer = answer.map_err(|_| PostError::TimedOut)?;
        let host = self.address.host_str().unwrap_or_default();
        let answer = answer.map_err(|error| PostError::of_http(error, host))?;
        let status = answer.status();
        if origin::is_redirect(status) {
            return Err(PostError::Redirected(status));
        }
        if !status.is_success() {
            let wait = retry::retry_after(answer.headers(), retry::now());
            return Err(PostError::Refused(status, wait));
        }
        Ok(())
    }
}

fn headers(post: &Post) -> Result<HeaderMap, PostError> {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(post.content_type));
    for (name, value) in &post.headers {
        let value = HeaderValue::from_str(value.expose_secret());
        let mut value = value.map_err(|_| {
            PostError::Settings(format!(
                "what the Secret has for the header {name} has characters that no header may have"
            ))
        })?;
        value.set_sensitive(true);
        headers.insert(HeaderName::from_static(name), value);
    }
    Ok(headers)
}

impl fmt::Debug for Outlet {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Outlet")
    }
}

// === impl PostError ===

impl PostError {
    fn of_settings(cause: Cause) -> Self {
        if let Cause::OutOfBounds(error) = &cause {
            return Self::of_bounds(error);
        }
        if let Cause::Settings(message) = cause {
            return Self::Settings(message);
        }
        // Nothing else is wrong before anything is sent.
        Self::Settings(cause.to_string())
    }

    /// The flag alone: what is out of bounds may be part of a secret.
    fn of_bounds(error: &OutOfBounds) -> Self {
        Self::OutOfBounds(match error {
            OutOfBounds::Address(_) | OutOfBounds::Name { .. } | OutOfBounds::Proxy(_) => {
                "--allow-addresses"
            }
            OutOfBounds::OtherProxy(_) => "--allowed-proxies",
            OutOfBounds::PlainProxy(_) | OutOfBounds::PlainHttp(_) => "--insecure-hosts",
            OutOfBounds::Host(_) | OutOfBounds::Registry(_) => "--allowed-hosts",
        })
    }

    fn of_http(error: HttpError, host: &str) -> Self {
        match error {
            HttpError::OutOfBounds(error) => Self::of_bounds(&error),
            HttpError::Proxy(_) => Self::Proxy,
            HttpError::Broken(error) => {
                let reason = reason(&error.without_url());
                Self::Unreachable(without_names(&reason, host))
            }
        }
    }

    /// Whether it may well be otherwise a little later.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Unreachable(_) | Self::Proxy | Self::TimedOut => true,
            Self::Refused(status, _) => may_change(*status),
            Self::OutOfBounds(_) | Self::Settings(_) | Self::Redirected(_) | Self::Lapsed => false,
        }
    }

    /// How long the other side asks to be left alone.
    pub fn wait(&self) -> Option<Duration> {
        match self {
            Self::Refused(_, wait) => *wait,
            Self::OutOfBounds(_)
            | Self::Settings(_)
            | Self::Unreachable(_)
            | Self::Proxy
            | Self::TimedOut
            | Self::Redirected(_)
            | Self::Lapsed => None,
        }
    }

    /// The status of the answer, where there was one.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Refused(status, _) | Self::Redirected(status) => Some(status.as_u16()),
            Self::OutOfBounds(_)
            | Self::Settings(_)
            | Self::Unreachable(_)
            | Self::Proxy
            | Self::TimedOut
            | Self::Lapsed => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_does_not_tell_where_the_address_leads() {
        for (cause, host, expected) in [
            (
                "its name is not known to o: check host and port",
                "o",
                "its name is not known to its host check host and port",
            ),
            (
                "cannot connect to \"hooks.test:443\"",
                "hooks.test",
                "cannot connect to its host",
            ),
            ("no route to [::1]:9", "[::1]", "no route to its host"),
            ("connection refused", "on", "connection refused"),
            (
                "it is another one: its certificate is for hooks.test, *.corp.test",
                "a.test",
                "it is another one: its certificate is for other names",
            ),
        ] {
            assert_eq!(without_names(cause, host), expected, "{cause}");
        }
    }
}
