// SPDX-License-Identifier: Apache-2.0

//! What follows at once from what a watch tells, before any reconciler runs.

use std::sync::Arc;

use kube::ResourceExt;
use kube::runtime::reflector::ObjectRef;

use super::context::Context;
use super::image_policy::POLICY;
use super::objects::Guarded;
use super::watch::Look;
use crate::api::conditions::READY;
use crate::api::{ImageMirror, ImagePolicy, Reason};

/// Follows mirrors: their rounds end with their specs, and their policies are looked at.
pub(super) struct MirrorLook(pub(super) Arc<Context>);

/// Follows policies: the mirrors that use them are looked at.
pub(super) struct PolicyLook(pub(super) Arc<Context>);

impl Look<ImageMirror> for MirrorLook {
    fn observe(&self, mirror: &ImageMirror, before: Option<&ImageMirror>) {
        let Self(context) = self;
        context.shared.rounds.observe(mirror);
        let version = |mirror: &ImageMirror| (mirror.uid(), mirror.metadata.generation);
        if before.is_none_or(|before| version(before) != version(mirror)) {
            context.stand_by(mirror);
        }
        let policies = context.shared.users.observe(mirror, before);
        context.look_at_policies(policies);
    }

    fn remove(&self, mirror: &ImageMirror) {
        let Self(context) = self;
        context.forget(mirror);
        // What it held at a destination is free for another one now.
        for object in context.mirrors.state() {
            if let Ok(other) = &object.0
                && is_in_conflict(other)
            {
                context.shared.memory.hurry(other);
                context.look_at_mirror(ObjectRef::from_obj(&*object));
            }
        }
    }
}

fn is_in_conflict(mirror: &ImageMirror) -> bool {
    let conditions = mirror.status.iter().flat_map(|status| &status.conditions);
    conditions
        .filter(|condition| condition.type_ == READY)
        .any(|ready| ready.reason == Reason::DestinationConflict.as_str())
}

impl PolicyLook {
    fn look_at_users(&self, policy: &ImagePolicy) {
        let Self(context) = self;
        context.stand_by_users(policy);
        let namespace = policy.namespace().unwrap_or_default();
        for name in context.shared.users.of(policy) {
            context.look_at_mirror(ObjectRef::new(&name).within(&namespace));
        }
    }
}

impl Look<ImagePolicy> for PolicyLook {
    fn observe(&self, policy: &ImagePolicy, before: Option<&ImagePolicy>) {
        let version = |policy: &ImagePolicy| (policy.uid(), policy.metadata.generation);
        // Its status is our own: it concerns no mirror.
        if before.is_none_or(|before| version(before) != version(policy)) {
            self.look_at_users(policy);
        }
    }

    fn remove(&self, policy: &ImagePolicy) {
        let namespace = policy.namespace().unwrap_or_default();
        let metrics = &self.0.shared.metrics;
        metrics.forget(POLICY, &namespace, &policy.name_any());
        self.look_at_users(policy);
    }
}

impl Context {
    /// Asks for another look at a mirror.
    pub(super) fn look_at_mirror(&self, mirror: ObjectRef<Guarded<ImageMirror>>) {
        // The receiver ends with the process only.
        let _ = self.changed_mirrors.send(mirror);
    }
}
