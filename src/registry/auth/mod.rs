// SPDX-License-Identifier: Apache-2.0

//! Who we are at a registry: basic authentication and the token protocol of the Docker registry.
//!
//! A registry answers 401 and names in `WWW-Authenticate` the server that gives out tokens. That
//! name comes from the peer, so it is judged by `realm` before a credential goes there, and what
//! the server answers is bounded and checked before it goes into a header. An [`Authenticator`]
//! keeps the tokens of one registry and one credential; nothing is shared between credentials.

mod authenticator;
mod authorization;
pub mod challenge;
mod credential;
mod error;
mod exchange;
pub mod fuzzing;
mod issue_error;
mod memory;
mod method;
mod realm;
mod scope;
#[cfg(test)]
mod tests;
mod token;

pub use authenticator::Authenticator;
pub use authorization::Authorization;
pub use credential::{Credential, Issuer};
pub use error::{Error, Refusal};
pub use issue_error::{IssueError, IssueFault};
pub use realm::RealmFault;
pub use scope::Scope;
pub use token::TokenFault;
pub(super) use token::is_token;
