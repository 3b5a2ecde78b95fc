// SPDX-License-Identifier: Apache-2.0

//! The reasons of conditions and failures. They are API: documented, and never renamed.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Why an object, a tag or a copy is in its state.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
pub enum Reason {
    /// Every selected and admitted tag is at every destination.
    Succeeded,
    /// The first round, or the first one for this spec, runs.
    Progressing,
    /// A round failed and the next one will try again.
    ProgressingWithRetry,
    /// The spec is wrong; the message names the field.
    InvalidSpec,
    /// Two images claim one destination tag, or a mirror would copy onto its own source.
    DestinationConflict,
    /// A policy or Secret is missing, invalid or suspended.
    DependencyNotReady,
    /// A registry does not accept the credentials.
    AuthenticationFailed,
    /// The credentials do not allow the operation.
    AccessDenied,
    /// A repository, tag or manifest does not exist.
    NotFound,
    /// The repository of a destination does not exist, and the registry does not make it by itself.
    RepositoryMissing,
    /// A registry lets no tag of that name be overwritten.
    TagImmutable,
    /// A registry asks for fewer requests.
    RateLimited,
    /// A registry, a disk or the quota of a namespace has no room for more.
    QuotaExceeded,
    /// A mirror asks for more than the operator's bounds let it have.
    LimitExceeded,
    /// A registry cannot be reached.
    Unreachable,
    /// A TLS connection is refused by either side.
    #[serde(rename = "TLSError")]
    TlsError,
    /// A copy failed for another reason.
    CopyFailed,
    /// The content that arrived is not the content that was named.
    DigestMismatch,
    /// A registry refuses an index some of whose images are missing.
    SparseIndexRefused,
    /// A source tag moved and `tagMutability: Fail` forbids it.
    TagMoved,
    /// No accepted signature was found.
    VerificationFailed,
    /// An image does not meet a policy's requirements.
    PolicyViolation,
    /// A digest has not been seen long enough.
    Quarantined,
    /// Pruning deletes nothing: a plan waits for approval, or a round does not know enough.
    PrunePaused,
    /// A registry cannot delete a tag without every other tag of its digest.
    PruneUnsupported,
    /// A mirror is later than `spec.freshness` promises.
    Late,
    /// The object is suspended.
    Suspended,
}

impl Reason {
    /// The text that stands in conditions and events.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "Succeeded",
            Self::Progressing => "Progressing",
            Self::ProgressingWithRetry => "ProgressingWithRetry",
            Self::InvalidSpec => "InvalidSpec",
            Self::DestinationConflict => "DestinationConflict",
            Self::DependencyNotReady => "DependencyNotReady",
            Self::AuthenticationFailed => "AuthenticationFailed",
            Self::AccessDenied => "AccessDenied",
            Self::NotFound => "NotFound",
            Self::RepositoryMissing => "RepositoryMissing",
            Self::TagImmutable => "TagImmutable",
            Self::RateLimited => "RateLimited",
            Self::QuotaExceeded => "QuotaExceeded",
            Self::LimitExceeded => "LimitExceeded",
            Self::Unreachable => "Unreachable",
            Self::TlsError => "TLSError",
            Self::CopyFailed => "CopyFailed",
            Self::DigestMismatch => "DigestMismatch",
            Self::SparseIndexRefused => "SparseIndexRefused",
            Self::TagMoved => "TagMoved",
            Self::VerificationFailed => "VerificationFailed",
            Self::PolicyViolation => "PolicyViolation",
            Self::Quarantined => "Quarantined",
            Self::PrunePaused => "PrunePaused",
            Self::PruneUnsupported => "PruneUnsupported",
            Self::Late => "Late",
            Self::Suspended => "Suspended",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_printed_as_it_is_serialised() {
        for reason in [Reason::Succeeded, Reason::TlsError, Reason::PrunePaused] {
            assert_eq!(serde_json::to_value(reason).unwrap(), reason.as_str());
        }
    }
}
