// SPDX-License-Identifier: Apache-2.0

//! The leases of members and shards in a cluster.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::api::{DeleteParams, ListParams, PostParams, Preconditions};
use kube::{Api, Client, ResourceExt};
use tokio::time::timeout;

use super::fleet::Leases;
use super::shard::{Division, Shard};
use crate::runtime::clock;
use crate::runtime::lease::error::{CREATE, Error};
use crate::runtime::lease::{Identity, Settings, record};

/// Label of the leases of members and shards.
const LABEL: &str = "transship.dev/lease";
/// What it says of them.
const SHARED: &str = "shared";

/// The way to the leases.
#[derive(Clone, Debug)]
pub(super) struct LeaseStore {
    leases: Api<Lease>,
    settings: Settings,
    division: Division,
}

/// All of them, as they were at one moment.
pub(super) struct LeaseListing {
    /// What they say.
    pub(super) leases: Leases,
    shards: BTreeMap<Shard, Lease>,
    members: BTreeMap<Identity, Lease>,
}

// === impl LeaseStore ===

impl LeaseStore {
    pub(super) fn new(client: Client, settings: Settings, division: Division) -> Self {
        Self {
            leases: Api::namespaced(client, &settings.namespace),
            settings,
            division,
        }
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.settings
    }

    pub(super) async fn list(&self) -> Result<LeaseListing, Error> {
        let parameters = ListParams::default().labels(&format!("{LABEL}={SHARED}"));
        let name = &self.settings.name;
        let listed = self
            .call("list", name, self.leases.list(&parameters))
            .await?;
        let mut listing = LeaseListing {
            leases: Leases::default(),
            shards: BTreeMap::new(),
            members: BTreeMap::new(),
        };
        for lease in listed.items {
            let name = lease.name_any();
            if let Some(shard) = self.division.shard_with(&name, &self.settings.name) {
                if let Some(holder) = record::holder(&lease) {
                    let holder = Identity::read(holder);
                    listing.leases.holders.insert(shard, holder);
                }
                listing.shards.insert(shard, lease);
            } else if name.starts_with(&self.member_lease_name("")) {
                let spec = lease.spec.as_ref();
                let renewed = spec.and_then(|spec| spec.renew_time.as_ref());
                let renewed = renewed.map_or(Timestamp::UNIX_EPOCH, |MicroTime(time)| *time);
                if let Some(member) = record::holder(&lease) {
                    let member = Identity::read(member);
                    listing.leases.members.insert(member.clone(), renewed);
                    listing.members.insert(member, lease);
                }
            }
        }
        Ok(listing)
    }

    /// The lease that processes without shards contend for.
    pub(super) async fn joint(&self) -> Result<Option<Lease>, Error> {
        let name = &self.settings.name;
        self.call("get", name, self.leases.get_opt(name)).await
    }

    /// Writes a lease if it still is as it was seen. None: it is not.
    pub(super) async fn write(&self, lease: &Lease) -> Result<Option<Lease>, Error> {
        let (parameters, name) = (PostParams::default(), lease.name_any());
        let written = if lease.metadata.resource_version.is_none() {
            let created = self.leases.create(&parameters, lease);
            self.call(CREATE, &name, created).await
        } else {
            let replaced = self.leases.replace(&name, &parameters, lease);
            self.call("update", &name, replaced).await
        };
        match written {
            Ok(lease) => Ok(Some(lease)),
            Err(error) if error.is_conflict() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The lease of this member, as it was last seen.
    pub(super) async fn own(&self) -> Result<Option<Lease>, Error> {
        let name = self.own_name();
        self.call("get", &name, self.leases.get_opt(&name)).await
    }

    /// A renewal of the lease of this member.
    pub(super) fn beaten(&self, own: Option<&Lease>) -> Lease {
        let settings = self.named(self.own_name());
        labelled(match own {
            Some(own) => record::renewed(own, &settings, clock::now()),
            None => record::created(&settings, clock::now()),
        })
    }

    /// The lease of a shard with this member as its holder.
    pub(super) fn taken(&self, shard: Shard, listing: &LeaseListing) -> Lease {
        let settings = self.named(shard.lease_name(&self.settings.name));
        labelled(match listing.shards.get(&shard) {
            Some(lease) => record::taken(lease, &settings, clock::now()),
            None => record::created(&settings, clock::now()),
        })
    }

    /// The lease of a shard without a holder, where it has this member.
    pub(super) fn released(&self, shard: Shard, listing: &LeaseListing) -> Option<Lease> {
        let lease = listing.shards.get(&shard)?;
        let is_mine = record::holder(lease) == Some(self.settings.identity.as_str());
        is_mine.then(|| record::released(lease, clock::now()))
    }

    /// Deletes the lease of a member that is no more, if it still is as it was seen.
    pub(super) async fn clear(
        &self,
        member: &Identity,
        listing: &LeaseListing,
    ) -> Result<(), Error> {
        match listing.members.get(member) {
            Some(lease) => self.delete(lease).await,
            None => Ok(()),
        }
    }

    /// Deletes the lease of this member.
    pub(super) async fn leave(&self) -> Result<(), Error> {
        match self.own().await? {
            Some(lease) => self.delete(&lease).await,
            None => Ok(()),
        }
    }

    async fn delete(&self, lease: &Lease) -> Result<(), Error> {
        let name = lease.name_any();
        let parameters = DeleteParams::default().preconditions(Preconditions {
            resource_version: lease.resource_version(),
            uid: lease.uid(),
        });
        let deleted = self.leases.delete(&name, &parameters);
        match self.call("delete", &name, deleted).await {
            Ok(_) => Ok(()),
            Err(error) if error.is_conflict() => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn own_name(&self) -> String {
        self.member_lease_name(self.settings.identity.ending())
    }

    fn member_lease_name(&self, ending: &str) -> String {
        format!("{}-member-{ending}", self.settings.name)
    }

    fn named(&self, name: String) -> Settings {
        Settings {
            name,
            ..self.settings.clone()
        }
    }

    /// Waits for an answer, but not for long.
    async fn call<T>(
        &self,
        verb: &'static str,
        name: &str,
        request: impl Future<Output = kube::Result<T>>,
    ) -> Result<T, Error> {
        let lease = || format!("{}/{name}", self.settings.namespace);
        let within = self.settings.timing.request_timeout();
        match timeout(within, request).await {
            Ok(answer) => answer.map_err(|source| Error::Refused {
                verb,
                lease: lease(),
                source,
            }),
            Err(_) => Err(Error::TimedOut {
                verb,
                lease: lease(),
                within,
            }),
        }
    }
}

fn labelled(mut lease: Lease) -> Lease {
    let labels = lease.labels_mut();
    labels.insert(LABEL.to_owned(), SHARED.to_owned());
    lease
}
