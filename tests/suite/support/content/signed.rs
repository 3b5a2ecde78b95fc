// SPDX-License-Identifier: Apache-2.0

//! What cosign would put beside an image, signed with a key of the tests.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, SigningKey};
use serde_json::{Value, json};

use super::super::digest::fallback_tag;
use super::{Blob, FoundBy, Referrer, media_type};

const BUNDLE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";
const SIGNATURE: &str = "https://sigstore.dev/cosign/sign/v1";
/// The predicate of a scan.
const SCAN: &str = "https://cosign.sigstore.dev/attestation/vuln/v1";

/// Whoever has a private key.
pub struct Signer(KeyPair);

impl Signer {
    /// Somebody new.
    pub fn generate() -> Self {
        Self(KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap())
    }

    /// The public key, as cosign writes it.
    pub fn public_pem(&self) -> String {
        self.0.public_key_pem()
    }

    /// A signature under a `.sig` tag.
    pub fn sign_tagged(&self, subject: &str) -> Referrer {
        let payload = json!({
            "critical": {
                "identity": {"docker-reference": "upstream.example.com/app"},
                "image": {"docker-manifest-digest": subject},
                "type": "cosign container image signature",
            },
            "optional": null,
        });
        let payload = Blob::json(media_type::COSIGN_SIGNATURE, &payload);
        let signature = BASE64_STANDARD.encode(self.0.sign(&payload.bytes).unwrap());
        let annotations = json!({"dev.cosignproject.cosign/signature": signature});
        tagged(subject, "sig", payload, &annotations)
    }

    /// A signature in a bundle.
    pub fn sign(&self, subject: &str) -> Referrer {
        bundle(
            subject,
            &self.envelope(subject, SIGNATURE, &json!({})),
            SIGNATURE,
        )
    }

    /// A scan in a bundle, with these vulnerabilities: name and severity.
    pub fn scan(&self, subject: &str, findings: &[(&str, &str)]) -> Referrer {
        let envelope = self.envelope(subject, SCAN, &scan(findings));
        bundle(subject, &envelope, SCAN)
    }

    /// The same under an `.att` tag.
    pub fn scan_tagged(&self, subject: &str, findings: &[(&str, &str)]) -> Referrer {
        let envelope = self.envelope(subject, SCAN, &scan(findings));
        let envelope = Blob::json("application/vnd.dsse.envelope.v1+json", &envelope);
        let annotations = json!({"dev.cosignproject.cosign/signature": ""});
        tagged(subject, "att", envelope, &annotations)
    }

    /// An attestation of another type in a bundle.
    pub fn attest(&self, subject: &str, predicate_type: &str, predicate: &Value) -> Referrer {
        let envelope = self.envelope(subject, predicate_type, predicate);
        bundle(subject, &envelope, predicate_type)
    }

    fn envelope(&self, subject: &str, predicate_type: &str, predicate: &Value) -> Value {
        let payload_type = media_type::IN_TOTO;
        let hex = subject.trim_start_matches("sha256:");
        let statement = json!({
            "_type": "https://in-toto.io/Statement/v1",
            "subject": [{"digest": {"sha256": hex}}],
            "predicateType": predicate_type,
            "predicate": predicate,
        })
        .to_string();
        // The encoding before authentication (DSSE).
        let message = format!(
            "DSSEv1 {} {payload_type} {} {statement}",
            payload_type.len(),
            statement.len()
        );
        let signature = self.0.sign(message.as_bytes()).unwrap();
        json!({
            "payload": BASE64_STANDARD.encode(&statement),
            "payloadType": payload_type,
            "signatures": [{"sig": BASE64_STANDARD.encode(signature)}],
        })
    }
}

/// What Trivy says, in the predicate that cosign makes of it.
fn scan(findings: &[(&str, &str)]) -> Value {
    let findings: Vec<Value> = findings
        .iter()
        .map(|(id, severity)| json!({"VulnerabilityID": id, "Severity": severity, "FixedVersion": "2"}))
        .collect();
    json!({
        "invocation": {"parameters": [], "uri": "", "event_id": "", "builder.id": ""},
        "scanner": {
            "uri": "pkg:github/aquasecurity/trivy@0.60.0", "version": "0.60.0",
            "db": {"uri": "", "version": ""},
            "result": {
                "SchemaVersion": 2,
                "Results": [{"Target": "app", "Vulnerabilities": findings}],
            },
        },
        "metadata": {
            "scanStartedOn": "2026-01-02T03:04:05Z",
            "scanFinishedOn": "2026-01-02T03:04:06Z",
        },
    })
}

fn bundle(subject: &str, envelope: &Value, predicate_type: &str) -> Referrer {
    let bundle = json!({
        "mediaType": BUNDLE,
        "verificationMaterial": {"publicKey": {"hint": "tests"}},
        "dsseEnvelope": envelope,
    });
    let bundle = Blob::json(BUNDLE, &bundle);
    let empty = Blob::new(media_type::EMPTY, "{}");
    let manifest = json!({
        "schemaVersion": 2, "mediaType": media_type::OCI_MANIFEST, "artifactType": BUNDLE,
        "config": empty.descriptor(), "layers": [bundle.descriptor()],
        "subject": {"mediaType": media_type::OCI_MANIFEST, "digest": subject, "size": 1},
        "annotations": {"dev.sigstore.bundle.predicateType": predicate_type},
    });
    Referrer {
        subject: subject.to_owned(),
        manifest: Blob::json(media_type::OCI_MANIFEST, &manifest),
        blobs: vec![empty, bundle],
        found_by: FoundBy::Subject,
    }
}

fn tagged(subject: &str, suffix: &str, content: Blob, annotations: &Value) -> Referrer {
    let config = json!({
        "architecture": "", "os": "", "created": "0001-01-01T00:00:00Z", "config": {},
        "rootfs": {"type": "layers", "diff_ids": [content.digest]},
    });
    let config = Blob::json(media_type::OCI_CONFIG, &config);
    let mut layer = content.descriptor();
    layer["annotations"] = annotations.clone();
    let manifest = json!({
        "schemaVersion": 2, "mediaType": media_type::OCI_MANIFEST, "config": config.descriptor(), "layers": [layer],
    });
    Referrer {
        subject: subject.to_owned(),
        manifest: Blob::json(media_type::OCI_MANIFEST, &manifest),
        blobs: vec![config, content],
        found_by: FoundBy::Tag(format!("{}.{suffix}", fallback_tag(subject))),
    }
}
