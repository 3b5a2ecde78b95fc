// SPDX-License-Identifier: Apache-2.0

//! Mirrors that are gone: nothing of them stays with the process, whatever was under way.

use kube::ResourceExt;
use kube::runtime::reflector::ObjectRef;

use super::bystanders;
use super::context::Context;
use super::memory::name_of;
use super::objects::MIRROR;
use crate::api::ImageMirror;
use crate::plan::Mirror;

impl Context {
    /// Drops everything about a mirror that is no more.
    pub(super) fn forget(&self, mirror: &ImageMirror) {
        let name = name_of(mirror);
        tracing::info!(
            mirror = name,
            "the mirror is gone: its destinations stay as they are"
        );
        self.shared.rounds.remove(&ObjectRef::from_obj(mirror));
        self.forget_remains(mirror, None);
        let policies = self.shared.users.forget(mirror);
        self.look_at_policies(policies);
    }

    /// Forgets what was noted of a mirror that went away meanwhile: it was forgotten before.
    pub(super) fn forget_if_gone(&self, mirror: &ImageMirror) {
        let current = self.current(mirror);
        if current
            .as_ref()
            .is_some_and(|current| current.uid() == mirror.uid())
        {
            return;
        }
        let current = current.as_ref().and_then(|current| current.0.as_ref().ok());
        self.forget_remains(mirror, current.and_then(bystanders::read));
    }

    /// Drops what this process knows of a mirror, and keeps what another one of its name may want.
    pub(super) fn forget_remains(&self, mirror: &ImageMirror, successor: Option<Mirror>) {
        let name = name_of(mirror);
        self.shared.state.forget(&name, successor);
        self.shared.records.forget(&name);
        self.shared.memory.forget(&name);
        self.shared.usage.forget(&name);
        self.shared.hinted.forget(mirror);
        let namespace = mirror.namespace().unwrap_or_default();
        self.shared
            .metrics
            .forget(MIRROR, &namespace, &mirror.name_any());
    }
}
