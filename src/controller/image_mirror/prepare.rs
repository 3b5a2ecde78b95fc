// SPDX-License-Identifier: Apache-2.0

//! From the object and its policies to a mirror that can be run.

use std::sync::Arc;

use kube::ResourceExt;
use kube::runtime::reflector::{ObjectRef, Store};

use crate::api::{ImageMirror, ImagePolicy, Reason};
use crate::controller::objects::{Guarded, policy_names};
use crate::oci::{Algorithm, Digest};
use crate::plan::status::Halt;
use crate::plan::{self, InvalidField, Mirror};
use crate::policy::Duration;

/// A mirror that can be run.
pub(in crate::controller) struct Prepared {
    /// The mirror.
    pub(in crate::controller) mirror: Arc<Mirror>,
    /// A digest of the generations of its policies.
    pub(in crate::controller) policies: Digest,
}

/// Makes a mirror of an object and the policies that it names, or says why there is none.
pub(super) fn prepare(
    object: &ImageMirror,
    store: &Store<Guarded<ImagePolicy>>,
    longest_round: Option<Duration>,
) -> Result<Prepared, Halt> {
    if object.spec.suspend {
        return Err(Halt::Suspended);
    }
    let namespace = object.namespace().unwrap_or_default();
    let found: Vec<_> = policy_names(object)
        .filter_map(|name| store.get(&ObjectRef::new(name).within(&namespace)))
        .collect();
    let policies: Vec<&ImagePolicy> = found
        .iter()
        .filter_map(|policy| policy.0.as_ref().ok())
        .collect();
    match plan::validate(object, &policies) {
        Ok(mirror) => Ok(Prepared {
            mirror: Arc::new(bounded(mirror, longest_round)),
            policies: revision(&policies),
        }),
        Err(invalid) => Err(explain(&beside_others(object, store, invalid))),
    }
}

/// The same where a policy is missing, by all policies of the namespace: one of them may be meant.
fn beside_others(
    object: &ImageMirror,
    store: &Store<Guarded<ImagePolicy>>,
    invalid: Vec<InvalidField>,
) -> Vec<InvalidField> {
    if invalid
        .iter()
        .all(|field| field.reason == Reason::InvalidSpec)
    {
        return invalid;
    }
    let namespace = object.namespace();
    let mut all = store.state();
    all.retain(|policy| policy.namespace() == namespace);
    let policies: Vec<&ImagePolicy> = all
        .iter()
        .filter_map(|policy| policy.0.as_ref().ok())
        .collect();
    plan::validate(object, &policies).err().unwrap_or(invalid)
}

/// The mirror with the operator's bound on the time of a round.
fn bounded(mirror: Mirror, longest_round: Option<Duration>) -> Mirror {
    let timeout = longest_round.map_or(mirror.timeout, |longest| longest.min(mirror.timeout));
    Mirror { timeout, ..mirror }
}

/// A spec that is wrong needs a person; a policy that is not there may come.
fn explain(invalid: &[InvalidField]) -> Halt {
    let wrong: Vec<String> = invalid
        .iter()
        .filter(|field| field.reason == Reason::InvalidSpec)
        .map(ToString::to_string)
        .collect();
    if !wrong.is_empty() {
        return Halt::Stalled {
            reason: Reason::InvalidSpec,
            message: wrong.join("; "),
        };
    }
    let missing: Vec<String> = invalid.iter().map(ToString::to_string).collect();
    Halt::Waiting {
        reason: Reason::DependencyNotReady,
        message: missing.join("; "),
        next: None,
    }
}

/// A digest that is another one when a policy is.
fn revision(policies: &[&ImagePolicy]) -> Digest {
    let mut lines: Vec<String> = policies
        .iter()
        .map(|policy| {
            let generation = policy.metadata.generation.unwrap_or_default();
            let uid = policy.uid().unwrap_or_default();
            format!("{} {uid} {generation}\n", policy.name_any())
        })
        .collect();
    lines.sort_unstable();
    lines.dedup();
    let mut hasher = Algorithm::Sha256.hasher();
    for line in lines {
        hasher.update(line.as_bytes());
    }
    hasher.finish()
}
