// SPDX-License-Identifier: Apache-2.0

//! An evidence taken apart: what was signed, the signature, and who is said to have made it.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;
use serde::de::IgnoredAny;
use sigstore_verify::types::{DsseEnvelope, MediaType, PublicKeyIdentifier};

use super::claim::Claim;
use super::{Evidence, Layer, Rejection};
use crate::oci::{json, limits};

/// The keys of a bundle whose meaning must not depend on the reader. `keyId` of a log and `keyid` of a
/// signature are both right.
const KNOWN_KEYS: [&str; 37] = [
    "algorithm",
    "canonicalizedBody",
    "certificate",
    "certificates",
    "checkpoint",
    "digest",
    "dsseEnvelope",
    "envelope",
    "hashes",
    "hint",
    "inclusionPromise",
    "inclusionProof",
    "integratedTime",
    "kind",
    "kindVersion",
    "logId",
    "logIndex",
    "mediaType",
    "messageDigest",
    "messageSignature",
    "payload",
    "payloadType",
    "publicKey",
    "rawBytes",
    "rfc3161Timestamps",
    "rootHash",
    "sig",
    "signature",
    "signatures",
    "signedEntryTimestamp",
    "signedTimestamp",
    "timestampVerificationData",
    "tlogEntries",
    "treeSize",
    "verificationMaterial",
    "version",
    "x509CertificateChain",
];

/// An evidence taken apart. Nothing of it is verified.
#[derive(Debug)]
pub(super) struct Signed {
    pub(super) content: Content,
    /// The signature.
    pub(super) signature: Vec<u8>,
    pub(super) signer: Signer,
}

/// What was signed.
#[derive(Debug)]
pub(super) enum Content {
    /// A simple-signing payload.
    Simple(Vec<u8>),
    /// An envelope.
    Envelope(DsseEnvelope),
}

/// The signature of a file, which is not in it.
#[derive(Debug)]
pub(super) struct SignedFile {
    pub(super) signature: Vec<u8>,
    pub(super) signer: Signer,
}

/// Who is said to have signed.
#[derive(Debug)]
pub(super) enum Signer {
    /// Whoever has a key, which is perhaps named by a hint.
    Key { hint: Option<String> },
    /// Whoever the certificate was issued to.
    Certificate,
}

/// The parts of a bundle that every authority looks at.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Outline {
    media_type: String,
    #[serde(default)]
    verification_material: Material,
    dsse_envelope: Option<DsseEnvelope>,
    message_signature: Option<OfMessage>,
}

/// The signature of a file.
#[derive(Deserialize)]
struct OfMessage {
    signature: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Material {
    public_key: Option<PublicKeyIdentifier>,
    certificate: Option<IgnoredAny>,
    x509_certificate_chain: Option<IgnoredAny>,
}

// === impl Signed ===

impl Signed {
    /// Reads an evidence.
    pub(super) fn read(evidence: &Evidence) -> Result<Self, Rejection> {
        match evidence {
            Evidence::Bundle { bytes, .. } => {
                bound("bundle", bytes.len())?;
                Self::read_bundle(bytes)
            }
            Evidence::Simple(layer) => {
                bound("layer", layer.size())?;
                Self::read_simple(layer)
            }
            Evidence::Envelope(layer) => {
                bound("layer", layer.size())?;
                let envelope = read("envelope", &layer.payload)?;
                Ok(Self::of_envelope(envelope, signer(layer)))
            }
        }
    }

    fn read_bundle(bytes: &[u8]) -> Result<Self, Rejection> {
        let outline = Outline::read(bytes)?;
        let signer = outline.verification_material.signer();
        let envelope = outline
            .dsse_envelope
            .ok_or_else(|| Rejection::UnsupportedContent {
                what: "bundle with the signature of a file".to_owned(),
            })?;
        Ok(Self::of_envelope(envelope, signer))
    }

    fn read_simple(layer: &Layer) -> Result<Self, Rejection> {
        let text = layer.signature.as_deref().ok_or(Rejection::NoSignature)?;
        let signature = BASE64_STANDARD.decode(text.trim());
        Ok(Self {
            content: Content::Simple(layer.payload.to_vec()),
            signature: signature.map_err(|error| Rejection::unreadable("signature", &error))?,
            signer: signer(layer),
        })
    }

    fn of_envelope(envelope: DsseEnvelope, signer: Signer) -> Self {
        Self {
            signature: envelope.signature.sig.as_bytes().to_vec(),
            content: Content::Envelope(envelope),
            signer,
        }
    }

    /// What the signature is over.
    pub(super) fn message(&self) -> Vec<u8> {
        match &self.content {
            Content::Simple(payload) => payload.clone(),
            Content::Envelope(envelope) => envelope.pae(),
        }
    }

    /// What is claimed.
    pub(super) fn claim(&self) -> Result<Claim, Rejection> {
        match &self.content {
            Content::Simple(payload) => Claim::read_simple(payload),
            Content::Envelope(envelope) => {
                Claim::read_statement(&envelope.payload_type, envelope.payload.as_bytes())
            }
        }
    }
}

// === impl SignedFile ===

impl SignedFile {
    /// Reads what `cosign sign-blob --bundle` writes.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, Rejection> {
        bound("bundle", bytes.len())?;
        let outline = Outline::read(bytes)?;
        let OfMessage { signature } = outline.message_signature.ok_or(Rejection::NoSignature)?;
        let signature = BASE64_STANDARD.decode(signature);
        Ok(Self {
            signature: signature.map_err(|error| Rejection::unreadable("signature", &error))?,
            signer: outline.verification_material.signer(),
        })
    }
}

// === impl Outline ===

impl Outline {
    fn read(bytes: &[u8]) -> Result<Self, Rejection> {
        let outline: Self = read("bundle", bytes)?;
        match outline.media_type.parse::<MediaType>() {
            Ok(_) => Ok(outline),
            Err(_) => Err(Rejection::unsupported_version(&outline.media_type)),
        }
    }
}

// === impl Material ===

impl Material {
    fn signer(&self) -> Signer {
        if self.certificate.is_some() || self.x509_certificate_chain.is_some() {
            return Signer::Certificate;
        }
        let hint = self.public_key.as_ref().map(|key| key.hint.clone());
        Signer::Key { hint }
    }
}

fn signer(layer: &Layer) -> Signer {
    match layer.certificate {
        Some(_) => Signer::Certificate,
        None => Signer::Key { hint: None },
    }
}

fn read<'a, T: Deserialize<'a>>(form: &'static str, bytes: &'a [u8]) -> Result<T, Rejection> {
    json::check_count(bytes, limits::EVIDENCE_VALUES)
        .and_then(|()| json::check_keys(bytes, &KNOWN_KEYS))
        .and_then(|()| serde_json::from_slice(bytes))
        .map_err(|error| Rejection::unreadable(form, &error))
}

fn bound(form: &'static str, found: usize) -> Result<(), Rejection> {
    let most = limits::EVIDENCE_BYTES;
    if found > most {
        return Err(Rejection::TooLarge { form, found, most });
    }
    Ok(())
}
