// SPDX-License-Identifier: Apache-2.0

//! What a repository is made like that is missing at a destination.

use crate::api::image_mirror::{
    CreateRepository, EncryptionType, KMS_KEY_LENGTH, LIFECYCLE_POLICY_LENGTH,
    REPOSITORY_TAG_KEY_LENGTH, REPOSITORY_TAG_VALUE_LENGTH, REPOSITORY_TAGS,
};
use crate::oci::CloudRegistry;
use crate::plan::fields::Fields;
use crate::plan::mirror::CloudIdentity;

/// What a repository is made like, where it can be made at all.
pub(super) fn check_creation(
    destination: &str,
    create: &CreateRepository,
    identity: Option<&Option<CloudIdentity>>,
    fields: &mut Fields,
) {
    let path = format!("{destination}.createRepository");
    let cloud = identity.map(|identity| identity.as_ref().map(|identity| &identity.cloud));
    match cloud {
        // What is wrong with it was said.
        None | Some(Some(CloudRegistry::Ecr(_))) => {}
        Some(Some(CloudRegistry::EcrPublic)) => fields.refuse(
            path.clone(),
            "is for private registries of Amazon ECR: create repositories of the public one yourself",
        ),
        Some(_) => fields.refuse(
            path.clone(),
            "is only used with provider: AWS: other registries make repositories by themselves, or somebody has to",
        ),
    }
    check_form(&path, create, fields);
}

fn check_form(path: &str, create: &CreateRepository, fields: &mut Fields) {
    let CreateRepository {
        tags,
        encryption,
        lifecycle_policy,
        ..
    } = create;
    fields.check_count(&format!("{path}.tags"), tags.len(), 0, REPOSITORY_TAGS);
    for (key, value) in tags {
        let is_key = (1..=REPOSITORY_TAG_KEY_LENGTH).contains(&key.chars().count());
        if !is_key || value.chars().count() > REPOSITORY_TAG_VALUE_LENGTH {
            fields.refuse(
                format!("{path}.tags"),
                format_args!(
                    "the tag {:?} is too long or empty: keys have 1 to {REPOSITORY_TAG_KEY_LENGTH} characters, values at \
                     most {REPOSITORY_TAG_VALUE_LENGTH}",
                    key.chars().take(REPOSITORY_TAG_KEY_LENGTH).collect::<String>()
                ),
            );
        }
    }
    if let Some(encryption) = encryption
        && let Some(key) = &encryption.kms_key
    {
        let path = format!("{path}.encryption.kmsKey");
        if encryption.kind == EncryptionType::Aes256 {
            fields.refuse(path, "is only used with type: KMS or KMS_DSSE");
        } else if key.is_empty() || key.chars().count() > KMS_KEY_LENGTH {
            fields.refuse(path, format_args!("has 1 to {KMS_KEY_LENGTH} characters"));
        }
    }
    let is_policy = |text: &String| {
        text.len() <= LIFECYCLE_POLICY_LENGTH
            && serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(text).is_ok()
    };
    if !lifecycle_policy.as_ref().is_none_or(is_policy) {
        fields.refuse(
            format!("{path}.lifecyclePolicy"),
            format_args!(
                "is not a JSON object of at most {LIFECYCLE_POLICY_LENGTH} bytes, such as {{\"rules\": [...]}}"
            ),
        );
    }
}
