// SPDX-License-Identifier: Apache-2.0

//! What proves who we are.

use std::fmt::{self, Debug};
use std::sync::Arc;

use futures::future::BoxFuture;
use secrecy::{ExposeSecret, SecretString};

use super::issue_error::IssueError;
use crate::oci::digest::Algorithm;
use crate::oci::{Digest, Hasher};
use crate::registry::own::SignedApi;

/// User names that say that the password is an identity token: Docker's, and that of Azure.
const IDENTITY_USERS: [&str; 2] = ["<token>", "00000000-0000-0000-0000-000000000000"];

/// What proves to one registry who we are.
#[derive(Clone, Default)]
pub enum Credential {
    /// Nothing: only what is public.
    #[default]
    Anonymous,
    /// A user name and password, or a token that stands in for the password.
    Basic {
        /// The user.
        username: String,
        /// The password.
        password: SecretString,
    },
    /// A token that the token server takes for others (`OAuth2` refresh token), as `docker login` keeps it.
    IdentityToken {
        /// The user, often empty or `<token>`.
        username: String,
        /// The token.
        token: SecretString,
    },
    /// A token for the registry itself; no token server is asked.
    RegistryToken(SecretString),
    /// One that ends and is renewed.
    Issued(Arc<dyn Issuer>),
}

/// Gives out credentials that end before whoever uses them does: those of a cloud's identity.
pub trait Issuer: Debug + Send + Sync {
    /// A user name and password, or an identity token, that is good for a while yet. It may be one that was given out
    /// before; whoever asks at once shares one request for it.
    fn issue(&self) -> BoxFuture<'_, Result<Credential, IssueError>>;

    /// Says that what was given out was refused: unless it is quite new, the next one is another.
    fn refused(&self);

    /// A digest that is equal where, and only where, the credentials are those of one identity. It is not to be shown.
    fn fingerprint(&self) -> Digest;

    /// The API of the registry whose calls are signed with the identity's keys; nothing where there is none.
    fn signed(&self) -> Option<&dyn SignedApi> {
        None
    }
}

// === impl Credential ===

impl Credential {
    /// A user name and password, or what comes as such but is an identity token.
    pub fn from_password(username: String, password: SecretString) -> Self {
        if IDENTITY_USERS.contains(&username.as_str()) {
            return Self::IdentityToken {
                username,
                token: password,
            };
        }
        Self::Basic { username, password }
    }

    /// A digest that is equal where, and only where, the credentials are equal: a key for caches.
    ///
    /// It is no secret, but a weak password could be guessed from it: do not show it.
    pub fn fingerprint(&self) -> Digest {
        let mut hasher = Algorithm::Sha256.hasher();
        match self {
            Self::Anonymous => add(&mut hasher, "anonymous"),
            Self::Basic { username, password } => {
                add(&mut hasher, "basic");
                add(&mut hasher, username);
                add(&mut hasher, password.expose_secret());
            }
            Self::IdentityToken { username, token } => {
                add(&mut hasher, "identity token");
                add(&mut hasher, username);
                add(&mut hasher, token.expose_secret());
            }
            Self::RegistryToken(token) => {
                add(&mut hasher, "registry token");
                add(&mut hasher, token.expose_secret());
            }
            Self::Issued(issuer) => {
                add(&mut hasher, "issued");
                add(&mut hasher, issuer.fingerprint().as_str());
            }
        }
        hasher.finish()
    }
}

/// Adds a field with its length, so that no two lists of fields read alike.
fn add(hasher: &mut Hasher, field: &str) {
    hasher.update(&(field.len() as u64).to_be_bytes());
    hasher.update(field.as_bytes());
}

impl fmt::Debug for Credential {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Anonymous => "Credential(anonymous)",
            Self::Basic { .. } => "Credential(basic)",
            Self::IdentityToken { .. } => "Credential(identity token)",
            Self::RegistryToken(_) => "Credential(registry token)",
            Self::Issued(_) => "Credential(issued)",
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn basic(username: &str, password: &str) -> Credential {
        Credential::Basic {
            username: username.to_owned(),
            password: password.into(),
        }
    }

    #[test]
    fn equal_credentials_only_have_equal_fingerprints() {
        let credentials = [
            Credential::Anonymous,
            basic("user", "word"),
            basic("userw", "ord"),
            basic("user", "other"),
            Credential::IdentityToken {
                username: "user".to_owned(),
                token: "word".into(),
            },
            Credential::RegistryToken("word".into()),
            Credential::RegistryToken("".into()),
        ];
        let fingerprints: HashSet<Digest> =
            credentials.iter().map(Credential::fingerprint).collect();
        assert_eq!(fingerprints.len(), credentials.len());
        assert_eq!(
            basic("user", "word").fingerprint(),
            basic("user", "word").fingerprint()
        );
    }

    #[test]
    fn debug_shows_no_secret() {
        let shown = format!("{:?}", basic("user-canary", "password-canary"));
        assert_eq!(shown, "Credential(basic)");
    }
}
