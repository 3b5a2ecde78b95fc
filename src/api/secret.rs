// SPDX-License-Identifier: Apache-2.0

//! `Secret`, as far as Transship reads it: credentials, certificates and proxies. Values are wiped from
//! memory when dropped and never printed.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret as _, SecretSlice, SecretString};
use serde::{Deserialize, Deserializer, de};

use super::metadata::Metadata;

/// Key of the Docker config in a Secret of type `kubernetes.io/dockerconfigjson`.
pub const DOCKER_CONFIG_KEY: &str = ".dockerconfigjson";
/// Type of a Secret that holds a Docker config.
pub const DOCKER_CONFIG_TYPE: &str = "kubernetes.io/dockerconfigjson";
/// Key of the certificates that a registry is verified with (PEM).
pub const CA_KEY: &str = "ca.crt";
/// Key of the client certificate for mutual TLS (PEM).
pub const CERTIFICATE_KEY: &str = "tls.crt";
/// Key of the client's private key for mutual TLS (PEM).
pub const PRIVATE_KEY_KEY: &str = "tls.key";
/// Key of a proxy's URL.
pub const PROXY_ADDRESS_KEY: &str = "address";
/// Key of the certificate authorities and logs that identities are verified with.
pub const TRUSTED_ROOT_KEY: &str = "trusted_root.json";
/// Key of the user name for a registry or proxy.
pub const USERNAME_KEY: &str = "username";
/// Key of the password for a registry or proxy.
pub const PASSWORD_KEY: &str = "password";

/// Type of a Secret that says none.
const OPAQUE_TYPE: &str = "Opaque";

/// A Secret.
#[derive(Debug)]
pub struct Secret {
    /// Name and namespace.
    pub metadata: Metadata,
    /// The type, such as `kubernetes.io/dockerconfigjson`; `Opaque` where none is written.
    pub r#type: String,
    data: BTreeMap<String, SecretSlice<u8>>,
}

/// Why a value of a Secret cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// The key is missing.
    #[error("secret {name:?} has no key {key:?}")]
    MissingKey {
        /// Name of the Secret.
        name: String,
        /// The key.
        key: String,
    },
    /// The type is not the one that is needed.
    #[error(
        "secret {name:?} is of type {found:?}, expected {expected:?}: make it with kubectl create secret docker-registry"
    )]
    WrongType {
        /// Name of the Secret.
        name: String,
        /// Its type.
        found: String,
        /// The type that is needed.
        expected: &'static str,
    },
    /// The value is binary.
    #[error("secret {name:?} holds binary data in {key:?}, expected text")]
    NotText {
        /// Name of the Secret.
        name: String,
        /// The key.
        key: String,
    },
}

/// The fields of a Secret besides `metadata`, as they are written.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct WrittenSecret {
    #[serde(rename = "apiVersion")]
    _api_version: de::IgnoredAny,
    #[serde(rename = "kind")]
    _kind: de::IgnoredAny,
    metadata: Metadata,
    r#type: Option<String>,
    #[serde(default)]
    data: BTreeMap<String, EncodedValue>,
    #[serde(default)]
    string_data: BTreeMap<String, PlainValue>,
    #[serde(rename = "immutable")]
    _immutable: Option<bool>,
}

/// A value of `data`: base64.
struct EncodedValue(SecretSlice<u8>);

/// A value of `stringData`: plain text.
struct PlainValue(SecretSlice<u8>);

// === impl Secret ===

impl Secret {
    /// A Secret from its parts, as the API server delivers it.
    pub fn new(
        metadata: Metadata,
        r#type: String,
        data: BTreeMap<String, SecretSlice<u8>>,
    ) -> Self {
        Self {
            metadata,
            r#type,
            data,
        }
    }

    /// The Docker config inside.
    pub fn docker_config(&self) -> Result<SecretString, SecretError> {
        if self.r#type != DOCKER_CONFIG_TYPE {
            return Err(SecretError::WrongType {
                name: self.metadata.name.to_string(),
                found: self.r#type.clone(),
                expected: DOCKER_CONFIG_TYPE,
            });
        }
        self.required_text(DOCKER_CONFIG_KEY)
    }

    /// The text of a key that must be there.
    pub fn required_text(&self, key: &str) -> Result<SecretString, SecretError> {
        self.text(key)?.ok_or_else(|| SecretError::MissingKey {
            name: self.metadata.name.to_string(),
            key: key.to_owned(),
        })
    }

    /// The text of a key, where it is there.
    pub fn text(&self, key: &str) -> Result<Option<SecretString>, SecretError> {
        let Some(value) = self.data.get(key) else {
            return Ok(None);
        };
        str::from_utf8(value.expose_secret())
            .map(|text| Some(SecretString::from(text)))
            .map_err(|_| SecretError::NotText {
                name: self.metadata.name.to_string(),
                key: key.to_owned(),
            })
    }
}

impl From<WrittenSecret> for Secret {
    fn from(written: WrittenSecret) -> Self {
        let mut data: BTreeMap<_, _> = written
            .data
            .into_iter()
            .map(|(key, EncodedValue(value))| (key, value))
            .collect();
        // As the API server does, a key of stringData wins over the same key of data.
        data.extend(
            written
                .string_data
                .into_iter()
                .map(|(key, PlainValue(value))| (key, value)),
        );
        Self {
            metadata: written.metadata,
            r#type: written.r#type.unwrap_or_else(|| OPAQUE_TYPE.to_owned()),
            data,
        }
    }
}

// === impl EncodedValue, PlainValue ===

struct ValueVisitor;

impl de::Visitor<'_> for ValueVisitor {
    type Value = SecretString;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a string")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(SecretString::from(text))
    }
}

impl<'de> Deserialize<'de> for EncodedValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = deserializer.deserialize_str(ValueVisitor)?;
        let encoded: String = text.expose_secret().split_ascii_whitespace().collect();
        let encoded = SecretString::from(encoded);
        // The decoder's own message names bytes of the value.
        STANDARD
            .decode(encoded.expose_secret())
            .map(|value| Self(value.into()))
            .map_err(|_| {
                de::Error::custom("the value is not base64: encode it, or move it to stringData")
            })
    }
}

impl<'de> Deserialize<'de> for PlainValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = deserializer.deserialize_str(ValueVisitor)?;
        Ok(Self(text.expose_secret().as_bytes().to_vec().into()))
    }
}
