//! Layers of cosign's tags, written as the bundles that they would be today.

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

use super::{Layer, Rejection};
use crate::oci::json;

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

/// A signature over the content of the layer itself.
pub(super) fn message(signature: Vec<u8>) -> SignatureContent {
    SignatureContent::MessageSignature(MessageSignature::new(SignatureBytes::new(signature)))
}

/// The bundle that the annotations of a layer make up.
pub(super) fn as_bundle(layer: &Layer, content: SignatureContent) -> Result<Bundle, Rejection> {
    let Layer {
        digest: _,
        payload: _,
        signature: _,
        certificate,
        chain,
        log_entry,
        timestamp,
    } = layer;
    let signer = match certificate {
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
    let timestamps = TimestampVerificationData::new(timestamps.into_iter().collect());
    let material = VerificationMaterial::new(signer)
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
                super::rejection::told(&kind),
                super::rejection::told(&api_version)
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
