// SPDX-License-Identifier: Apache-2.0

//! Who copies the images of a mirror.

use crate::api::image_mirror::JobTemplate;

/// Who copies.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum CopiedBy {
    /// The process that runs the round.
    #[default]
    InProcess,
    /// The pods of a Job.
    Job(Box<JobExecution>),
}

/// How the pods of a Job copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobExecution {
    /// Most pods at the same time, 1 to 64.
    pub parallelism: usize,
    /// What the Job and its pods are like; names and values are what the API server takes.
    pub template: JobTemplate,
}
