//! Credentials that end, and who gives out new ones.

use std::fmt::Debug;

use futures::future::BoxFuture;

use super::credential::Credential;
use crate::oci::Digest;

/// Gives out credentials that end before whoever uses them does: those of a cloud's identity.
pub trait Issuer: Debug + Send + Sync {
    /// A user name and password, or an identity token, that is good for a while yet. It may be one that was given out
    /// before; whoever asks at once shares one request for it.
    fn issue(&self) -> BoxFuture<'_, Result<Credential, IssueError>>;

    /// Says that what was given out was refused: unless it is quite new, the next one is another.
    fn refused(&self);

    /// A digest that is equal where, and only where, the credentials are those of one identity. It is not to be shown.
    fn fingerprint(&self) -> Digest;
}

/// Why there is no credential. The message is one line without secrets.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct IssueError {
    /// What a person can do about it.
    pub fault: IssueFault,
    /// What is wrong.
    pub message: String,
}

/// What a person can do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IssueFault {
    /// The identity is missing, wrong or unknown to the cloud.
    Identity,
    /// The identity is known, and may not do this.
    Forbidden,
    /// The cloud does not answer, or only that it is broken: it may well be otherwise a little later.
    Unreachable,
    /// The cloud is asked too much.
    RateLimited,
    /// The answer makes no sense.
    Answer,
}
