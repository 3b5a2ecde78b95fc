// SPDX-License-Identifier: Apache-2.0

//! Who wrote an object: a record is one of ours where its name, its owner and its writer say so.

use kube::ResourceExt;

use super::convert::object_name;
use crate::api::{MirroredRepository, MirroredRepositorySpec};
use crate::controller::cluster::FIELD_MANAGER;
use crate::sync::ledger::Leaf;

/// Fields of an object that only its controller writes.
const STATUS: &str = "status";

/// Who wrote an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Writer {
    /// A controller, for the mirror that it names.
    Ourselves,
    /// A controller, and somebody else changed what stands in it.
    Edited,
    /// Somebody else, or a controller for another mirror, as where objects are copied to another namespace
    /// or cluster.
    Stranger,
}

impl Writer {
    /// Who wrote an object, where the mirror that it names has this UID.
    pub(super) fn of(object: &MirroredRepository, uid: Option<&str>) -> Self {
        let MirroredRepositorySpec {
            mirror: _,
            destination,
            repository,
            part,
        } = &object.spec;
        let name = uid.and_then(|uid| object_name(uid, destination, repository, *part));
        let owners = object.owner_references();
        let is_owned = uid.is_some_and(|uid| {
            let mut others = owners.iter().filter(|owner| owner.uid != uid);
            !owners.is_empty() && others.next().is_none()
        });
        if !is_owned || object.metadata.name != name {
            return Self::Stranger;
        }
        if is_written_by_us(object) {
            Self::Ourselves
        } else {
            Self::Edited
        }
    }
}

/// Nothing of it counts as written by us, nor as unwanted or deleted: that is what somebody else says.
pub(super) fn adopt(leaf: &mut Leaf) {
    for record in leaf.records.values_mut() {
        record.adopted = true;
        record.unwanted = None;
        record.own_referrers.clear();
    }
    leaf.deleted.clear();
}

/// Whether nobody else wrote a field of the status, as the API server keeps account of it.
fn is_written_by_us(object: &MirroredRepository) -> bool {
    let entries = object.managed_fields().iter();
    let mut writers = entries
        .filter(|entry| entry.subresource.as_deref() == Some(STATUS))
        .map(|entry| entry.manager.as_deref())
        .peekable();
    object.status.is_none()
        || writers.peek().is_some() && writers.all(|writer| writer == Some(FIELD_MANAGER))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const UID: &str = "0f6a";

    fn object(change: impl FnOnce(&mut Value)) -> MirroredRepository {
        let name = object_name(UID, "eu", "eu.example/app", 0).unwrap();
        let mut object = json!({
            "apiVersion": "transship.dev/v1alpha1", "kind": "MirroredRepository",
            "metadata": {
                "name": name, "namespace": "shop",
                "ownerReferences": [
                    {"apiVersion": "transship.dev/v1alpha1", "kind": "ImageMirror", "name": "web", "uid": UID},
                ],
                "managedFields": [
                    {"manager": "transship", "operation": "Apply"},
                    {"manager": "transship", "operation": "Apply", "subresource": "status"},
                    {"manager": "kubectl-label", "operation": "Update"},
                ],
            },
            "spec": {"mirror": "web", "destination": "eu", "repository": "eu.example/app", "part": 0},
            "status": {"tagCount": 0, "candidateCount": 0, "tags": []},
        });
        change(&mut object);
        serde_json::from_value(object).unwrap()
    }

    #[test]
    fn a_record_of_ours_has_its_name_its_owner_and_its_writer() {
        let ours = object(|_| {});
        assert_eq!(Writer::of(&ours, Some(UID)), Writer::Ourselves);
        assert_eq!(Writer::of(&ours, None), Writer::Stranger);
        assert_eq!(Writer::of(&ours, Some("ffff")), Writer::Stranger);
        let strange: [(&str, Value); 6] = [
            ("/metadata/name", json!("by-hand")),
            ("/metadata/ownerReferences", json!([])),
            ("/metadata/ownerReferences/0/uid", json!("ffff")),
            ("/spec/destination", json!("us")),
            ("/spec/repository", json!("eu.example/other")),
            ("/spec/part", json!(1)),
        ];
        for (field, value) in strange {
            let other = object(|object| *object.pointer_mut(field).unwrap() = value);
            assert_eq!(Writer::of(&other, Some(UID)), Writer::Stranger, "{field}");
        }
        let edited = [
            ("/metadata/managedFields/1/manager", json!("kubectl-edit")),
            ("/metadata/managedFields", json!([])),
            (
                "/metadata/managedFields/1",
                json!({"manager": "transship", "operation": "Apply"}),
            ),
            (
                "/metadata/managedFields/2",
                json!({"manager": "kubectl-edit", "operation": "Update", "subresource": "status"}),
            ),
        ];
        for (field, value) in edited {
            let other = object(|object| *object.pointer_mut(field).unwrap() = value);
            assert_eq!(Writer::of(&other, Some(UID)), Writer::Edited, "{field}");
        }
    }
}
