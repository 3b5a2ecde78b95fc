// SPDX-License-Identifier: Apache-2.0

//! The entries of `destinations`.

use super::access::Written;
use crate::api::image_mirror::{
    self as written, CreateRepository, EncryptionType, KMS_KEY_LENGTH, LIFECYCLE_POLICY_LENGTH,
    REPOSITORY_TAG_KEY_LENGTH, REPOSITORY_TAG_VALUE_LENGTH, REPOSITORY_TAGS,
};
use crate::oci::CloudRegistry;
use crate::plan::fields::Fields;
use crate::plan::mirror::{CloudIdentity, Destination};
use crate::plan::template::{PreviousTagTemplate, RepositoryTemplate, TagTemplate};

/// Most destinations.
const DESTINATIONS: usize = 8;
/// Longest name of a destination.
const DESTINATION_NAME_LENGTH: usize = 63;
/// Most tag templates of one destination.
const TAG_TEMPLATES: usize = 4;

pub(super) fn validate_destinations(
    destinations: &[written::Destination],
    fields: &mut Fields,
) -> Vec<Destination> {
    fields.check_count("spec.destinations", destinations.len(), 1, DESTINATIONS);
    fields.refuse_repeats(destinations.iter().enumerate().map(|(index, destination)| {
        (
            format!("spec.destinations[{index}].name"),
            destination.name.as_str(),
        )
    }));
    let validated: Vec<Destination> = destinations
        .iter()
        .enumerate()
        .filter_map(|(index, destination)| {
            validate_destination(&format!("spec.destinations[{index}]"), destination, fields)
        })
        .collect();
    if validated.len() == destinations.len() {
        refuse_same_targets(&validated, fields);
    }
    validated
}

fn validate_destination(
    path: &str,
    destination: &written::Destination,
    fields: &mut Fields,
) -> Option<Destination> {
    let written::Destination {
        name,
        registry,
        repository,
        tags,
        previous_tag,
        create_repository,
        provider,
        service_account_name,
        secret_ref,
        cert_secret_ref,
        proxy_secret_ref,
        insecure,
    } = destination;
    if !is_destination_name(name) {
        fields.refuse(
            format!("{path}.name"),
            format_args!(
                "name {name:?} must be lower-case letters, digits and '-', begin and end with a letter or digit, and have at most {DESTINATION_NAME_LENGTH} characters"
            ),
        );
    }
    let reached = Written {
        registry,
        provider: *provider,
        service_account: service_account_name.as_ref(),
        secrets: [secret_ref, cert_secret_ref, proxy_secret_ref],
        insecure: *insecure,
    }
    .accept(path, fields);
    let repository = fields.accept(
        format!("{path}.repository"),
        RepositoryTemplate::parse(repository),
    );
    let tags_path = format!("{path}.tags");
    fields.check_count(&tags_path, tags.len(), 1, TAG_TEMPLATES);
    fields.refuse_repeats(
        tags.iter()
            .enumerate()
            .map(|(index, tag)| (format!("{tags_path}[{index}]"), tag.as_str())),
    );
    let tags = fields.accept_all(&tags_path, tags, TagTemplate::parse);
    let previous_tag = previous_tag.as_ref().and_then(|text| {
        fields.accept(
            format!("{path}.previousTag"),
            PreviousTagTemplate::parse(text),
        )
    });
    if let Some(create) = create_repository {
        let identity = reached.as_ref().map(|(_, access)| &access.identity);
        check_creation(
            &format!("{path}.createRepository"),
            create,
            identity,
            fields,
        );
    }
    let (registry, access) = reached?;
    Some(Destination {
        name: name.clone(),
        registry,
        access,
        repository: repository?,
        tags,
        previous_tag,
        create_repository: create_repository.clone(),
    })
}

/// What a repository is made like, where it can be made at all.
fn check_creation(
    path: &str,
    create: &CreateRepository,
    identity: Option<&Option<CloudIdentity>>,
    fields: &mut Fields,
) {
    let cloud = identity.map(|identity| identity.as_ref().map(|identity| &identity.cloud));
    match cloud {
        // What is wrong with it was said.
        None | Some(Some(CloudRegistry::Ecr(_))) => {}
        Some(Some(CloudRegistry::EcrPublic)) => fields.refuse(
            path,
            "is for private registries of Amazon ECR: create repositories of the public one yourself",
        ),
        Some(_) => fields.refuse(
            path,
            "is only used with provider: AWS: other registries make repositories by themselves, or somebody has to",
        ),
    }
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

/// A DNS label (RFC 1123): it becomes a label value.
fn is_destination_name(name: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    name.len() <= DESTINATION_NAME_LENGTH
        && name.bytes().all(|byte| is_word(byte) || byte == b'-')
        && name.bytes().next().is_some_and(is_word)
        && name.bytes().last().is_some_and(is_word)
}

/// Two destinations that write the same tags of the same repositories would undo each other's work.
fn refuse_same_targets(destinations: &[Destination], fields: &mut Fields) {
    for (index, destination) in destinations.iter().enumerate() {
        let same = destinations.iter().take(index).find(|earlier| {
            earlier.registry == destination.registry
                && earlier.repository == destination.repository
                && earlier
                    .tags
                    .iter()
                    .any(|tag| destination.tags.contains(tag))
        });
        if let Some(earlier) = same {
            fields.refuse(
                format!("spec.destinations[{index}]"),
                format_args!("writes the same tags as destination {:?}", earlier.name),
            );
        }
    }
}
