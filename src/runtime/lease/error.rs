//! Why nothing could be said of a lease, or to it.

use std::time::Duration;

use crate::runtime::kubernetes::explain;

/// A request about the lease that failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The API server refused, or could not be reached.
    #[error("cannot {verb} the lease {lease}: {}", explain(source))]
    Refused {
        /// What was asked for.
        verb: &'static str,
        /// The lease.
        lease: String,
        /// Why.
        source: kube::Error,
    },
    /// The API server did not answer.
    #[error("cannot {verb} the lease {lease}: the API server did not answer within {within:?}")]
    TimedOut {
        /// What was asked for.
        verb: &'static str,
        /// The lease.
        lease: String,
        /// How long was waited.
        within: Duration,
    },
    /// Replacing it would overwrite whatever came in between.
    #[error(
        "cannot use the lease {lease}: it has no resourceVersion, so it cannot be written safely"
    )]
    Unversioned {
        /// The lease.
        lease: String,
    },
}

impl Error {
    /// Whether the lease is no longer what it was when it was looked at.
    pub(super) fn is_conflict(&self) -> bool {
        let Self::Refused {
            source: kube::Error::Api(status),
            ..
        } = self
        else {
            return false;
        };
        // 409 is both "changed" and "exists already", 404 is "deleted".
        status.code == 409 || status.is_conflict() || status.is_not_found()
    }
}
