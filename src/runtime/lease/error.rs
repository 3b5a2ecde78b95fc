// SPDX-License-Identifier: Apache-2.0

//! Why nothing could be said of a lease, or to it.

use std::time::Duration;

use crate::runtime::kubernetes::explain;

/// What is asked for where there is no lease yet.
pub(super) const CREATE: &str = "create";

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
            verb,
            source: kube::Error::Api(status),
            lease: _,
        } = self
        else {
            return false;
        };
        // 409 is both "changed" and "exists already", 404 is "deleted"; where a lease is created, it is
        // the namespace that does not exist, which somebody has to be told.
        let is_deleted = status.is_not_found() && *verb != CREATE;
        status.code == 409 || status.is_conflict() || is_deleted
    }
}

#[cfg(test)]
mod tests {
    use kube::core::Status;

    use super::*;

    #[test]
    fn a_namespace_that_does_not_exist_is_no_conflict() {
        let is_conflict = |verb, code, reason| {
            let status = Status::failure("", reason).with_code(code);
            let refused = Error::Refused {
                verb,
                lease: "system/transship".to_owned(),
                source: kube::Error::Api(Box::new(status)),
            };
            refused.is_conflict()
        };
        assert!(is_conflict("update", 409, "Conflict"));
        assert!(is_conflict("update", 404, "NotFound"));
        assert!(is_conflict(CREATE, 409, "AlreadyExists"));
        assert!(!is_conflict(CREATE, 404, "NotFound"));
        assert!(!is_conflict("update", 403, "Forbidden"));
    }
}
