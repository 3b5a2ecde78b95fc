// SPDX-License-Identifier: Apache-2.0

//! What comes with an image: attestations, referrers, signatures.

use serde_json::{Value, json};

use super::super::digest::fallback_tag;
use super::layer::noise;
use super::{Blob, FoundBy, Referrer, media_type};

/// `os/architecture[/variant]` as an object.
pub(super) fn platform_json(platform: &str) -> Value {
    let mut parts = platform.split('/');
    let mut value = json!({"os": parts.next(), "architecture": parts.next()});
    if let Some(variant) = parts.next() {
        value["variant"] = json!(variant);
    }
    value
}

/// An attestation manifest as `BuildKit` makes it: an image of no platform whose layer is a statement.
pub(super) fn attest(subject: &Blob) -> (Blob, [Blob; 2]) {
    let statement = json!({
        "_type": "https://in-toto.io/Statement/v0.1",
        "predicateType": "https://slsa.dev/provenance/v0.2",
        "subject": [{"name": "tests", "digest": {"sha256": subject.digest.trim_start_matches("sha256:")}}],
    });
    let statement = Blob::json(media_type::IN_TOTO, &statement);
    let config = json!({
        "architecture": "unknown", "os": "unknown", "config": {},
        "rootfs": {"type": "layers", "diff_ids": [statement.digest]},
    });
    let config = Blob::json(media_type::OCI_CONFIG, &config);
    let mut layer = statement.descriptor();
    layer["annotations"] = json!({"in-toto.io/predicate-type": "https://slsa.dev/provenance/v0.2"});
    let manifest = json!({
        "schemaVersion": 2, "mediaType": media_type::OCI_MANIFEST, "config": config.descriptor(), "layers": [layer],
    });
    (
        Blob::json(media_type::OCI_MANIFEST, &manifest),
        [config, statement],
    )
}

/// An artifact of a type whose subject is this manifest.
pub(super) fn refer(artifact_type: &str, subject: &Blob) -> Referrer {
    let empty = Blob::new(media_type::EMPTY, "{}");
    let content = Blob::json(
        artifact_type,
        &json!({"about": subject.digest, "type": artifact_type}),
    );
    let manifest = json!({
        "schemaVersion": 2, "mediaType": media_type::OCI_MANIFEST, "artifactType": artifact_type,
        "config": empty.descriptor(), "layers": [content.descriptor()], "subject": subject.descriptor(),
        "annotations": {"org.opencontainers.image.created": "2024-01-02T03:04:05Z"},
    });
    let manifest = Blob::json(media_type::OCI_MANIFEST, &manifest);
    Referrer {
        subject: subject.digest.clone(),
        manifest,
        blobs: vec![empty, content],
        found_by: FoundBy::Subject,
    }
}

/// A signature under a tag, as cosign made them before it used subjects.
pub(super) fn sign(subject: &Blob) -> Referrer {
    let payload = json!({
        "critical": {
            "identity": {"docker-reference": ""},
            "image": {"docker-manifest-digest": subject.digest},
            "type": "cosign container image signature",
        },
        "optional": null,
    });
    let payload = Blob::json(media_type::COSIGN_SIGNATURE, &payload);
    let config = json!({
        "architecture": "", "os": "", "created": "0001-01-01T00:00:00Z", "config": {},
        "rootfs": {"type": "layers", "diff_ids": [payload.digest]},
    });
    let config = Blob::json(media_type::OCI_CONFIG, &config);
    let mut layer = payload.descriptor();
    let signature = hex::encode(noise(payload.bytes.len() as u64, 32));
    layer["annotations"] = json!({"dev.cosignproject.cosign/signature": signature});
    let manifest = json!({
        "schemaVersion": 2, "mediaType": media_type::OCI_MANIFEST, "config": config.descriptor(), "layers": [layer],
    });
    let manifest = Blob::json(media_type::OCI_MANIFEST, &manifest);
    let found_by = FoundBy::Tag(format!("{}.sig", fallback_tag(&subject.digest)));
    Referrer {
        subject: subject.digest.clone(),
        manifest,
        blobs: vec![config, payload],
        found_by,
    }
}
