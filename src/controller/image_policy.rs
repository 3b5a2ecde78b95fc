// SPDX-License-Identifier: Apache-2.0

//! Reconciles an `ImagePolicy`: is it valid, who uses it, and what does it do.

use kube::ResourceExt;
use kube::core::PartialObjectMetaExt;
use kube::core::error_boundary::InvalidObject;
use kube::runtime::controller::Action;

use super::cluster::WriteError;
use super::context::Context;
use crate::api::image_policy::ImagePolicyStatus;
use crate::api::{ImagePolicy, Reason};
use crate::plan::policy_status::{Known, policy_status};
use crate::plan::report::Tally;
use crate::plan::{InvalidField, Policy};
use crate::runtime::clock;

/// The kind of policies, in metrics.
pub(super) const POLICY: &str = "ImagePolicy";

/// Says on a policy what is known of it.
pub(super) async fn reconcile(
    object: &ImagePolicy,
    context: &Context,
) -> Result<Action, WriteError> {
    let invalid = Policy::validate(object).err().unwrap_or_default();
    let users = users(object, context);
    let previous = object.status.clone().unwrap_or_default();
    let known = Known {
        generation: object.metadata.generation.unwrap_or_default(),
        invalid: &invalid,
        suspend: object.spec.suspend,
        mirrors: users.len(),
        tally: tally(object, &users, context),
    };
    let status = policy_status(&previous, &known, clock::now());
    context.shared.metrics.observe_ready(
        POLICY,
        &object.namespace().unwrap_or_default(),
        &object.name_any(),
        &status.conditions,
        object.spec.suspend,
    );
    if status != previous {
        context.shared.cluster.write_status(object, &status).await?;
    }
    Ok(Action::await_change())
}

/// Says that an object cannot be understood, such as one of a newer version: nobody can use it.
pub(super) async fn refuse(
    object: &InvalidObject,
    context: &Context,
) -> Result<Action, WriteError> {
    let metadata = object.metadata.clone();
    let metadata = metadata.into_request_partial::<ImagePolicy>();
    let invalid = InvalidField {
        path: "spec".to_owned(),
        message: format!(
            "this version of transship does not understand it: {}",
            object.error
        ),
        reason: Reason::InvalidSpec,
    };
    let known = Known {
        generation: object.metadata.generation.unwrap_or_default(),
        invalid: &[invalid],
        suspend: false,
        mirrors: 0,
        tally: None,
    };
    // Nothing is known of what was written before: the same object must give the same status.
    let time = metadata.creation_timestamp().map(|time| time.0);
    let previous = ImagePolicyStatus::default();
    let status = policy_status(&previous, &known, time.unwrap_or_default());
    context
        .shared
        .cluster
        .write_status(&metadata, &status)
        .await?;
    Ok(Action::await_change())
}

/// The mirrors that use a policy, as `namespace/name`.
fn users(policy: &ImagePolicy, context: &Context) -> Vec<String> {
    let namespace = policy.namespace().unwrap_or_default();
    let names = context.shared.users.of(policy).into_iter();
    names.map(|name| format!("{namespace}/{name}")).collect()
}

fn tally(policy: &ImagePolicy, users: &[String], context: &Context) -> Option<Tally> {
    let name = policy.name_any().parse().ok()?;
    let users = users.iter().map(String::as_str);
    context.shared.usage.sum(&name, users)
}
