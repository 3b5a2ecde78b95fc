// SPDX-License-Identifier: Apache-2.0

//! Identities that a certificate authority vouches for.

use std::fmt;

use sigstore_verify::bundle::Error as BundleError;
use sigstore_verify::crypto::{SubjectAltName, parse_certificate_info};
use sigstore_verify::trust_root::{SIGSTORE_PRODUCTION_TRUSTED_ROOT, TrustedRoot};
use sigstore_verify::types::{
    Artifact, ArtifactDigest, Bundle, DigestBytes, HashAlgorithm, KindVersion, TransparencyLogEntry,
};
use sigstore_verify::{
    CertificateError, Error, TimestampError, TransparencyLogError, VerificationPolicy, Verifier,
};

use super::rejection::told;
use super::signed::{Content, Signed, Signer};
use super::{AuthorityError, Evidence, Identity, Rejection, bundle};
use crate::oci::{Algorithm, Digest, limits};
use crate::policy::TextGlob;

/// An issuer, the subjects that it may vouch for, and the root of all trust.
pub(super) struct Keyless {
    issuer: String,
    subject: TextGlob,
    verifier: Verifier,
    policy: VerificationPolicy,
}

// === impl Keyless ===

impl Keyless {
    pub(super) fn new(
        issuer: &str,
        subject: &TextGlob,
        trusted_root: Option<&[u8]>,
    ) -> Result<Self, AuthorityError> {
        if issuer.is_empty() {
            return Err(AuthorityError::NoIssuer);
        }
        if subject.to_string().is_empty() {
            return Err(AuthorityError::NoSubject);
        }
        let root = read_root(trusted_root.unwrap_or_else(|| public_root()))?;
        Ok(Self {
            issuer: issuer.to_owned(),
            subject: subject.clone(),
            verifier: Verifier::new(&root).map_err(|error| refuse_root(&error))?,
            policy: policy(&root),
        })
    }

    /// Whether an identity that is trusted signed it. What it says, and of which image, is not judged here.
    pub(super) fn verify(
        &self,
        image: &Digest,
        evidence: &Evidence,
        signed: &Signed,
    ) -> Result<Identity, Rejection> {
        if let Signer::Key { .. } = signed.signer {
            return Err(Rejection::NoCertificate);
        }
        let bundle = bundle::bundle(evidence, signed)?;
        let material = &bundle.verification_material;
        let logged = !material.tlog_entries.is_empty();
        if !logged && self.policy.verifies_tlog() {
            return Err(Rejection::NoLogEntry);
        }
        let timestamps = &material.timestamp_verification_data.rfc3161_timestamps;
        if !logged && timestamps.is_empty() {
            return Err(Rejection::NoTimestamp);
        }
        material.tlog_entries.iter().try_for_each(check_size)?;
        let artifact = artifact(image, signed)?;
        let verified = self.verifier.verify(artifact, &bundle, &self.policy);
        let verified = verified.map_err(|error| explain(&error, &bundle))?;
        self.recognise(verified.identity(), verified.issuer())
    }

    fn recognise(
        &self,
        subject: Option<&SubjectAltName>,
        issuer: Option<&str>,
    ) -> Result<Identity, Rejection> {
        let Self {
            issuer: expected, ..
        } = self;
        let issuer = issuer.ok_or_else(|| Rejection::NoIssuer {
            expected: expected.clone(),
        })?;
        if issuer != expected {
            return Err(Rejection::OtherIssuer {
                found: told(issuer),
                expected: expected.clone(),
            });
        }
        let expected = &self.subject;
        let subject = subject.ok_or_else(|| Rejection::NoSubject {
            expected: expected.to_string(),
        })?;
        let subject = subject.as_str();
        if !expected.matches(subject) {
            return Err(Rejection::OtherSubject {
                found: told(subject),
                expected: expected.to_string(),
            });
        }
        Ok(Identity {
            subject: subject.to_owned(),
            issuer: issuer.to_owned(),
        })
    }
}

impl fmt::Debug for Keyless {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Keyless({} of {})", self.subject, self.issuer)
    }
}

/// The trusted root of the public good instance, as the release of the library knew it.
pub(super) fn public_root() -> &'static [u8] {
    SIGSTORE_PRODUCTION_TRUSTED_ROOT.as_bytes()
}

fn read_root(json: &[u8]) -> Result<TrustedRoot, AuthorityError> {
    let most = limits::MANIFEST_BYTES;
    if json.len() > most {
        let found = json.len();
        return Err(refuse_root(&format_args!(
            "it has {found} bytes, more than {most}"
        )));
    }
    let root: TrustedRoot = serde_json::from_slice(json).map_err(|error| refuse_root(&error))?;
    if root.certificate_authorities.is_empty() {
        return Err(refuse_root(&"it has no certificateAuthorities"));
    }
    if root.tlogs.is_empty() && root.timestamp_authorities.is_empty() {
        return Err(refuse_root(
            &"it has neither tlogs nor timestampAuthorities, so nobody can say when something was signed",
        ));
    }
    Ok(root)
}

fn refuse_root(reason: &dyn fmt::Display) -> AuthorityError {
    AuthorityError::TrustedRoot {
        reason: told(&reason.to_string()),
    }
}

/// Everything that the root has someone for is asked for. Whoever signs is recognised later.
fn policy(root: &TrustedRoot) -> VerificationPolicy {
    let mut policy = VerificationPolicy::any_identity();
    if root.ctlogs.is_empty() {
        policy = policy.skip_sct();
    }
    if root.tlogs.is_empty() {
        // A site without a log: a timestamp authority says when it was signed.
        policy = policy.skip_tlog_unsafe();
    }
    policy
}

/// The size of the tree in a proof must be the one that the log signed, of which the library only takes
/// the root. The second version of the log leaves it to the checkpoint.
fn check_size(entry: &TransparencyLogEntry) -> Result<(), Rejection> {
    let Some(proof) = &entry.inclusion_proof else {
        return Ok(());
    };
    let checkpoint = proof.checkpoint.checkpoint();
    let is_second = entry.kind_version == KindVersion::HashedRekordV002;
    match checkpoint {
        Some(checkpoint) if !is_second && checkpoint.tree_size() != proof.tree_size => {
            let (signed, found) = (checkpoint.tree_size(), proof.tree_size);
            Err(Rejection::InclusionProof {
                reason: format!("it is for a tree of {found} entries, the log signed {signed}"),
            })
        }
        Some(_) | None => Ok(()),
    }
}

/// What the signature is compared with: the payload, or for a statement the digest of an image that it
/// names. Whether that is the right image is judged when it is known who said so.
fn artifact<'a>(image: &Digest, signed: &'a Signed) -> Result<Artifact<'a>, Rejection> {
    if let Content::Simple(payload) = &signed.content {
        return Ok(Artifact::from_blob(payload));
    }
    let claim = signed.claim()?;
    let digest = if claim.is_about(image) {
        Some(image.clone())
    } else {
        claim.images().next()
    };
    let digest = digest.unwrap_or_else(|| image.clone());
    let algorithm = match digest.algorithm() {
        Algorithm::Sha256 => HashAlgorithm::Sha2256,
        Algorithm::Sha512 => HashAlgorithm::Sha2512,
    };
    let unreadable = |error: &dyn fmt::Display| Rejection::unreadable("digest", error);
    let bytes = DigestBytes::from_hex(digest.encoded()).map_err(|error| unreadable(&error))?;
    let digest = ArtifactDigest::new(algorithm, bytes).map_err(|error| unreadable(&error))?;
    Ok(Artifact::from_digest(digest))
}

/// The cause that an error of the library stands for.
fn explain(error: &Error, bundle: &Bundle) -> Rejection {
    let reason = || told(&error.to_string());
    match error {
        Error::Certificate(error) => explain_certificate(error, bundle),
        Error::TransparencyLog(error) => explain_log(error),
        Error::Timestamp(error) => match error {
            TimestampError::NoVerifiedTimestamp(_) => Rejection::NoTimestamp,
            TimestampError::Invalid(_) | TimestampError::OutsideAuthorityValidity { .. } | _ => {
                Rejection::Timestamp { reason: reason() }
            }
        },
        Error::Bundle(error) => explain_bundle(error),
        Error::SignatureInvalid(_) | Error::Crypto(_) => Rejection::Tampered {
            reason: "the signature does not fit the content and the certificate".to_owned(),
        },
        Error::ArtifactMismatch(reason) => Rejection::Tampered {
            reason: told(reason),
        },
        Error::UnsupportedBundle(what) | Error::UnsupportedArtifact(what) => {
            Rejection::UnsupportedContent {
                what: format!("bundle ({})", told(what)),
            }
        }
        Error::InvalidBundle(_)
        | Error::InvalidTrustRoot(_)
        | Error::Types(_)
        | Error::TrustRoot(_)
        | Error::TrustedCertificate(_)
        | Error::ArtifactRead(_)
        | Error::IdentityMismatch { .. }
        | Error::IssuerMismatch { .. }
        | _ => Rejection::Unreadable {
            form: "bundle",
            reason: reason(),
        },
    }
}

fn explain_certificate(error: &CertificateError, bundle: &Bundle) -> Rejection {
    let reason = told(&error.to_string());
    match error {
        CertificateError::Malformed(_) => Rejection::UnreadableCertificate { reason },
        CertificateError::NotYetValid { .. } | CertificateError::Expired { .. } => {
            Rejection::CertificateExpired {
                reason: validity(bundle),
            }
        }
        // The chain is judged at the time of the signature; an old certificate ends there already.
        CertificateError::ChainInvalid(_)
            if reason.contains("CertExpired") || reason.contains("CertNotValidYet") =>
        {
            Rejection::CertificateExpired {
                reason: validity(bundle),
            }
        }
        CertificateError::Sct(_) => Rejection::CertificateLog { reason },
        CertificateError::ChainInvalid(_) | CertificateError::NoValidAuthority { .. } | _ => {
            Rejection::UnknownCertificateAuthority { reason }
        }
    }
}

/// When the certificate of a bundle is valid.
fn validity(bundle: &Bundle) -> String {
    let certificate = bundle.signing_certificate().map(parse_certificate_info);
    match certificate {
        Some(Ok(found)) => format!(
            "it is valid from {} to {}",
            found.not_before, found.not_after
        ),
        Some(Err(_)) | None => "it is valid at another time".to_owned(),
    }
}

fn explain_log(error: &TransparencyLogError) -> Rejection {
    let reason = told(&error.to_string());
    match error {
        TransparencyLogError::UnknownLog { .. } => Rejection::UnknownLog { reason },
        TransparencyLogError::InclusionProof(_) => Rejection::InclusionProof { reason },
        TransparencyLogError::Checkpoint(_) => Rejection::Checkpoint { reason },
        TransparencyLogError::InclusionPromise(text) if text.starts_with("No log key valid") => {
            Rejection::UnknownLog { reason }
        }
        TransparencyLogError::InclusionPromise(_) => Rejection::InclusionPromise { reason },
        TransparencyLogError::EntryMismatch(_) => Rejection::OtherLogEntry { reason },
        TransparencyLogError::IntegratedTime(_) => Rejection::CertificateExpired { reason },
        TransparencyLogError::MalformedEntry(_) | _ => Rejection::UnreadableLogEntry { reason },
    }
}

fn explain_bundle(error: &BundleError) -> Rejection {
    let reason = told(&error.to_string());
    match error {
        BundleError::MissingInclusionProof(_) | BundleError::LogIndexOutOfRange { .. } => {
            Rejection::InclusionProof { reason }
        }
        BundleError::MissingInclusionPromise(_) => Rejection::InclusionPromise { reason },
        BundleError::MissingCheckpoint | BundleError::CheckpointRootMismatch => {
            Rejection::Checkpoint { reason }
        }
        BundleError::MissingSigningTimeEvidence | BundleError::MissingTimestamp => {
            Rejection::NoTimestamp
        }
        BundleError::UnsupportedMediaType(_)
        | BundleError::UnsupportedVerificationMaterial
        | BundleError::CertificateChainNotAllowed(_)
        | _ => Rejection::Unreadable {
            form: "bundle",
            reason,
        },
    }
}
