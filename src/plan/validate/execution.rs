// SPDX-License-Identifier: Apache-2.0

//! Who copies.

use std::collections::BTreeMap;

use crate::api::image_mirror::{
    Amount, Execution, ExecutionMode, JOB_LABELS, JOB_RESOURCES, JOB_TOLERATIONS, JobResources,
    JobTemplate, JobToleration, PARALLELISM, TaintEffect, TolerationOperator,
};
use crate::plan::execution::{CopiedBy, JobExecution};
use crate::plan::fields::Fields;

/// Longest name behind the domain of a key, and longest value of a label.
const WORD: usize = 63;
/// Longest domain of a key.
const DOMAIN: usize = 253;
/// Domains of labels that Transship and Kubernetes write themselves.
const RESERVED: [&str; 3] = ["transship.dev", "app.kubernetes.io", "batch.kubernetes.io"];
/// The same without a domain.
const RESERVED_NAMES: [&str; 2] = ["job-name", "controller-uid"];
/// Endings of amounts of resources.
const UNITS: [&str; 16] = [
    "", "n", "u", "m", "k", "M", "G", "T", "P", "E", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei",
];

pub(super) fn validate_execution(written: &Execution, fields: &mut Fields) -> CopiedBy {
    let Execution {
        mode,
        parallelism,
        template,
    } = written;
    if *mode == ExecutionMode::InProcess {
        let only = "is only used with mode: Job";
        if parallelism.is_some() {
            fields.refuse("spec.execution.parallelism", only);
        }
        if template.is_some() {
            fields.refuse("spec.execution.template", only);
        }
        return CopiedBy::InProcess;
    }
    let path = "spec.execution.parallelism";
    let parallelism = fields.accept_number(path, parallelism.unwrap_or(1), 1, PARALLELISM);
    let template = template.clone().unwrap_or_default();
    check_template(&template, fields);
    CopiedBy::Job(Box::new(JobExecution {
        parallelism: parallelism.unwrap_or(1),
        template,
    }))
}

fn check_template(template: &JobTemplate, fields: &mut Fields) {
    let JobTemplate {
        service_account_name: _,
        resources: JobResources { requests, limits },
        node_selector,
        tolerations,
        priority_class_name: _,
        labels,
    } = template;
    let path = "spec.execution.template";
    check_amounts(&format!("{path}.resources.requests"), requests, fields);
    check_amounts(&format!("{path}.resources.limits"), limits, fields);
    check_labels(&format!("{path}.nodeSelector"), node_selector, fields);
    check_labels(&format!("{path}.labels"), labels, fields);
    for key in labels.keys().filter(|key| is_reserved(key)) {
        let message = "is written by Transship or Kubernetes: choose another key";
        fields.refuse(format!("{path}.labels[{key:?}]"), message);
    }
    let path = format!("{path}.tolerations");
    fields.check_count(&path, tolerations.len(), 0, JOB_TOLERATIONS);
    for (index, toleration) in tolerations.iter().enumerate() {
        check_toleration(&format!("{path}[{index}]"), toleration, fields);
    }
}

fn check_amounts(path: &str, amounts: &BTreeMap<String, Amount>, fields: &mut Fields) {
    fields.check_count(path, amounts.len(), 0, JOB_RESOURCES);
    for (name, Amount(amount)) in amounts {
        let path = format!("{path}.{name}");
        if !is_key(name) {
            fields.refuse(&path, "is no name of a resource, such as cpu or memory");
        }
        if !is_amount(amount) {
            fields.refuse(&path, "is no amount of a resource, such as 500m or 1Gi");
        }
    }
}

fn check_labels(path: &str, labels: &BTreeMap<String, String>, fields: &mut Fields) {
    fields.check_count(path, labels.len(), 0, JOB_LABELS);
    for (key, value) in labels {
        if !is_key(key) {
            let message = "is no key of a label, such as topology.kubernetes.io/zone";
            fields.refuse(format!("{path}[{key:?}]"), message);
        }
        if !value.is_empty() && !is_word(value) {
            let message = "is no value of a label: letters, digits, '-', '_' and '.', at most 63, with letters or \
                           digits at both ends";
            fields.refuse(format!("{path}[{key:?}]"), message);
        }
    }
}

fn check_toleration(path: &str, toleration: &JobToleration, fields: &mut Fields) {
    let JobToleration {
        key,
        operator,
        value,
        effect,
        toleration_seconds,
    } = toleration;
    if key.as_ref().is_some_and(|key| !is_key(key)) {
        fields.refuse(format!("{path}.key"), "is no key of a taint");
    }
    if key.is_none() && *operator == TolerationOperator::Equal {
        fields.refuse(
            format!("{path}.operator"),
            "without a key it must be Exists",
        );
    }
    if *operator == TolerationOperator::Exists && value.is_some() {
        fields.refuse(format!("{path}.value"), "is only used with operator: Equal");
    }
    if value
        .as_ref()
        .is_some_and(|value| !value.is_empty() && !is_word(value))
    {
        fields.refuse(format!("{path}.value"), "is no value of a taint");
    }
    if toleration_seconds.is_some() && *effect != Some(TaintEffect::NoExecute) {
        let message = "is only used with effect: NoExecute";
        fields.refuse(format!("{path}.tolerationSeconds"), message);
    }
}

/// The key of a label: a name, with or without a domain before it.
fn is_key(text: &str) -> bool {
    match text.split_once('/') {
        None => is_word(text),
        Some((domain, name)) => is_domain(domain) && is_word(name),
    }
}

fn is_domain(text: &str) -> bool {
    text.len() <= DOMAIN && text.parse::<crate::api::ObjectName>().is_ok()
}

fn is_word(text: &str) -> bool {
    let is_end = |end: Option<u8>| end.is_some_and(|byte| byte.is_ascii_alphanumeric());
    let mut bytes = text.bytes();
    text.len() <= WORD
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
        && is_end(text.bytes().next())
        && is_end(text.bytes().last())
}

/// A key that others write.
fn is_reserved(key: &str) -> bool {
    let is_below = |domain: &str| {
        let mut reserved = RESERVED.iter();
        reserved.any(|own| {
            let rest = domain.strip_suffix(own);
            rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        })
    };
    match key.split_once('/') {
        None => RESERVED_NAMES.contains(&key),
        Some((domain, _)) => is_below(domain),
    }
}

/// An amount of a resource: a number that is not negative, with a unit or an exponent.
fn is_amount(text: &str) -> bool {
    let text = text.strip_prefix('+').unwrap_or(text);
    let end = text.find(|next: char| !next.is_ascii_digit() && next != '.');
    let (number, unit) = text.split_at(end.unwrap_or(text.len()));
    let digits = number.chars().filter(char::is_ascii_digit).count();
    let exponent = unit.strip_prefix(['e', 'E']).map(|rest| {
        let rest = rest.strip_prefix(['+', '-']).unwrap_or(rest);
        !rest.is_empty() && rest.len() <= 2 && rest.bytes().all(|byte| byte.is_ascii_digit())
    });
    digits > 0
        && number.len() - digits <= 1
        && (UNITS.contains(&unit) || exponent.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use crate::plan::validate::documents::validated;

    /// What is wrong with this way to copy.
    fn refused(execution: &str) -> String {
        let text = format!(
            "apiVersion: transship.dev/v1alpha1\nkind: ImageMirror\nmetadata: {{name: a}}\nspec:\n  \
             source: {{registry: a.test}}\n  images: [{{repository: a, tags: [\"1\"]}}]\n  \
             destinations: [{{name: b, registry: b.test}}]\n  execution: {execution}\n"
        );
        match validated(&text) {
            Ok(_) => String::new(),
            Err(invalid) => invalid
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join("\n"),
        }
    }

    #[test]
    fn a_template_is_what_the_api_server_takes() {
        let good = [
            "{}",
            "{mode: InProcess}",
            "{mode: Job}",
            "{mode: Job, parallelism: 64}",
            "{mode: Job, template: {resources: {requests: {cpu: 2, memory: 1.5Gi}, limits: {cpu: 500m, nvidia.com/gpu: '1e1'}}}}",
            "{mode: Job, template: {labels: {kueue.x-k8s.io/queue-name: bulk, team: \"\"}}}",
            "{mode: Job, template: {tolerations: [{operator: Exists}, {key: a.test/b, value: c, effect: NoExecute, tolerationSeconds: 60}]}}",
        ];
        for execution in good {
            assert_eq!(refused(execution), "", "{execution}");
        }
        let bad = [
            "{parallelism: 2}",
            "{template: {}}",
            "{mode: Job, parallelism: 0}",
            "{mode: Job, parallelism: 65}",
            "{mode: Job, template: {resources: {requests: {cpu: -1, memory: 1GiB, \"a b\": 1}}}}",
            "{mode: Job, template: {resources: {limits: {cpu: 1.2.3, memory: e3}}}}",
            "{mode: Job, template: {nodeSelector: {\"zone/\": a, zone: \"-\"}}}",
            "{mode: Job, template: {labels: {job-name: a, app.kubernetes.io/name: a, x.transship.dev/y: a}}}",
            "{mode: Job, template: {tolerations: [{value: a}, {key: a, operator: Exists, value: b}, {key: a, tolerationSeconds: 1}]}}",
        ];
        let told: Vec<String> = bad.iter().map(|execution| refused(execution)).collect();
        insta::assert_snapshot!(told.join("\n"));
    }
}
