// SPDX-License-Identifier: Apache-2.0

//! Who is trusted.

use std::sync::Arc;

use super::key::PublicKey;
use super::keyless::{Keyless, public_root};
use super::signed::{Signed, SignedFile, Signer};
use super::{AuthorityError, Evidence, Proof, Rejection};
use crate::oci::{Algorithm, Digest};
use crate::policy::TextGlob;

/// Someone whose word counts. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Authority {
    name: String,
    fingerprint: Digest,
    trust: Arc<Trust>,
}

#[derive(Debug)]
enum Trust {
    Key(PublicKey),
    Keyless(Box<Keyless>),
}

/// Whoever has the private key to a public key, as the one who signed a file.
#[derive(Debug)]
pub struct FileAuthority(PublicKey);

// === impl FileAuthority ===

impl FileAuthority {
    /// Whoever has the private key to this public key, which is one that [`Authority::key`] takes.
    pub fn key(pem: &[u8]) -> Result<Self, AuthorityError> {
        PublicKey::parse(pem).map(Self)
    }

    /// Whether it signed a file, by what `cosign sign-blob --bundle` wrote beside that.
    pub fn verify(&self, file: &[u8], signature: &[u8]) -> Result<(), Rejection> {
        let SignedFile { signature, signer } = SignedFile::read(signature)?;
        verify_key(&self.0, file, &signature, &signer)
    }
}

// === impl Authority ===

impl Authority {
    /// Whoever has the private key to this public key: ECDSA (P-256, P-384, P-521), RSA or Ed25519, as
    /// `SubjectPublicKeyInfo` in PEM.
    pub fn key(name: &str, pem: &[u8]) -> Result<Self, AuthorityError> {
        let key = PublicKey::parse(pem)?;
        Ok(Self {
            name: name.to_owned(),
            fingerprint: fingerprint(&[b"key", key.der()]),
            trust: Arc::new(Trust::Key(key)),
        })
    }

    /// Whoever gets a certificate for a subject that the glob stands for, by exactly this issuer.
    /// `trusted_root` is a `trusted_root.json`; the public good instance without it.
    pub fn keyless(
        name: &str,
        issuer: &str,
        subject: &TextGlob,
        trusted_root: Option<&[u8]>,
    ) -> Result<Self, AuthorityError> {
        let keyless = Keyless::new(issuer, subject, trusted_root)?;
        let root = trusted_root.unwrap_or_else(|| public_root());
        let subject = subject.to_string();
        Ok(Self {
            name: name.to_owned(),
            fingerprint: fingerprint(&[b"keyless", issuer.as_bytes(), subject.as_bytes(), root]),
            trust: Arc::new(Trust::Keyless(Box::new(keyless))),
        })
    }

    /// Its name in the policy.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A digest of everything that its word depends on: another key, identity or root is another one.
    pub const fn fingerprint(&self) -> &Digest {
        &self.fingerprint
    }

    /// What the authority says of an image by an evidence.
    pub fn verify(&self, subject: &Digest, evidence: &Evidence) -> Result<Proof, Rejection> {
        let signed = Signed::read(evidence)?;
        let identity = match &*self.trust {
            Trust::Key(key) => {
                verify_key(key, &signed.message(), &signed.signature, &signed.signer)?;
                None
            }
            Trust::Keyless(keyless) => Some(keyless.verify(subject, evidence, &signed)?),
        };
        Ok(Proof {
            authority: self.name.clone(),
            identity,
            evidence: evidence.digest().clone(),
            statement: signed.claim()?.about(subject)?,
        })
    }
}

/// Whether the key signed it. Log entries and timestamps are not looked at.
fn verify_key(
    key: &PublicKey,
    message: &[u8],
    signature: &[u8],
    signer: &Signer,
) -> Result<(), Rejection> {
    if key.made(message, signature) {
        return Ok(());
    }
    Err(match signer {
        Signer::Key { hint: Some(hint) } if *hint == key.hint() => Rejection::Tampered {
            reason: "it names this key, which does not fit the content".to_owned(),
        },
        Signer::Key { .. } => Rejection::WrongKey,
        Signer::Certificate => Rejection::NotWithKey,
    })
}

fn fingerprint(parts: &[&[u8]]) -> Digest {
    let mut hasher = Algorithm::Sha256.hasher();
    for part in parts {
        hasher.update(&part.len().to_be_bytes());
        hasher.update(part);
    }
    hasher.finish()
}
