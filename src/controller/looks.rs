//! What follows at once from what a watch tells, before any reconciler runs.

use std::sync::Arc;

use kube::ResourceExt;
use kube::runtime::reflector::ObjectRef;

use super::context::{Context, policy_names};
use super::image_policy::POLICY;
use super::watch::Look;
use crate::api::conditions::READY;
use crate::api::{ImageMirror, ImagePolicy, Reason};

/// Follows mirrors: their rounds end with their specs, and their policies are looked at.
pub(super) struct MirrorLook(pub(super) Arc<Context>);

/// Follows policies: the mirrors that use them are looked at.
pub(super) struct PolicyLook(pub(super) Arc<Context>);

impl Look<ImageMirror> for MirrorLook {
    fn observe(&self, mirror: &ImageMirror) {
        let Self(context) = self;
        context.shared.rounds.observe(mirror);
        context.look_at_policies(mirror);
    }

    fn remove(&self, mirror: &ImageMirror) {
        let Self(context) = self;
        context.forget(mirror);
        // What it held at a destination is free for another one now.
        context.look_at_mirrors(|other| {
            let is_in_conflict = is_in_conflict(other);
            if is_in_conflict {
                context.shared.memory.hurry(other);
            }
            is_in_conflict
        });
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
        let (namespace, name) = (policy.namespace(), policy.name_any());
        self.0.look_at_mirrors(|mirror| {
            mirror.namespace() == namespace && policy_names(mirror).any(|known| known == name)
        });
    }
}

impl Look<ImagePolicy> for PolicyLook {
    fn observe(&self, policy: &ImagePolicy) {
        self.look_at_users(policy);
    }

    fn remove(&self, policy: &ImagePolicy) {
        let namespace = policy.namespace().unwrap_or_default();
        let metrics = &self.0.shared.metrics;
        metrics.forget(POLICY, &namespace, &policy.name_any());
        self.look_at_users(policy);
    }
}

impl Context {
    /// Asks for another look at these mirrors.
    fn look_at_mirrors(&self, is_meant: impl Fn(&ImageMirror) -> bool) {
        for object in self.mirrors.state() {
            if let Ok(mirror) = &object.0
                && is_meant(mirror)
            {
                // The receiver ends with the process only.
                let _ = self.changed_mirrors.send(ObjectRef::from_obj(&*object));
            }
        }
    }
}
