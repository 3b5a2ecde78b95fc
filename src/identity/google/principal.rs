// SPDX-License-Identifier: Apache-2.0

//! Whoever asks for tokens, and where they are given out to them.

use std::path::Path;

use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::exchange::Exchange;
use super::file::{Address, External, File, Key, User};
use super::token::ASKED;
use super::{assertion, metadata};
use crate::identity::environment::{Environment, read};
use crate::identity::error::Error;
use crate::identity::http::{Http, Request};
use crate::identity::life::Lasting;
use crate::identity::oauth::access_token;
use crate::identity::who::{Account, Who};
use crate::registry::Credential;
use crate::runtime::clock;

/// The user name that goes with tokens.
const USERNAME: &str = "oauth2accesstoken";
/// Where service accounts with keys, and persons, get their tokens.
const TOKEN: &str = "https://oauth2.googleapis.com/token";

/// Whoever asks for tokens.
#[derive(Debug)]
pub(in crate::identity) struct Google {
    http: Http,
    environment: Environment,
    who: Who,
}

// === impl Google ===

impl Google {
    pub(in crate::identity) fn new(http: Http, environment: Environment, who: Who) -> Self {
        Self {
            http,
            environment,
            who,
        }
    }

    /// User name and password.
    pub(in crate::identity) async fn fetch(&self) -> Result<Lasting<Credential>, Error> {
        let Lasting { value, life } = self.token().await?;
        Ok(Lasting {
            value: Credential::Basic {
                username: USERNAME.to_owned(),
                password: value,
            },
            life,
        })
    }

    /// An access token.
    pub(super) async fn token(&self) -> Result<Lasting<SecretString>, Error> {
        match &self.who {
            Who::Account(account) => self.token_of_account(account).await,
            Who::Process => self.token_of_process().await,
        }
    }

    async fn token_of_process(&self) -> Result<Lasting<SecretString>, Error> {
        let Self {
            http, environment, ..
        } = self;
        let Some(path) = environment.get("GOOGLE_APPLICATION_CREDENTIALS") else {
            return metadata::token(http, environment).await;
        };
        let text = read("the credentials of Google", Path::new(path)).await?;
        match File::parse(&text, path)? {
            File::ServiceAccount(key) => self.token_for_key(&key).await,
            File::ExternalAccount(external) => self.token_of_external(&external).await,
            File::AuthorizedUser(user) => self.token_of_user(&user).await,
        }
    }

    async fn token_for_key(&self, key: &Key) -> Result<Lasting<SecretString>, Error> {
        let server = match &key.token_uri {
            Some(Address(server)) => server.clone(),
            None => self.environment.server(&[], TOKEN)?,
        };
        let assertion = assertion::assertion(key, server.as_str(), clock::now())?;
        let fields = [
            ("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"),
            ("assertion", assertion.expose_secret()),
        ];
        let request = Request::form(server, ASKED, &fields).hide(&assertion);
        access_token(&self.http.send(request).await?)
    }

    async fn token_of_user(&self, user: &User) -> Result<Lasting<SecretString>, Error> {
        let server = self.environment.server(&["oauth2.googleapis.com"], TOKEN)?;
        let fields = [
            ("grant_type", "refresh_token"),
            ("client_id", &user.client_id),
            ("client_secret", user.client_secret.expose_secret()),
            ("refresh_token", user.refresh_token.expose_secret()),
        ];
        let request = Request::form(server, ASKED, &fields)
            .hide(&user.client_secret)
            .hide(&user.refresh_token);
        access_token(&self.http.send(request).await?)
    }

    async fn token_of_external(&self, external: &External) -> Result<Lasting<SecretString>, Error> {
        let subject = external.subject_token(&self.http).await?;
        let exchange = Exchange {
            server: external.token_url.0.clone(),
            audience: &external.audience,
            subject_type: &external.subject_token_type,
            impersonation: external
                .service_account_impersonation_url
                .as_ref()
                .map(|Address(url)| url.clone()),
        };
        exchange.token(&self.http, &subject).await
    }

    async fn token_of_account(&self, account: &Account) -> Result<Lasting<SecretString>, Error> {
        let Self {
            http, environment, ..
        } = self;
        let annotation = |key| account.annotations.get(key).map(|value| value.trim());
        let (audience, token_audience) = match annotation(PROVIDER_ANNOTATION) {
            Some(provider) => {
                let audience = provider_audience(provider)?;
                (audience.clone(), audience)
            }
            None => metadata::cluster(http, environment).await?,
        };
        let impersonation = annotation(ACCOUNT_ANNOTATION)
            .map(|email| self.impersonation(email))
            .transpose()?;
        let subject = account.tokens.token(&token_audience).await?;
        let exchange = Exchange {
            server: environment.server(&["sts.googleapis.com"], EXCHANGE)?,
            audience: &audience,
            subject_type: "urn:ietf:params:oauth:token-type:jwt",
            impersonation,
        };
        exchange.token(http, &subject).await
    }

    /// Where tokens of a service account of Google are given out to those who may be it.
    fn impersonation(&self, email: &str) -> Result<Url, Error> {
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.@:".contains(&byte);
        if !email.contains('@') || email.len() > 254 || !email.bytes().all(is_allowed) {
            return Err(Error::Wrong(format!(
                "the annotation {ACCOUNT_ANNOTATION} is not the e-mail address of a service account"
            )));
        }
        let base = self
            .environment
            .server(&["iamcredentials.googleapis.com"], IMPERSONATION)?;
        let path = format!("/v1/projects/-/serviceAccounts/{email}:generateAccessToken");
        base.join(&path)
            .map_err(|_| Error::Wrong(format!("the annotation {ACCOUNT_ANNOTATION} is wrong")))
    }
}

/// Where tokens of others become tokens of Google.
const EXCHANGE: &str = "https://sts.googleapis.com/v1/token";
/// Where those become tokens of a service account.
const IMPERSONATION: &str = "https://iamcredentials.googleapis.com";
/// The annotation of a ServiceAccount that names the service account of Google: that of GKE.
const ACCOUNT_ANNOTATION: &str = "iam.gke.io/gcp-service-account";
/// And the one that names a provider of a workload identity pool, for clusters that are not of GKE: that of Flux.
const PROVIDER_ANNOTATION: &str = "gcp.auth.fluxcd.io/workload-identity-provider";

fn provider_audience(provider: &str) -> Result<String, Error> {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./".contains(&byte);
    let is_provider = provider.starts_with("projects/")
        && provider.contains("/workloadIdentityPools/")
        && provider.contains("/providers/")
        && provider.len() <= 512
        && provider.bytes().all(is_allowed);
    if is_provider {
        return Ok(format!("//iam.googleapis.com/{provider}"));
    }
    Err(Error::Wrong(format!(
        "the annotation {PROVIDER_ANNOTATION} is not the name of a provider, such as \
         projects/123/locations/global/workloadIdentityPools/POOL/providers/PROVIDER"
    )))
}
