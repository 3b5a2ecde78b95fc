// SPDX-License-Identifier: Apache-2.0

//! The passwords of ECR, for the registries of accounts and for the public one.
//! <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_GetAuthorizationToken.html>

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use tracing::warn;
use url::Url;

use super::call::Call;
use super::fault::refusal;
use super::keys::Keys;
use super::sigv4::Scope;
use crate::identity::answer::Answer;
use crate::identity::environment::Environment;
use crate::identity::error::Error;
use crate::identity::http::{Http, Request};
use crate::identity::life::{Lasting, longest, shortest, until};
use crate::oci::clouds::EcrHost;
use crate::registry::Credential;

/// Where the public registry's API is, and the region of it.
const PUBLIC: &str = "https://api.ecr-public.us-east-1.amazonaws.com";
pub(super) const PUBLIC_REGION: &str = "us-east-1";

/// A registry of ECR.
#[derive(Clone, Debug)]
pub(super) enum Ecr {
    /// Of an account.
    Private(EcrHost),
    /// The public one.
    Public,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Given {
    authorization_data: Data,
}

/// A list for accounts, and one for the public registry.
#[derive(Deserialize)]
#[serde(untagged)]
enum Data {
    Many(Vec<Authorization>),
    One(Authorization),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Authorization {
    authorization_token: Option<SecretString>,
    /// Seconds since 1970.
    expires_at: Option<f64>,
}

// === impl Ecr ===

impl Ecr {
    /// The region in which the requests for it are signed.
    pub(super) fn region(&self) -> &str {
        match self {
            Self::Private(host) => &host.region,
            Self::Public => PUBLIC_REGION,
        }
    }

    fn server(&self, environment: &Environment) -> Result<Url, Error> {
        match self {
            Self::Private(host) => {
                let fixed = format!("https://{}", host.api_host());
                environment.server(&["AWS_ENDPOINT_URL_ECR", "AWS_ENDPOINT_URL"], &fixed)
            }
            Self::Public => {
                environment.server(&["AWS_ENDPOINT_URL_ECR_PUBLIC", "AWS_ENDPOINT_URL"], PUBLIC)
            }
        }
    }

    /// The service as signatures name it, and how the names of its operations begin.
    fn service(&self) -> (&'static str, &'static str) {
        match self {
            Self::Private(_) => ("ecr", "AmazonEC2ContainerRegistry_V20150921"),
            Self::Public => ("ecr-public", "SpencerFrontendService"),
        }
    }

    /// A signed call.
    pub(super) fn call(
        &self,
        environment: &Environment,
        keys: &Keys,
        (operation, asked): (&str, &'static str),
        body: String,
    ) -> Result<Request, Error> {
        let (service, prefix) = self.service();
        let call = Call {
            url: self.server(environment)?,
            scope: Scope {
                region: self.region(),
                service,
            },
            target: format!("{prefix}.{operation}"),
            content_type: "application/x-amz-json-1.1",
            asked,
        };
        Ok(call.sign(keys, body))
    }

    /// User name and password.
    pub(super) async fn password(
        &self,
        http: &Http,
        environment: &Environment,
        keys: &Keys,
    ) -> Result<Lasting<Credential>, Error> {
        let what = ("GetAuthorizationToken", "a password for ECR");
        let request = self.call(environment, keys, what, "{}".to_owned())?;
        credential(&http.send(request).await?)
    }
}

fn credential(answer: &Answer) -> Result<Lasting<Credential>, Error> {
    if !answer.status.is_success() {
        return Err(refusal(answer));
    }
    let Given { authorization_data } = answer.json()?;
    let data = match authorization_data {
        Data::One(data) => Some(data),
        Data::Many(list) => list.into_iter().next(),
    };
    let data = data.ok_or_else(|| answer.wrong("its authorizationData is empty"))?;
    let token = data.authorization_token;
    let token = token.ok_or_else(|| answer.wrong("it has no authorizationToken"))?;
    let (username, password) = login(&token)
        .ok_or_else(|| answer.wrong("its authorizationToken is not a user name and password"))?;
    Ok(Lasting {
        value: Credential::Basic { username, password },
        life: life(answer, data.expires_at)?,
    })
}

/// What ECR says about the end is used as far as it can be true: moto's is in 2015.
fn life(answer: &Answer, end: Option<f64>) -> Result<std::time::Duration, Error> {
    let Some(end) = end else {
        return Ok(longest());
    };
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a number of seconds, and what is out of range is refused as such"
    )]
    let time = Timestamp::from_second(end as i64);
    let time = time.map_err(|_| answer.wrong("its expiresAt is no time"))?;
    Ok(until(time).unwrap_or_else(|| {
        warn!("ECR says that the password it just gave ended at {time:.0}: is the clock of this machine right?");
        shortest()
    }))
}

/// Base64 of `AWS:PASSWORD`.
fn login(token: &SecretString) -> Option<(String, SecretString)> {
    let decoded = STANDARD.decode(token.expose_secret()).ok()?;
    let pair = SecretString::from(String::from_utf8(decoded).ok()?);
    let (username, password) = pair.expose_secret().split_once(':')?;
    let is_whole = !username.is_empty() && !password.is_empty();
    is_whole.then(|| (username.to_owned(), password.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_what_the_credential_helper_makes_of_them() {
        let token = |text: &str| login(&STANDARD.encode(text).into());
        let (username, password) = token("AWS:a:b").unwrap();
        assert_eq!(
            (username.as_str(), password.expose_secret()),
            ("AWS", "a:b")
        );
        for wrong in ["AWS", "AWS:", ":pw", ""] {
            assert!(token(wrong).is_none(), "{wrong}");
        }
        assert!(login(&"!".into()).is_none());
    }
}
