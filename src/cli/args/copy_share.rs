// SPDX-License-Identifier: Apache-2.0

//! A pod of a Job: `copy-share`.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::Args;

use super::boundaries::BoundaryArgs;
use crate::api::ObjectName;
use crate::oci::Repository;
use crate::plan::gates::Size;

/// `transship copy-share`: what the pods of Jobs do. People have no use for it.
#[derive(Debug, Args)]
pub struct CopyShareArgs {
    /// The mirror.
    #[arg(value_name = "MIRROR")]
    pub mirror: ObjectName,
    /// Read where the cluster is from this file [default: KUBECONFIG, ~/.kube/config, or the pod's own].
    #[arg(long, env = "TRANSSHIP_KUBECONFIG", value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// The namespace of the mirror.
    #[arg(long, env = "TRANSSHIP_COPY_SHARE_NAMESPACE", value_name = "NAMESPACE")]
    pub namespace: ObjectName,
    /// The UID of the mirror.
    #[arg(long, env = "TRANSSHIP_COPY_SHARE_MIRROR_UID", value_name = "UID")]
    pub mirror_uid: String,
    /// The generation of its spec.
    #[arg(long, env = "TRANSSHIP_COPY_SHARE_GENERATION", value_name = "NUMBER")]
    pub generation: i64,
    /// The UID of the Job.
    #[arg(long, env = "TRANSSHIP_COPY_SHARE_JOB_UID", value_name = "UID")]
    pub job_uid: String,
    /// The number of the share.
    #[arg(long, env = "TRANSSHIP_COPY_SHARE_INDEX", value_name = "NUMBER")]
    pub index: usize,
    /// The repositories that shares begin with, but for the first one.
    #[arg(
        long,
        value_delimiter = ',',
        env = "TRANSSHIP_COPY_SHARE_BOUNDS",
        value_name = "REPOSITORY"
    )]
    pub bounds: Vec<Repository>,
    /// Trust these authorities besides those of the system, as PEM.
    #[arg(long, env = "TRANSSHIP_COPY_SHARE_CA_PEM", value_name = "PEM")]
    pub ca_pem: Option<String>,
    /// Say here what came of it.
    #[arg(
        long,
        env = "TRANSSHIP_COPY_SHARE_TERMINATION_LOG",
        value_name = "FILE",
        default_value = crate::controller::TERMINATION_LOG
    )]
    pub termination_log: PathBuf,
    /// Hold at most so much of what registries send in memory [default: a quarter of the container's memory limit].
    #[arg(long, env = "TRANSSHIP_MAX_READ_MEMORY", value_name = "SIZE")]
    pub max_read_memory: Option<Size>,
    /// Let the mirror select at most so many tags, counted at each destination.
    #[arg(
        long,
        env = "TRANSSHIP_MAX_TAGS_PER_MIRROR",
        value_name = "NUMBER",
        default_value = "20000"
    )]
    pub max_tags_per_mirror: NonZeroUsize,
    /// Where mirrors may lead.
    #[command(flatten)]
    pub boundaries: BoundaryArgs,
}
