// SPDX-License-Identifier: Apache-2.0

//! Public keys, and whether they fit a signature.

use std::fmt;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use rustls::pki_types::pem::{PemObject, SectionKind};
use rustls::pki_types::{SignatureVerificationAlgorithm, SubjectPublicKeyInfoDer};
use sha2::{Digest as _, Sha256};
use sigstore_verify::crypto::{VerificationKey, validate_raw_public_key};
use sigstore_verify::types::DerPublicKey;

use super::AuthorityError;

/// Largest PEM that is read as a key, in bytes.
const PEM_BYTES: usize = 64 * 1024;

/// A public key that can be verified with.
pub(super) struct PublicKey {
    /// `SubjectPublicKeyInfo`, DER.
    der: Vec<u8>,
    /// What may be signed with such a key: each hash, and for RSA each padding.
    algorithms: Vec<&'static dyn SignatureVerificationAlgorithm>,
}

impl PublicKey {
    /// Reads the only key of a PEM.
    pub(super) fn parse(pem: &[u8]) -> Result<Self, AuthorityError> {
        if pem.trim_ascii().is_empty() {
            return Err(AuthorityError::Empty);
        }
        if pem.len() > PEM_BYTES {
            return Err(AuthorityError::NotPem);
        }
        // Also those that are encrypted, which no library knows by their name.
        if String::from_utf8_lossy(pem).contains("PRIVATE KEY-----") {
            return Err(AuthorityError::PrivateKey);
        }
        let sections: Result<Vec<(SectionKind, Vec<u8>)>, _> =
            PemObject::pem_slice_iter(pem).collect();
        let mut sections = sections.map_err(|_| AuthorityError::NotPem)?;
        if sections
            .iter()
            .any(|(kind, _)| *kind == SectionKind::Certificate)
        {
            return Err(AuthorityError::Certificate);
        }
        match (sections.pop(), sections.as_slice()) {
            (Some((SectionKind::PublicKey, der)), []) => Self::from_der(der),
            (Some(_), [_, ..]) => Err(AuthorityError::SeveralKeys),
            (Some(_), []) | (None, _) => Err(AuthorityError::NotPem),
        }
    }

    fn from_der(der: Vec<u8>) -> Result<Self, AuthorityError> {
        let unsupported = || AuthorityError::UnsupportedKey;
        // Its form, and the size of an RSA key. It does not know P-521, which needs no such check.
        if let Ok(key) = VerificationKey::from_spki(&DerPublicKey::new(der.clone())) {
            validate_raw_public_key(key.scheme(), key.as_bytes()).map_err(|_| unsupported())?;
        }
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        let known = provider.signature_verification_algorithms.all;
        let mut key = Self {
            der,
            algorithms: known.to_vec(),
        };
        let fitting = known.iter().copied();
        let fitting = fitting.filter(|algorithm| key.is_for(*algorithm)).collect();
        key.algorithms = fitting;
        if key.algorithms.is_empty() {
            return Err(unsupported());
        }
        Ok(key)
    }

    /// `SubjectPublicKeyInfo`, DER.
    pub(super) fn der(&self) -> &[u8] {
        &self.der
    }

    /// What cosign writes into a bundle to name the key.
    pub(super) fn hint(&self) -> String {
        BASE64_STANDARD.encode(Sha256::digest(&self.der))
    }

    /// Whether the key made this signature over the message, with any hash that it may be used with.
    /// Signatures of ECDSA are in ASN.1, as cosign writes them.
    pub(super) fn made(&self, message: &[u8], signature: &[u8]) -> bool {
        let mut algorithms = self.algorithms.iter().copied();
        algorithms.any(|algorithm| self.check(algorithm, message, signature).is_ok())
    }

    fn is_for(&self, algorithm: &'static dyn SignatureVerificationAlgorithm) -> bool {
        matches!(
            self.check(algorithm, &[], &[]),
            Err(webpki::Error::InvalidSignatureForPublicKey)
        )
    }

    fn check(
        &self,
        algorithm: &'static dyn SignatureVerificationAlgorithm,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), webpki::Error> {
        let der = SubjectPublicKeyInfoDer::from(self.der.as_slice());
        let key = webpki::RawPublicKeyEntity::try_from(&der)?;
        key.verify_signature(algorithm, message, signature)
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "PublicKey({})", self.hint())
    }
}
