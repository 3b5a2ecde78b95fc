// SPDX-License-Identifier: Apache-2.0

//! The kinds that hold images.

/// A kind of objects that names images.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `apps/v1`; what a rollback of it brings back stands in its `ReplicaSet`s.
    Deployment,
    /// `apps/v1`.
    StatefulSet,
    /// `apps/v1`.
    DaemonSet,
    /// `batch/v1`, also between two runs and while it is suspended.
    CronJob,
    /// `v1`.
    ReplicationController,
    /// `v1`.
    PodTemplate,
    /// `apps/v1`: the templates to which a `StatefulSet` or `DaemonSet` can be rolled back.
    ControllerRevision,
    /// `apps/v1`: also those without replicas, to which a Deployment can be rolled back.
    ReplicaSet,
    /// `batch/v1`, also when it is finished.
    Job,
    /// `v1`.
    Pod,
}

impl Kind {
    /// All of them, in the order in which they are listed. What makes another comes before it: an image
    /// that is on its way from the one to the other is seen in one of the two.
    pub const ALL: [Self; 10] = [
        Self::CronJob,
        Self::Deployment,
        Self::StatefulSet,
        Self::DaemonSet,
        Self::ReplicationController,
        Self::PodTemplate,
        Self::ControllerRevision,
        Self::ReplicaSet,
        Self::Job,
        Self::Pod,
    ];

    /// The kind of this name and API version.
    pub fn find(api_version: &str, name: &str) -> Option<Self> {
        let mut all = Self::ALL.into_iter();
        all.find(|kind| kind.name() == name && kind.api_version() == api_version)
    }

    /// The name of one, such as `CronJob`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Deployment => "Deployment",
            Self::StatefulSet => "StatefulSet",
            Self::DaemonSet => "DaemonSet",
            Self::CronJob => "CronJob",
            Self::ReplicationController => "ReplicationController",
            Self::PodTemplate => "PodTemplate",
            Self::ControllerRevision => "ControllerRevision",
            Self::ReplicaSet => "ReplicaSet",
            Self::Job => "Job",
            Self::Pod => "Pod",
        }
    }

    /// The group and version, such as `batch/v1`.
    pub fn api_version(self) -> &'static str {
        match self {
            Self::Deployment
            | Self::StatefulSet
            | Self::DaemonSet
            | Self::ControllerRevision
            | Self::ReplicaSet => "apps/v1",
            Self::CronJob | Self::Job => "batch/v1",
            Self::ReplicationController | Self::PodTemplate | Self::Pod => "v1",
        }
    }

    /// The name of many, such as `cronjobs`.
    pub fn plural(self) -> String {
        format!("{}s", self.name().to_ascii_lowercase())
    }

    /// Where the API server lists those of all namespaces.
    pub(super) fn path(self) -> String {
        let version = self.api_version();
        let root = if version.contains('/') { "apis" } else { "api" };
        format!("/{root}/{version}/{}", self.plural())
    }
}
