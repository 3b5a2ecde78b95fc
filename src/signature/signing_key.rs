// SPDX-License-Identifier: Apache-2.0

//! A private key that files are signed with, as `cosign sign-blob` signs them.

use std::fmt;

use aws_lc_rs::encoding::{AsDer as _, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::sealed_key::{SealedKey, SealedKeyError};

/// The form of the signatures.
pub const FILE_SIGNATURE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";

/// A private key.
pub struct SigningKey(EcdsaKeyPair);

/// Why nothing can be signed with a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SigningKeyError {
    /// It is encrypted, and cannot be opened.
    #[error(transparent)]
    Sealed(#[from] SealedKeyError),
    /// It is no key.
    #[error("is not a private key in PEM: it must begin with -----BEGIN PRIVATE KEY-----")]
    NotPem,
    /// It is of a kind that cosign does not sign with by itself.
    #[error("is a private key of a kind that is not supported: use ECDSA (P-256)")]
    Unsupported,
    /// The signature could not be made.
    #[error("made no signature: try again")]
    Failed,
}

// === impl SigningKey ===

impl SigningKey {
    /// Reads the key of a PEM: ECDSA (P-256), in PKCS #8, as `openssl ecparam` writes it, or as `cosign
    /// generate-key-pair` does, with its password.
    pub fn parse(
        pem: &SecretString,
        password: Option<&SecretString>,
    ) -> Result<Self, SigningKeyError> {
        let text = pem.expose_secret();
        if text.contains("ENCRYPTED") {
            return Self::from_der(SealedKey::parse(pem)?.open(password)?.expose_secret());
        }
        let der = PrivateKeyDer::from_pem_slice(text.as_bytes());
        let der = der.map_err(|_| SigningKeyError::NotPem)?;
        Self::from_der(der.secret_der())
    }

    fn from_der(der: &[u8]) -> Result<Self, SigningKeyError> {
        let pair = EcdsaKeyPair::from_private_key_der(&ECDSA_P256_SHA256_ASN1_SIGNING, der);
        pair.map(Self).map_err(|_| SigningKeyError::Unsupported)
    }

    /// Signs the bytes of a file. What comes out is what `cosign verify-blob --bundle` reads.
    pub fn sign(&self, file: &[u8]) -> Result<Vec<u8>, SigningKeyError> {
        let Self(pair) = self;
        let failed = |_| SigningKeyError::Failed;
        let signature = pair.sign(&SystemRandom::new(), file).map_err(failed)?;
        let key: PublicKeyX509Der<'_> = pair.public_key().as_der().map_err(failed)?;
        let hash = |bytes: &[u8]| BASE64_STANDARD.encode(Sha256::digest(bytes));
        let document = json!({
            "mediaType": FILE_SIGNATURE,
            "verificationMaterial": {"publicKey": {"hint": hash(key.as_ref())}},
            "messageSignature": {
                "messageDigest": {"algorithm": "SHA2_256", "digest": hash(file)},
                "signature": BASE64_STANDARD.encode(signature.as_ref()),
            },
        });
        Ok(document.to_string().into_bytes())
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SigningKey")
    }
}
