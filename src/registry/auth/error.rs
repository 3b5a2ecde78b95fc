// SPDX-License-Identifier: Apache-2.0

//! Why we are not let in.

use std::fmt;
use std::time::Duration;

use reqwest::StatusCode;

use super::issue_error::IssueError;
use super::realm::RealmFault;
use super::token::TokenFault;
use crate::oci::Registry;
use crate::registry::Kind;
use crate::registry::boundaries::OutOfBounds;
use crate::registry::said::Said;

/// Why no authorization could be had. The message is one line without secrets.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The credential, or that there is none, is not accepted.
    #[error("{registry} {refusal}")]
    AuthenticationFailed {
        /// The registry.
        registry: Registry,
        /// Who refused what.
        refusal: Refusal,
    },
    /// Who gives out credentials for it gives none.
    #[error("there is no credential for {registry}: {error}")]
    NotIssued {
        /// The registry.
        registry: Registry,
        /// Why.
        error: IssueError,
    },
    /// The registry named a token server that must not be asked.
    #[error("{registry} names {realm} as its token server, {fault}")]
    RealmRefused {
        /// The registry.
        registry: Registry,
        /// Host and port of the token server.
        realm: String,
        /// What is wrong with it.
        fault: RealmFault,
    },
    /// The operator's bounds keep us from the token server.
    #[error("the token server {server} of {registry} cannot be asked: {fault}")]
    TokenServerOutOfBounds {
        /// The registry.
        registry: Registry,
        /// Host and port of the token server.
        server: String,
        /// Which bound.
        fault: OutOfBounds,
    },
    /// The token server does not answer, or only that it is broken.
    #[error("the token server {server} of {registry} cannot be used: {detail}; try again later")]
    TokenServerUnreachable {
        /// The registry.
        registry: Registry,
        /// Host and port of the token server.
        server: String,
        /// What happened, without a URL.
        detail: String,
    },
    /// No trusted connection to the token server comes about.
    #[error(
        "no trusted connection to the token server {server} of {registry}: {detail}; if its certificate is right, \
         name its authority"
    )]
    TokenServerUntrusted {
        /// The registry.
        registry: Registry,
        /// Host and port of the token server.
        server: String,
        /// What is wrong.
        detail: String,
    },
    /// The token server is asked too much.
    #[error("the token server {server} of {registry} is asked too much: try again later")]
    RateLimited {
        /// The registry.
        registry: Registry,
        /// Host and port of the token server.
        server: String,
        /// How long it wants to be left alone, where it said so.
        retry_after: Option<Duration>,
    },
    /// The registry does not say in a known way how to authenticate.
    #[error(
        "{registry} wants to know who is asking, but names neither basic authentication nor a token server: \
         check that the address is that of a registry"
    )]
    BadChallenge {
        /// The registry.
        registry: Registry,
    },
    /// The token server gave something that is no token.
    #[error(
        "the token server {server} of {registry} gave no usable token: {fault}; who runs it has to look at it"
    )]
    BadToken {
        /// The registry.
        registry: Registry,
        /// Host and port of the token server.
        server: String,
        /// What is wrong with its answer.
        fault: TokenFault,
    },
}

/// Who refused what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Something that is not public was wanted, and there is no credential.
    NoCredential,
    /// The registry refuses the user name and password.
    Password,
    /// The registry refuses the token that was configured for it.
    RegistryToken,
    /// The registry refuses a token that its token server just gave.
    FreshToken,
    /// The token server refuses the credential.
    TokenServer {
        /// Its host and port.
        server: String,
        /// Its answer.
        status: StatusCode,
        /// Its words.
        said: Option<Said>,
    },
}

// === impl Error ===

impl Error {
    /// What the error means for the operation that wanted the authorization.
    pub fn kind(&self) -> Kind {
        match self {
            Self::AuthenticationFailed { .. } => Kind::AuthenticationFailed,
            Self::NotIssued { error, .. } => error.fault.kind(),
            Self::RealmRefused { .. } => Kind::Refused,
            Self::TokenServerOutOfBounds { .. } => Kind::OutOfBounds,
            Self::TokenServerUnreachable { .. } => Kind::Unreachable,
            Self::TokenServerUntrusted { .. } => Kind::Tls,
            Self::RateLimited { .. } => Kind::RateLimited,
            Self::BadChallenge { .. } | Self::BadToken { .. } => Kind::Protocol,
        }
    }

    /// Whether it may well be otherwise a little later.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::TokenServerUnreachable { .. } | Self::RateLimited { .. } => true,
            Self::NotIssued { error, .. } => error.fault.is_transient(),
            Self::AuthenticationFailed { .. }
            | Self::RealmRefused { .. }
            | Self::TokenServerOutOfBounds { .. }
            | Self::TokenServerUntrusted { .. }
            | Self::BadChallenge { .. }
            | Self::BadToken { .. } => false,
        }
    }

    /// How long the token server wants to be left alone, where it said so.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::RateLimited { retry_after, .. } => *retry_after,
            Self::AuthenticationFailed { .. }
            | Self::NotIssued { .. }
            | Self::RealmRefused { .. }
            | Self::TokenServerOutOfBounds { .. }
            | Self::TokenServerUnreachable { .. }
            | Self::TokenServerUntrusted { .. }
            | Self::BadChallenge { .. }
            | Self::BadToken { .. } => None,
        }
    }

    /// Whether a request for another scope may well have been granted.
    pub(super) fn concerns_one_scope(&self) -> bool {
        match self {
            Self::AuthenticationFailed { refusal, .. } => {
                matches!(refusal, Refusal::TokenServer { .. } | Refusal::NoCredential)
            }
            Self::BadToken { fault, .. } => matches!(fault, TokenFault::Status(400..=499, _)),
            Self::NotIssued { .. }
            | Self::RealmRefused { .. }
            | Self::TokenServerOutOfBounds { .. }
            | Self::TokenServerUnreachable { .. }
            | Self::TokenServerUntrusted { .. }
            | Self::RateLimited { .. }
            | Self::BadChallenge { .. } => false,
        }
    }

    /// Whether a request for any other scope would have failed alike.
    pub(super) fn concerns_every_scope(&self) -> bool {
        match self {
            Self::AuthenticationFailed { refusal, .. } => matches!(
                refusal,
                Refusal::TokenServer {
                    status: StatusCode::UNAUTHORIZED,
                    ..
                }
            ),
            Self::NotIssued { .. }
            | Self::TokenServerOutOfBounds { .. }
            | Self::TokenServerUnreachable { .. }
            | Self::TokenServerUntrusted { .. }
            | Self::RateLimited { .. } => true,
            Self::RealmRefused { .. } | Self::BadChallenge { .. } | Self::BadToken { .. } => false,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoCredential => formatter.write_str(
                "wants a credential, and none was found for it: log in to it (docker login) or name a secret",
            ),
            Self::Password => formatter.write_str("refuses the user name or password: check the credential"),
            Self::RegistryToken => {
                formatter.write_str("refuses the configured token: it may have expired, log in again")
            }
            Self::FreshToken => formatter.write_str(
                "refuses a new token: the repository does not exist, or the credential may not do this",
            ),
            Self::TokenServer {
                server,
                status,
                said,
            } => {
                let status = status.as_u16();
                write!(
                    formatter,
                    "gives no access: its token server {server} refuses the credential with {status}, check it and its rights"
                )?;
                match said {
                    Some(said) => write!(formatter, "; that says \"{said}\""),
                    None => Ok(()),
                }
            }
        }
    }
}
