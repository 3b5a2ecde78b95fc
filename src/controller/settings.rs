// SPDX-License-Identifier: Apache-2.0

//! What an operator says of the controller.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::page::PageSettings;
use super::workloads::Extra;
use crate::identity::Identities;
use crate::policy;
use crate::registry::Boundaries;
use crate::runtime::lease::shards::Division;

/// How the controller runs.
#[derive(Debug)]
pub struct Settings {
    /// The file that says where the cluster is; the usual places where absent.
    pub kubeconfig: Option<PathBuf>,
    /// The context in that file; the current one where absent.
    pub context: Option<String>,
    /// The namespaces whose objects are looked at; all where empty.
    pub namespaces: Vec<String>,
    /// The namespace of the lease; that of the pod where absent.
    pub lease_namespace: Option<String>,
    /// The name of the lease.
    pub lease_name: String,
    /// How the mirrors are divided among the processes that run; nothing where one works on all of them.
    pub division: Option<Division>,
    /// Where health and metrics are served.
    pub listen_address: SocketAddr,
    /// Where events are taken; nowhere where absent.
    pub events_address: Option<SocketAddr>,
    /// Where the page is served; nowhere where absent.
    pub page: Option<PageSettings>,
    /// Most rounds at a time.
    pub concurrent_rounds: usize,
    /// Most rounds of one namespace at a time.
    pub rounds_per_namespace: usize,
    /// Bytes of memory for what is read from registries; a part of the container's limit where absent.
    pub read_memory: Option<usize>,
    /// Most tags at destinations that one mirror may select.
    pub tags_per_mirror: usize,
    /// Longest time of a round, whatever its mirror says; no bound where absent.
    pub longest_round: Option<policy::Duration>,
    /// Whether anything is deleted, where mirrors say so.
    pub prunes: bool,
    /// Whether workloads are looked at, in all namespaces, so that what they use can be protected.
    pub looks_at_workloads: bool,
    /// What is listed besides workloads, because it names images.
    pub in_use_extra: Vec<Extra>,
    /// Where requests may go.
    pub boundaries: Boundaries,
    /// Hosts that may be asked for tokens although neither the registry's host nor its domain.
    pub trusted_realms: Vec<String>,
    /// Authorities that are trusted besides those of the system, as PEM.
    pub ca_pem: Option<Vec<u8>>,
    /// Namespaces whose mirrors may be in the clouds who the controller is; `*` is all of them.
    pub identity_namespaces: Vec<String>,
    /// The identities in the clouds.
    pub identities: Identities,
}
