// SPDX-License-Identifier: Apache-2.0

//! Whoever signs: where their keys are, renewed in time.
//!
//! The order is that of the SDKs: the environment, a token for a role (IRSA), the agent of EKS Pod Identity or ECS, the
//! instance. Profiles in files are not read: `aws configure export-credentials --format env` gives the environment.

use std::path::Path;
use std::sync::Arc;

use secrecy::SecretString;
use url::Url;

use super::keys::Keys;
use super::metadata;
use super::sts::{self, Role};
use crate::identity::environment::{Environment, read};
use crate::identity::error::Error;
use crate::identity::http::Http;
use crate::identity::jwt;
use crate::identity::life::{Lasting, longest};
use crate::identity::renewed::Renewed;
use crate::identity::who::{Account, Who};
use crate::oci::clouds::Partition;

/// The audience of tokens for roles.
const AUDIENCE: &str = "sts.amazonaws.com";
/// The annotation of a ServiceAccount that names its role: that of EKS.
const ROLE_ANNOTATION: &str = "eks.amazonaws.com/role-arn";

/// Whoever signs requests to a service of a region.
#[derive(Debug)]
pub(super) struct Principal {
    http: Http,
    environment: Environment,
    who: Who,
    region: String,
    partition: Partition,
    keys: Renewed<Keys>,
}

// === impl Principal ===

impl Principal {
    /// Somebody who asks a service of this region.
    pub(super) fn new(
        http: Http,
        environment: Environment,
        who: Who,
        (region, partition): (&str, Partition),
    ) -> Self {
        Self {
            http,
            environment,
            who,
            region: region.to_owned(),
            partition,
            keys: Renewed::default(),
        }
    }

    /// The keys to sign with.
    pub(super) async fn keys(&self) -> Result<Keys, Error> {
        self.keys.get(async || self.find_keys().await).await
    }

    /// Keys that were refused are not used again.
    pub(super) fn noticed(&self, error: Error) -> Error {
        if matches!(
            error,
            Error::Refused {
                is_known: false,
                ..
            }
        ) {
            self.keys.refused();
        }
        error
    }

    /// Says that the keys that were given out last were refused.
    pub(super) fn refused(&self) {
        self.keys.refused();
    }

    /// The region whose STS is asked: that of the process where it is of the same partition, else the registry's.
    fn sts_region(&self) -> &str {
        let names = ["AWS_REGION", "AWS_DEFAULT_REGION"];
        let own = names.iter().find_map(|name| self.environment.get(name));
        let own = own.filter(|region| Partition::of(region) == Some(self.partition));
        own.unwrap_or(&self.region)
    }

    fn sts(&self) -> Result<Url, Error> {
        let (region, suffix) = (self.sts_region(), self.partition.suffix());
        let fixed = format!("https://sts.{region}.{suffix}");
        let names = ["AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL"];
        self.environment.server(&names, &fixed)
    }

    async fn find_keys(&self) -> Result<Lasting<Keys>, Error> {
        let keys = match &self.who {
            Who::Account(account) => return self.keys_of_account(account).await,
            Who::Process => self.keys_of_process().await?,
        };
        let Some(arn) = self.environment.get("TRANSSHIP_AWS_ASSUME_ROLE") else {
            return Ok(keys);
        };
        let session = self.environment.get("AWS_ROLE_SESSION_NAME");
        let role = Role::parse(arn, session, self.partition)?;
        sts::assume(
            &self.http,
            self.sts()?,
            &role,
            &keys.value,
            self.sts_region(),
        )
        .await
    }

    async fn keys_of_account(&self, account: &Arc<Account>) -> Result<Lasting<Keys>, Error> {
        let arn = account.annotation(ROLE_ANNOTATION)?;
        let session = format!("{}.{}", account.namespace, account.name);
        let role = Role::parse(arn, Some(&session), self.partition)?;
        let token = account.tokens.token(AUDIENCE).await?;
        self.take_role(&role, &token).await
    }

    async fn take_role(&self, role: &Role, token: &SecretString) -> Result<Lasting<Keys>, Error> {
        sts::assume_with_token(&self.http, self.sts()?, role, token).await
    }

    async fn keys_of_process(&self) -> Result<Lasting<Keys>, Error> {
        let variable = |name| self.environment.get(name);
        if let Some(keys) = self.written_keys()? {
            return Ok(keys);
        }
        if let Some(path) = variable("AWS_WEB_IDENTITY_TOKEN_FILE") {
            let arn = variable("AWS_ROLE_ARN").ok_or_else(|| {
                Error::Wrong(
                    "AWS_WEB_IDENTITY_TOKEN_FILE is set and AWS_ROLE_ARN is not".to_owned(),
                )
            })?;
            let session = variable("AWS_ROLE_SESSION_NAME");
            let role = Role::parse(arn, session, self.partition)?;
            let token = read("the token for the role", Path::new(path)).await?;
            jwt::check(&token, &format!("the token in {path}"))?;
            return self.take_role(&role, &token).await;
        }
        if metadata::has_agent(&self.environment) {
            return metadata::from_agent(&self.http, &self.environment).await;
        }
        let is_disabled = variable("AWS_EC2_METADATA_DISABLED")
            .is_some_and(|value| value.eq_ignore_ascii_case("true"));
        if is_disabled {
            return Err(none(
                "AWS_EC2_METADATA_DISABLED keeps from asking the instance",
            ));
        }
        let found = metadata::from_instance(&self.http, &self.environment).await;
        found.map_err(|error| {
            if let Error::None { looked, .. } = &error {
                none(looked)
            } else if matches!(error, Error::Unreachable { .. }) {
                none("there is no metadata of an EC2 instance")
            } else {
                error
            }
        })
    }

    /// Those in the environment. They do not end by themselves.
    fn written_keys(&self) -> Result<Option<Lasting<Keys>>, Error> {
        let names = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"];
        let [id, secret] = names.map(|name| self.environment.secret(name));
        let (Some(_), Some(secret)) = (id, secret) else {
            if id.is_none() && secret.is_none() {
                return Ok(None);
            }
            return Err(Error::Wrong(
                "of AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY one is set and the other is not"
                    .to_owned(),
            ));
        };
        let value = Keys {
            id: self
                .environment
                .get(names[0])
                .unwrap_or_default()
                .to_owned(),
            secret: secret.clone(),
            token: self.environment.secret("AWS_SESSION_TOKEN").cloned(),
        };
        let life = longest();
        Ok(Some(Lasting { value, life }))
    }
}

fn none(instance: &str) -> Error {
    Error::None {
        cloud: "AWS",
        looked: format!(
            "AWS_ACCESS_KEY_ID, AWS_WEB_IDENTITY_TOKEN_FILE and AWS_CONTAINER_CREDENTIALS_FULL_URI are not set, and {instance}"
        ),
    }
}
