// SPDX-License-Identifier: Apache-2.0

//! A Job as it is written.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::batch::v1::{
    Job, JobSpec, PodFailurePolicy, PodFailurePolicyOnExitCodesRequirement,
    PodFailurePolicyOnPodConditionsPattern, PodFailurePolicyRule,
};
use k8s_openapi::api::core::v1::{
    Capabilities, Container, EnvVar, EnvVarSource, ObjectFieldSelector, PodSecurityContext,
    PodSpec, PodTemplateSpec, ResourceRequirements, SeccompProfile, SecurityContext, Toleration,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::settings::{JobSettings, PART_FAILED, PART_OVER};
use crate::api::image_mirror::{Amount, JobResources, JobTemplate, JobToleration};
use crate::api::mirrored_repository::MIRROR_UID_LABEL;
use crate::controller::records::owner;
use crate::oci::{Digest, Repository};
use crate::plan::{JobExecution, Mirror, Shares};

/// What the labels of all Jobs of ours have in common.
pub(super) const OURS: &str = "app.kubernetes.io/name=transship,app.kubernetes.io/component=copy";
/// The label by which Kueue finds what it queues.
const QUEUE_LABEL: &str = "kueue.x-k8s.io/queue-name";
/// What labels of Kueue begin with; they are for the Job alone.
const QUEUE_DOMAIN: &str = "kueue.x-k8s.io/";
/// Longest part of a mirror's name in that of its Job: with the number of a pod, it names a host.
const NAME_LENGTH: usize = 40;
/// Hexadecimal digits that tell Jobs of one mirror apart.
const NAME_DIGITS: usize = 10;
/// How often a part is taken up again whose pod crashed. Pods that are evicted are not counted.
const RETRIES: i32 = 3;
/// How long a Job stays once it has ended, for who reads its logs.
const KEPT_SECONDS: i32 = 3_600;
/// How long pods may take beyond the time of a round to say that it is over.
const LAST_WORDS: Duration = Duration::from_secs(60);
/// Uploads are finished or aborted within 25 seconds.
const GRACE_SECONDS: i64 = 35;
/// What a pod asks for and gets at most, where nothing else is written.
const REQUESTS: [(&str, &str); 3] = [
    ("cpu", "100m"),
    ("memory", "128Mi"),
    ("ephemeral-storage", "16Mi"),
];
const LIMITS: [(&str, &str); 2] = [("memory", "512Mi"), ("ephemeral-storage", "64Mi")];
/// The argument that says where shares begin.
const BOUNDS: &str = "--bounds=";
/// The argument that says for which generation of the spec it is.
const GENERATION: &str = "--generation=";
/// The name of the container.
pub(super) const CONTAINER: &str = "copy";

/// What a Job is made for.
pub(in crate::controller) struct Planned<'a> {
    pub(in crate::controller) mirror: &'a Mirror,
    pub(in crate::controller) generation: i64,
    pub(in crate::controller) execution: &'a JobExecution,
    pub(in crate::controller) shares: &'a Shares,
    pub(in crate::controller) now: Timestamp,
}

// === impl Planned ===

impl Planned<'_> {
    /// The Job. None where the mirror is no object of a cluster.
    pub(in crate::controller) fn render(&self, settings: &JobSettings) -> Option<Job> {
        let Self {
            mirror,
            execution,
            shares,
            ..
        } = self;
        let owner = owner(mirror)?;
        let indexes = i32::try_from(shares.count()).ok()?;
        let deadline = mirror.timeout.as_std().saturating_add(LAST_WORDS);
        let template = &execution.template;
        let labels = labels(template, &owner.uid);
        let is_queued = template.labels.contains_key(QUEUE_LABEL);
        let of_pods = labels.clone().into_iter();
        let of_pods = of_pods.filter(|(key, _)| !key.starts_with(QUEUE_DOMAIN));
        Some(Job {
            metadata: ObjectMeta {
                name: Some(self.name(&owner.name, &owner.uid)),
                namespace: Some(mirror.namespace.clone()),
                owner_references: Some(vec![owner]),
                labels: Some(labels.clone()),
                ..ObjectMeta::default()
            },
            spec: Some(JobSpec {
                completion_mode: Some("Indexed".to_owned()),
                completions: Some(indexes),
                parallelism: Some(indexes),
                suspend: is_queued.then_some(true),
                backoff_limit_per_index: Some(RETRIES),
                max_failed_indexes: Some(indexes),
                pod_failure_policy: Some(failure_policy()),
                // Two pods never copy the same part.
                pod_replacement_policy: Some("Failed".to_owned()),
                active_deadline_seconds: i64::try_from(deadline.as_secs()).ok(),
                ttl_seconds_after_finished: Some(KEPT_SECONDS),
                template: PodTemplateSpec {
                    metadata: Some(ObjectMeta {
                        labels: Some(of_pods.collect()),
                        ..ObjectMeta::default()
                    }),
                    spec: Some(self.pod(settings)?),
                },
                ..JobSpec::default()
            }),
            status: None,
        })
    }

    fn name(&self, mirror: &str, uid: &str) -> String {
        let key = format!("{uid} {} {}", self.generation, self.now);
        let digest = Digest::sha256(key.as_bytes());
        let digits = digest.encoded().get(..NAME_DIGITS).unwrap_or_default();
        let readable: String = mirror.chars().take(NAME_LENGTH).collect();
        let readable = readable.replace('.', "-");
        format!("{}-{digits}", readable.trim_end_matches('-'))
    }

    fn pod(&self, settings: &JobSettings) -> Option<PodSpec> {
        let JobTemplate {
            service_account_name,
            resources,
            node_selector,
            tolerations,
            priority_class_name,
            labels: _,
        } = &self.execution.template;
        Some(PodSpec {
            service_account_name: service_account_name.as_ref().map(ToString::to_string),
            automount_service_account_token: Some(true),
            enable_service_links: Some(false),
            restart_policy: Some("Never".to_owned()),
            termination_grace_period_seconds: Some(GRACE_SECONDS),
            node_selector: Some(node_selector.clone()).filter(|labels| !labels.is_empty()),
            tolerations: Some(tolerations.iter().map(toleration).collect())
                .filter(|tolerations: &Vec<Toleration>| !tolerations.is_empty()),
            priority_class_name: priority_class_name.as_ref().map(ToString::to_string),
            security_context: Some(PodSecurityContext {
                run_as_non_root: Some(true),
                seccomp_profile: Some(SeccompProfile {
                    type_: "RuntimeDefault".to_owned(),
                    localhost_profile: None,
                }),
                ..PodSecurityContext::default()
            }),
            containers: vec![Container {
                name: CONTAINER.to_owned(),
                image: Some(settings.image.to_string()),
                args: Some(self.arguments(settings)?),
                env: Some(environment(settings)),
                resources: Some(requirements(resources)),
                termination_message_policy: Some("File".to_owned()),
                security_context: Some(SecurityContext {
                    allow_privilege_escalation: Some(false),
                    read_only_root_filesystem: Some(true),
                    capabilities: Some(Capabilities {
                        add: None,
                        drop: Some(vec!["ALL".to_owned()]),
                    }),
                    ..SecurityContext::default()
                }),
                ..Container::default()
            }],
            ..PodSpec::default()
        })
    }

    fn arguments(&self, settings: &JobSettings) -> Option<Vec<String>> {
        let (_, name) = self.mirror.name.split_once('/')?;
        let bounds: Vec<&str> = self
            .shares
            .bounds()
            .iter()
            .map(Repository::as_str)
            .collect();
        let mut arguments = vec![
            "copy-share".to_owned(),
            name.to_owned(),
            format!("--mirror-uid={}", self.mirror.uid.as_deref()?),
            format!("{GENERATION}{}", self.generation),
        ];
        if !bounds.is_empty() {
            arguments.push(format!("{BOUNDS}{}", bounds.join(",")));
        }
        arguments.extend(settings.arguments.iter().cloned());
        Some(arguments)
    }
}

/// The generation of the spec that a Job was made for.
pub(in crate::controller) fn generation_of(job: &Job) -> Option<i64> {
    argument(job, GENERATION)?.parse().ok()
}

/// What follows a flag among the arguments of a Job.
fn argument<'a>(job: &'a Job, flag: &str) -> Option<&'a str> {
    let pod = job.spec.as_ref()?.template.spec.as_ref()?;
    let container = pod.containers.iter().find(|it| it.name == CONTAINER)?;
    let mut arguments = container.args.iter().flatten();
    arguments.find_map(|argument| argument.strip_prefix(flag))
}

/// How the repositories are shared out among the pods of a Job.
pub(in crate::controller) fn shares_of(job: &Job) -> Option<Shares> {
    let bounds = argument(job, BOUNDS).unwrap_or_default();
    let bounds = bounds.split(',').filter(|bound| !bound.is_empty());
    let bounds: Result<Vec<Repository>, _> = bounds.map(str::parse).collect();
    Shares::beginning_with(bounds.ok()?)
}

/// Those of a person, and our own, which count.
fn labels(template: &JobTemplate, uid: &str) -> BTreeMap<String, String> {
    let own = [
        ("app.kubernetes.io/name", "transship"),
        ("app.kubernetes.io/component", "copy"),
        (MIRROR_UID_LABEL, uid),
    ];
    let own = own.map(|(key, value)| (key.to_owned(), value.to_owned()));
    template.labels.clone().into_iter().chain(own).collect()
}

fn toleration(toleration: &JobToleration) -> Toleration {
    let JobToleration {
        key,
        operator,
        value,
        effect,
        toleration_seconds,
    } = toleration;
    Toleration {
        key: key.clone(),
        operator: Some(operator.as_str().to_owned()),
        value: value.clone(),
        effect: effect.map(|effect| effect.as_str().to_owned()),
        toleration_seconds: *toleration_seconds,
    }
}

fn requirements(resources: &JobResources) -> ResourceRequirements {
    let JobResources { requests, limits } = resources;
    ResourceRequirements {
        requests: Some(amounts(requests, &REQUESTS, limits)),
        limits: Some(amounts(limits, &LIMITS, requests)),
        claims: None,
    }
}

/// What is written, with what is usual of resources of which nothing is written: neither here nor on the other side.
fn amounts(
    written: &BTreeMap<String, Amount>,
    usual: &[(&str, &str)],
    other: &BTreeMap<String, Amount>,
) -> BTreeMap<String, Quantity> {
    let usual = usual.iter().filter(|(name, _)| !other.contains_key(*name));
    let usual = usual.map(|(name, amount)| ((*name).to_owned(), Quantity((*amount).to_owned())));
    let written = written.iter();
    let written = written.map(|(name, Amount(amount))| (name.clone(), Quantity(amount.clone())));
    usual.chain(written).collect()
}

fn environment(settings: &JobSettings) -> Vec<EnvVar> {
    let field = |name: &str, path: &str| EnvVar {
        name: format!("TRANSSHIP_COPY_SHARE_{name}"),
        value: None,
        value_from: Some(EnvVarSource {
            field_ref: Some(ObjectFieldSelector {
                api_version: None,
                field_path: path.to_owned(),
            }),
            ..EnvVarSource::default()
        }),
    };
    let mut variables = vec![
        field("NAMESPACE", "metadata.namespace"),
        field(
            "JOB_UID",
            "metadata.labels['batch.kubernetes.io/controller-uid']",
        ),
        field(
            "INDEX",
            "metadata.annotations['batch.kubernetes.io/job-completion-index']",
        ),
    ];
    variables.extend(settings.ca_pem.as_ref().map(|pem| EnvVar {
        name: "TRANSSHIP_COPY_SHARE_CA_PEM".to_owned(),
        value: Some(pem.clone()),
        value_from: None,
    }));
    variables
}

/// Pods that are evicted or preempted are taken up again without being counted, failures that a new pod does not heal
/// are left to the next round, and where the mirror wants something else the Job is over.
fn failure_policy() -> PodFailurePolicy {
    let on_exit = |action: &str, code: u8| PodFailurePolicyRule {
        action: action.to_owned(),
        on_exit_codes: Some(PodFailurePolicyOnExitCodesRequirement {
            container_name: Some(CONTAINER.to_owned()),
            operator: "In".to_owned(),
            values: vec![i32::from(code)],
        }),
        on_pod_conditions: None,
    };
    let disrupted = PodFailurePolicyRule {
        action: "Ignore".to_owned(),
        on_exit_codes: None,
        on_pod_conditions: Some(vec![PodFailurePolicyOnPodConditionsPattern {
            type_: "DisruptionTarget".to_owned(),
            status: "True".to_owned(),
        }]),
    };
    PodFailurePolicy {
        rules: vec![
            disrupted,
            on_exit("FailIndex", PART_FAILED),
            on_exit("FailJob", PART_OVER),
        ],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::CopiedBy;
    use crate::plan::validate::documents::mirror;

    const PLAIN: &str = "
apiVersion: transship.dev/v1alpha1
kind: ImageMirror
metadata: {name: base.images, namespace: team, uid: 0f6a}
spec:
  source: {registry: a.test}
  images: [{repository: a, tags: ['1']}]
  destinations: [{name: b, registry: b.test}]
  timeout: 2h
  execution:
    mode: Job
    parallelism: 2
";

    const TEMPLATE: &str = "
    template:
      serviceAccountName: mirror
      resources: {requests: {cpu: 2}, limits: {memory: 1Gi}}
      nodeSelector: {topology.kubernetes.io/zone: eu-1}
      tolerations: [{key: bulk, operator: Exists, effect: NoSchedule}]
      priorityClassName: low
      labels: {kueue.x-k8s.io/queue-name: bulk, team: a}
";

    fn rendered(text: &str, settings: &JobSettings) -> Job {
        let mirror = mirror(text);
        let CopiedBy::Job(execution) = &mirror.execution else {
            panic!("a mirror with a Job");
        };
        let bounds = vec!["app/m".parse().unwrap()];
        let shares = Shares::beginning_with(bounds).unwrap();
        let planned = Planned {
            mirror: &mirror,
            generation: 3,
            execution,
            shares: &shares,
            now: Timestamp::UNIX_EPOCH,
        };
        let job = planned.render(settings).unwrap();
        assert_eq!(shares_of(&job), Some(shares));
        assert_eq!(generation_of(&job), Some(3));
        job
    }

    fn settings() -> JobSettings {
        JobSettings {
            image: "r.test/transship:1".parse().unwrap(),
            arguments: vec!["--deny-addresses=10.0.0.0/8".to_owned()],
            ca_pem: None,
        }
    }

    #[test]
    fn a_job_has_a_pod_for_each_share() {
        insta::assert_yaml_snapshot!(rendered(PLAIN, &settings()));
    }

    #[test]
    fn a_template_says_who_the_pods_are_and_where_they_run() {
        let text = format!("{PLAIN}{}", TEMPLATE.trim_start_matches('\n'));
        let job = rendered(&text, &settings());
        assert_eq!(job.spec.as_ref().unwrap().suspend, Some(true));
        let pod = &job.spec.as_ref().unwrap().template;
        insta::assert_yaml_snapshot!((&job.metadata.labels, &pod.metadata, {
            let spec = pod.spec.as_ref().unwrap();
            (
                &spec.service_account_name,
                &spec.node_selector,
                &spec.tolerations,
                &spec.priority_class_name,
                &spec.containers[0].resources,
            )
        }));
    }

    #[test]
    fn other_authorities_go_along() {
        let with = JobSettings {
            ca_pem: Some("PEM".to_owned()),
            ..settings()
        };
        let job = rendered(PLAIN, &with);
        let pod = job.spec.unwrap().template.spec.unwrap();
        let variables = pod.containers[0].env.as_ref().unwrap();
        assert_eq!(variables.last().unwrap().value.as_deref(), Some("PEM"));
    }
}
