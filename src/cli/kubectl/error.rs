// SPDX-License-Identifier: Apache-2.0

//! Why the plugin stops.

use crate::api::Reason;
use crate::runtime::kubernetes;

/// Why a command of the plugin stops.
#[derive(Debug, thiserror::Error)]
pub enum PluginError {
    /// There is no way to the cluster.
    #[error(transparent)]
    Kubernetes(#[from] kubernetes::Error),
    /// The person has no right to do that.
    #[error(
        "you may not {verb} {resource} {place}: ask for the verb {verb} on {resource} there{role}"
    )]
    Forbidden {
        /// What was to be done.
        verb: &'static str,
        /// With what.
        resource: String,
        /// In which namespace.
        place: String,
        /// The role that has the right.
        role: &'static str,
    },
    /// The cluster does not know the kind.
    #[error(
        "this cluster has no CustomResourceDefinition {0}: install Transship there, or choose another --context"
    )]
    NotInstalled(String),
    /// There is no such object.
    #[error(
        "there is no {kind} {name:?} in namespace {namespace:?}: see `kubectl transship status -A`"
    )]
    NoObject {
        /// Its kind.
        kind: String,
        /// Its name.
        name: String,
        /// Its namespace.
        namespace: String,
    },
    /// The API server does not do it.
    #[error("cannot {verb} {resource}: {message}")]
    Request {
        /// What was to be done.
        verb: &'static str,
        /// With what.
        resource: String,
        /// What the API server said.
        message: String,
    },
    /// The API server does not answer.
    #[error("cannot reach {server}: {message}{advice}")]
    NoAnswer {
        /// Where it is, and which context leads there.
        server: String,
        /// Why.
        message: String,
        /// What to do.
        advice: &'static str,
    },
    /// The API server does not know who asks.
    #[error(
        "{server} does not accept your credentials: log in there again, or choose another --context"
    )]
    NotLoggedIn {
        /// Where it is, and which context leads there.
        server: String,
    },
    /// A round cannot run.
    #[error("{mirror} is suspended, and no round runs: `{resume}` comes first")]
    SuspendedMirror {
        /// The mirror.
        mirror: String,
        /// The command that lets it go on.
        resume: String,
    },
    /// What is on record is not what waits.
    #[error(
        "the plan of {mirror} that waits is not of these tags: its records changed since, or the clocks differ. Ask for \
         a round with `{sync}`, and look again"
    )]
    OtherPlan {
        /// The mirror.
        mirror: String,
        /// The command that asks for a round.
        sync: String,
    },
    /// No round ended in time.
    #[error(
        "no round of {mirror} has ended since: see `{logs}` whether the controller runs, or wait longer with --timeout"
    )]
    NoRound {
        /// The mirror.
        mirror: String,
        /// The command that shows what the controller says.
        logs: String,
    },
    /// No controller is found.
    #[error(
        "there is no pod of the controller in namespace {namespace:?}: name its namespace with --controller-namespace"
    )]
    NoController {
        /// Where it was looked for.
        namespace: String,
    },
}

// === impl PluginError ===

impl PluginError {
    /// The same as one word, for machines.
    pub(in crate::cli) fn reason(&self) -> Reason {
        match self {
            Self::Kubernetes(_)
            | Self::Request { .. }
            | Self::NoAnswer { .. }
            | Self::NoRound { .. } => Reason::Unreachable,
            Self::NotLoggedIn { .. } => Reason::AuthenticationFailed,
            Self::Forbidden { .. } => Reason::AccessDenied,
            Self::NotInstalled(_) | Self::NoObject { .. } | Self::NoController { .. } => {
                Reason::NotFound
            }
            Self::SuspendedMirror { .. } => Reason::Suspended,
            Self::OtherPlan { .. } => Reason::PrunePaused,
        }
    }
}
