// SPDX-License-Identifier: Apache-2.0

//! Mirrors that have not said yet what they want: new ones, those that wait for a policy, suspended ones,
//! and all of them when the process begins. What they may want is not pruned.

use kube::ResourceExt;
use kube::runtime::reflector::ObjectRef;

use super::context::{Context, Shared};
use crate::api::{ImageMirror, ImagePolicy};
use crate::oci::Registry;
use crate::plan::{self, Mirror};

/// Stands for every tag.
const EVERY_TAG: &str = "*";

/// What a mirror may want as far as its spec alone tells. What policies select may be any tag. None where
/// the spec is not valid: such a mirror wants what it wanted before.
pub(super) fn read(object: &ImageMirror) -> Option<Mirror> {
    let mut object = ImageMirror {
        metadata: object.metadata.clone(),
        spec: object.spec.clone(),
        status: None,
    };
    // When it runs says nothing of what it wants, and takes most of the memory of a mirror.
    (object.spec.interval, object.spec.schedule) = (None, None);
    object.spec.policy_refs.clear();
    for image in &mut object.spec.images {
        image.policy_refs.clear();
        if image.tags.is_empty() {
            image.tags.push(EVERY_TAG.to_owned());
        }
    }
    plan::validate(&object, &[]).ok()
}

/// Takes note of mirrors that have not said what they want. One that is suspended says nothing.
pub(super) fn await_word(shared: &Shared, mirrors: impl IntoIterator<Item = Mirror>) {
    let mirrors = mirrors.into_iter();
    let (silent, expected): (Vec<_>, Vec<_>) = mirrors.partition(|mirror| mirror.suspend);
    shared
        .portion
        .note(registries(silent.iter().chain(&expected)));
    shared.state.stand_by(silent);
    shared.state.expect(expected);
}

/// The registries that mirrors write to.
fn registries<'a>(mirrors: impl Iterator<Item = &'a Mirror>) -> impl Iterator<Item = &'a Registry> {
    let destinations = mirrors.flat_map(|mirror| &mirror.destinations);
    destinations.map(|destination| &destination.registry)
}

impl Context {
    /// What this mirror may want is kept until it has said what it wants, and events may hint at it.
    pub(super) fn stand_by(&self, mirror: &ImageMirror) {
        let wanting = read(mirror);
        self.shared.hinted.observe(mirror, wanting.as_ref());
        await_word(&self.shared, wanting);
    }

    /// What the mirrors of a namespace may want is known to whoever takes events of it.
    pub(super) fn tell_wanted(&self, namespace: &str) {
        let hinted = &self.shared.hinted;
        hinted.complete(namespace, &self.mirrors, read);
    }

    /// All mirrors that use a policy stand by.
    pub(super) fn stand_by_users(&self, policy: &ImagePolicy) {
        let namespace = policy.namespace().unwrap_or_default();
        for name in self.shared.users.of(policy) {
            let user = self.mirrors.get(&ObjectRef::new(&name).within(&namespace));
            if let Some(user) = user.as_ref().and_then(|user| user.0.as_ref().ok()) {
                self.stand_by(user);
                self.forget_if_gone(user);
            }
        }
    }
}
