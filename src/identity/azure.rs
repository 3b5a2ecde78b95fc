// SPDX-License-Identifier: Apache-2.0

//! Azure: a token of Entra, from wherever the identity has it, is exchanged at the registry for a refresh token.
//! <https://learn.microsoft.com/en-us/entra/identity-platform/v2-oauth2-client-creds-grant-flow>
//! <https://github.com/Azure/acr/blob/main/docs/AAD-OAuth.md>

use std::path::Path;

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use url::Url;

use super::answer::Answer;
use super::environment::{Environment, read};
use super::error::Error;
use super::http::{Http, Request};
use super::jwt;
use super::life::{Lasting, until};
use super::oauth::{access_token, refusal};
use super::who::{Account, Who};
use crate::oci::Registry;
use crate::oci::clouds::AzureCloud;
use crate::registry::Credential;

/// The user name that goes with refresh tokens.
const USERNAME: &str = "00000000-0000-0000-0000-000000000000";
/// The audience of tokens that prove an identity to Entra.
const AUDIENCE: &str = "api://AzureADTokenExchange";
/// Annotations of a ServiceAccount that name its identity: those of AKS.
const CLIENT_ANNOTATION: &str = "azure.workload.identity/client-id";
const TENANT_ANNOTATION: &str = "azure.workload.identity/tenant-id";
/// Where machines ask who they are.
const METADATA: &str = "http://169.254.169.254";
/// What is asked for, as errors call it.
const ASKED: &str = "a token of Entra";

/// One registry and whoever asks for its refresh token.
#[derive(Debug)]
pub(super) struct Azure {
    http: Http,
    environment: Environment,
    registry: Registry,
    cloud: AzureCloud,
    who: Who,
}

/// What proves an identity to Entra.
enum Proof {
    Assertion(SecretString),
    Secret(SecretString),
}

#[derive(Deserialize)]
struct Exchanged {
    refresh_token: Option<SecretString>,
}

// === impl Azure ===

impl Azure {
    pub(super) fn new(
        http: Http,
        environment: Environment,
        registry: Registry,
        cloud: AzureCloud,
        who: Who,
    ) -> Self {
        Self {
            http,
            environment,
            registry,
            cloud,
            who,
        }
    }

    /// The refresh token, which registry takes in its token exchange.
    pub(super) async fn fetch(&self) -> Result<Lasting<Credential>, Error> {
        let (token, tenant) = match &self.who {
            Who::Account(account) => {
                let (token, tenant) = self.token_of_account(account).await?;
                (token, Some(tenant))
            }
            Who::Process => self.token_of_process().await?,
        };
        let host = self.registry.as_str();
        let fixed = format!("https://{host}");
        let server = self.environment.server(&[host], &fixed)?;
        let mut fields = vec![
            ("grant_type", "access_token"),
            ("service", host),
            ("access_token", token.expose_secret()),
        ];
        fields.extend(tenant.as_deref().map(|tenant| ("tenant", tenant)));
        let url = join(&server, "/oauth2/exchange")?;
        let request = Request::form(url, "a refresh token", &fields).hide(&token);
        credential(&self.http.send(request).await?)
    }

    async fn token_of_account(&self, account: &Account) -> Result<(SecretString, String), Error> {
        let client = account.annotation(CLIENT_ANNOTATION)?;
        let tenant = match self.environment.get("AZURE_TENANT_ID") {
            Some(tenant) if !account.annotations.contains_key(TENANT_ANNOTATION) => tenant,
            Some(_) | None => account.annotation(TENANT_ANNOTATION)?,
        };
        let proof = Proof::Assertion(account.tokens.token(AUDIENCE).await?);
        let token = self.entra(client, tenant, &proof).await?;
        Ok((token, tenant.to_owned()))
    }

    /// The order is that of the SDKs: a secret, a token in a file, the machine.
    async fn token_of_process(&self) -> Result<(SecretString, Option<String>), Error> {
        let variable = |name| self.environment.get(name);
        let required = |name: &'static str, with: &str| {
            variable(name).ok_or_else(|| Error::Wrong(format!("{with} is set and {name} is not")))
        };
        let (with, proof) = if let Some(secret) = self.environment.secret("AZURE_CLIENT_SECRET") {
            ("AZURE_CLIENT_SECRET", Proof::Secret(secret.clone()))
        } else if let Some(path) = variable("AZURE_FEDERATED_TOKEN_FILE") {
            let token = read("the token for Entra", Path::new(path)).await?;
            jwt::check(&token, &format!("the token in {path}"))?;
            ("AZURE_FEDERATED_TOKEN_FILE", Proof::Assertion(token))
        } else {
            return Ok((self.token_of_machine().await?, None));
        };
        let client = required("AZURE_CLIENT_ID", with)?;
        let tenant = required("AZURE_TENANT_ID", with)?;
        let token = self.entra(client, tenant, &proof).await?;
        Ok((token, Some(tenant.to_owned())))
    }

    async fn entra(
        &self,
        client: &str,
        tenant: &str,
        proof: &Proof,
    ) -> Result<SecretString, Error> {
        let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.';
        if !(1..=128).contains(&tenant.len()) || !tenant.bytes().all(is_word) {
            return Err(Error::Wrong(
                "the tenant is not the name or id of one".to_owned(),
            ));
        }
        let authority = self.cloud.authority();
        let server = self
            .environment
            .server(&["AZURE_AUTHORITY_HOST"], authority)?;
        let url = join(&server, &format!("/{tenant}/oauth2/v2.0/token"))?;
        let scope = format!("{}/.default", self.resource());
        let mut fields = vec![
            ("grant_type", "client_credentials"),
            ("client_id", client),
            ("scope", &scope),
        ];
        let secret = match proof {
            Proof::Secret(secret) => {
                fields.push(("client_secret", secret.expose_secret()));
                secret
            }
            Proof::Assertion(token) => {
                fields.push((
                    "client_assertion_type",
                    "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
                ));
                fields.push(("client_assertion", token.expose_secret()));
                token
            }
        };
        let request = Request::form(url, ASKED, &fields).hide(secret);
        Ok(access_token(&self.http.send(request).await?)?.value)
    }

    /// That of the identity that is assigned to the machine.
    async fn token_of_machine(&self) -> Result<SecretString, Error> {
        let names = ["AZURE_POD_IDENTITY_AUTHORITY_HOST"];
        let server = self.environment.server(&names, METADATA)?;
        let mut url = join(&server, "/metadata/identity/oauth2/token")?;
        url.query_pairs_mut()
            .append_pair("api-version", "2018-02-01")
            .append_pair("resource", self.resource());
        if let Some(client) = self.environment.get("AZURE_CLIENT_ID") {
            url.query_pairs_mut().append_pair("client_id", client);
        }
        let request = Request::get(url, ASKED).header("metadata", "true".to_owned());
        match self.http.send(request).await {
            Ok(answer) => Ok(access_token(&answer)?.value),
            Err(Error::Unreachable { .. }) => Err(Error::None {
                cloud: "Azure",
                looked: "AZURE_FEDERATED_TOKEN_FILE and AZURE_CLIENT_SECRET are not set, and there is no metadata server \
                         of Azure"
                    .to_owned(),
            }),
            Err(error) => Err(error),
        }
    }

    /// What tokens are for.
    fn resource(&self) -> &'static str {
        match self.cloud {
            AzureCloud::Public => "https://containerregistry.azure.net",
            AzureCloud::China => "https://containerregistry.azure.cn",
            AzureCloud::UsGovernment => "https://containerregistry.azure.us",
        }
    }
}

fn join(server: &Url, path: &str) -> Result<Url, Error> {
    let url = server.join(path);
    url.map_err(|_| Error::Wrong("the address of Azure's server is not a URL".to_owned()))
}

fn credential(answer: &Answer) -> Result<Lasting<Credential>, Error> {
    if !answer.status.is_success() {
        return Err(refusal(answer));
    }
    let Exchanged { refresh_token } = answer.json()?;
    let token = refresh_token.ok_or_else(|| answer.wrong("it has no refresh_token"))?;
    let end =
        jwt::end(&token).map_err(|fault| answer.wrong(format!("its refresh_token {fault}")))?;
    let end = end.ok_or_else(|| answer.wrong("its refresh_token does not say when it ends"))?;
    let life = until(end).ok_or_else(|| {
        answer.wrong(format!(
            "it ended at {end:.0}: is the clock of this machine right?"
        ))
    })?;
    Ok(Lasting {
        value: Credential::from_password(USERNAME.to_owned(), token),
        life,
    })
}
