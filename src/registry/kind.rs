// SPDX-License-Identifier: Apache-2.0

//! What an error of a registry means for the one who asked.

/// What an error means for the one who asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The registry or its token server does not accept the credential.
    AuthenticationFailed,
    /// The credential is accepted but may not do this.
    AccessDenied,
    /// The repository, manifest or blob does not exist.
    NotFound,
    /// The repository to write to does not exist, and the registry does not make it by itself.
    RepositoryMissing,
    /// The registry lets no tag of that name be overwritten or deleted.
    TagImmutable,
    /// The registry wants to be left alone for a while.
    RateLimited,
    /// There is no room left.
    QuotaExceeded,
    /// The registry does not answer, or only that it is broken.
    Unreachable,
    /// No trusted connection comes about.
    Tls,
    /// The content is not what its digest or size says.
    DigestMismatch,
    /// The registry wanted something of us that is not safe: a realm, redirect or upload location elsewhere.
    Refused,
    /// The operator's bounds keep us from going there.
    OutOfBounds,
    /// The registry does not accept what was written, or how.
    Rejected,
    /// The answer makes no sense.
    Protocol,
    /// A body broke off.
    Interrupted,
    /// There is no memory left for what it sends.
    Full,
}

/// Whose registry it is: what a person does about an error depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Images come from it.
    Source,
    /// Images go to it.
    Destination,
}
