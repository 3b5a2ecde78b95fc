// SPDX-License-Identifier: Apache-2.0

//! Who a mirror is in the clouds: a ServiceAccount of its namespace that is granted by name, or the controller itself
//! where the operator says so.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use futures::future::BoxFuture;
use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::api::PostParams;
use kube::{Api, Client};
use secrecy::SecretString;

use crate::api::{ObjectName, Reason};
use crate::events::Pull;
use crate::identity::{self, Account, Identities, Puller, Tokens, Who};
use crate::oci::Registry;
use crate::plan::{CloudIdentity, Mirror};
use crate::registry::Issuer;
use crate::runtime::kubernetes::explain;

/// How long tokens are good, in seconds: the shortest that the API server gives. They are used at once.
const TOKEN_SECONDS: i64 = 600;
/// Stands for all namespaces.
const ALL: &str = "*";

/// The identities of this process, and who may use its own.
pub(super) struct OwnIdentities {
    identities: Identities,
    namespaces: Vec<String>,
}

/// Who one mirror is.
pub(super) struct Members<'a> {
    own: &'a OwnIdentities,
    namespace: &'a str,
    accounts: BTreeMap<ObjectName, Result<Who, IdentityError>>,
}

/// Why an identity cannot be used.
#[derive(Clone, Debug, thiserror::Error)]
pub(super) enum IdentityError {
    /// The operator has not let this namespace use the controller's own.
    #[error(
        "namespace {0:?} may not use the controller's own identity: add it to identity.namespaces of the Helm chart \
         (--identity-namespaces), or name a service account with serviceAccountName"
    )]
    NotOwn(String),
    /// There is no such ServiceAccount.
    #[error("there is no service account {name:?} in namespace {namespace:?}: create it")]
    Missing {
        /// The namespace.
        namespace: String,
        /// The name.
        name: String,
    },
    /// It is not granted.
    #[error("{}", not_granted(.namespace, .name))]
    Forbidden {
        /// The namespace.
        namespace: String,
        /// The name.
        name: String,
    },
    /// The API server did not say.
    #[error("service account {name:?} of namespace {namespace:?} cannot be read: {message}")]
    Unreadable {
        /// The namespace.
        namespace: String,
        /// The name.
        name: String,
        /// Why.
        message: String,
    },
}

/// Asks the API server for the tokens of a ServiceAccount.
struct TokenRequests {
    api: Api<ServiceAccount>,
    namespace: String,
    name: String,
}

fn not_granted(namespace: &str, name: &str) -> String {
    format!(
        "service account {name:?} of namespace {namespace:?} is not granted to Transship: add \
         {{namespace: {namespace}, name: {name}}} to identity.serviceAccounts of the Helm chart, or bind a Role there \
         that may get serviceaccounts and create serviceaccounts/token with resourceNames: [{name}]"
    )
}

// === impl IdentityError ===

impl IdentityError {
    /// The category.
    pub(super) fn reason(&self) -> Reason {
        match self {
            Self::NotOwn(_) | Self::Forbidden { .. } => Reason::AccessDenied,
            Self::Missing { .. } => Reason::DependencyNotReady,
            Self::Unreadable { .. } => Reason::Unreachable,
        }
    }
}

// === impl OwnIdentities ===

impl OwnIdentities {
    /// Identities, and the namespaces that may use that of the process itself.
    pub(super) fn new(identities: Identities, namespaces: Vec<String>) -> Self {
        Self {
            identities,
            namespaces,
        }
    }

    /// Who takes the messages of a queue for a receiver of a namespace.
    pub(super) async fn puller(
        &self,
        client: &Client,
        namespace: &str,
        pull: &Pull,
    ) -> Result<Puller, IdentityError> {
        let who = match &pull.service_account {
            None if self.may_use_own(namespace) => Who::Process,
            None => return Err(IdentityError::NotOwn(namespace.to_owned())),
            Some(name) => {
                let api = Api::namespaced(client.clone(), namespace);
                account(&api, namespace, name).await?
            }
        };
        Ok(self.identities.puller(&pull.queue, &who))
    }

    fn may_use_own(&self, namespace: &str) -> bool {
        let mut allowed = self.namespaces.iter();
        allowed.any(|allowed| allowed == ALL || allowed == namespace)
    }
}

// === impl Members ===

impl<'a> Members<'a> {
    /// Reads the ServiceAccounts that a mirror names, each once.
    pub(super) async fn read(client: &Client, own: &'a OwnIdentities, mirror: &'a Mirror) -> Self {
        let api: Api<ServiceAccount> = Api::namespaced(client.clone(), &mirror.namespace);
        let mut accounts = BTreeMap::new();
        let identities = mirror
            .accesses()
            .filter_map(|access| access.identity.as_ref());
        for name in identities.filter_map(|identity| identity.service_account.as_ref()) {
            if !accounts.contains_key(name) {
                let account = account(&api, &mirror.namespace, name).await;
                accounts.insert(name.clone(), account);
            }
        }
        Self {
            own,
            namespace: &mirror.namespace,
            accounts,
        }
    }

    /// Who gives out credentials for a registry.
    pub(super) fn issuer(
        &self,
        registry: &Registry,
        identity: &CloudIdentity,
    ) -> Result<Arc<dyn Issuer>, IdentityError> {
        let namespace = || self.namespace.to_owned();
        let who = match &identity.service_account {
            None if self.own.may_use_own(self.namespace) => Who::Process,
            None => return Err(IdentityError::NotOwn(namespace())),
            Some(name) => match self.accounts.get(name) {
                Some(found) => found.clone()?,
                // Every name of the mirror was read.
                None => {
                    return Err(IdentityError::Missing {
                        namespace: namespace(),
                        name: name.to_string(),
                    });
                }
            },
        };
        let identities = &self.own.identities;
        Ok(identities.issuer(registry, &identity.cloud, &who))
    }
}

async fn account(
    api: &Api<ServiceAccount>,
    namespace: &str,
    name: &ObjectName,
) -> Result<Who, IdentityError> {
    let (namespace, name) = (namespace.to_owned(), name.to_string());
    let metadata = match api.get(&name).await {
        Ok(account) => account.metadata,
        Err(kube::Error::Api(status)) if status.is_not_found() => {
            return Err(IdentityError::Missing { namespace, name });
        }
        Err(kube::Error::Api(status)) if status.is_forbidden() => {
            return Err(IdentityError::Forbidden { namespace, name });
        }
        Err(error) => {
            return Err(IdentityError::Unreadable {
                namespace,
                name,
                message: explain(&error),
            });
        }
    };
    let tokens = TokenRequests {
        api: api.clone(),
        namespace: namespace.clone(),
        name: name.clone(),
    };
    Ok(Who::Account(Arc::new(Account {
        namespace,
        name,
        uid: metadata.uid.unwrap_or_default(),
        annotations: metadata.annotations.unwrap_or_default(),
        tokens: Arc::new(tokens),
    })))
}

// === impl TokenRequests ===

impl TokenRequests {
    async fn request(&self, audience: &str) -> Result<SecretString, identity::Error> {
        let Self {
            api,
            namespace,
            name,
        } = self;
        let request = TokenRequest {
            spec: TokenRequestSpec {
                audiences: vec![audience.to_owned()],
                expiration_seconds: Some(TOKEN_SECONDS),
                bound_object_ref: None,
            },
            ..TokenRequest::default()
        };
        let given = api
            .create_token_request(name, &PostParams::default(), &request)
            .await;
        let what = format!("a token of service account {name:?} of namespace {namespace:?}");
        match given {
            Ok(given) => given
                .status
                .map(|status| status.token.into())
                .ok_or_else(|| identity::Error::Wrong(format!("the API server gives no {what}"))),
            Err(kube::Error::Api(status)) if status.is_forbidden() => {
                Err(identity::Error::NotGranted(not_granted(namespace, name)))
            }
            Err(kube::Error::Api(status)) if status.is_not_found() => Err(identity::Error::Wrong(
                format!("there is no {what}: it is gone"),
            )),
            Err(error) => Err(identity::Error::Unreachable {
                server: "the API server".to_owned(),
                detail: format!("it gives no {what}: {}", explain(&error)),
            }),
        }
    }
}

impl Tokens for TokenRequests {
    fn token<'a>(
        &'a self,
        audience: &'a str,
    ) -> BoxFuture<'a, Result<SecretString, identity::Error>> {
        Box::pin(self.request(audience))
    }
}

impl fmt::Debug for TokenRequests {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            namespace, name, ..
        } = self;
        write!(formatter, "TokenRequests({namespace}/{name})")
    }
}
