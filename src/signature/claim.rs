// SPDX-License-Identifier: Apache-2.0

//! What was signed: simple-signing payloads and in-toto statements.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::rejection::told;
use super::{Rejection, Statement};
use crate::oci::{Digest, json, limits};

/// The type of a simple-signing payload that cosign writes.
const SIMPLE_SIGNING: &str = "cosign container image signature";
/// The type of an in-toto statement that approves an image.
const COSIGN_SIGN: &str = "https://sigstore.dev/cosign/sign/v1";
/// The payload type of in-toto statements in an envelope.
pub(super) const IN_TOTO: &str = "application/vnd.in-toto+json";
/// The versions of in-toto statements.
const STATEMENTS: [&str; 2] = [
    "https://in-toto.io/Statement/v1",
    "https://in-toto.io/Statement/v0.1",
];
/// Most other images that a message names.
const NAMED: usize = 1;

/// A claim about one or more images, read strictly.
#[derive(Debug)]
pub(super) struct Claim {
    subjects: Vec<BTreeMap<String, String>>,
    statement: Statement,
}

#[derive(Deserialize)]
struct SimpleSigning {
    critical: Critical,
}

/// `critical.identity` says under which name an image was signed; a mirror has another one.
#[derive(Deserialize)]
struct Critical {
    image: Image,
    r#type: String,
}

#[derive(Deserialize)]
struct Image {
    #[serde(rename = "docker-manifest-digest")]
    digest: Digest,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct InToto {
    #[serde(rename = "_type")]
    r#type: String,
    subject: Vec<Subject>,
    predicate_type: String,
    #[serde(default)]
    predicate: Value,
}

#[derive(Deserialize)]
struct Subject {
    digest: BTreeMap<String, String>,
}

// === impl Claim ===

impl Claim {
    /// Reads a simple-signing payload.
    pub(super) fn read_simple(payload: &[u8]) -> Result<Self, Rejection> {
        let form = "simple-signing payload";
        let SimpleSigning { critical } = read(form, payload)?;
        let Critical { image, r#type } = critical;
        if r#type != SIMPLE_SIGNING {
            return Err(Rejection::UnsupportedContent {
                what: format!("payload of the type {}", told(&r#type)),
            });
        }
        let Image { digest } = image;
        let algorithm = digest.algorithm().as_str().to_owned();
        Ok(Self {
            subjects: vec![[(algorithm, digest.encoded().to_owned())].into()],
            statement: Statement::Signature,
        })
    }

    /// Reads the in-toto statement of an envelope.
    pub(super) fn read_statement(payload_type: &str, payload: &[u8]) -> Result<Self, Rejection> {
        if payload_type != IN_TOTO {
            return Err(Rejection::UnsupportedContent {
                what: format!("envelope of the type {}", told(payload_type)),
            });
        }
        let InToto {
            r#type,
            subject,
            predicate_type,
            predicate,
        } = read("in-toto statement", payload)?;
        if !STATEMENTS.contains(&r#type.as_str()) {
            return Err(Rejection::UnsupportedContent {
                what: format!("statement of the type {}", told(&r#type)),
            });
        }
        let statement = match predicate_type.as_str() {
            COSIGN_SIGN => Statement::Signature,
            _ => Statement::Attestation {
                predicate_type,
                predicate,
            },
        };
        Ok(Self {
            subjects: subject.into_iter().map(|subject| subject.digest).collect(),
            statement,
        })
    }

    /// Whether the claim is about this image.
    pub(super) fn is_about(&self, image: &Digest) -> bool {
        let algorithm = image.algorithm().as_str();
        let mut subjects = self.subjects.iter();
        subjects.any(|digests| {
            digests
                .get(algorithm)
                .is_some_and(|found| found == image.encoded())
        })
    }

    /// The images that it is about, as far as their digests are of a kind that is known.
    pub(super) fn images(&self) -> impl Iterator<Item = Digest> {
        let digests = self.subjects.iter().flatten();
        digests.filter_map(|(algorithm, encoded)| format!("{algorithm}:{encoded}").parse().ok())
    }

    /// What it says of this image.
    pub(super) fn about(self, image: &Digest) -> Result<Statement, Rejection> {
        if self.is_about(image) {
            return Ok(self.statement);
        }
        let mut images = self.images();
        let named: Vec<String> = images.by_ref().take(NAMED).map(|i| i.to_string()).collect();
        let found = match (named.as_slice(), images.count()) {
            ([], _) => "with no digest that is known".to_owned(),
            (named, 0) => named.join(", "),
            (named, more) => format!("{} and {more} more", named.join(", ")),
        };
        Err(Rejection::OtherDigest {
            found,
            expected: image.to_string(),
        })
    }
}

/// Reads a document of which two readers would understand the same.
fn read<'a, T: Deserialize<'a>>(form: &'static str, bytes: &'a [u8]) -> Result<T, Rejection> {
    json::check_count(bytes, limits::EVIDENCE_VALUES)
        .and_then(|()| json::check_keys(bytes, &[]))
        .and_then(|()| serde_json::from_slice(bytes))
        .map_err(|error| Rejection::unreadable(form, &error))
}
