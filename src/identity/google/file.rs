// SPDX-License-Identifier: Apache-2.0

//! The file that `GOOGLE_APPLICATION_CREDENTIALS` names.
//! <https://google.aip.dev/auth/4112>, <https://google.aip.dev/auth/4117>

use std::collections::BTreeMap;
use std::path::PathBuf;

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use url::Url;

use crate::identity::environment::read;
use crate::identity::error::Error;
use crate::identity::http::{Http, Request};

/// What is in the file.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum File {
    /// The key of a service account.
    ServiceAccount(Key),
    /// Whoever has a token of somebody else.
    ExternalAccount(Box<External>),
    /// A person, as `gcloud auth application-default login` writes it.
    AuthorizedUser(User),
}

/// The URL of a server.
#[derive(Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Address(pub(super) Url);

/// The key of a service account.
#[derive(Deserialize)]
pub(super) struct Key {
    pub(super) client_email: String,
    #[serde(rename = "private_key")]
    pub(super) pem: SecretString,
    #[serde(rename = "private_key_id")]
    pub(super) id: Option<String>,
    pub(super) token_uri: Option<Address>,
}

/// How a token of somebody else becomes one of Google.
#[derive(Deserialize)]
pub(super) struct External {
    pub(super) audience: String,
    pub(super) subject_token_type: String,
    pub(super) token_url: Address,
    pub(super) service_account_impersonation_url: Option<Address>,
    credential_source: Source,
}

/// A person.
#[derive(Deserialize)]
pub(super) struct User {
    pub(super) client_id: String,
    pub(super) client_secret: SecretString,
    pub(super) refresh_token: SecretString,
}

/// Where the token of somebody else is.
#[derive(Deserialize)]
struct Source {
    file: Option<PathBuf>,
    url: Option<Address>,
    #[serde(default)]
    headers: BTreeMap<String, SecretString>,
    format: Option<Format>,
}

#[derive(Deserialize)]
struct Format {
    r#type: String,
    subject_token_field_name: Option<String>,
}

// === impl Address ===

impl TryFrom<String> for Address {
    type Error = url::ParseError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse().map(Self)
    }
}

// === impl File ===

impl File {
    /// Reads the file.
    pub(super) fn parse(text: &SecretString, path: &str) -> Result<Self, Error> {
        serde_json::from_str(text.expose_secret()).map_err(|error| {
            // The message of the parser may quote what it read.
            let (line, column) = (error.line(), error.column());
            Error::Wrong(format!(
                "{path} has no credentials of a kind that is used, which are service_account, external_account \
                 and authorized_user: see line {line}, column {column}"
            ))
        })
    }
}

// === impl External ===

impl External {
    /// The token of somebody else, read anew.
    pub(super) async fn subject_token(&self, http: &Http) -> Result<SecretString, Error> {
        let Source {
            file,
            url,
            headers,
            format,
        } = &self.credential_source;
        let text = match (file, url) {
            (Some(file), _) => read("the token for Google", file).await?,
            (None, Some(Address(url))) => from_url(http, url, headers).await?,
            (None, None) => {
                return Err(Error::Wrong(
                    "credential_source of the external_account names neither a file nor a url: others are not used"
                        .to_owned(),
                ));
            }
        };
        match format {
            Some(format) if format.r#type == "json" => field(&text, format),
            Some(_) | None => Ok(text),
        }
    }
}

/// A CI system hands out its tokens so (GitHub Actions).
async fn from_url(
    http: &Http,
    url: &Url,
    headers: &BTreeMap<String, SecretString>,
) -> Result<SecretString, Error> {
    let mut request = Request::get(url.clone(), "a token for Google");
    for (name, value) in headers {
        // Others are of no use where this is used.
        let name = match name.to_ascii_lowercase().as_str() {
            "authorization" => "authorization",
            "metadata" => "metadata",
            _ => continue,
        };
        request = request.hide(value);
        request.headers.push((name, value.clone()));
    }
    let answer = http.send(request).await?;
    Ok(answer.granted()?.clone())
}

fn field(text: &SecretString, format: &Format) -> Result<SecretString, Error> {
    let name = format.subject_token_field_name.as_deref();
    let name = name.unwrap_or("access_token");
    let parsed: Result<BTreeMap<String, serde_json::Value>, _> =
        serde_json::from_str(text.expose_secret());
    let value = parsed.ok().and_then(|mut fields| fields.remove(name));
    match value {
        Some(serde_json::Value::String(token)) => Ok(token.into()),
        Some(_) | None => Err(Error::Wrong(format!(
            "the token for Google is to be in the field {name:?} of JSON, and is not"
        ))),
    }
}
