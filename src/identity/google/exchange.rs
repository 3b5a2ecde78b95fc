// SPDX-License-Identifier: Apache-2.0

//! A token of somebody else for one of Google (RFC 8693), and that one for a token of a service account.
//! <https://docs.cloud.google.com/iam/docs/reference/sts/rest/v1/TopLevel/token>

use jiff::Timestamp;
use reqwest::Method;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::json;
use url::Url;

use super::token::{ASKED, SCOPE};
use crate::identity::error::Error;
use crate::identity::http::{Http, Request};
use crate::identity::jwt;
use crate::identity::life::{Lasting, until};
use crate::identity::oauth::{access_token, refusal};

/// How tokens are exchanged.
pub(super) struct Exchange<'a> {
    pub(super) server: Url,
    pub(super) audience: &'a str,
    pub(super) subject_type: &'a str,
    /// Where the token of a service account is had.
    pub(super) impersonation: Option<Url>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Generated {
    access_token: Option<SecretString>,
    expire_time: Option<String>,
}

// === impl Exchange ===

impl Exchange<'_> {
    /// A token of Google for somebody else's.
    pub(super) async fn token(
        &self,
        http: &Http,
        subject: &SecretString,
    ) -> Result<Lasting<SecretString>, Error> {
        if self.subject_type.ends_with(":jwt") || self.subject_type.ends_with(":id_token") {
            jwt::check(subject, "the token for Google")?;
        }
        let fields = [
            (
                "grant_type",
                "urn:ietf:params:oauth:grant-type:token-exchange",
            ),
            ("audience", self.audience),
            ("scope", SCOPE),
            (
                "requested_token_type",
                "urn:ietf:params:oauth:token-type:access_token",
            ),
            ("subject_token", subject.expose_secret()),
            ("subject_token_type", self.subject_type),
        ];
        let request = Request::form(self.server.clone(), ASKED, &fields).hide(subject);
        let token = access_token(&http.send(request).await?)?;
        match &self.impersonation {
            None => Ok(token),
            Some(server) => impersonate(http, server.clone(), &token.value).await,
        }
    }
}

async fn impersonate(
    http: &Http,
    server: Url,
    token: &SecretString,
) -> Result<Lasting<SecretString>, Error> {
    let body = json!({"scope": [SCOPE], "lifetime": "3600s"}).to_string();
    let request = Request {
        method: Method::POST,
        body: body.into(),
        ..Request::get(server, "a token of the service account")
    }
    .header("content-type", "application/json".to_owned())
    .header("authorization", format!("Bearer {}", token.expose_secret()))
    .hide(token);
    let answer = http.send(request).await?;
    if !answer.status.is_success() {
        return Err(refusal(&answer));
    }
    let Generated {
        access_token,
        expire_time,
    } = answer.json()?;
    let value = access_token.ok_or_else(|| answer.wrong("it has no accessToken"))?;
    let end = expire_time.ok_or_else(|| answer.wrong("it has no expireTime"))?;
    let end: Timestamp = end
        .parse()
        .map_err(|_| answer.wrong("its expireTime is no time"))?;
    let life = until(end).ok_or_else(|| {
        answer.wrong(format!(
            "it ended at {end:.0}: is the clock of this machine right?"
        ))
    })?;
    Ok(Lasting { value, life })
}
