// SPDX-License-Identifier: Apache-2.0

//! What pods and events say of a Job.

use std::collections::BTreeSet;

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ContainerStateTerminated, ContainerStatus, Event, Pod};
use kube::ResourceExt;

use super::render::CONTAINER;
use super::settings::{PART_FAILED, PART_OVER};
use super::told::PartResult;
use crate::api::Reason;
use crate::api::text::shorten;

/// Where a pod says which part it copies.
const INDEX: &str = "batch.kubernetes.io/job-completion-index";
/// Longest text of Kubernetes that is repeated, in characters.
const TEXT: usize = 300;

/// Why a part was not copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::controller) struct Obstacle {
    pub(in crate::controller) reason: Reason,
    pub(in crate::controller) message: String,
}

/// How a pod ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct EndedPod {
    pub(super) index: usize,
    /// What it said.
    pub(super) told: Option<PartResult>,
    /// Why it failed; nothing where it did not.
    pub(super) obstacle: Option<Obstacle>,
}

impl Obstacle {
    pub(super) fn new(reason: Reason, message: impl AsRef<str>) -> Self {
        Self {
            reason,
            message: shorten(message.as_ref(), TEXT * 2),
        }
    }
}

/// How a pod ended; nothing where it has not, or copies no part.
pub(super) fn read_pod(pod: &Pod) -> Option<EndedPod> {
    let status = pod.status.as_ref()?;
    let index = pod.annotations().get(INDEX)?.parse().ok()?;
    let has_failed = match status.phase.as_deref() {
        Some("Succeeded") => false,
        Some("Failed") => true,
        _ => return None,
    };
    let terminated =
        container(pod).and_then(|container| container.state.as_ref()?.terminated.as_ref());
    let told = terminated.and_then(|end| PartResult::read(end.message.as_deref()?));
    let obstacle = has_failed.then(|| match status.reason.as_deref() {
        // Evicted, Preempted, NodeLost and the like: nobody asked the container.
        Some(reason) => {
            let message = status.message.as_deref().unwrap_or_default();
            let message = shorten(message, TEXT);
            Obstacle::new(
                Reason::ProgressingWithRetry,
                format!("pod {} was ended: {reason}: {message}", pod.name_any()),
            )
        }
        None => failure(&pod.name_any(), terminated, told.as_ref()),
    });
    Some(EndedPod {
        index,
        told,
        obstacle,
    })
}

/// Why a container failed.
fn failure(
    pod: &str,
    terminated: Option<&ContainerStateTerminated>,
    told: Option<&PartResult>,
) -> Obstacle {
    if let Some(first) = told.and_then(|told| told.failures.first()) {
        let message = format!("{}: {}", first.subject, first.message);
        return Obstacle::new(first.reason, message);
    }
    let Some(end) = terminated else {
        return Obstacle::new(Reason::CopyFailed, format!("pod {pod} failed"));
    };
    let code = end.exit_code;
    let reason = end.reason.as_deref().unwrap_or("Error");
    if reason == "OOMKilled" {
        let message = format!(
            "pod {pod} was ended: OOMKilled: raise spec.execution.template.resources.limits.memory"
        );
        return Obstacle::new(Reason::LimitExceeded, message);
    }
    if code == i32::from(PART_OVER) {
        let message = format!("pod {pod} ended: the mirror did not name its Job");
        return Obstacle::new(Reason::ProgressingWithRetry, message);
    }
    let hint = if code == i32::from(PART_FAILED) {
        "its log says what failed"
    } else {
        "see its log"
    };
    let reason = shorten(reason, TEXT);
    let message = format!("pod {pod} ended with exit code {code} ({reason}): {hint}");
    Obstacle::new(Reason::CopyFailed, message)
}

/// What keeps pods from running, or from being made.
pub(in crate::controller) fn hindrance(pods: &[Pod], events: &[Event]) -> Option<Obstacle> {
    pods.iter().find_map(waiting).or_else(|| refused(events))
}

/// Why a pod does not run.
fn waiting(pod: &Pod) -> Option<Obstacle> {
    let status = pod.status.as_ref()?;
    let name = pod.name_any();
    let waits = |reason: &str, message: &str| {
        let message = shorten(message, TEXT);
        Obstacle::new(
            Reason::DependencyNotReady,
            format!("pod {name} waits: {reason}: {message}"),
        )
    };
    let waiting = container(pod).and_then(|container| container.state.as_ref()?.waiting.as_ref());
    let reason = waiting.and_then(|waiting| waiting.reason.as_deref());
    if let Some(reason) =
        reason.filter(|reason| !["ContainerCreating", "PodInitializing"].contains(reason))
    {
        let message = waiting.and_then(|waiting| waiting.message.as_deref());
        return Some(waits(reason, message.unwrap_or_default()));
    }
    if status.phase.as_deref() != Some("Pending") {
        return None;
    }
    let conditions = status.conditions.iter().flatten();
    let mut unscheduled =
        conditions.filter(|it| it.type_ == "PodScheduled" && it.status == "False");
    let unscheduled = unscheduled.next()?;
    let reason = unscheduled.reason.as_deref().unwrap_or("Unschedulable");
    Some(waits(
        reason,
        unscheduled.message.as_deref().unwrap_or_default(),
    ))
}

/// Why no pod is made, by the events of a Job: a quota is full, a ServiceAccount is missing, an admission policy refuses.
fn refused(events: &[Event]) -> Option<Obstacle> {
    let failed = events
        .iter()
        .filter(|event| event.reason.as_deref() == Some("FailedCreate"));
    let last = failed.max_by_key(|event| {
        let last = event.last_timestamp.as_ref().map(|time| time.0);
        last.or_else(|| event.event_time.as_ref().map(|time| time.0))
    })?;
    let message = shorten(last.message.as_deref().unwrap_or_default(), TEXT);
    let reason = if message.contains("exceeded quota") {
        Reason::QuotaExceeded
    } else if message.contains("not found") {
        Reason::DependencyNotReady
    } else {
        Reason::AccessDenied
    };
    Some(Obstacle::new(reason, format!("no pod is made: {message}")))
}

fn container(pod: &Pod) -> Option<&ContainerStatus> {
    let statuses = pod.status.as_ref()?.container_statuses.iter().flatten();
    statuses.into_iter().find(|status| status.name == CONTAINER)
}

/// How a Job ended, in Kubernetes' words; nothing where it has not.
pub(in crate::controller) fn read_end(job: &Job) -> Option<Result<(), (String, String)>> {
    let conditions = job.status.as_ref()?.conditions.iter().flatten();
    conditions
        .filter(|condition| condition.status == "True")
        .find_map(|condition| match condition.type_.as_str() {
            "Complete" => Some(Ok(())),
            "Failed" => {
                let text =
                    |text: &Option<String>| shorten(text.as_deref().unwrap_or_default(), TEXT);
                Some(Err((text(&condition.reason), text(&condition.message))))
            }
            _ => None,
        })
}

/// Numbers as a Job has them: `0,2-4`. What is beyond `most` is nonsense.
pub(in crate::controller) fn read_indexes(text: Option<&str>, most: usize) -> BTreeSet<usize> {
    let parts = text.unwrap_or_default().split(',');
    let ranges = parts.filter_map(|part| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        Some((first.parse::<usize>().ok()?, last.parse::<usize>().ok()?))
    });
    ranges
        .flat_map(|(first, last)| first..last.saturating_add(1).min(most))
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn pod(status: &Value) -> Pod {
        serde_json::from_value(json!({
            "metadata": {"name": "web-1-0", "annotations": {INDEX: "1"}}, "status": status,
        }))
        .unwrap()
    }

    fn ended(phase: &str, end: &Value) -> Pod {
        let container = json!({
            "name": CONTAINER, "image": "i", "imageID": "", "ready": false, "restartCount": 0,
            "state": {"terminated": end},
        });
        pod(&json!({"phase": phase, "containerStatuses": [container]}))
    }

    fn told(failures: &Value) -> String {
        json!({"copied": 2, "bytes": 5, "failures": failures}).to_string()
    }

    #[test]
    fn how_pods_end() {
        let failed =
            told(&json!([{"subject": "r.test/a:1", "reason": "AccessDenied", "message": "no"}]));
        let pods = vec![
            ("runs", pod(&json!({"phase": "Running"}))),
            (
                "done",
                ended(
                    "Succeeded",
                    &json!({"exitCode": 0, "message": told(&json!([]))}),
                ),
            ),
            (
                "failures",
                ended("Failed", &json!({"exitCode": 3, "message": failed})),
            ),
            (
                "too much memory",
                ended("Failed", &json!({"exitCode": 137, "reason": "OOMKilled"})),
            ),
            (
                "panic",
                ended(
                    "Failed",
                    &json!({"exitCode": 101, "reason": "Error", "message": "?"}),
                ),
            ),
            (
                "over",
                ended("Failed", &json!({"exitCode": 4, "reason": "Error"})),
            ),
            (
                "evicted",
                pod(&json!({"phase": "Failed", "reason": "Evicted", "message": "low on memory"})),
            ),
            ("lost", pod(&json!({"phase": "Failed"}))),
        ];
        let lines = pods.into_iter().map(|(name, pod)| {
            let read = read_pod(&pod).map(|end| {
                let copied = end.told.map(|told| told.copied);
                let why = end
                    .obstacle
                    .map(|it| format!("{}: {}", it.reason, it.message));
                format!("{} {copied:?} {}", end.index, why.unwrap_or_default())
            });
            format!("{name}: {}", read.unwrap_or_default())
        });
        let lines: Vec<String> = lines.collect();
        insta::assert_snapshot!(lines.join("\n"));
    }

    #[test]
    fn what_keeps_pods_from_running() {
        let waiting = |reason: &str| {
            pod(&json!({"phase": "Pending", "containerStatuses": [{
                "name": CONTAINER, "image": "i", "imageID": "", "ready": false, "restartCount": 0,
                "state": {"waiting": {"reason": reason, "message": "it is so"}},
            }]}))
        };
        let unscheduled = pod(&json!({"phase": "Pending", "conditions": [
            {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes"},
        ]}));
        let event = |message: &str| -> Event {
            serde_json::from_value(json!({
                "metadata": {}, "involvedObject": {}, "reason": "FailedCreate", "message": message,
            }))
            .unwrap()
        };
        let quota = event("pods \"x\" is forbidden: exceeded quota: small, requested: pods=1");
        let account = event("error looking up service account a/b: serviceaccount \"b\" not found");
        let cases = [
            hindrance(&[waiting("ContainerCreating")], &[]),
            hindrance(&[waiting("ImagePullBackOff")], &[]),
            hindrance(&[unscheduled], &[]),
            hindrance(&[], &[quota]),
            hindrance(&[], &[account]),
            hindrance(&[], &[]),
        ];
        let lines = cases.map(|found| {
            found.map_or_else(String::new, |it| format!("{}: {}", it.reason, it.message))
        });
        insta::assert_snapshot!(lines.join("\n"));
    }

    #[test]
    fn indexes_are_read_within_their_bounds() {
        let read = |text| read_indexes(Some(text), 8).into_iter().collect::<Vec<_>>();
        assert_eq!(read(""), Vec::<usize>::new());
        assert_eq!(read("0,2-4,7"), [0, 2, 3, 4, 7]);
        assert_eq!(read("6-18446744073709551615"), [6, 7]);
        assert_eq!(read("9,x,3-"), Vec::<usize>::new());
        assert_eq!(read_indexes(None, 8).len(), 0);
    }
}
