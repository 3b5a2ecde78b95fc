// SPDX-License-Identifier: Apache-2.0

//! A cluster: `controller`.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::Args;
use clap::builder::FalseyValueParser;

use super::boundaries::BoundaryArgs;
use super::page_address::PageAddress;
use crate::api::ObjectName;
use crate::api::metadata::NamespaceName;
use crate::controller::JobImage;
use crate::controller::workloads::Extra;
use crate::plan::gates::Size;
use crate::policy::Duration;

/// `transship controller`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  transship controller                                  in a pod, as the Helm chart runs it
  transship controller --kubeconfig ~/.kube/config --listen-address 127.0.0.1:8080

It works while it holds the lease, and several of them take turns at it, or share the work with --shards. Health is at /healthz and /readyz, \
metrics are at /metrics of the listen address.")]
pub struct ControllerArgs {
    /// Read where the cluster is from this file [default: KUBECONFIG, ~/.kube/config, or the pod's own].
    #[arg(long, env = "TRANSSHIP_KUBECONFIG", value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// Use this context of the file [default: the current one].
    #[arg(long, env = "TRANSSHIP_CONTEXT", value_name = "NAME")]
    pub context: Option<String>,
    /// Look at the objects of these namespaces only [default: all].
    #[arg(
        long,
        value_delimiter = ',',
        env = "TRANSSHIP_WATCH_NAMESPACES",
        value_name = "NAMESPACE"
    )]
    pub watch_namespaces: Vec<NamespaceName>,
    /// Keep the lease in this namespace [default: the pod's own, else transship-system].
    #[arg(long, env = "TRANSSHIP_LEASE_NAMESPACE", value_name = "NAMESPACE")]
    pub lease_namespace: Option<NamespaceName>,
    /// The lease that several controllers take turns at.
    #[arg(
        long,
        env = "TRANSSHIP_LEASE_NAME",
        value_name = "NAME",
        default_value = "transship"
    )]
    pub lease_name: ObjectName,
    /// Divide the mirrors into so many shards, which all controllers with this lease name share: each works on some of
    /// them, and takes over those of one that dies [default: one controller works on everything].
    #[arg(
        long,
        env = "TRANSSHIP_SHARDS",
        value_name = "NUMBER",
        default_value = "0",
        hide_default_value = true,
        value_parser = clap::value_parser!(u8).range(0..=64)
    )]
    pub shards: u8,
    /// Serve health and metrics here.
    #[arg(
        long,
        env = "TRANSSHIP_LISTEN_ADDRESS",
        value_name = "ADDRESS:PORT",
        default_value = "0.0.0.0:8080"
    )]
    pub listen_address: SocketAddr,
    /// Take the events of registries here, for ImageReceivers [default: nowhere].
    #[arg(long, env = "TRANSSHIP_EVENTS_ADDRESS", value_name = "ADDRESS:PORT")]
    pub events_address: Option<SocketAddr>,
    /// Serve the page for people here, a port alone being that of loopback [default: nowhere].
    #[arg(long, env = "TRANSSHIP_PAGE_ADDRESS", value_name = "[ADDRESS:]PORT")]
    pub page_address: Option<PageAddress>,
    /// Show the page to people with a token of the cluster, and of it the namespaces in which they may get mirrors.
    #[arg(long, env = "TRANSSHIP_PAGE_AUTH", value_parser = FalseyValueParser::new(), requires = "page_address")]
    pub page_auth: bool,
    /// Run at most so many rounds at a time.
    #[arg(
        long,
        env = "TRANSSHIP_CONCURRENT_ROUNDS",
        value_name = "NUMBER",
        default_value = "32"
    )]
    pub concurrent_rounds: NonZeroUsize,
    /// Run at most so many rounds of one namespace at a time.
    #[arg(
        long,
        env = "TRANSSHIP_ROUNDS_PER_NAMESPACE",
        value_name = "NUMBER",
        default_value = "8"
    )]
    pub rounds_per_namespace: NonZeroUsize,
    /// Let no round take longer, such as 2h, whatever spec.timeout of its mirror says [default: no bound].
    #[arg(long, env = "TRANSSHIP_MAX_MIRROR_TIMEOUT", value_name = "DURATION")]
    pub max_mirror_timeout: Option<Duration>,
    /// Hold at most so much of what registries send in memory, such as 256Mi [default: a quarter of the container's
    /// memory limit].
    #[arg(long, env = "TRANSSHIP_MAX_READ_MEMORY", value_name = "SIZE")]
    pub max_read_memory: Option<Size>,
    /// Let one mirror select at most so many tags, counted at each destination.
    #[arg(
        long,
        env = "TRANSSHIP_MAX_TAGS_PER_MIRROR",
        value_name = "NUMBER",
        default_value = "20000"
    )]
    pub max_tags_per_mirror: NonZeroUsize,
    /// Delete nothing at any destination, whatever spec.prune says; candidates are still listed.
    #[arg(long, env = "TRANSSHIP_DISABLE_PRUNE", value_parser = FalseyValueParser::new())]
    pub disable_prune: bool,
    /// List the workloads of all namespaces before anything is deleted, and keep what they use.
    #[arg(long, env = "TRANSSHIP_IN_USE", value_parser = FalseyValueParser::new())]
    pub in_use: bool,
    /// List these kinds, too: any of their strings may name an image, such as in configmaps, nodes or scaledjobs.keda.sh.
    #[arg(
        long,
        value_delimiter = ',',
        env = "TRANSSHIP_IN_USE_EXTRA",
        value_name = "RESOURCE[.GROUP]"
    )]
    pub in_use_extra: Vec<Extra>,
    /// Where mirrors may lead.
    #[command(flatten)]
    pub boundaries: BoundaryArgs,
    /// Let mirrors with spec.execution.mode: Job copy in pods of this image, which is the controller's own [default:
    /// none].
    #[arg(long, env = "TRANSSHIP_JOB_IMAGE", value_name = "IMAGE")]
    pub job_image: Option<JobImage>,
}
