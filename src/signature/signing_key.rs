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

/// The form of the signatures.
pub const FILE_SIGNATURE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";

/// A private key.
pub struct SigningKey(EcdsaKeyPair);

/// Why nothing can be signed with a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SigningKeyError {
    /// It takes a password.
    #[error(
        "is encrypted: sign the index that --index writes with `cosign sign-blob --bundle`, and hand that over with --signature"
    )]
    Encrypted,
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
    /// Reads the key of a PEM: ECDSA (P-256), in PKCS #8 or as `openssl ecparam` writes it.
    pub fn parse(pem: &SecretString) -> Result<Self, SigningKeyError> {
        let pem = pem.expose_secret();
        if pem.contains("ENCRYPTED") {
            return Err(SigningKeyError::Encrypted);
        }
        let der = PrivateKeyDer::from_pem_slice(pem.as_bytes());
        let der = der.map_err(|_| SigningKeyError::NotPem)?;
        let algorithm = &ECDSA_P256_SHA256_ASN1_SIGNING;
        let pair = EcdsaKeyPair::from_private_key_der(algorithm, der.secret_der());
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
