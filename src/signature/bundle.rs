// SPDX-License-Identifier: Apache-2.0

//! Evidence as a whole bundle; layers of cosign's tags are written as what they would be today.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde::Deserialize;
use sigstore_verify::types::bundle::{
    InclusionPromise, MessageSignature, Rfc3161Timestamp, TimestampVerificationData,
    VerificationMaterial, VerificationMaterialContent, X509Certificate,
};
use sigstore_verify::types::{
    Bundle, CanonicalizedBody, DerCertificate, KindVersion, LogId, LogIndex, LogKeyId, MediaType,
    PublicKeyIdentifier, SignatureBytes, SignatureContent, SignedTimestamp, TimestampToken,
    TransparencyLogEntry,
};

use super::rejection::told;
use super::signed::{Content, Signed};
use super::{Evidence, Layer, Rejection};
use crate::oci::json;

/// Most certificates, log entries, timestamps, and hashes of a proof in one evidence.
const ITEMS: usize = 64;

/// The keys of the annotations whose meaning must not depend on the reader.
const KNOWN_KEYS: [&str; 7] = [
    "Payload",
    "SignedEntryTimestamp",
    "SignedRFC3161Timestamp",
    "body",
    "integratedTime",
    "logID",
    "logIndex",
];

/// `dev.sigstore.cosign/bundle`: an entry of the transparency log with its promise.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Logged {
    signed_entry_timestamp: String,
    payload: LoggedPayload,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LoggedPayload {
    body: String,
    integrated_time: i64,
    log_index: u64,
    #[serde(rename = "logID")]
    log_id: String,
}

/// What kind of entry a body is.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Kind {
    kind: String,
    api_version: String,
}

/// `dev.sigstore.cosign/rfc3161timestamp`.
#[derive(Deserialize)]
struct Stamped {
    #[serde(rename = "SignedRFC3161Timestamp")]
    token: String,
}

/// The bundle that an evidence is, or would be.
pub(super) fn bundle(evidence: &Evidence, signed: &Signed) -> Result<Bundle, Rejection> {
    let bundle = match evidence {
        Evidence::Bundle { bytes, .. } => serde_json::from_slice(bytes)
            .map_err(|error| Rejection::unreadable("bundle", &error))?,
        Evidence::Simple(layer) | Evidence::Envelope(layer) => of_layer(layer, signed)?,
    };
    bound(&bundle)?;
    Ok(bundle)
}

/// Whoever verifies a bundle shall not be kept busy by it.
fn bound(bundle: &Bundle) -> Result<(), Rejection> {
    let material = &bundle.verification_material;
    let certificates = match &material.content {
        VerificationMaterialContent::X509CertificateChain { certificates } => certificates.len(),
        VerificationMaterialContent::Certificate(_)
        | VerificationMaterialContent::PublicKey(_)
        | _ => 1,
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
        None => Ok(()),
        Some((what, count)) => Err(Rejection::Unreadable {
            form: "bundle",
            reason: format!("has {count} {what}, at most {ITEMS} are read"),
        }),
    }
}

fn of_layer(layer: &Layer, signed: &Signed) -> Result<Bundle, Rejection> {
    let Layer {
        digest: _,
        payload: _,
        signature: _,
        certificate,
        chain,
        log_entry,
        timestamp,
    } = layer;
    let material = match certificate {
        None => VerificationMaterialContent::PublicKey(PublicKeyIdentifier::new("")),
        Some(certificate) => {
            let mut certificates = read_certificates(certificate)?;
            certificates.truncate(1);
            certificates.extend(read_certificates(chain.as_deref().unwrap_or_default())?);
            VerificationMaterialContent::X509CertificateChain { certificates }
        }
    };
    let entries = log_entry.as_deref().map(read_log_entry).transpose()?;
    let timestamps = timestamp.as_deref().map(read_timestamp).transpose()?;
    // Version 0.1 has the promise of the log, as these annotations do; 0.2 can be without one.
    let version = match entries {
        Some(_) => MediaType::Bundle0_1,
        None => MediaType::Bundle0_2,
    };
    let content = match &signed.content {
        Content::Simple(_) => {
            let signature = SignatureBytes::new(signed.signature.clone());
            SignatureContent::MessageSignature(MessageSignature::new(signature))
        }
        Content::Envelope(envelope) => SignatureContent::DsseEnvelope(envelope.clone()),
    };
    let timestamps = TimestampVerificationData::new(timestamps.into_iter().collect());
    let material = VerificationMaterial::new(material)
        .with_tlog_entries(entries.into_iter().collect())
        .with_timestamp_verification_data(timestamps);
    Ok(Bundle::new(version, material, content))
}

fn read_certificates(pem: &str) -> Result<Vec<X509Certificate>, Rejection> {
    let certificates = CertificateDer::pem_slice_iter(pem.as_bytes());
    let certificates: Result<Vec<_>, _> = certificates.collect();
    match certificates {
        Ok(certificates) if certificates.is_empty() && !pem.trim().is_empty() => {
            Err(Rejection::UnreadableCertificate {
                reason: "there is none in the PEM".to_owned(),
            })
        }
        Ok(certificates) => Ok(certificates
            .into_iter()
            .map(|der| X509Certificate::new(DerCertificate::new(der.as_ref().to_vec())))
            .collect()),
        Err(_) => Err(Rejection::UnreadableCertificate {
            reason: "it is no PEM".to_owned(),
        }),
    }
}

fn read_log_entry(text: &str) -> Result<TransparencyLogEntry, Rejection> {
    let Logged {
        signed_entry_timestamp,
        payload,
    } = read("annotation with the log entry", text)?;
    let LoggedPayload {
        body,
        integrated_time,
        log_index,
        log_id,
    } = payload;
    let body = decode("body of the log entry", &body)?;
    let promise = decode("promise of the log", &signed_entry_timestamp)?;
    let unreadable = |what: &'static str| Rejection::UnreadableLogEntry {
        reason: what.into(),
    };
    let id = hex::decode(log_id).map_err(|_| unreadable("its log ID is not hex"))?;
    let time = jiff::Timestamp::from_second(integrated_time)
        .map_err(|_| unreadable("its time is out of range"))?;
    let index = LogIndex::new(log_index).map_err(|_| unreadable("its index is out of range"))?;
    let kind = read_kind(&body)?;
    let id = LogId::new(LogKeyId::new(id));
    let entry = TransparencyLogEntry::new(index, id, kind, CanonicalizedBody::new(body))
        .with_integrated_time(time)
        .with_inclusion_promise(InclusionPromise::new(SignedTimestamp::new(promise)));
    Ok(entry)
}

fn read_kind(body: &[u8]) -> Result<KindVersion, Rejection> {
    let kind: Kind = serde_json::from_slice(body)
        .map_err(|error| Rejection::unreadable("body of the log entry", &error))?;
    let known = [
        KindVersion::HashedRekordV001,
        KindVersion::DsseV001,
        KindVersion::IntotoV002,
    ];
    let mut known = known.into_iter();
    let Kind { kind, api_version } = kind;
    known
        .find(|known| known.kind() == kind && known.version() == api_version)
        .ok_or_else(|| Rejection::UnsupportedContent {
            what: format!(
                "log entry of the kind {} {}",
                told(&kind),
                told(&api_version)
            ),
        })
}

fn read_timestamp(text: &str) -> Result<Rfc3161Timestamp, Rejection> {
    let Stamped { token } = read("annotation with the timestamp", text)?;
    let token = decode("timestamp", &token)?;
    Ok(Rfc3161Timestamp::new(TimestampToken::new(token)))
}

fn read<'a, T: Deserialize<'a>>(form: &'static str, text: &'a str) -> Result<T, Rejection> {
    json::check_keys(text.as_bytes(), &KNOWN_KEYS)
        .and_then(|()| serde_json::from_str(text))
        .map_err(|error| Rejection::unreadable(form, &error))
}

fn decode(form: &'static str, text: &str) -> Result<Vec<u8>, Rejection> {
    let decoded = BASE64_STANDARD.decode(text);
    decoded.map_err(|error| Rejection::unreadable(form, &error))
}
