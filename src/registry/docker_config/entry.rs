// SPDX-License-Identifier: Apache-2.0

//! The credential in an entry of a Docker config.

use std::fmt;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use secrecy::{ExposeSecret, SecretString};
use serde::de::MapAccess;
use serde::{Deserialize, Deserializer};

use super::fields::{Fields, Value, read_fields};
use crate::registry::auth::{Credential, is_token};

/// Base64 as people and Go's decoder take it: with or without the padding, whatever the last bits are.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// An entry as it is written.
#[derive(Default)]
pub(super) struct Entry {
    auth: SecretString,
    username: String,
    password: SecretString,
    identitytoken: SecretString,
    registrytoken: SecretString,
    /// What cannot be read: it counts where the entry is used.
    fault: Option<CredentialFault>,
}

/// What is wrong with a credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CredentialFault {
    /// It is no object, or a field is no text.
    #[error("is not as it should be: {0} is of another type")]
    OtherType(&'static str),
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
            fault,
        } = self;
        let secrets = [auth, password, identitytoken, registrytoken];
        secrets
            .into_iter()
            .all(|secret| non_empty(secret).is_none())
            && username.is_empty()
            && fault.is_none()
    }

    /// A token comes before a password, and `auth` before the fields that say the same.
    pub(super) fn credential(&self) -> Result<Credential, CredentialFault> {
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        if let Some(token) = non_empty(&self.registrytoken) {
            return is_token(token.expose_secret())
                .then(|| Credential::RegistryToken(token.clone()))
                .ok_or(CredentialFault::NotAToken);
        }
        let (username, password) = match non_empty(&self.auth) {
            Some(auth) => decode(auth)?,
            None => (self.username.clone(), self.password.clone()),
        };
        if let Some(token) = non_empty(&self.identitytoken) {
            return Ok(Credential::IdentityToken {
                username,
                token: token.clone(),
            });
        }
        Ok(Credential::from_password(username, password))
    }
}

impl Fields for Entry {
    fn take<'de, A: MapAccess<'de>>(
        &mut self,
        name: &str,
        value: Value<'_, A>,
    ) -> Result<(), A::Error> {
        let (field, is_text) = match name {
            "auth" => ("field `auth`", value.set_text(&mut self.auth)),
            "username" => ("field `username`", value.set_text(&mut self.username)),
            "password" => ("field `password`", value.set_text(&mut self.password)),
            "identitytoken" => (
                "field `identitytoken`",
                value.set_text(&mut self.identitytoken),
            ),
            "registrytoken" => (
                "field `registrytoken`",
                value.set_text(&mut self.registrytoken),
            ),
            _ => return value.skip(),
        };
        if !is_text? {
            self.fault.get_or_insert(CredentialFault::OtherType(field));
        }
        Ok(())
    }

    fn of_another_type() -> Result<Self, &'static str> {
        Ok(Self {
            fault: Some(CredentialFault::OtherType("the entry")),
            ..Self::default()
        })
    }
}

impl<'de> Deserialize<'de> for Entry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        read_fields(deserializer)
    }
}

fn non_empty(secret: &SecretString) -> Option<&SecretString> {
    (!secret.expose_secret().is_empty()).then_some(secret)
}

/// User name and password. The latter may contain colons, and old files end in zero bytes. Tools that encode
/// break lines, which decoders leave out.
fn decode(auth: &SecretString) -> Result<(String, SecretString), CredentialFault> {
    let auth: String = auth.expose_secret().split_ascii_whitespace().collect();
    let auth = SecretString::from(auth);
    let bytes = BASE64
        .decode(auth.expose_secret())
        .map_err(|_| CredentialFault::NotBase64)?;
    let pair = String::from_utf8(bytes)
        .map(SecretString::from)
        .map_err(|_| CredentialFault::NotBase64)?;
    let (username, password) = pair
        .expose_secret()
        .split_once(':')
        .ok_or(CredentialFault::NoColon)?;
    Ok((username.to_owned(), password.trim_matches('\0').into()))
}

impl fmt::Debug for Entry {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Entry")
    }
}
