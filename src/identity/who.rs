// SPDX-License-Identifier: Apache-2.0

//! Whose identity it is.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;

use futures::future::BoxFuture;
use secrecy::SecretString;

use super::error::Error;

/// Whose identity it is.
#[derive(Clone, Debug)]
pub enum Who {
    /// That of this process: what its pod, node, shell or CI job has.
    Process,
    /// That of a ServiceAccount.
    Account(Arc<Account>),
}

/// A ServiceAccount of the cluster.
#[derive(Debug)]
pub struct Account {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The identity that the API server gave it.
    pub uid: String,
    /// Its annotations: they name the identity in the cloud that it stands for.
    pub annotations: BTreeMap<String, String>,
    /// Gives out its tokens.
    pub tokens: Arc<dyn Tokens>,
}

/// Gives out tokens (JWT) that say who somebody is.
pub trait Tokens: Debug + Send + Sync {
    /// A token for an audience.
    fn token<'a>(&'a self, audience: &'a str) -> BoxFuture<'a, Result<SecretString, Error>>;
}

// === impl Who ===

impl Who {
    /// A text that is another one for everybody else. Accounts that were changed are others.
    pub(super) fn key(&self) -> String {
        match self {
            Self::Process => "process".to_owned(),
            Self::Account(account) => {
                let Account {
                    namespace,
                    name,
                    uid,
                    annotations,
                    tokens: _,
                } = &**account;
                format!("account {namespace:?} {name:?} {uid:?} {annotations:?}")
            }
        }
    }
}

// === impl Account ===

impl Account {
    /// An annotation that has to be there.
    pub(super) fn annotation(&self, key: &str) -> Result<&str, Error> {
        let value = self.annotations.get(key).map(|value| value.trim());
        value.filter(|value| !value.is_empty()).ok_or_else(|| {
            let Self {
                namespace, name, ..
            } = self;
            Error::Wrong(format!(
                "service account {name:?} of namespace {namespace:?} has no annotation {key}: it names the identity \
                 that the account stands for"
            ))
        })
    }
}
