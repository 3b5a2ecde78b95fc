// SPDX-License-Identifier: Apache-2.0

//! What came of a Job, part by part.

use std::collections::{BTreeMap, HashMap};

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Event, Pod};

use super::reading::{Obstacle, hindrance, read_end, read_indexes, read_pod};
use super::told::PartFailure;
use crate::api::Reason;
use crate::plan::report::Failure;
use crate::plan::{Claim, Shares};
use crate::sync::ledger::Slot;
use crate::sync::{Hearsay, Push};

/// What came of a Job.
pub(in crate::controller) struct JobEnd {
    name: String,
    shares: Shares,
    /// Why parts were not copied, by their numbers.
    obstacles: BTreeMap<usize, Obstacle>,
    /// What failed, by what it is about.
    failures: HashMap<String, PartFailure>,
    /// What pods say that they pushed.
    pushed: HashMap<Slot, Push>,
    /// Bytes of blobs that were sent.
    pub(in crate::controller) bytes: u64,
}

// === impl JobEnd ===

impl JobEnd {
    /// What came of a Job that has ended, by its pods and events. Pods that are gone say nothing.
    pub(in crate::controller) fn of(
        job: &Job,
        shares: Shares,
        (pods, events): (&[Pod], &[Event]),
    ) -> Self {
        let count = shares.count();
        let status = job.status.as_ref();
        let completed = status.and_then(|status| status.completed_indexes.as_deref());
        let completed = read_indexes(completed, count);
        let ended: Vec<_> = pods.iter().filter_map(read_pod).collect();
        let usual = usual_obstacle(job, hindrance(pods, events));
        let missed = (0..count).filter(|index| !completed.contains(index));
        let obstacles = missed.map(|index| {
            let own = ended.iter().filter(|pod| pod.index == index);
            let own = own.filter_map(|pod| pod.obstacle.clone()).next_back();
            (index, own.unwrap_or_else(|| usual.clone()))
        });
        let obstacles = obstacles.collect();
        let told = ended.into_iter().filter_map(|pod| pod.told);
        let (mut bytes, mut failures) = (0_u64, HashMap::new());
        for told in told {
            bytes = bytes.saturating_add(told.bytes);
            let told = told.failures.into_iter();
            failures.extend(told.map(|failure| (failure.subject.clone(), failure)));
        }
        Self {
            name: job.metadata.name.clone().unwrap_or_default(),
            shares,
            obstacles,
            failures,
            pushed: HashMap::new(),
            bytes,
        }
    }

    /// The same, and this is what pods say that they pushed.
    pub(in crate::controller) fn with_pushed(self, pushed: HashMap<Slot, Push>) -> Self {
        Self { pushed, ..self }
    }
}

/// Why a part was not copied whose pod does not say so.
fn usual_obstacle(job: &Job, hindrance: Option<Obstacle>) -> Obstacle {
    if let Some(hindrance) = hindrance {
        return hindrance;
    }
    match read_end(job) {
        Some(Err((reason, _))) if reason == "DeadlineExceeded" => Obstacle::new(
            Reason::ProgressingWithRetry,
            "not copied within spec.timeout: the next round goes on",
        ),
        Some(Err((reason, message))) => {
            Obstacle::new(Reason::CopyFailed, format!("{reason}: {message}"))
        }
        Some(Ok(())) | None => Obstacle::new(Reason::CopyFailed, "its pod says nothing"),
    }
}

impl Hearsay for JobEnd {
    fn why_absent(&self, claim: &Claim) -> Option<Failure> {
        let subject = claim.to_string();
        if let Some(told) = self.failures.get(&subject) {
            let PartFailure {
                subject: _,
                reason,
                message,
                next_attempt_time,
            } = told;
            return Some(Failure {
                subject,
                reason: *reason,
                message: message.clone(),
                next_attempt_time: *next_attempt_time,
                is_of_tag: true,
            });
        }
        let index = self.shares.index_of(&claim.repository);
        let (reason, message) = match self.obstacles.get(&index) {
            Some(Obstacle { reason, message }) => (
                *reason,
                format!("index {index} of Job {}: {message}", self.name),
            ),
            None => (
                Reason::ProgressingWithRetry,
                format!(
                    "it became another image while Job {} copied: the next round goes on",
                    self.name
                ),
            ),
        };
        Some(Failure {
            subject,
            reason,
            message,
            next_attempt_time: None,
            is_of_tag: true,
        })
    }

    fn pushed(&self, slot: &Slot) -> Option<&Push> {
        self.pushed.get(slot)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn claim(repository: &str) -> Claim {
        Claim {
            registry: "b.test".parse().unwrap(),
            repository: repository.parse().unwrap(),
            tag: "1".parse().unwrap(),
            previous: None,
        }
    }

    fn pod(index: usize, code: i32, message: &Value) -> Pod {
        let phase = if code == 0 { "Succeeded" } else { "Failed" };
        serde_json::from_value(json!({
            "metadata": {
                "name": format!("web-{index}"),
                "annotations": {"batch.kubernetes.io/job-completion-index": index.to_string()},
            },
            "status": {"phase": phase, "containerStatuses": [{
                "name": "copy", "image": "i", "imageID": "", "ready": false, "restartCount": 0,
                "state": {"terminated": {"exitCode": code, "reason": "Error", "message": message.to_string()}},
            }]},
        }))
        .unwrap()
    }

    #[test]
    fn each_tag_that_is_missing_has_a_reason() {
        let job: Job = serde_json::from_value(json!({
            "metadata": {"name": "web"},
            "status": {"completedIndexes": "0", "failedIndexes": "1", "conditions": [
                {"type": "Failed", "status": "True", "reason": "DeadlineExceeded", "message": "too long"},
            ]},
        }))
        .unwrap();
        let bounds = ["h", "p"].map(|bound| bound.parse().unwrap());
        let shares = Shares::beginning_with(bounds.to_vec()).unwrap();
        let refused = json!({"copied": 1, "bytes": 7, "failures": [
            {"subject": "b.test/k:1", "reason": "AccessDenied", "message": "no"},
        ]});
        let pods = [
            pod(0, 0, &json!({"copied": 3, "bytes": 5})),
            pod(1, 3, &refused),
        ];
        let end = JobEnd::of(&job, shares, (&pods, &[]));
        let why = ["a", "k", "l", "z"].map(|repository| {
            let failure = end.why_absent(&claim(repository)).unwrap();
            format!(
                "{}: {}: {}",
                failure.subject, failure.reason, failure.message
            )
        });
        insta::assert_snapshot!(why.join("\n"), @"
        b.test/a:1: ProgressingWithRetry: it became another image while Job web copied: the next round goes on
        b.test/k:1: AccessDenied: no
        b.test/l:1: AccessDenied: index 1 of Job web: b.test/k:1: no
        b.test/z:1: ProgressingWithRetry: index 2 of Job web: not copied within spec.timeout: the next round goes on
        ");
        assert_eq!(end.bytes, 12);
    }
}
