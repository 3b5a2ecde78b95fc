// SPDX-License-Identifier: Apache-2.0

//! What the pods of a Job say that they pushed of a record's tags: an annotation of its object, which is all of it that
//! they have a right to write. Whoever may be their ServiceAccount may write anything there.

use std::collections::BTreeMap;

use kube::ResourceExt;
use serde::{Deserialize, Serialize};

use crate::api::MirroredRepository;
use crate::api::mirrored_repository::COPIED_ANNOTATION;
use crate::oci::Tag;
use crate::sync::Push;

/// What the pods of a Job say that they pushed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Copied {
    /// The UID of the Job.
    pub(super) job: String,
    /// The tags that they pushed.
    pub(super) tags: BTreeMap<Tag, Push>,
}

// === impl Copied ===

impl Copied {
    /// What an object says; nothing where it says nothing that is understood. The API server takes no more than 256 KiB of
    /// annotations.
    pub(super) fn of(object: &MirroredRepository) -> Option<Self> {
        let text = object.annotations().get(COPIED_ANNOTATION)?;
        serde_json::from_str(text).ok()
    }

    /// The text of the annotation.
    pub(super) fn write(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::oci::Digest;

    fn object(text: &str) -> MirroredRepository {
        let object = json!({
            "metadata": {"annotations": {COPIED_ANNOTATION: text}},
            "spec": {"mirror": "web", "destination": "eu", "repository": "eu.example/app", "part": 0},
        });
        serde_json::from_value(object).unwrap()
    }

    #[test]
    fn what_is_written_is_read_and_nothing_else() {
        let push = Push {
            digest: Digest::sha256(b"x"),
            seen: "index+list:0000000000000001:0000000000000002".parse().ok(),
        };
        let copied = Copied {
            job: "j".to_owned(),
            tags: BTreeMap::from([("1".parse().unwrap(), push)]),
        };
        assert_eq!(Copied::of(&object(&copied.write())), Some(copied));
        let strange = [
            "",
            "{}",
            r#"{"job": "j", "tags": {"1": {"digest": "x"}}}"#,
            r#"{"job": "j", "tags": {"not a tag": {}}}"#,
            r#"{"job": "j", "tags": {}, "deleted": []}"#,
        ];
        for text in strange {
            assert_eq!(Copied::of(&object(text)), None, "{text}");
        }
    }

    #[test]
    fn a_full_record_fits_into_what_annotations_may_take() {
        let push = Push {
            digest: Digest::sha256(b"x"),
            seen: "index+list:0000000000000001:0000000000000002".parse().ok(),
        };
        let tag = |number: usize| format!("{number:0128}").parse().unwrap();
        let tags = (0..crate::api::mirrored_repository::TAGS).map(|it| (tag(it), push.clone()));
        let copied = Copied {
            job: "0123456789ab-cdef-0123-4567-89abcdef0123".to_owned(),
            tags: tags.collect(),
        };
        assert!(copied.write().len() < 128 * 1024);
    }
}
