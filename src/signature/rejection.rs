// SPDX-License-Identifier: Apache-2.0

//! Why an evidence proves nothing.

use std::fmt;

/// Most characters of a text from an evidence, in messages.
const TOLD: usize = 120;

/// Why an authority does not vouch for an image by one evidence.
///
/// The causes are ordered by how close the evidence came to proving it: of several, the greatest is the
/// most telling one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum Rejection {
    /// It is larger than anything that is read.
    #[error("{form} has {found} bytes, more than {most} are not read: sign again")]
    TooLarge {
        /// What it is.
        form: &'static str,
        /// Its bytes.
        found: usize,
        /// The bound.
        most: usize,
    },
    /// It is not what its media type says.
    #[error("{form} cannot be read: {reason}")]
    Unreadable {
        /// What it should be.
        form: &'static str,
        /// Why.
        reason: String,
    },
    /// It is a bundle of a version that is not known.
    #[error(
        "bundle of the type {found} is not supported: sign with a cosign that writes version 0.3 or older"
    )]
    UnsupportedVersion {
        /// Its media type.
        found: String,
    },
    /// It is well formed, but says it in a way that is not known.
    #[error("{what} is not supported: sign the image with cosign sign or cosign attest")]
    UnsupportedContent {
        /// What.
        what: String,
    },
    /// There is no signature in it.
    #[error("carries no signature: sign again")]
    NoSignature,
    /// It was signed with a key, where a certificate is needed.
    #[error("is signed with a key, not by an identity: trust the key, or sign without one")]
    NoCertificate,
    /// It was signed by an identity, where a key is needed.
    #[error(
        "is signed by an identity, not with this key: trust the identity, or sign with the key"
    )]
    NotWithKey,
    /// The key does not fit the signature.
    #[error("is not signed with this key: sign with it, or trust the key that was used")]
    WrongKey,
    /// Its certificate cannot be read.
    #[error("certificate cannot be read: {reason}")]
    UnreadableCertificate {
        /// Why.
        reason: String,
    },
    /// Its certificate comes from nobody in the trusted root.
    #[error("certificate is not from an authority of the trusted root: {reason}")]
    UnknownCertificateAuthority {
        /// Why.
        reason: String,
    },
    /// The entry of the transparency log is missing.
    #[error("has no entry of a transparency log: sign with one, or trust a key instead")]
    NoLogEntry,
    /// The entry cannot be read.
    #[error("entry of the transparency log cannot be read: {reason}")]
    UnreadableLogEntry {
        /// Why.
        reason: String,
    },
    /// The entry is from a log that is not trusted.
    #[error("entry is from a transparency log that is not in the trusted root: {reason}")]
    UnknownLog {
        /// Which.
        reason: String,
    },
    /// The log never took the entry.
    #[error("entry of the transparency log is not proven to be in the log: {reason}")]
    InclusionProof {
        /// Why.
        reason: String,
    },
    /// The log did not sign the state that the proof leads to.
    #[error("checkpoint of the transparency log is wrong: {reason}")]
    Checkpoint {
        /// Why.
        reason: String,
    },
    /// The log did not promise to take the entry.
    #[error("promise of the transparency log is wrong: {reason}")]
    InclusionPromise {
        /// Why.
        reason: String,
    },
    /// The entry is about another signature.
    #[error("entry of the transparency log is for another signature: {reason}")]
    OtherLogEntry {
        /// Why.
        reason: String,
    },
    /// A signed timestamp is broken or from nobody in the trusted root.
    #[error("timestamp is wrong: {reason}")]
    Timestamp {
        /// Why.
        reason: String,
    },
    /// Nobody who is trusted says when it was signed.
    #[error("has no time that a trusted log or timestamp authority signed: sign with one")]
    NoTimestamp,
    /// It was signed when the certificate was not valid.
    #[error("certificate was not valid when it signed: {reason}")]
    CertificateExpired {
        /// Why.
        reason: String,
    },
    /// The certificate is not in a trusted certificate log.
    #[error("certificate is not proven to be in a certificate log: {reason}")]
    CertificateLog {
        /// Why.
        reason: String,
    },
    /// The certificate fits, but the content was changed after it was signed.
    #[error("was changed after it was signed: {reason}")]
    Tampered {
        /// What.
        reason: String,
    },
    /// The certificate does not say who vouches for the identity.
    #[error("certificate names no issuer of the identity, expected {expected}")]
    NoIssuer {
        /// The issuer that is trusted.
        expected: String,
    },
    /// Someone else vouches for the identity.
    #[error(
        "identity is from the issuer {found}, expected {expected}: correct the issuer, or sign with it"
    )]
    OtherIssuer {
        /// The issuer in the certificate.
        found: String,
        /// The issuer that is trusted.
        expected: String,
    },
    /// The certificate does not say who signed.
    #[error("certificate names no subject, expected {expected}")]
    NoSubject {
        /// The subject that is trusted.
        expected: String,
    },
    /// Someone else signed.
    #[error("is signed by {found}, expected {expected}: correct the subject, or sign as it")]
    OtherSubject {
        /// The subject in the certificate.
        found: String,
        /// The subject that is trusted.
        expected: String,
    },
    /// It is a valid signature of another image.
    #[error("is for another image, {found}: sign {expected}")]
    OtherDigest {
        /// What it is for.
        found: String,
        /// The image.
        expected: String,
    },
    /// It is a valid attestation, which approves nothing.
    #[error("is an attestation of the type {predicate_type}, not a signature: sign the image too")]
    Attestation {
        /// The type of its predicate.
        predicate_type: String,
    },
}

// === impl Rejection ===

impl Rejection {
    /// Whether the evidence could not be judged at all. Such a check failed; it refuses nothing by itself,
    /// and never passes.
    pub const fn is_unreadable(&self) -> bool {
        matches!(
            self,
            Self::TooLarge { .. }
                | Self::Unreadable { .. }
                | Self::UnsupportedVersion { .. }
                | Self::UnreadableCertificate { .. }
                | Self::UnreadableLogEntry { .. }
        )
    }

    pub(super) fn unreadable(form: &'static str, reason: &dyn fmt::Display) -> Self {
        Self::Unreadable {
            form,
            reason: told(&reason.to_string()),
        }
    }

    pub(super) fn unsupported_version(found: &str) -> Self {
        Self::UnsupportedVersion { found: told(found) }
    }

    pub(super) fn attestation(predicate_type: &str) -> Self {
        Self::Attestation {
            predicate_type: told(predicate_type),
        }
    }
}

/// A text from an evidence, made safe and short.
pub(super) fn told(text: &str) -> String {
    let mut told: String = text
        .chars()
        .take(TOLD)
        .flat_map(|character| {
            if character.is_control() {
                character.escape_default().collect::<Vec<_>>()
            } else {
                vec![character]
            }
        })
        .collect();
    if text.chars().nth(TOLD).is_some() {
        told.push('…');
    }
    told
}
