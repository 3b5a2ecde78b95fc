// SPDX-License-Identifier: Apache-2.0

//! The request to a token server: GET by the token specification, POST by its `OAuth2` variant.

use std::time::Duration;

use reqwest::header::{AUTHORIZATION, HeaderMap, LOCATION};
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use tokio::time::{Instant, sleep, timeout};
use url::Url;

use super::authorization::Authorization;
use super::credential::Credential;
use super::realm::Realm;
use super::scope::Scope;
use super::token::{Grant, TokenFault};
use crate::oci::limits;
use crate::registry::boundaries::OutOfBounds;
use crate::registry::drain::{drain, words};
use crate::registry::http::{self, Http, HttpError, ProxyFault};
use crate::registry::said::Said;
use crate::registry::secrets::Secrets;
use crate::registry::{origin, retry};

/// How often a request is sent before it counts as failed.
const TRIES: u32 = 4;
/// The longest that a token server may make us wait within one exchange.
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// From here on a request that failed is not sent again: one that was waited for as long as any is enough.
const PATIENCE: Duration = limits::HEADER_TIMEOUT;
/// Who we are to servers that keep a record of it.
const CLIENT_ID: &str = "transship";

/// Why there is no token.
#[derive(Debug)]
pub(super) enum Failure {
    /// The credential, or that there is none, is not accepted; with the words of the server.
    Refused(StatusCode, Option<Said>),
    /// The operator's bounds keep us from the server.
    OutOfBounds(OutOfBounds),
    /// The server is asked too much.
    RateLimited(Option<Duration>),
    /// The server does not answer, or only that it is broken.
    Unreachable(String),
    /// No trusted connection comes about.
    Untrusted(String),
    /// The answer makes no sense.
    BadToken(TokenFault),
}

/// What came of one try.
enum Attempt {
    Final(Result<Grant, Failure>),
    /// It may be otherwise in a moment, or after the time that the server wants to be left alone.
    Passing {
        failure: Failure,
        wait: Option<Duration>,
    },
}

/// Asks for a token. Failures that may pass are retried, and never by asking as nobody instead.
pub(super) async fn fetch_token(
    http: &Http,
    realm: &Realm,
    scope: &Scope,
    credential: &Credential,
) -> Result<Grant, Failure> {
    let secrets = Secrets::new(&[credential]);
    let http = &if realm.is_trusted() {
        http.at(realm.url().clone())
    } else {
        http.clone()
    };
    let get = async |authorization: Option<Authorization>| {
        let request = || {
            let request = http.request(Method::GET, realm.token_url(scope));
            match &authorization {
                Some(authorization) => request.header(AUTHORIZATION, authorization.header_value()),
                None => request,
            }
        };
        exchange(http, &secrets, request).await
    };
    match credential {
        Credential::Anonymous | Credential::RegistryToken(_) | Credential::Issued(_) => {
            get(None).await
        }
        Credential::Basic { username, password } => {
            get(Some(Authorization::basic(username, password))).await
        }
        Credential::IdentityToken { username, token } => {
            match exchange(http, &secrets, || post(http, realm, scope, token)).await {
                // GCR, Artifactory and ACR have no POST, or not for this credential.
                Err(
                    Failure::Refused(StatusCode::UNAUTHORIZED, _)
                    | Failure::BadToken(
                        TokenFault::Status(400 | 404 | 405, _) | TokenFault::Redirect,
                    ),
                ) => get(Some(Authorization::basic(username, token))).await,
                granted => granted,
            }
        }
    }
}

fn post(http: &Http, realm: &Realm, scope: &Scope, token: &SecretString) -> RequestBuilder {
    let scope = scope.joined();
    let mut form = vec![
        ("grant_type", "refresh_token"),
        ("refresh_token", token.expose_secret()),
        ("client_id", CLIENT_ID),
        ("scope", &scope),
    ];
    form.extend(realm.service().map(|service| ("service", service)));
    http.request(Method::POST, realm.url().clone()).form(&form)
}

async fn exchange(
    http: &Http,
    secrets: &Secrets,
    request: impl Fn() -> RequestBuilder,
) -> Result<Grant, Failure> {
    let (mut tries, began) = (1, Instant::now());
    loop {
        let (failure, wait) = match attempt(http, secrets, request()).await {
            Attempt::Final(outcome) => return outcome,
            Attempt::Passing { failure, wait } => (failure, wait),
        };
        let wait = wait.unwrap_or_else(|| {
            if matches!(failure, Failure::RateLimited(_)) {
                retry::rest(tries)
            } else {
                retry::delay(tries)
            }
        });
        if !may_repeat(tries, wait, began.elapsed()) {
            return Err(failure);
        }
        sleep(wait).await;
        tries += 1;
    }
}

/// Whether a request that failed is sent again: after so many tries, with so long a wait before the next
/// one, so long after the first one.
fn may_repeat(tries: u32, wait: Duration, since: Duration) -> bool {
    tries < TRIES && wait <= LONGEST_WAIT && since < PATIENCE
}

async fn attempt(http: &Http, secrets: &Secrets, request: RequestBuilder) -> Attempt {
    let exchanged = timeout(limits::HEADER_TIMEOUT, async {
        let response = follow(http, request.build()?).await?;
        let (status, headers) = (response.status(), response.headers().clone());
        let (body, said) = match status {
            status if status.is_success() => (read(response).await?, None),
            _ => (Ok(Vec::new()), words(response, secrets).await),
        };
        Ok((status, headers, body, said))
    });
    match exchanged.await {
        Ok(Ok((status, headers, body, said))) => judge(status, &headers, body, said),
        Ok(Err(HttpError::Broken(error))) => broken(error),
        Ok(Err(HttpError::Proxy(fault))) => blocked(&fault),
        Ok(Err(HttpError::OutOfBounds(fault))) => Attempt::Final(Err(Failure::OutOfBounds(fault))),
        Err(_) => Attempt::Passing {
            failure: Failure::Unreachable("it did not answer in time".to_owned()),
            wait: None,
        },
    }
}

/// Sends a request, and again where the server moves it on its own scheme, host and port, which is as good as
/// itself (a slash at the end, another path). Any other redirect is the answer: it could lead the credential
/// anywhere.
async fn follow(http: &Http, request: reqwest::Request) -> Result<Response, HttpError> {
    let mut request = request;
    for _ in 0..limits::REDIRECTS {
        let again = request.try_clone();
        let response = http.execute(request).await?;
        let (Some(mut again), Some(next)) = (again, moved(&response)) else {
            return Ok(response);
        };
        // A form is sent again as it is, and only where the server asks for that.
        if again.method() != Method::GET && !matches!(response.status().as_u16(), 307 | 308) {
            return Ok(response);
        }
        drain(response).await;
        *again.url_mut() = next;
        request = again;
    }
    http.execute(request).await
}

/// Where an answer moves the request to, if that is on the same scheme, host and port.
fn moved(response: &Response) -> Option<Url> {
    let location = response.headers().get(LOCATION);
    let next = origin::own_url("Location", location, response.url()).ok();
    next.filter(|_| origin::is_redirect(response.status()))
}

async fn read(mut response: Response) -> reqwest::Result<Result<Vec<u8>, TokenFault>> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > limits::TOKEN_BYTES {
            return Ok(Err(TokenFault::TooLarge));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Ok(body))
}

/// What an answer means.
fn judge(
    status: StatusCode,
    headers: &HeaderMap,
    body: Result<Vec<u8>, TokenFault>,
    said: Option<Said>,
) -> Attempt {
    let wait = retry::retry_after(headers, retry::now());
    match status {
        // Some say 201: they have made one.
        status if status.is_success() => Attempt::Final(
            body.and_then(|body| Grant::parse(&body, retry::now()))
                .map_err(Failure::BadToken),
        ),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            Attempt::Final(Err(Failure::Refused(status, said)))
        }
        StatusCode::TOO_MANY_REQUESTS => Attempt::Passing {
            failure: Failure::RateLimited(wait),
            wait,
        },
        status if status.is_redirection() => {
            Attempt::Final(Err(Failure::BadToken(TokenFault::Redirect)))
        }
        status if retry::is_transient(status) => Attempt::Passing {
            failure: Failure::Unreachable(TokenFault::Status(status.as_u16(), said).to_string()),
            wait,
        },
        status => Attempt::Final(Err(Failure::BadToken(TokenFault::Status(
            status.as_u16(),
            said,
        )))),
    }
}

/// What an error of the connection means. The URL stays out of it, and certificates do not get better.
fn broken(error: reqwest::Error) -> Attempt {
    let error = error.without_url();
    let detail = http::reason(&error);
    if http::is_tls(&error) {
        return Attempt::Final(Err(Failure::Untrusted(detail)));
    }
    Attempt::Passing {
        failure: Failure::Unreachable(detail),
        wait: None,
    }
}

/// What it means that the proxy on the way does not let the request through.
fn blocked(fault: &ProxyFault) -> Attempt {
    let failure = Failure::Unreachable(fault.to_string());
    if fault.is_transient() {
        return Attempt::Passing {
            failure,
            wait: None,
        };
    }
    Attempt::Final(Err(failure))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_does_not_answer_is_asked_once_and_one_in_trouble_four_times() {
        for (each, expected) in [(Duration::ZERO, TRIES), (limits::HEADER_TIMEOUT, 1)] {
            let is_last = |tries: &u32| !may_repeat(*tries, Duration::ZERO, each * *tries);
            assert_eq!((1..=TRIES).find(is_last), Some(expected), "{each:?}");
        }
        assert!(!may_repeat(1, LONGEST_WAIT * 2, Duration::ZERO));
    }
}
