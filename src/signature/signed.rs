//! An evidence taken apart: what was signed, the signature, and who is said to have made it.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;
use sigstore_verify::types::bundle::VerificationMaterialContent;
use sigstore_verify::types::{Bundle, DsseEnvelope, MediaType, SignatureContent};

use super::claim::Claim;
use super::{Evidence, Layer, Rejection, layer};
use crate::oci::{json, limits};

/// Most certificates, log entries, timestamps, and hashes of a proof in one evidence.
const ITEMS: usize = 64;

/// The keys of a bundle whose meaning must not depend on the reader.
const KNOWN_KEYS: [&str; 39] = [
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
    "keyId",
    "keyid",
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
    /// The evidence as a bundle; one of cosign's layers is written as what it would be today.
    pub(super) bundle: Bundle,
    /// The payload of a layer, which a bundle has no place for.
    payload: Option<Vec<u8>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Version {
    media_type: String,
}

// === impl Signed ===

impl Signed {
    /// Reads an evidence.
    pub(super) fn read(evidence: &Evidence) -> Result<Self, Rejection> {
        match evidence {
            Evidence::Bundle { bytes, .. } => Self::read_bundle(bytes),
            Evidence::Simple(found) => {
                bound("layer", found.size())?;
                Self::read_simple(found)
            }
            Evidence::Envelope(found) => {
                bound("layer", found.size())?;
                Self::read_envelope(found)
            }
        }
    }

    fn read_bundle(bytes: &[u8]) -> Result<Self, Rejection> {
        let form = "bundle";
        bound(form, bytes.len())?;
        json::check_keys(bytes, &KNOWN_KEYS)
            .map_err(|error| Rejection::unreadable(form, &error))?;
        let version: Version =
            serde_json::from_slice(bytes).map_err(|error| Rejection::unreadable(form, &error))?;
        if version.media_type.parse::<MediaType>().is_err() {
            return Err(Rejection::unsupported_version(&version.media_type));
        }
        let bundle: Bundle =
            serde_json::from_slice(bytes).map_err(|error| Rejection::unreadable(form, &error))?;
        let SignatureContent::DsseEnvelope(_) = &bundle.content else {
            return Err(Rejection::UnsupportedContent {
                what: "bundle with the signature of a file".to_owned(),
            });
        };
        Self {
            bundle,
            payload: None,
        }
        .bounded()
    }

    fn read_simple(found: &Layer) -> Result<Self, Rejection> {
        let text = found.signature.as_deref().ok_or(Rejection::NoSignature)?;
        let signature = BASE64_STANDARD
            .decode(text.trim())
            .map_err(|error| Rejection::unreadable("signature", &error))?;
        Self {
            bundle: layer::as_bundle(found, layer::message(signature))?,
            payload: Some(found.payload.to_vec()),
        }
        .bounded()
    }

    fn read_envelope(found: &Layer) -> Result<Self, Rejection> {
        let form = "envelope";
        json::check_keys(&found.payload, &KNOWN_KEYS)
            .map_err(|error| Rejection::unreadable(form, &error))?;
        let envelope: DsseEnvelope = serde_json::from_slice(&found.payload)
            .map_err(|error| Rejection::unreadable(form, &error))?;
        Self {
            bundle: layer::as_bundle(found, SignatureContent::DsseEnvelope(envelope))?,
            payload: None,
        }
        .bounded()
    }

    /// Whoever verifies it shall not be kept busy by one evidence.
    fn bounded(self) -> Result<Self, Rejection> {
        let material = &self.bundle.verification_material;
        let certificates = match &material.content {
            VerificationMaterialContent::X509CertificateChain { certificates } => {
                certificates.len()
            }
            _ => 1,
        };
        let proofs = material.tlog_entries.iter();
        let hashes = proofs.filter_map(|entry| Some(entry.inclusion_proof.as_ref()?.hashes.len()));
        let timestamps = &material.timestamp_verification_data.rfc3161_timestamps;
        let counts = [
            ("certificates", certificates),
            ("log entries", material.tlog_entries.len()),
            ("hashes in a proof", hashes.max().unwrap_or_default()),
            ("timestamps", timestamps.len()),
        ];
        match counts.into_iter().find(|(_, count)| *count > ITEMS) {
            None => Ok(self),
            Some((what, count)) => Err(Rejection::Unreadable {
                form: "bundle",
                reason: format!("has {count} {what}, at most {ITEMS} are read"),
            }),
        }
    }

    /// What the signature is over.
    pub(super) fn message(&self) -> Vec<u8> {
        match (&self.payload, &self.bundle.content) {
            (Some(payload), _) => payload.clone(),
            (None, SignatureContent::DsseEnvelope(envelope)) => envelope.pae(),
            (None, _) => Vec::new(),
        }
    }

    /// The payload, where it is no envelope.
    pub(super) fn payload(&self) -> Option<&[u8]> {
        self.payload.as_deref()
    }

    /// The signature.
    pub(super) fn signature(&self) -> &[u8] {
        match &self.bundle.content {
            SignatureContent::MessageSignature(message) => message.signature.as_bytes(),
            SignatureContent::DsseEnvelope(envelope) => envelope.signature.sig.as_bytes(),
            _ => &[],
        }
    }

    /// What is claimed.
    pub(super) fn claim(&self) -> Result<Claim, Rejection> {
        match (&self.payload, &self.bundle.content) {
            (Some(payload), _) => Claim::read_simple(payload),
            (None, SignatureContent::DsseEnvelope(envelope)) => {
                Claim::read_statement(&envelope.payload_type, envelope.payload.as_bytes())
            }
            (None, _) => Err(Rejection::NoSignature),
        }
    }
}

fn bound(form: &'static str, found: usize) -> Result<(), Rejection> {
    let most = limits::EVIDENCE_BYTES;
    if found > most {
        return Err(Rejection::TooLarge { form, found, most });
    }
    Ok(())
}
