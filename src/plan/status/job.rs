// SPDX-License-Identifier: Apache-2.0

//! The status while a Job copies.

use jiff::Timestamp;

use crate::api::Reason;
use crate::api::conditions::{self, Holds, RECONCILING, Statement};
use crate::api::image_mirror::{ImageMirrorStatus, JobStatus};

/// The status while the pods of a Job copy: how far they are, and what keeps them, where something does.
pub fn follow(
    previous: &ImageMirrorStatus,
    generation: i64,
    job: &JobStatus,
    hindrance: Option<&str>,
    now: Timestamp,
) -> ImageMirrorStatus {
    let JobStatus {
        name,
        indexes,
        succeeded,
        failed,
        ..
    } = job;
    let failures = if *failed > 0 {
        format!(", {failed} failed")
    } else {
        String::new()
    };
    let hindrance = hindrance.map_or_else(String::new, |it| format!("; {it}"));
    let message =
        format!("Job {name} copies: {succeeded} of {indexes} parts are done{failures}{hindrance}");
    let mut status = previous.clone();
    status.job = Some(job.clone());
    set_reconciling(&mut status, generation, &message, now);
    status
}

fn set_reconciling(status: &mut ImageMirrorStatus, generation: i64, message: &str, now: Timestamp) {
    let statement = Statement {
        r#type: RECONCILING,
        holds: Holds::True,
        reason: Reason::Progressing,
        message,
        generation,
    };
    conditions::set(&mut status.conditions, &statement, now);
}

/// The status while a Job is not made yet, and why.
pub fn queue(
    previous: &ImageMirrorStatus,
    generation: i64,
    message: &str,
    now: Timestamp,
) -> ImageMirrorStatus {
    let mut status = previous.clone();
    set_reconciling(&mut status, generation, message, now);
    status
}

/// The status once nobody copies for the mirror but the controller: `stopping` is for as long as pods may have to be
/// waited for.
pub fn leave_job(previous: &ImageMirrorStatus, stopping: bool) -> ImageMirrorStatus {
    let mut status = previous.clone();
    status.job = status
        .job
        .filter(|_| stopping)
        .map(|job| JobStatus { stopping, ..job });
    status
}
