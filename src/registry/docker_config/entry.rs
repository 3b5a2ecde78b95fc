//! The credential in an entry of a Docker config.

use std::fmt;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use crate::registry::auth::{Credential, is_token};

/// Base64 as people write it, with or without the padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// An entry as it is written.
#[derive(Deserialize)]
pub(super) struct Entry {
    auth: Option<SecretString>,
    username: Option<String>,
    password: Option<SecretString>,
    identitytoken: Option<SecretString>,
    registrytoken: Option<SecretString>,
}

/// What is wrong with a credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CredentialFault {
    /// The field `auth` cannot be decoded.
    #[error("is not base64 of a text (field `auth`)")]
    NotBase64,
    /// The field `auth` has no colon.
    #[error("has no colon between user name and password (field `auth`)")]
    NoColon,
    /// The field `registrytoken` has characters that no token may have.
    #[error("is no token (field `registrytoken`)")]
    NotAToken,
}

// === impl Entry ===

impl Entry {
    /// Whether there is no credential.
    pub(super) fn is_empty(&self) -> bool {
        let Self {
            auth,
            username,
            password,
            identitytoken,
            registrytoken,
        } = self;
        let secrets = [auth, password, identitytoken, registrytoken];
        secrets
            .into_iter()
            .all(|secret| non_empty(secret.as_ref()).is_none())
            && username.as_ref().is_none_or(String::is_empty)
    }

    /// A token comes before a password, and `auth` before the fields that say the same.
    pub(super) fn credential(&self) -> Result<Credential, CredentialFault> {
        if let Some(token) = non_empty(self.registrytoken.as_ref()) {
            return is_token(token.expose_secret())
                .then(|| Credential::RegistryToken(token.clone()))
                .ok_or(CredentialFault::NotAToken);
        }
        let (username, password) = match non_empty(self.auth.as_ref()) {
            Some(auth) => decode(auth)?,
            None => (
                self.username.clone().unwrap_or_default(),
                self.password.clone().unwrap_or_default(),
            ),
        };
        if let Some(token) = non_empty(self.identitytoken.as_ref()) {
            return Ok(Credential::IdentityToken {
                username,
                token: token.clone(),
            });
        }
        Ok(Credential::from_password(username, password))
    }
}

fn non_empty(secret: Option<&SecretString>) -> Option<&SecretString> {
    secret.filter(|secret| !secret.expose_secret().is_empty())
}

/// User name and password. The latter may contain colons, and old files end in zero bytes.
fn decode(auth: &SecretString) -> Result<(String, SecretString), CredentialFault> {
    let bytes = BASE64
        .decode(auth.expose_secret().trim())
        .map_err(|_| CredentialFault::NotBase64)?;
    let pair = String::from_utf8(bytes)
        .map(SecretString::from)
        .map_err(|_| CredentialFault::NotBase64)?;
    let (username, password) = pair
        .expose_secret()
        .split_once(':')
        .ok_or(CredentialFault::NoColon)?;
    Ok((username.to_owned(), password.trim_end_matches('\0').into()))
}

impl fmt::Debug for Entry {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Entry")
    }
}
