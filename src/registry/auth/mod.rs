//! Credentials and tokens.
#![expect(
    missing_docs,
    clippy::unused_async,
    reason = "holds the place of the real module"
)]

use reqwest::header::{HeaderMap, HeaderValue};
use secrecy::SecretString;
use url::Url;

use crate::oci::{Registry, Repository};

#[derive(Clone, Debug, Default)]
pub enum Credential {
    #[default]
    Anonymous,
    Basic {
        username: String,
        password: SecretString,
    },
    IdentityToken {
        username: String,
        token: SecretString,
    },
    RegistryToken(SecretString),
}

#[derive(Clone, Debug)]
pub struct Scope;

impl Scope {
    pub fn pull(_: &Repository) -> Self {
        Self
    }
    pub fn pull_push(_: &Repository) -> Self {
        Self
    }
    pub fn mount(_: &Repository, _: &Repository) -> Self {
        Self
    }
    pub fn catalog() -> Self {
        Self
    }
}

#[derive(Debug, thiserror::Error)]
#[error("no credential")]
pub struct Error;

#[derive(Debug)]
pub struct Authenticator;

#[derive(Clone, Debug)]
pub struct Authorization;

impl Authorization {
    pub fn header_value(&self) -> HeaderValue {
        HeaderValue::from_static("")
    }
}

impl Authenticator {
    pub fn new(_: Registry, _: Url, _: Credential, _: Vec<String>, _: reqwest::Client) -> Self {
        Self
    }
    pub async fn authorization(&self, _: &Scope) -> Result<Option<Authorization>, Error> {
        Ok(None)
    }
    pub async fn challenged(
        &self,
        _: &HeaderMap,
        _: &Scope,
        _: Option<&Authorization>,
    ) -> Result<Authorization, Error> {
        Err(Error)
    }
}

impl Error {
    pub(super) fn kind(&self) -> super::Kind {
        super::Kind::AuthenticationFailed
    }
    pub(super) fn is_transient(&self) -> bool {
        false
    }
}
