// SPDX-License-Identifier: Apache-2.0

//! Docker Hub's API at `hub.docker.com`.
//!
//! A login is `POST /v2/auth/token` with `identifier` and `secret`
//! (<https://docs.docker.com/reference/api/hub/latest/>, operation `AuthCreateAccessToken`); a tag is deleted with
//! `DELETE /v2/repositories/NAMESPACE/NAME/tags/TAG/` (docker/hub-tool, `pkg/hub/tags.go`), answered with 204.

use std::time::Duration;

use bytes::Bytes;
use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::json;
use tokio::time::Instant;
use url::Url;

use crate::oci::{Repository, Tag, limits};
use crate::registry::auth::{Authorization, Credential, Scope};
use crate::registry::cause::Cause;
use crate::registry::class::Class;
use crate::registry::connection::Connection;
use crate::registry::request::Request;

const API: &str = "https://hub.docker.com";
/// How long a token is used. They are good for ten minutes and more.
const KEPT: Duration = Duration::from_secs(5 * 60);

#[derive(Deserialize)]
struct Given {
    access_token: Option<SecretString>,
}

/// The URL of a path of the API.
pub(in crate::registry) fn url(path: &str) -> Result<Url, Cause> {
    let url = Url::parse(&format!("{API}{path}"));
    url.map_err(|error| Cause::Settings(format!("{API} is no URL: {error}")))
}

/// The request that deletes a tag.
pub(in crate::registry) async fn delete_request(
    connection: &Connection,
    repository: &Repository,
    tag: &Tag,
) -> Result<Request, Cause> {
    let token = token(connection).await?;
    let token = token.ok_or_else(|| {
        Cause::needs(
            "Docker Hub deletes tags by its own API, which wants a user name and a password or access token with the \
             right to delete: give the registry such a credential",
        )
    })?;
    let url = url(&format!("/v2/repositories/{repository}/tags/{tag}/"))?;
    let request = Request::new(Class::ManifestDelete, Method::DELETE, url, Scope::nothing());
    Ok(request.directly(Some(token)))
}

/// A token of the API for the credential of the registry; nothing where that is not a user name and password.
pub(in crate::registry) async fn token(
    connection: &Connection,
) -> Result<Option<Authorization>, Cause> {
    let Credential::Basic { username, password } = connection.authenticator.credential() else {
        return Ok(None);
    };
    // Whoever waits for it finds it here.
    let mut kept = connection.known.hub_token.lock().await;
    let now = Instant::now();
    if let Some((token, until)) = &*kept
        && now < *until
    {
        return Ok(Some(token.clone()));
    }
    let body = json!({"identifier": username, "secret": password.expose_secret()});
    let request = Request::new(
        Class::Lookup,
        Method::POST,
        url("/v2/auth/token")?,
        Scope::nothing(),
    )
    .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
    .body(Bytes::from(body.to_string()))
    .limit(limits::TOKEN_BYTES)
    .directly(None);
    let reply = connection.ask(&request).await?;
    if reply.status != 200 {
        return Err(reply.into_cause());
    }
    let given: Option<Given> = serde_json::from_slice(&reply.body).ok();
    let token = given
        .and_then(|given| given.access_token)
        .and_then(|token| Authorization::bearer(&token));
    let token = token.ok_or_else(|| {
        let wrong = "hub.docker.com gave something that is no token".to_owned();
        reply.unusable(Cause::Protocol(wrong))
    })?;
    *kept = Some((token.clone(), now + KEPT));
    Ok(Some(token))
}

/// Forgets a token that was refused.
pub(in crate::registry) async fn forget_token(connection: &Connection) {
    *connection.known.hub_token.lock().await = None;
}
