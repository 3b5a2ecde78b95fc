// SPDX-License-Identifier: Apache-2.0

//! The identities of a process, each with its own credentials for each registry.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use futures::future::BoxFuture;
use tokio::time::{Duration, Instant};

use super::aws::Aws;
use super::azure::Azure;
use super::environment::Environment;
use super::error::Error;
use super::google::{self, Google};
use super::http::Http;
use super::life::Lasting;
use super::puller::Puller;
use super::quay::{self, Quay};
use super::renewed::Renewed;
use super::who::Who;
use crate::oci::clouds::Queue;
use crate::oci::{CloudRegistry, Digest, Registry};
use crate::registry::{Credential, IssueError, Issuer, SignedApi};

/// What nobody asked for in so long is forgotten.
const UNUSED: Duration = Duration::from_secs(60 * 60);
/// The most that are kept. From then on the one that was not asked for the longest is forgotten.
const ISSUERS: usize = 4_096;

/// The identities of a process. Cheap to clone; clones share what was given out.
#[derive(Clone)]
pub struct Identities(Arc<Inner>);

struct Inner {
    http: Http,
    environment: Environment,
    issuers: Mutex<HashMap<String, (Arc<Issuing>, Instant)>>,
    /// The keys that Google signs with.
    google_keys: Renewed<Arc<str>>,
}

/// Gives out the credentials of one identity for one registry.
struct Issuing {
    /// Of this identity and registry, and of no others.
    key: String,
    cloud: Cloud,
    credential: Renewed<Credential>,
}

enum Cloud {
    Aws(Box<Aws>),
    Azure(Azure),
    Google(Google),
    Quay(Quay),
}

// === impl Identities ===

impl Identities {
    /// Identities as this environment has them. `ca_pem` has authorities that are trusted besides those of the system.
    pub fn new(
        user_agent: &str,
        ca_pem: Option<&[u8]>,
        environment: Environment,
    ) -> Result<Self, Error> {
        Ok(Self(Arc::new(Inner {
            http: Http::new(user_agent, ca_pem)?,
            environment,
            issuers: Mutex::default(),
            google_keys: Renewed::default(),
        })))
    }

    /// The cloud that a registry belongs to: by its name, or because the process was told so. Where that cannot be
    /// read, the identity says why.
    pub fn cloud_of(&self, registry: &Registry) -> Option<CloudRegistry> {
        CloudRegistry::of(registry).or_else(|| {
            let is_quay = quay::is_quay(&self.0.environment, registry);
            is_quay.unwrap_or(true).then_some(CloudRegistry::Quay)
        })
    }

    /// Who gives out the credentials of an identity for a registry of a cloud: the same one for both.
    ///
    /// They are for this registry: `name` is what it was asked as, and `cloud` what its name says.
    pub fn issuer(&self, name: &Registry, cloud: &CloudRegistry, who: &Who) -> Arc<dyn Issuer> {
        let key = format!("{name} {}", who.key());
        let now = Instant::now();
        let mut issuers = self
            .0
            .issuers
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some((issuer, used)) = issuers.get_mut(&key) {
            *used = now;
            return Arc::clone(issuer) as Arc<dyn Issuer>;
        }
        issuers.retain(|_, (_, used)| now - *used < UNUSED);
        if issuers.len() >= ISSUERS {
            let oldest = issuers.iter().min_by_key(|(_, (_, used))| *used);
            if let Some(oldest) = oldest.map(|(key, _)| key.clone()) {
                issuers.remove(&oldest);
            }
        }
        let issuer = Arc::new(Issuing {
            key: key.clone(),
            cloud: self.cloud(name, cloud, who),
            credential: Renewed::default(),
        });
        issuers.insert(key, (Arc::clone(&issuer), now));
        issuer
    }

    /// Who takes the messages of a queue as an identity.
    pub fn puller(&self, queue: &Queue, who: &Who) -> Puller {
        let Inner {
            http, environment, ..
        } = &*self.0;
        Puller::new(http.clone(), environment.clone(), queue, who)
    }

    /// The keys that Google signs with what says who somebody is, as JSON (RFC 7517).
    pub async fn google_keys(&self) -> Result<Arc<str>, Error> {
        let Inner {
            http,
            environment,
            google_keys,
            ..
        } = &*self.0;
        google_keys
            .get(async || google::keys(http, environment).await)
            .await
    }

    /// Says that a key is not among them. They are asked for again, but not within a minute.
    pub fn google_keys_are_old(&self) {
        self.0.google_keys.outdated();
    }

    fn cloud(&self, name: &Registry, cloud: &CloudRegistry, who: &Who) -> Cloud {
        let Inner {
            http, environment, ..
        } = &*self.0;
        let (http, environment, who) = (http.clone(), environment.clone(), who.clone());
        match cloud {
            CloudRegistry::Ecr(host) => Cloud::Aws(Box::new(Aws::new(
                http,
                environment,
                Some(host.clone()),
                who,
            ))),
            CloudRegistry::EcrPublic => {
                Cloud::Aws(Box::new(Aws::new(http, environment, None, who)))
            }
            CloudRegistry::Google => Cloud::Google(Google::new(http, environment, who)),
            CloudRegistry::Azure(cloud) => {
                Cloud::Azure(Azure::new(http, environment, name.clone(), *cloud, who))
            }
            CloudRegistry::Quay => Cloud::Quay(Quay::new(http, environment, name.clone(), who)),
        }
    }
}

impl fmt::Debug for Identities {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Identities")
    }
}

// === impl Issuing ===

impl Issuing {
    async fn fetch(&self) -> Result<Lasting<Credential>, Error> {
        match &self.cloud {
            Cloud::Aws(aws) => aws.fetch().await,
            Cloud::Azure(azure) => azure.fetch().await,
            Cloud::Google(google) => google.fetch().await,
            Cloud::Quay(quay) => quay.fetch().await,
        }
    }
}

impl Issuer for Issuing {
    fn issue(&self) -> BoxFuture<'_, Result<Credential, IssueError>> {
        Box::pin(async move {
            let issued = self.credential.get(async || self.fetch().await).await;
            issued.map_err(IssueError::from)
        })
    }

    fn refused(&self) {
        self.credential.refused();
    }

    fn fingerprint(&self) -> Digest {
        Digest::sha256(self.key.as_bytes())
    }

    fn signed(&self) -> Option<&dyn SignedApi> {
        match &self.cloud {
            Cloud::Aws(aws) => Some(&**aws),
            Cloud::Azure(_) | Cloud::Google(_) | Cloud::Quay(_) => None,
        }
    }
}

impl fmt::Debug for Issuing {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Issuing")
    }
}
