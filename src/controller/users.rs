// SPDX-License-Identifier: Apache-2.0

//! Which mirrors use which policies, so that nobody looks at ten thousand mirrors to find ten.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use kube::ResourceExt;
use kube::runtime::reflector::ObjectRef;

use super::objects::{Guarded, policy_names};
use crate::api::{ImageMirror, ImagePolicy};

/// The name of a policy in its namespace.
pub(super) type PolicyRef = ObjectRef<Guarded<ImagePolicy>>;

/// The names of the mirrors that use a policy; all are in its namespace.
#[derive(Debug, Default)]
pub(super) struct Users(Mutex<HashMap<PolicyRef, BTreeSet<String>>>);

impl Users {
    /// Takes note of the policies that a mirror uses, and of those that it used before and does not any
    /// more; says for which of them that is news.
    pub(super) fn observe(
        &self,
        mirror: &ImageMirror,
        before: Option<&ImageMirror>,
    ) -> Vec<PolicyRef> {
        let name = mirror.name_any();
        let used = policies(mirror);
        let left = before.map(policies).unwrap_or_default();
        let left = left.difference(&used).cloned();
        let mut users = self.lock();
        let mut news: Vec<PolicyRef> = left
            .filter(|policy| remove(&mut users, policy, &name))
            .collect();
        news.extend(used.into_iter().filter(|policy| {
            let mirrors = users.entry(policy.clone()).or_default();
            mirrors.insert(name.clone())
        }));
        news
    }

    /// Forgets a mirror that is no more; says which policies it used.
    pub(super) fn forget(&self, mirror: &ImageMirror) -> Vec<PolicyRef> {
        let name = mirror.name_any();
        let mut users = self.lock();
        let used = policies(mirror).into_iter();
        used.filter(|policy| remove(&mut users, policy, &name))
            .collect()
    }

    /// The names of the mirrors that use a policy, in order.
    pub(super) fn of(&self, policy: &ImagePolicy) -> Vec<String> {
        let namespace = policy.namespace().unwrap_or_default();
        let policy = ObjectRef::new(&policy.name_any()).within(&namespace);
        let users = self.lock();
        users.get(&policy).into_iter().flatten().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<PolicyRef, BTreeSet<String>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The policies that a mirror names.
pub(super) fn policies(mirror: &ImageMirror) -> HashSet<PolicyRef> {
    let namespace = mirror.namespace().unwrap_or_default();
    policy_names(mirror)
        .map(|name| ObjectRef::new(name).within(&namespace))
        .collect()
}

/// Whether it was there.
fn remove(
    users: &mut HashMap<PolicyRef, BTreeSet<String>>,
    policy: &PolicyRef,
    mirror: &str,
) -> bool {
    let Some(mirrors) = users.get_mut(policy) else {
        return false;
    };
    let was_there = mirrors.remove(mirror);
    if mirrors.is_empty() {
        users.remove(policy);
    }
    was_there
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::image_policy::ImagePolicySpec;

    fn mirror(name: &str, policies: &[&str]) -> ImageMirror {
        let references: Vec<_> = policies
            .iter()
            .map(|name| serde_json::json!({"name": name}))
            .collect();
        serde_json::from_value(serde_json::json!({
            "apiVersion": "transship.dev/v1alpha1",
            "kind": "ImageMirror",
            "metadata": {"namespace": "a", "name": name},
            "spec": {
                "source": {"registry": "docker.io"},
                "images": [{"repository": "library/alpine", "policyRefs": references}],
                "destinations": [{"name": "eu", "registry": "eu.example.com"}],
            },
        }))
        .unwrap()
    }

    fn names(policies: Vec<PolicyRef>) -> BTreeSet<String> {
        policies.into_iter().map(|policy| policy.name).collect()
    }

    #[test]
    fn only_what_changes_is_news() {
        let users = Users::default();
        let (one, other) = (mirror("m", &["p", "q"]), mirror("m", &["q", "r"]));
        let set = |names: &[&str]| names.iter().map(ToString::to_string).collect();
        assert_eq!(names(users.observe(&one, None)), set(&["p", "q"]));
        assert_eq!(names(users.observe(&one, Some(&one))), set(&[]));
        assert_eq!(names(users.observe(&other, Some(&one))), set(&["p", "r"]));
        users.observe(&mirror("n", &["q"]), None);
        let of = |name: &str| {
            let mut policy = ImagePolicy::new(name, ImagePolicySpec::default());
            policy.metadata.namespace = Some("a".to_owned());
            users.of(&policy)
        };
        assert_eq!(
            [of("p"), of("q")],
            [vec![], vec!["m".to_owned(), "n".to_owned()]]
        );
        assert_eq!(names(users.forget(&other)), set(&["q", "r"]));
        assert_eq!([of("q"), of("r")], [vec!["n".to_owned()], vec![]]);
    }
}
